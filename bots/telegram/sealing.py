"""Texts that wait in the database, and that nobody can read there."""

import hmac
import secrets
from base64 import b64decode, b64encode
from hashlib import shake_256

_NONCE, _MARK = 16, 32  # bytes


class Seal:
    """Hides texts from whoever has the database, or a backup of it, and not the key.

    They are encrypted, then marked (encrypt-then-MAC), by what Python brings along: SHAKE-256 over key and
    nonce is the key stream, HMAC-SHA256 the mark. For texts of a moment; a library would be 4 MB.
    """

    def __init__(self, key: bytes) -> None:
        self._stream_key = hmac.digest(key, b"stream", "sha256")
        self._mark_key = hmac.digest(key, b"mark", "sha256")

    def close(self, text: bytes) -> str:
        """Return the text as it may be stored."""
        nonce = secrets.token_bytes(_NONCE)
        hidden = nonce + self._crossed(text, nonce)
        return b64encode(hmac.digest(self._mark_key, hidden, "sha256") + hidden).decode()

    def open(self, sealed: str) -> bytes:
        """Return the text. Raises `ValueError` for what was sealed with another key, or changed since."""
        stored = b64decode(sealed, validate=True)
        mark, hidden = stored[:_MARK], stored[_MARK:]
        if not hmac.compare_digest(mark, hmac.digest(self._mark_key, hidden, "sha256")):
            raise ValueError("sealed with another key, or changed since")
        return self._crossed(hidden[_NONCE:], hidden[:_NONCE])

    def _crossed(self, text: bytes, nonce: bytes) -> bytes:
        stream = shake_256(self._stream_key + nonce).digest(len(text))
        return (int.from_bytes(text) ^ int.from_bytes(stream)).to_bytes(len(text))
