"""Lets programs of the original API run unchanged: ``import huey`` then finds this package.

Every module has one copy, whichever name it was imported by: ``huey.queue`` is ``huey_core.queue``. The original's
Redis backend is a plugin now, and found under its old name where that is installed.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from huey_core.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["install_as_huey"]


class _Aliases(MetaPathFinder, Loader):
    """Finds ``huey.x`` as another name of ``huey_core.x``, when it is first imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("huey.") or find_spec(_real_name(fullname)) is None:
            return None
        return ModuleSpec(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        # The import system takes what it finds in sys.modules afterwards. Were the real module handed to it earlier,
        # it would overwrite the module's __spec__.
        sys.modules[module.__name__] = importlib.import_module(_real_name(module.__name__))


_ALIASES: Final = _Aliases()
_ELSEWHERE: Final = {"huey.backends.redis_backend": "huey_redis"}
"""Modules of the original API that have become distributions of their own."""


def _real_name(alias: str) -> str:
    return _ELSEWHERE.get(alias) or alias.replace("huey", "huey_core", 1)


def install_as_huey() -> None:
    """Make ``huey`` and its modules importable, as names for those of this package.

    Call it once, before anything imports ``huey``; nothing is changed by merely importing this package.

    Raises:
        ConfigurationError: Another ``huey``, such as the one on PyPI, was imported already.
    """
    present = sys.modules.get("huey")
    ours = importlib.import_module("huey_core")
    if present is not None and present is not ours:
        where = getattr(present, "__file__", None) or "an unknown place"
        raise ConfigurationError(
            f"another package called huey was imported already, from {where}; call install_as_huey() before that, "
            "and do not use both in one program"
        )
    if _ALIASES not in sys.meta_path:
        sys.meta_path.insert(0, _ALIASES)
    sys.modules["huey"] = ours
