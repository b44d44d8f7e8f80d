"""MessagePack that brings Python values back as they were, and refuses what it could not bring back.

``None``, ``bool``, ``float``, ``str``, ``bytes``, ``list``, ``int`` from ``-2**63`` to ``2**64 - 1``, and ``dict`` with
text keys are written as MessagePack has them; every other value as a map with the key ``"$"``, the *tag*, of which
:mod:`huey_core.serializers.json` has the list. No extension type is written. A reader in another language needs nothing
but MessagePack, and an application that moves from ``json`` to ``msgpack`` carries the same values.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from msgspec import MsgspecError
from msgspec.msgpack import Decoder, Encoder

from huey_core.serializers import TaggedSerializer, Tagger, register, untag_all
from huey_msgpack._keys import refuse_many_arrays

__all__ = ["MessagePackSerializer"]


class MessagePackSerializer(TaggedSerializer):
    """MessagePack with the tags of the ``json`` serializer. See the module for the format.

    Attributes:
        HUEY_PLUGIN_API: The version of the plugin API that this is written for.
    """

    HUEY_PLUGIN_API = 1

    quick = Tagger({str, bytes, int, float, bool, type(None)})
    thorough = Tagger({bytes, float, bool, type(None)}, integers=range(-(2**63), 2**64))

    register = staticmethod(register)

    @property
    def name(self) -> str:
        """``msgpack``."""
        return "msgpack"

    def write(self, tagged: Any) -> bytes:
        """Write MessagePack.

        Raises:
            ValueError: Text is not valid Unicode.
            OverflowError: An integer is beyond 64 bits.
        """
        return _write(tagged)

    def read(self, data: bytes) -> Any:
        """Read MessagePack, by this or any other writer of it.

        Raises:
            ValueError: The bytes are not MessagePack, hold an extension type other than a timestamp, or many keys of a
                map that are arrays. So may ``RecursionError`` and the exceptions of
                :func:`~huey_core.serializers.untag` say.
        """
        refuse_many_arrays(data)
        try:
            value = _read(data)
        except MsgspecError as error:
            # It is a ValueError in some versions of msgspec only.
            raise ValueError(str(error)) from error
        # The key "$" is its length, in one byte or several, and itself. Bytes without it have no tag to look for.
        return untag_all(value) if b"\xa1$" in data or b"\x01$" in data else value


def _refuse_extension(code: int, _: memoryview) -> NoReturn:
    raise ValueError(f"extension type {code} is not known here")


# Both keep nothing between two calls, so every thread may use them.
_write: Final = Encoder().encode
_read: Final = Decoder(ext_hook=_refuse_extension).decode
