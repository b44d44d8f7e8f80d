"""Text of others, made fit to be logged and shown: of messages, plugins, drivers, and of what commands raise.

Nothing here raises, whatever an exception, a class or an object does when it is asked for its text: who logs or stores
an error must not fail with what has just failed.
"""

from __future__ import annotations

import re
import threading
import traceback
from typing import TYPE_CHECKING, Any, Final

from huey_core.unicode import cut_middle

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

__all__ = [
    "MAX_TEXT",
    "cause_of",
    "closest",
    "counted",
    "did_you_mean",
    "error_line",
    "error_text",
    "error_type",
    "is_interrupt",
    "is_users_interrupt",
    "logged_traceback",
    "plain_traceback",
    "printable",
    "printable_text",
    "python_traceback",
    "times",
    "traceback_of",
    "traceback_text",
]

MAX_TEXT: Final = 8 * 2**10
"""Characters of an error's own text that are kept. Drivers quote whole documents, and the parameters of statements."""

_LONGEST_LINE: Final = 500
_LONGEST_CHAIN: Final = 20

_HEAD: Final = "Traceback (most recent call last):\n"
_BETWEEN: Final = (
    "\nThe above exception was the direct cause of the following exception:\n\n",
    "\nDuring handling of the above exception, another exception occurred:\n\n",
)


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Write how many there are of something: ``1 message``, ``2 messages``."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def times(count: int) -> str:
    """Write how often something was: ``once``, ``2 times``."""
    return "once" if count == 1 else f"{count} times"


def closest(name: str, known: Iterable[str]) -> str | None:
    """The name among those that are known which somebody may have meant, be it in upper or in lower case."""
    # Needed for errors alone, and slow to import.
    from difflib import get_close_matches

    by_lower = {each.lower(): each for each in known}
    found = get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The end of an error about a name: the :func:`closest` one that is known, or else another hint, or nothing."""
    found = closest(name, known)
    hint = otherwise if found is None else f"did you mean {found!r}?"
    return hint and f"; {hint}"


def printable(text: str, keep: str = "") -> str:
    """Write characters that do not print as escapes, except those to keep, so that none can steer a terminal."""
    rest = text
    for char in keep:
        rest = rest.replace(char, "")
    if rest.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep else char.encode("unicode_escape").decode("ascii") for char in text
    )


def printable_text(thing: object, *, as_repr: bool = False) -> str:
    """The ``str`` or ``repr`` of anything, :func:`printable`; what raises at that is named by its type."""
    try:
        return printable(_exactly(repr(thing) if as_repr else str(thing)))
    except BaseException as failure:
        if is_interrupt(failure):
            raise
        return f"<{_name(type(thing))} without a text, because that raised {_name(type(failure))}>"


def is_interrupt(error: BaseException) -> bool:
    """Whether an exception may come from a signal handler, and must pass: a ``KeyboardInterrupt``, a ``SystemExit``.

    Signal handlers run in the main thread only, and in any other one nobody has asked for such an exception.
    """
    return not isinstance(error, Exception) and threading.current_thread() is threading.main_thread()


def is_users_interrupt(error: BaseException) -> bool:
    """Whether it is a ``KeyboardInterrupt`` that the user may have asked for; see :func:`is_interrupt`."""
    return isinstance(error, KeyboardInterrupt) and is_interrupt(error)


def error_type(error: BaseException) -> str:
    """The name of an error's type."""
    return _name(type(error))


def error_text(error: BaseException) -> str:
    """What an error says of itself, also when it cannot say it; at most about :data:`MAX_TEXT` characters."""
    try:
        return cut_middle(_exactly(str(error)), MAX_TEXT)
    except BaseException as failure:
        if is_interrupt(failure):
            raise
        return f"it has no text, because that of {error_type(error)} raised {error_type(failure)}"


def error_line(error: BaseException) -> str:
    """Write the type of an error and the first line of what it says, as a traceback ends.

    Its ``repr`` will not do: a driver may put a category there, and the reason into the text alone.
    """
    lines = error_text(error).strip().splitlines()
    return f"{error_type(error)}: {lines[0][:_LONGEST_LINE]}" if lines else error_type(error)


def traceback_of(error: BaseException) -> TracebackType | None:
    """Where an error was raised, whatever its class does with its attributes."""
    raised_at: TracebackType | None = _kept(error, "__traceback__")
    return raised_at


def cause_of(error: BaseException) -> BaseException | None:
    """What an error was raised from, or else what was being handled when it was raised, if anything."""
    cause: BaseException | None = _kept(error, "__cause__")
    return cause if cause is not None or _kept(error, "__suppress_context__") else _kept(error, "__context__")


def traceback_text(error: BaseException, first: TracebackType | None) -> str:
    """The traceback of an error, and of those that caused it: Python's, or a plainer one where Python cannot write it.

    ``first`` is the outermost frame to be shown.
    """
    parts = python_traceback(error, first)
    return plain_traceback(error, first) if parts is None else "".join(parts)


def python_traceback(error: BaseException, first: TracebackType | None) -> list[str] | None:
    """The same in parts, as Python writes it, or ``None`` when it cannot: not every exception can be formatted."""
    try:
        return [_exactly(part) for part in traceback.format_exception(type(error), error, first)]
    except BaseException as failure:
        if is_interrupt(failure):
            raise
        return None


def logged_traceback(parts: Iterable[str]) -> str:
    """The traceback that Python wrote in these parts, made so that it can neither steer a terminal nor forge a line.

    What an exception says of itself, or notes, is often what a message has brought. Its lines are indented, all but the
    first one, so that none looks like the beginning of a record, and of a long text the middle is left out.
    """
    logged = []
    has_said = False
    for part in (cut_middle(each, MAX_TEXT) for each in parts):
        if part in _BETWEEN:
            has_said = False
        elif part != _HEAD or has_said:
            part = re.sub(r"\n(?=[^\s])", "\n    ", part)  # noqa: PLW2901
            if not part.startswith(" "):
                part = f"    {part}" if has_said else part  # noqa: PLW2901
                has_said = True
        logged.append(printable(part, keep="\n\t"))
    return "".join(logged)


def plain_traceback(error: BaseException, first: TracebackType | None) -> str:
    """The same with nothing but the frames, the types and the texts, which can always be written."""
    parts = [_plain(error, first)]
    seen = {id(error)}
    while len(parts) < _LONGEST_CHAIN:
        before = cause_of(error)
        if before is None or id(before) in seen:
            break
        words = "As a direct consequence of this" if before is _kept(error, "__cause__") else "While this was handled"
        error = before
        seen.add(id(error))
        parts.append(f"{_plain(error, traceback_of(error))}\n{words}, the following was raised:\n\n")
    return "".join(reversed(parts))


def _plain(error: BaseException, first: TracebackType | None) -> str:
    lines = [_HEAD] if first is not None else []
    while first is not None:
        code = first.tb_frame.f_code
        lines.append(f'  File "{code.co_filename}", line {first.tb_lineno}, in {code.co_name}\n')
        first = first.tb_next
    text = error_text(error).replace("\n", "\n    ")
    return "".join([*lines, f"{error_type(error)}: {text}\n"])


def _kept(error: BaseException, attribute: str) -> Any:
    # What Python itself keeps, and not what a class may answer.
    return getattr(BaseException, attribute).__get__(error)


def _name(kind: type) -> str:
    # The same: a metaclass may answer for its class.
    return str(type.__dict__["__name__"].__get__(kind))


def _exactly(text: str) -> str:
    """A text of the very class, whose methods do what they say."""
    return "".join((text, ""))
