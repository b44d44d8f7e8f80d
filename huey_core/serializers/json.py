"""JSON that brings Python values back as they were, and refuses what it could not bring back.

The output is strict JSON in UTF-8. ``None``, ``bool``, ``int``, finite ``float``, ``str``, ``list``, and ``dict`` with
text keys are written as JSON has them; everything else as an object with the key ``"$"``, the *tag*, such as
``{"$": "tuple", "v": [...]}``; ``docs/messages.md`` has them all.

Types are taken exactly: an instance of a subclass (a named tuple, an ``OrderedDict``, an ``IntEnum`` that was not
registered) would come back as something else, so it is refused. Nothing is ever imported or called because a message
names it: an Enum or dataclass must have been registered in the process that reads, by :meth:`JSONSerializer.register`,
and a dataclass is made of its fields without a call of its ``__init__`` or ``__post_init__``.
"""

from __future__ import annotations

from typing import Any, Final

from huey_core.serializers.tagged import MAX_DEPTH, TaggedSerializer, Tagger, register, untag
from huey_core.strict_json import json_reader, json_writer

__all__ = ["MAX_DEPTH", "JSONSerializer"]


class JSONSerializer(TaggedSerializer):
    """The default serializer: JSON with tags for the Python types that JSON lacks. See the module for the format."""

    quick = Tagger({str, int, float, bool, type(None)})
    thorough = Tagger({bool, type(None)})

    name = "json"
    register = staticmethod(register)

    def write(self, tagged: Any) -> bytes:
        """Write JSON; a float that is not finite, a lone surrogate or an integer of too many digits is a ValueError."""
        return _write_json(tagged).encode()

    def read(self, data: bytes) -> Any:
        """Read JSON, with the tags in it; see :meth:`TaggedSerializer.read`."""
        text = data.decode()
        # "$" has one escaped form only, so a text with neither has no tag, and the hook need not see every object.
        read = _read_tagged if '"$"' in text or "\\u0024" in text else _read_plain
        return read(text)


# What is written has passed tag, so it cannot contain itself.
_write_json: Final = json_writer()
_read_plain: Final = json_reader()
_read_tagged: Final = json_reader(untag)
