"""Numbers as somebody gives them, refused where they are of another type or out of their range."""

from __future__ import annotations

from huey_core.exceptions import ConfigurationError

__all__ = ["check_number"]


def check_number(
    name: str, value: object, least: float, most: float = float("inf"), *, whole: bool = False, what: str = ""
) -> None:
    """Refuse what is not a number from ``least`` to ``most``, or, where it must be ``whole``, is no integer.

    Raises:
        ConfigurationError: It cannot be used; the message says so of ``name``, and that it must be ``what``.
    """
    # Written so that "not a number" is refused too. To isinstance a bool is an int, and to nobody else a number.
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not least <= value <= most:
        what = what or ("a whole number" if whole else "a number")
        at_most = "" if most == float("inf") else f" and at most {most:.12g}"
        raise ConfigurationError(f"{name} must be {what} of at least {least:.12g}{at_most}, not {value!r}")
