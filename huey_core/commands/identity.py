"""Whether two commands of one name are one: the same function, or what its file defines when it is run again."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from huey_core.commands.signature import python_function
from huey_core.names import ModuleRun, dotted_name, innermost

if TYPE_CHECKING:
    from types import CodeType

    from huey_core.commands.base import QueueCommand

__all__ = ["Origin", "is_same_function"]

_TYPED: Final = ("<stdin>", "<console>", "<python-input-", "<ipython-input-", "<doctest ")
"""What Python, its ``code`` and ``doctest`` modules and IPython call what is typed."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where a command was written, and by which run of its file. A reload changes it, so it is made at registration.

    Attributes:
        command_class: The command.
        code: That of its function, or of its ``execute`` where it was written as a class: the innermost one, for a
            decorator gives all of its functions one code. ``None`` where there is none in Python.
        file: Where it was written; ``None`` where that is not known.
        run: The run of its module that has defined it.
        imported_as: The file and the name in it of a command that is named by its module; ``None`` of another.
    """

    command_class: type[QueueCommand]
    code: CodeType | None
    file: str | None
    run: ModuleRun
    imported_as: tuple[str, str] | None

    @classmethod
    def of(cls, command_class: type[QueueCommand]) -> Origin:
        """The origin of a command, as it is now."""
        run = ModuleRun.of(command_class.__module__)
        file = run.names.get("__file__")
        imported_as = None
        if file is not None and command_class.command_name == dotted_name(command_class):
            imported_as = os.path.realpath(file), command_class.__qualname__
        function = _python_function(_called(command_class))
        if function is None:
            return cls(command_class, None, file, run, imported_as)
        code, run = function.__code__, ModuleRun.with_names(function.__globals__)
        return cls(command_class, code, code.co_filename, run, imported_as)

    def is_same(self, other: Origin) -> bool:
        """Whether the other one, of the same name, may take the place of this."""
        one, two = self.command_class, other.command_class
        if one is two or self._is_run_again(other):
            return True
        written_as_classes = _function(one) is _function(two) is None
        if written_as_classes and "<locals>" in one.command_name and self.code is other.code:
            # It is made afresh by every call of the function around it, and declared before anybody can say otherwise.
            return True
        return (
            not written_as_classes and is_same_function(_function(one), _function(two)) and _are_bound_alike(one, two)
        )

    def _is_run_again(self, other: Origin) -> bool:
        one, two = self.command_class, other.command_class
        if one.__qualname__ != two.__qualname__:
            return False
        if _is_typed(self.file) and _is_typed(other.file):
            return True
        if self.file != other.file or self.file is None:
            # A cell of a notebook has another file each time.
            return one.__module__ == two.__module__ == "__main__"
        if self.code is not other.code and _positions(self.code) == _positions(other.code):
            return True
        # Within one run of a file, a second definition is another one.
        return self.run.is_another(other.run) and not self.file.startswith("<")

    def __str__(self) -> str:
        if self.code is None:
            return repr(self.command_class)
        return f"{self.code.co_filename}:{self.code.co_firstlineno}"


def is_same_function(one: Any, other: Any) -> bool:
    """Whether two functions, or what they are made of, do the same, as far as can be seen.

    Two that were made by one ``def`` are the same if what they enclose is, and their defaults.
    """
    return _is_same(one, other, set())


def _is_same(one: Any, other: Any, compared: set[tuple[int, int]]) -> bool:
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, FunctionType):
        pair = id(one), id(other)
        if pair in compared:
            # A function may enclose itself. One pair that differs settles the matter, so none is compared twice.
            return True
        compared.add(pair)
        return (
            one.__code__ is other.__code__
            and one.__globals__ is other.__globals__
            and _are_same(_enclosed(one), _enclosed(other), compared)
        )
    if type(one) is partial:
        return _are_same(_held(one), _held(other), compared)
    if type(one) is tuple:
        return _are_same(one, other, compared)
    try:
        return bool(one == other)
    except Exception:  # noqa: BLE001 - what an application's values make of a comparison
        return False


def _are_same(some: tuple[Any, ...], others: tuple[Any, ...], compared: set[tuple[int, int]]) -> bool:
    return len(some) == len(others) and all(map(partial(_is_same, compared=compared), some, others))


def _held(made: partial[Any]) -> tuple[Any, ...]:
    return made.func, made.args, tuple(made.keywords.items())


def _enclosed(function: FunctionType) -> tuple[Any, ...]:
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:
            # Nothing has been assigned to the name yet.
            cells.append(cell)
    return (function.__defaults__, tuple((function.__kwdefaults__ or {}).items()), *cells)


def _are_bound_alike(one: type[QueueCommand], other: type[QueueCommand]) -> bool:
    # Functions that are made for each decoration may do the same.
    options, others = (replace(each.defaults, unique_key=None) for each in (one, other))
    return (
        options == others
        and _ticks_into(one) == _ticks_into(other)
        and is_same_function(one.defaults.unique_key, other.defaults.unique_key)
        and all(
            is_same_function(getattr(one, name, None), getattr(other, name, None))
            for name in ("missed", "overlap", "schedule", "validate_datetime")
        )
    )


def _ticks_into(command_class: type[QueueCommand]) -> str | None:
    """The queue of a periodic command; ``None`` where a deferred invoker will say, and of another command."""
    invoker = vars(command_class).get("invoker")
    if not hasattr(command_class, "queue_name") or invoker is None or hasattr(invoker, "__get__"):
        return getattr(command_class, "queue_name", None)
    return command_class.defaults.queue or str(invoker.queue.name)


def _function(command_class: type[QueueCommand]) -> Any:
    return getattr(command_class, "function", None)


def _called(command_class: type[QueueCommand]) -> Any:
    return _function(command_class) or vars(command_class).get("execute")


def _python_function(function: Any) -> FunctionType | None:
    """The function in Python inside of decorators, ``partial`` and objects that can be called."""
    called = python_function(innermost(function))
    inner = innermost(called)
    return inner if isinstance(inner, FunctionType) else called


def _is_typed(file: str | None) -> bool:
    """Whether a file is what is typed at a prompt, or an example of a doctest, which is written like that."""
    # A script that Python reads from standard input is called like what is typed.
    return file is not None and file.startswith(_TYPED) and (file != "<stdin>" or hasattr(sys, "ps1"))


def _positions(code: CodeType | None) -> object:
    return None if code is None else (code.co_qualname, code.co_firstlineno, *code.co_positions())
