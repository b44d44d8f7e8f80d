"""The names under which classes and functions are known to other processes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ModuleRun", "dotted_name", "importable", "innermost"]

_SCRIPTS: Final = frozenset({"__main__", "__mp_main__", "<run_path>"})
"""What Python calls a script: that of this process, that of the parent in a spawned one, and one run by runpy."""

_LOADED_BY_SERVERS: Final = ("uwsgi_file_", "_mod_wsgi_")
"""How modules are called that a WSGI server loads by their files."""

_MOST_DECORATORS: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class ModuleRun:
    """One run of a module's code: by an import, a reload, or as a script. Two runs define the same things anew.

    The module has other global names each time when it is imported anew or run, and another spec after each reload.
    """

    names: dict[str, Any]
    spec: object

    @classmethod
    def of(cls, module: str) -> ModuleRun:
        """The run that is going on, or was the last."""
        return cls.with_names(getattr(sys.modules.get(module), "__dict__", {}))

    @classmethod
    def with_names(cls, names: dict[str, Any]) -> ModuleRun:
        """The same, by the global names of the module."""
        return cls(names, names.get("__spec__"))

    def is_another(self, other: ModuleRun) -> bool:
        """Whether the two are not the same run."""
        return self.names is not other.names or self.spec is not other.spec


def dotted_name(thing: type | Callable[..., Any]) -> str:
    """The module and the qualified name of a class or function, joined by a dot.

    What is defined in the script that was started gets the name it has when it is imported, because that is how the
    consumer will find it: ``python shop/mail.py`` and ``import mail`` agree on ``mail.send``, and so does a process
    that multiprocessing has spawned. ``python -m shop`` and ``import shop.__main__`` agree on ``shop.send``.
    """
    module = thing.__module__
    if module in _SCRIPTS or module.startswith(_LOADED_BY_SERVERS):
        module = _name_of_script(thing, module)
    return importable(f"{module}.{thing.__qualname__}")


def importable(name: str) -> str:
    """A dotted name without the ``__main__`` of a package, which only the process that runs the package leaves out."""
    return name.replace(".__main__.", ".", 1)


def innermost(function: Any) -> Any:
    """The function inside of all decorators that have left a ``__wrapped__``."""
    # Some objects have an attribute of every name.
    for _ in range(_MOST_DECORATORS):
        inner = getattr(function, "__wrapped__", None)
        if inner is None:
            break
        function = inner
    return function


def _name_of_script(thing: type | Callable[..., Any], module: str) -> str:
    # A profiler runs a script beside itself, and runpy takes it out of sys.modules at its end.
    names = getattr(innermost(thing), "__globals__", {})
    if names.get("__name__") != module or "__file__" not in names:
        names = getattr(sys.modules.get(module), "__dict__", {})
    spec, file = names.get("__spec__"), names.get("__file__")
    # That of a folder, or of an archive, is called "__main__" as well.
    if spec is not None and spec.name not in {"__main__", module}:
        return str(spec.name)
    return module if file is None or file.startswith("<") else Path(file).stem
