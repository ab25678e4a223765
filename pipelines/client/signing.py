"""Signatures: which key we hold and how a request proves it.

The text signed is `timestamp_ms + METHOD + path`, without separators, with `/trade-api/v2` and without the
query. RSA keys sign with PSS, SHA-256, MGF1-SHA-256 and a salt as long as the digest; Ed25519 keys sign the
text itself. Which one it is comes from the parsed key: PKCS#8 RSA and Ed25519 share one PEM header.

Source: KALSHI.md §2 (API keys page of 2026-10-01; Ed25519 since 2026-09-24).
"""

import base64
import time
from collections.abc import Callable, Generator
from typing import Final

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import SecretStr

from pipelines.client.errors import SettingsError
from pipelines.client.settings import Settings

KEY_HEADER: Final = "KALSHI-ACCESS-KEY"
TIMESTAMP_HEADER: Final = "KALSHI-ACCESS-TIMESTAMP"
SIGNATURE_HEADER: Final = "KALSHI-ACCESS-SIGNATURE"

_PSS: Final = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
_SHA256: Final = hashes.SHA256()
_HEADER_STEP_MS: Final = 1_000


class Signer:
    """Holds one private key and signs with it; shows the head of the key's id and its kind, nothing else."""

    __slots__ = ("_key", "key_id", "kind")

    def __init__(self, *, key_id: str, key: RSAPrivateKey | Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = key_id
        self.kind = f"RSA-{key.key_size}" if isinstance(key, RSAPrivateKey) else "Ed25519"

    def __repr__(self) -> str:
        return f"Signer({self.kind}, key_id={self.key_id[:8]}…)"

    def __reduce__(self) -> str:
        raise TypeError("a Signer holds a private key and is not pickled; make one from Settings over there")

    def headers(self, method: str, path: str, *, timestamp_ms: int) -> dict[str, str]:
        """Return the three headers of one attempt.

        Args:
            method: GET, POST, … or GET for a WebSocket handshake.
            path: from the root of the host, such as `/trade-api/v2/markets`; a query is cut off.
            timestamp_ms: Unix milliseconds; an old signature goes stale, so sign every attempt anew.
        """
        text = f"{timestamp_ms}{method.upper()}{path.partition('?')[0]}".encode()
        return {
            KEY_HEADER: self.key_id,
            TIMESTAMP_HEADER: str(timestamp_ms),
            SIGNATURE_HEADER: base64.b64encode(self._sign(text)).decode("ascii"),
        }

    def _sign(self, text: bytes) -> bytes:
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(text, _PSS, _SHA256)
        return self._key.sign(text)


def load_key(pem: SecretStr, *, key_id: str) -> Signer:
    """Return a signer for the key in `pem`.

    Raises:
        SettingsError: encrypted, not a PEM, not a private key, or neither RSA nor Ed25519.
    """
    advice = "give the private key exactly as Kalshi let you save it"
    try:
        key = load_pem_private_key(pem.get_secret_value().encode(), password=None)
    except TypeError:
        raise SettingsError(
            "the private key is encrypted with a password: store it decrypted in a file of mode 600 "
            "(openssl pkey -in KEY -out KEY.plain)"
        ) from None
    except UnsupportedAlgorithm:
        raise SettingsError(f"the private key is of an unknown kind, not RSA or Ed25519: {advice}") from None
    except ValueError:
        # What the parser says may describe the key's inside, hence no chain.
        raise SettingsError(
            f"the private key is not a PEM private key, or it is damaged: {advice}, "
            "from -----BEGIN to END----- with its line breaks"
        ) from None
    if not isinstance(key, (RSAPrivateKey, Ed25519PrivateKey)):
        kind = type(key).__name__.removesuffix("PrivateKey").lstrip("_")
        raise SettingsError(f"the private key is {kind}: Kalshi takes RSA and Ed25519 keys; {advice}")
    return Signer(key_id=key_id, key=key)


def signer_of(settings: Settings) -> Signer | None:
    """Return the signer that `settings` describe, None without a key.

    Raises:
        SettingsError: the key cannot be read or used.
    """
    pem = settings.key_text()
    return None if pem is None or settings.key_id is None else load_key(pem, key_id=settings.key_id)


class ExchangeClock:
    """Unix milliseconds as the exchange sees them: our clock plus what a 401 taught us."""

    __slots__ = ("_now_ms", "offset_ms", "seen_skew_ms")

    def __init__(self, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._now_ms = now_ms
        self.offset_ms = 0
        self.seen_skew_ms: int | None = None

    def now_ms(self) -> int:
        """Return the corrected time."""
        return self._now_ms() + self.offset_ms

    def observe(self, exchange_s: int) -> None:
        """Hear the `Date` header of an answer."""
        self.seen_skew_ms = self.skew_ms(exchange_s)

    def skew_ms(self, exchange_s: int) -> int:
        """Return how far our clock is behind a `Date` header, which has whole seconds: its middle counts."""
        return exchange_s * 1_000 + 500 - self._now_ms()

    def correct(self, exchange_s: int) -> None:
        """Follow the exchange's clock from now on; within a second ours is as good as the header."""
        skew_ms = self.skew_ms(exchange_s)
        self.offset_ms = skew_ms if abs(skew_ms) > _HEADER_STEP_MS else 0


class KalshiAuth(httpx.Auth):
    """Signs each attempt with a fresh time; without a signer requests go out as they are."""

    def __init__(self, signer: Signer | None, clock: ExchangeClock) -> None:
        self._signer = signer
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the three headers; the path is signed as it stands on the wire."""
        if self._signer is not None:
            path = request.url.raw_path.decode("ascii")
            request.headers.update(
                self._signer.headers(request.method, path, timestamp_ms=self._clock.now_ms())
            )
        yield request
