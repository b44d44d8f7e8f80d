"""Whether a call fits the function that it is for.

Python itself compares the two: what is called is a function that has the same parameters and does nothing. That takes a
tenth of a microsecond, where ``inspect.Signature.bind`` takes several, and the words of the error are Python's.
"""

from __future__ import annotations

from functools import partial
from reprlib import repr as short_repr
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

__all__ = ["Signature", "python_function"]

_VARARGS: Final = 0x04
_VARKEYWORDS: Final = 0x08
"""Of inspect, which costs as much to import as everything else here: the flags of ``*args`` and ``**kwargs``."""

_OF_SCHEDULE: Final = {"delay": "delay", "eta": "eta", "countdown": "delay"}
"""What says elsewhere when a call is to run, and what ``.schedule`` calls it."""


class Signature:
    """The calls that a function takes.

    A wrapper is asked for its own parameters, and not for those of the function inside, because it may fill in some of
    them. So what takes ``(*args, **kwargs)`` takes every call, and so does what does not say what it takes, such as a
    function in C.

    Args:
        function: What will be called.
    """

    __slots__ = ("_takes", "_takes_some")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._takes = _stub(function, lenient=False)
        self._takes_some = _stub(function, lenient=True)

    def check(
        self, args: Iterable[Any], kwargs: Mapping[str, Any], options: Collection[str] = (), *, complete: bool = True
    ) -> None:
        """Refuse a call that the function does not take.

        Args:
            args: The arguments.
            kwargs: The keyword arguments.
            options: What is given to ``.using(...)`` by name; the error says so when it is among the arguments.
            complete: ``False`` for a call that may lack arguments.

        Raises:
            TypeError: What Python says of such a call.
        """
        if not complete and _fits(self._takes_some, args, kwargs):
            return
        try:
            self._takes(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{error}{self._hint(kwargs, options)}") from None

    def _hint(self, kwargs: Mapping[str, Any], options: Collection[str]) -> str:
        for name, value in kwargs.items():
            if _fits(self._takes_some, (), {name: value}):
                continue
            if name in options:
                return f"; {name} is an option: use .using({name}={short_repr(value)})(...)"
            if name in _OF_SCHEDULE:
                return f"; {name} is an option: use .schedule((...), {_OF_SCHEDULE[name]}={short_repr(value)})"
        return ""


def _fits(stub: Callable[..., Any], args: Iterable[Any], kwargs: Mapping[str, Any]) -> bool:
    try:
        stub(*args, **kwargs)
    except TypeError:
        return False
    return True


def python_function(function: object) -> FunctionType | None:
    """The function in Python that a call of this ends at, wrappers in Python aside; ``None`` where there is none."""
    if isinstance(function, FunctionType):
        return function
    if isinstance(function, partial):
        return python_function(function.func)
    if isinstance(function, staticmethod | MethodType):
        return python_function(function.__func__)
    method = _call_method(function)
    return None if method is None else python_function(method)


def _stub(function: object, *, lenient: bool) -> Callable[..., Any]:
    """Something that takes the calls that this takes; where it is lenient, also those that lack arguments."""
    if isinstance(function, FunctionType):
        return _stub_of_function(function, lenient=lenient)
    if isinstance(function, partial):
        return partial(_stub(function.func, lenient=lenient), *function.args, **function.keywords)
    if isinstance(function, staticmethod):
        return _stub(function.__func__, lenient=lenient)
    if isinstance(function, MethodType):
        return MethodType(_stub(function.__func__, lenient=lenient), function.__self__)
    method = _call_method(function)
    return _takes_all if method is None else _stub(method, lenient=lenient)


def _call_method(function: object) -> MethodType | None:
    """What a call of an object calls; ``None`` where that is not a method in Python."""
    name = "__call__"
    method = getattr(function, name, None)
    # Python calls the method of the class, whatever the object has under that name.
    of_class = isinstance(method, MethodType) and method.__func__ is getattr(type(function), name, None)
    return method if of_class else None


def _stub_of_function(function: FunctionType, *, lenient: bool) -> FunctionType:
    code = function.__code__
    named = code.co_argcount + code.co_kwonlyargcount
    variadic = code.co_flags & (_VARARGS | _VARKEYWORDS)
    names = code.co_varnames[: named + variadic.bit_count()]
    stub = FunctionType(
        _do_nothing.__code__.replace(
            co_argcount=code.co_argcount,
            co_posonlyargcount=code.co_posonlyargcount,
            co_kwonlyargcount=code.co_kwonlyargcount,
            co_varnames=names,
            co_nlocals=len(names),
            co_flags=_do_nothing.__code__.co_flags | variadic,
            co_name=function.__name__,
            co_qualname=function.__qualname__,
        ),
        {},
    )
    stub.__defaults__ = (None,) * code.co_argcount if lenient else function.__defaults__
    stub.__kwdefaults__ = dict.fromkeys(names[code.co_argcount : named]) if lenient else function.__kwdefaults__
    return stub


def _do_nothing() -> None: ...


def _takes_all(*args: Any, **kwargs: Any) -> None: ...
