"""The names under which classes and functions are known to other processes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dotted_name"]


def dotted_name(thing: type | Callable[..., Any]) -> str:
    """The module and the qualified name of a class or function, joined by a dot.

    What is defined in the script that was started gets the name it has when it is imported, because that is how the
    consumer will find it: ``python shop/mail.py`` and ``import mail`` agree on ``mail.send``.
    """
    module = thing.__module__
    return f"{_name_of_script() if module == '__main__' else module}.{thing.__qualname__}"


def _name_of_script() -> str:
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name).removesuffix(".__main__")
    file = getattr(main, "__file__", None)
    return "__main__" if file is None else Path(file).stem
