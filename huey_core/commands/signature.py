"""Whether a call fits the function that it is for.

Python itself compares the two: what is called is a function that has the same parameters and does nothing. That takes a
tenth of a microsecond, where ``inspect.Signature.bind`` takes several, and the words of the error are Python's.
"""

from __future__ import annotations

import inspect
from functools import partial
from reprlib import repr as short_repr
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, TypeGuard, TypeVar

from huey_core.commands.option import WHEN_TO_RUN
from huey_core.commands.option_checks import names_in_key
from huey_core.exceptions import ConfigurationError
from huey_core.text import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from huey_core.commands.options import CommandOptions

__all__ = [
    "TAKES_EVERY_CALL",
    "Signature",
    "check_unique_key",
    "is_bound_in_a_class",
    "name_of",
    "parameters_of",
    "python_function",
]

T = TypeVar("T")

_NO_OPTIONS: Final[frozenset[str]] = frozenset()
_VARIADIC: Final = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


class Signature:
    """The calls that a function takes.

    A wrapper is asked for its own parameters, and not for those of the function inside, because it may fill in some of
    them. So what takes ``(*args, **kwargs)`` takes every call, and so does what does not say what it takes, such as a
    function in C.

    Args:
        function: What will be called.

    Attributes:
        takes: Called with the arguments of a call that the function does not take, it raises a ``TypeError``. It costs
            every call something, so it is called as it is.
        takes_partial: The same for a call that may lack arguments.
    """

    __slots__ = ("takes", "takes_partial")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.takes = _stub(function, lenient=False)
        self.takes_partial = _stub(function, lenient=True)

    def check(
        self,
        args: Iterable[Any],
        kwargs: Mapping[str, Any],
        is_option: Callable[[str], bool] = _NO_OPTIONS.__contains__,
    ) -> None:
        """Refuse a call that the function does not take, in words that help.

        It is the ``TypeError`` that Python has for such a call. When a name among the arguments is that of an option,
        which is given to ``.using(...)``, it says so.
        """
        try:
            self.takes(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{error}{self._hint(kwargs, is_option)}") from None

    def _hint(self, kwargs: Mapping[str, Any], is_option: Callable[[str], bool]) -> str:
        for name, value in kwargs.items():
            if self._takes_keyword(name):
                continue
            if is_option(name):
                return f"; {name} is an option: use .using({name}={short_repr(value)})(...)"
            if name in WHEN_TO_RUN:
                return f"; {name} is an option: use .schedule((...), {WHEN_TO_RUN[name]}={short_repr(value)})"
        return ""

    def _takes_keyword(self, name: str) -> bool:
        try:
            self.takes_partial(**{name: None})
        except TypeError:
            return False
        return True


def parameters_of(function: Callable[..., Any]) -> inspect.Signature:
    """The parameters of a function by their names, as far as they are known: those inside of ``(*args, **kwargs)``.

    Raises:
        ValueError: It does not say what they are, as some functions in C.
    """

    def has_names(wrapper: Callable[..., Any]) -> bool:
        parameters = inspect.signature(wrapper, follow_wrapped=False).parameters.values()
        return {parameter.kind for parameter in parameters}.isdisjoint(_VARIADIC)

    return inspect.signature(inspect.unwrap(function, stop=has_names), follow_wrapped=False)


def check_unique_key(function: Callable[..., Any], options: CommandOptions) -> None:
    """Refuse a unique key that names what is no parameter of the function, and offer the closest one."""
    key = options.unique_key
    if not isinstance(key, str) or "{" not in key:
        return
    try:
        parameters = list(parameters_of(function).parameters)
    except ValueError as error:
        raise ConfigurationError(f"unique_key={key!r} cannot be made: {error}; let unique_key be a function") from error
    for name in sorted(names_in_key(key).difference(parameters)):
        raise ConfigurationError(
            f"unique_key={key!r} names {name!r}, which is no parameter of {name_of(function)}()"
            f"{did_you_mean(name, parameters)}"
        )


def name_of(function: object) -> str:
    """What to call a function; of what is called in place of one, what it is."""
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


def is_bound_in_a_class(function: Callable[..., Any]) -> bool:
    """Whether a function takes the object, or the class, first whose method it is, as far as names can tell."""
    inner = inspect.unwrap(function, stop=lambda wrapper: isinstance(wrapper, staticmethod))
    if not isinstance(inner, FunctionType):
        return False
    code = inner.__code__
    # In a class that is nothing but a name for several commands, no function has these.
    return code.co_argcount > 0 and code.co_varnames[0] in {"self", "cls"}


def python_function(function: object) -> FunctionType | None:
    """The first function in Python that a call of this comes to; ``None`` where there is none."""
    if _is(function, FunctionType):
        return function
    if _is(function, partial):
        return python_function(function.func)
    if _is(function, staticmethod) or _is(function, MethodType):
        return python_function(function.__func__)
    method = _call_method(function)
    return None if method is None else python_function(method)


def _stub(function: object, *, lenient: bool) -> Callable[..., Any]:
    """Something that takes the calls that this takes; where it is lenient, also those that lack arguments."""
    if _is(function, FunctionType):
        return _stub_of_function(function, lenient=lenient)
    if _is(function, partial):
        return partial(_stub(function.func, lenient=lenient), *function.args, **function.keywords)
    if _is(function, staticmethod):
        return _stub(function.__func__, lenient=lenient)
    if _is(function, MethodType):
        return MethodType(_stub(function.__func__, lenient=lenient), function.__self__)
    method = _call_method(function)
    return _takes_all if method is None else _stub(method, lenient=lenient)


def _is(function: object, kind: type[T]) -> TypeGuard[T]:
    # A proxy has the ``__class__`` of what is behind it, and may call that with other arguments.
    return issubclass(type(function), kind)


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
    variadic = code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS)
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


TAKES_EVERY_CALL: Final = Signature(_takes_all)
