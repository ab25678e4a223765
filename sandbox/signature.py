"""Checks signatures with the exchange's half of the key pair; the client signs with code of its own.

Signed text: milliseconds + METHOD + path from the host root, without the query; RSA-PSS over SHA-256 (MGF1
SHA-256, salt as long as the digest) or Ed25519.
Source: KALSHI.md §2 (page api_keys, 2026-10-01; changelog, 2026-09-24).
"""

import binascii
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sandbox.errors import BadKey

PublicKey = RSAPublicKey | Ed25519PublicKey
KEY_HEADER: Final = "kalshi-access-key"
TIME_HEADER: Final = "kalshi-access-timestamp"
SIGNATURE_HEADER: Final = "kalshi-access-signature"
SALT_BYTES: Final = 32
TOLERANCE_MS: Final = 5_000  # Kalshi documents none; several teams assume 2 to 5 s


class Keyring:
    """The public keys of the accounts, by key id."""

    def __init__(self, keys: Mapping[str, PublicKey | str | bytes], *, tolerance_ms: int) -> None:
        self._keys = {key_id: _parsed(key_id, key) for key_id, key in keys.items()}
        self._tolerance_ms = tolerance_ms

    @property
    def key_ids(self) -> Iterable[str]:
        """The ids of all keys, revoked or not."""
        return self._keys

    def is_signed(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request claims to come from an account."""
        return any(name in headers for name in (KEY_HEADER, TIME_HEADER, SIGNATURE_HEADER))

    def account(
        self, headers: Mapping[str, str], *, method: str, paths: Iterable[str], now_ms: int
    ) -> str | None:
        """Return the key id of a request whose signature is right for one of the spellings of its path."""
        key_id, stamp = headers.get(KEY_HEADER, ""), headers.get(TIME_HEADER, "")
        key = self._keys.get(key_id)
        if key is None or not stamp.isascii() or not stamp.isdigit():
            return None
        if abs(int(stamp) - now_ms) > self._tolerance_ms:
            return None
        try:
            signature = b64decode(headers.get(SIGNATURE_HEADER, ""), validate=True)
        except binascii.Error:
            return None
        texts = (f"{stamp}{method.upper()}{path}".encode() for path in dict.fromkeys(paths))
        return key_id if any(_is_signature(key, signature, text) for text in texts) else None


def _is_signature(key: PublicKey, signature: bytes, text: bytes) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, text)
        else:
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), SALT_BYTES)
            key.verify(signature, text, scheme, hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _parsed(key_id: str, key: PublicKey | str | bytes) -> PublicKey:
    if isinstance(key, RSAPublicKey | Ed25519PublicKey):
        return key
    try:
        parsed = load_pem_public_key(key.encode() if isinstance(key, str) else key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey(
            f"key {key_id}: not a public key in PEM ({error}); give -----BEGIN PUBLIC KEY-----"
        ) from error
    if not isinstance(parsed, RSAPublicKey | Ed25519PublicKey):
        raise BadKey(f"key {key_id}: neither RSA nor Ed25519; Kalshi knows no other keys")
    return parsed
