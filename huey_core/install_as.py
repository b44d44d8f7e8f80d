"""Lets programs of the original API run unchanged: ``import huey`` then finds this package.

Every module has one copy, whichever name it was imported by: ``huey.queue`` is ``huey_core.queue``. The original's
Redis backend and its Django part are distributions of their own now, and found under their old names where they are
installed. A module that has no counterpart says at its import what to use instead.
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


_MOVED: Final = {
    "huey.backends.redis_backend": "huey_redis",
    "huey.bin.huey_consumer": "huey_core.consumer",
    "huey.djhuey": "huey_django",
    "huey.utils": "huey_core.backends.base",
}
"""Modules of the original API that are called otherwise now, with those below them."""

_GONE: Final = {
    "huey.backends.dummy": "take huey_memory.MemoryQueue and huey_memory.MemoryDataStore, or Invoker.from_url('memory://')",
    "huey.djhuey.conf": "manage.py run_huey reads HUEY_CONFIG by itself; huey.djhuey is huey_django",
    "huey.djhuey.management": "it belongs to huey_django: put that into INSTALLED_APPS and call manage.py run_huey",
    "huey.registry": "take huey_core.commands.default_registry, which has other methods",
}
"""Modules of the original API that are not there, with what to use instead."""


class _Aliases(MetaPathFinder, Loader):
    """Finds ``huey.x`` as another name of ``huey_core.x``, when it is first imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("huey."):
            return None
        if fullname in _GONE:
            raise ModuleNotFoundError(
                f"{fullname} of the original API is not there: {_GONE[fullname]} (see docs/migrating.md of huey-core)",
                name=fullname,
            )
        if find_spec(_real_name(fullname)) is None:
            if fullname in _MOVED:
                package = _MOVED[fullname]
                raise ModuleNotFoundError(
                    f"{fullname} is {package} now, which is not installed: pip install {package.replace('_', '-')}",
                    name=fullname,
                )
            return None
        return ModuleSpec(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        # The import system takes what it finds in sys.modules afterwards. Were the real module handed to it earlier,
        # it would overwrite the module's __spec__.
        sys.modules[module.__name__] = importlib.import_module(_real_name(module.__name__))


_ALIASES: Final = _Aliases()


def _real_name(alias: str) -> str:
    for moved, real in _MOVED.items():
        if alias == moved or alias.startswith(f"{moved}."):
            return alias.replace(moved, real, 1)
    return alias.replace("huey", "huey_core", 1)


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
