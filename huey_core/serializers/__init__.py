"""Serializers: between the arguments and results of commands, and bytes.

What is listed here is public; the modules of this package are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from huey_core._lazy import lazy
from huey_core.serializers.base import DEFAULT_MAX_BODY_SIZE, Serializer, WrappingSerializer
from huey_core.serializers.json import JSONSerializer
from huey_core.serializers.tagged import MAX_DEPTH, TaggedSerializer, Tagger, register, untag, untag_all

if TYPE_CHECKING:
    from huey_core.serializers.pickle import PickleSerializer
    from huey_core.serializers.signed import SignedSerializer
else:
    # Most programs use neither.
    __getattr__ = lazy(
        __name__,
        PickleSerializer="huey_core.serializers.pickle",
        SignedSerializer="huey_core.serializers.signed",
    )

__all__ = [
    "DEFAULT_MAX_BODY_SIZE",
    "MAX_DEPTH",
    "JSONSerializer",
    "PickleSerializer",
    "Serializer",
    "SignedSerializer",
    "TaggedSerializer",
    "Tagger",
    "WrappingSerializer",
    "register",
    "untag",
    "untag_all",
]
