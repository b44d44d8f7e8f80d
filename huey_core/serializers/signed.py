"""A signature around another serializer, so that only those who hold a key can write what is read.

::

    key id (8 bytes)  HMAC-SHA256 (32 bytes)  body as the inner serializer made it

The signature covers ``b"huey signed 1"``, the length of the context (8 bytes, big-endian), the context and the body.
The context is what precedes the body in a message or a result: the id, the command and the rest of the header are thus
signed too, and a body that was signed for one purpose is worth nothing in another. The key id is the first 8 bytes of
``HMAC-SHA256(key, b"huey key id")`` and tells nothing of the key.

What a signature does not do: it hides nothing, and it does not keep a genuine message from being written twice.

To change keys without losing messages: add the new key at the end of every process's list, then move it to the front
of every list, and remove the old one when no message that it signed can be left.
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING, Final

from huey_core.exceptions import ConfigurationError, SignatureError
from huey_core.secret import Secret, SecretBytes
from huey_core.serializers.base import Serializer, WrappingSerializer
from huey_core.unicode import check_unicode

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["KEYS_VARIABLE", "MIN_KEY_SIZE", "SignedSerializer"]

KEYS_VARIABLE: Final = "HUEY_SIGNING_KEYS"
"""The environment variable with the keys, separated by commas, for a serializer that is given none."""

MIN_KEY_SIZE: Final = 16
"""The least size of a key in bytes."""

_PURPOSE: Final = b"huey signed 1"
_KEY_ID_SIZE: Final = 8
_PREFIX_SIZE: Final = _KEY_ID_SIZE + 32


class SignedSerializer(WrappingSerializer):
    """Signs what another serializer makes, and verifies before the other one reads.

    Args:
        inner: The serializer whose bytes are signed.
        keys: At least one secret of :data:`MIN_KEY_SIZE` bytes or more; text stands for its UTF-8. The first signs,
            all of them are accepted. ``None`` takes them from the environment variable ``HUEY_SIGNING_KEYS``.

    Raises:
        ConfigurationError: There is no key, or one is too short or not valid Unicode. Or ``inner`` is signed already.
    """

    suffix = "signed"
    authenticates = True

    def __init__(self, inner: Serializer, keys: Sequence[bytes | str] | None = None) -> None:
        hidden = _keys_from_environment() if keys is None else _hidden(keys)
        # An error's traceback shows the variables of its frames.
        keys = None
        super().__init__(inner)
        self._keys = {_key_id(key): key for key in _checked(hidden)}
        self._signing_id, self._signing_key = next(iter(self._keys.items()))

    def wrap(self, body: bytes, context: bytes) -> bytes:
        """Sign the bytes together with the context."""
        return self._signing_id + _sign(self._signing_key, context, body) + body

    def unwrap(self, data: bytes, context: bytes, max_size: int) -> bytes:
        """Verify the signature.

        Raises:
            SignatureError: There is no signature, its key is not accepted here, or it is of another body or context.
        """
        if len(data) < _PREFIX_SIZE:
            raise SignatureError("the body carries no signature")
        key = self._keys.get(data[:_KEY_ID_SIZE])
        if key is None:
            raise SignatureError("the body carries no signature, or that of a key that is not accepted here")
        body = data[_PREFIX_SIZE:]
        if not hmac.compare_digest(data[_KEY_ID_SIZE:_PREFIX_SIZE], _sign(key, context, body)):
            raise SignatureError("the signature does not belong to this header and body")
        return body

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.inner!r}, keys=<{len(self._keys)} not shown>)"


def _sign(key: bytes, context: bytes, body: bytes) -> bytes:
    return hmac.digest(key, b"".join((_PURPOSE, len(context).to_bytes(8, "big"), context, body)), "sha256")


def _key_id(key: bytes) -> bytes:
    return hmac.digest(key, b"huey key id", "sha256")[:_KEY_ID_SIZE]


def _keys_from_environment() -> list[Secret | SecretBytes]:
    return [Secret(key) for item in os.environ.get(KEYS_VARIABLE, "").split(",") if (key := item.strip())]


def _hidden(keys: Iterable[bytes | str]) -> list[Secret | SecretBytes] | Secret | SecretBytes:
    if isinstance(keys, bytes | str):
        return Secret(keys) if isinstance(keys, str) else SecretBytes(keys)
    return [Secret(key) if isinstance(key, str) else SecretBytes(memoryview(key)) for key in keys]


def _checked(keys: list[Secret | SecretBytes] | Secret | SecretBytes) -> list[SecretBytes]:
    if isinstance(keys, bytes | str):
        raise ConfigurationError("keys is a list of keys; write [key] for a single one")
    for number, key in enumerate(keys, 1):
        if isinstance(key, str):
            check_unicode(f"signing key {number}", key)
    checked = [SecretBytes(key.encode() if isinstance(key, str) else key) for key in keys]
    if not checked:
        raise ConfigurationError(
            f"the signed serializer has no key: pass keys=[...], or set {KEYS_VARIABLE} to a secret such as "
            'python -c "import secrets; print(secrets.token_urlsafe(32))" prints'
        )
    for number, key in enumerate(checked, 1):
        if len(key) < MIN_KEY_SIZE:
            raise ConfigurationError(f"signing key {number} has {len(key)} bytes; it needs at least {MIN_KEY_SIZE}")
    return checked
