"""Errors that Python cannot format, or whose text, attributes, notes and causes raise."""

from __future__ import annotations


class Unspeakable(Exception):
    """Raises what is no :class:`Exception` when it is asked for its text."""

    def __str__(self):
        raise SystemExit("no words")

    __repr__ = __str__


class Secretive(Exception):
    def __getattribute__(self, name):
        raise LookupError(name)


class Nameless(type):
    def __getattribute__(cls, name):
        raise LookupError(name)


class OfNoName(Exception, metaclass=Nameless):
    pass


class Stubborn(str):
    def strip(self, *args):
        raise LookupError("strip")


class Odd(Exception):
    def __str__(self):
        return Stubborn("odd")


def with_notes(notes):
    error = ValueError("noted")
    error.__notes__ = notes
    return error


def in_a_circle():
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    return first


def deep():
    error = ValueError("deepest")
    for _ in range(5000):
        error = ExceptionGroup("around", [error])
    return error


ODD = {
    "a syntax error in bytes": SyntaxError("bad rule", ("rules.txt", 1, 2, b"text")),
    "a syntax error of odd details": SyntaxError("bad rule", (b"rules.txt", "one", [], b"text")),
    "a text that raises": Unspeakable(),
    "attributes that raise": Secretive("secret"),
    "a class that raises": OfNoName("a text"),
    "a text of an odd class": Odd(),
    "a note that raises": with_notes([Unspeakable()]),
    "notes that are none": with_notes(7),
    "causes in a circle": in_a_circle(),
    "a group in a group, without end": deep(),
    "a group of odd errors": ExceptionGroup("some", [Unspeakable(), SyntaxError("bad", ("f", 1, 2, b"text"))]),
    "what is no exception": GeneratorExit(),
}
