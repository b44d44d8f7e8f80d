"""From a name to a serializer: one that makes bytes, and layers around it.

A name is written from the inside out: ``json|signed`` signs what ``json`` made.
"""

from __future__ import annotations

from typing import Final

from huey_core._version import __version__
from huey_core.exceptions import ConfigurationError
from huey_core.plugins.discovery import SERIALIZERS, Entry
from huey_core.plugins.known import KNOWN_SERIALIZERS
from huey_core.plugins.registry import LazyRegistry
from huey_core.serializers.base import Serializer, WrappingSerializer, check_layers, safe_order

__all__ = ["register_serializer", "serializer", "serializer_registry"]

serializer_registry: Final[LazyRegistry[Serializer]] = LazyRegistry(
    SERIALIZERS,
    Serializer,
    kind="serializer",
    role="name",
    known=KNOWN_SERIALIZERS,
    # The same as the entry points in pyproject.toml, for a checkout that was never installed.
    builtin=[
        Entry(SERIALIZERS, "json", "huey_core.serializers.json:JSONSerializer", "huey-core", __version__),
        Entry(SERIALIZERS, "pickle", "huey_core.serializers.pickle:PickleSerializer", "huey-core", __version__),
        Entry(SERIALIZERS, "signed", "huey_core.serializers.signed:SignedSerializer", "huey-core", __version__),
    ],
)
"""The serializers by the names of their layers."""


def serializer(spec: str | Serializer) -> Serializer:
    """Make the serializer of a name, or return the one that is given.

    Raises:
        ConfigurationError: It is neither; or the layers are in a wrong order, or one is empty, or there twice. Whatever
            the constructor of a layer raises passes through.
        PluginException: There is no usable serializer for one of the layers.
    """
    if isinstance(spec, Serializer):
        return spec
    if not isinstance(spec, str):
        raise ConfigurationError(f"a serializer is given by a name such as 'json|signed' or as an object, not {spec!r}")
    names = spec.split("|")
    if not all(names):
        raise ConfigurationError(f"the serializer {spec!r} has an empty layer; write a name such as 'json|signed'")
    layers = [(name, serializer_registry.get(name)) for name in names]
    inner = [(name, cls) for name, cls in layers if not issubclass(cls, WrappingSerializer)]
    outer = [(name, cls) for name, cls in layers if issubclass(cls, WrappingSerializer)]
    if len(inner) != 1 or layers != [*inner, *outer]:
        raise ConfigurationError(_explain_order(spec, [name for name, _ in inner], [cls for _, cls in outer]))
    wrapping = [cls for _, cls in outer]
    # Before any is made: a constructor may refuse for another reason, such as a missing key, and hide this one.
    check_layers(names[0], wrapping)

    made = inner[0][1]()
    for cls in wrapping:
        made = cls(made)
    return made


def register_serializer(name: str, cls: type[Serializer], *, replace: bool = False) -> None:
    """Make a serializer known in this process, without a distribution around it.

    Raises:
        PluginConflict: Another class is registered under this name, and ``replace`` is false.
    """
    serializer_registry.register(name, cls, replace=replace)


def _explain_order(spec: str, inner: list[str], outer: list[type[WrappingSerializer]]) -> str:
    if len(inner) > 1:
        return f"the serializer {spec!r} has {len(inner)} innermost layers ({', '.join(inner)}); keep one of them"
    right = "|".join([*(inner or ["json"]), *safe_order(outer)])
    return f"the serializer {spec!r} wraps before there is anything to wrap; layers go from the inside out: {right!r}"
