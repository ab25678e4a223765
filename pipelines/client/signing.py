"""Signatures: which keys we hold, how a request proves one, and what time it is at the exchange.

The text signed is `timestamp_ms + METHOD + path`, without separators, with `/trade-api/v2` and without the
query. RSA keys sign with PSS, SHA-256, MGF1-SHA-256 and a salt as long as the digest; Ed25519 keys sign the
text itself. Which one it is comes from the parsed key: PKCS#8 RSA and Ed25519 share one PEM header.

Source: KALSHI.md §2 (API keys page of 2026-10-01; Ed25519 since 2026-09-24).
"""

import base64
import logging
import time
from collections import deque
from collections.abc import Callable, Generator
from statistics import median_low
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
from pipelines.client.keys.found import Held, shortened
from pipelines.client.keys.text import is_same_id
from pipelines.client.settings import Settings

KEY_HEADER: Final = "KALSHI-ACCESS-KEY"
TIMESTAMP_HEADER: Final = "KALSHI-ACCESS-TIMESTAMP"
SIGNATURE_HEADER: Final = "KALSHI-ACCESS-SIGNATURE"

_PSS: Final = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)
_SHA256: Final = hashes.SHA256()
_LOG: Final = logging.getLogger(__name__)

_HEADER_STEP_MS: Final = 1_000  # a Date header has whole seconds
_OBSERVATIONS: Final = 9
_ENOUGH_OBSERVATIONS: Final = 5


class Signer:
    """Holds one private key and signs with it; shows the head of the key's id and its kind, nothing else."""

    __slots__ = ("_key", "key_id", "kind")

    def __init__(self, *, key_id: str, key: RSAPrivateKey | Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = key_id
        self.kind = f"RSA-{key.key_size}" if isinstance(key, RSAPrivateKey) else "Ed25519"

    def __repr__(self) -> str:
        return f"Signer({self.kind}, key_id={shortened(self.key_id)})"

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


class Signers:
    """The key that signs now, and those that take over when the exchange refuses it.

    All tasks of one event loop may share it.
    """

    __slots__ = ("_following", "current", "refused")

    def __init__(self, current: Signer, *following: Signer) -> None:
        self.current = current
        self.refused: list[Signer] = []
        self._following = list(following)

    def __repr__(self) -> str:
        after = [f"{shortened(one.key_id)} refused" for one in self.refused]
        after += [f"{shortened(one.key_id)} next" for one in self._following]
        return f"Signers({', '.join([f'{self.kind} {shortened(self.key_id)}', *after])})"

    @property
    def kind(self) -> str:
        """`RSA-2048`, `Ed25519` or the like."""
        return self.current.kind

    @property
    def key_id(self) -> str:
        """The id of the key that signs now."""
        return self.current.key_id

    def headers(self, method: str, path: str, *, timestamp_ms: int) -> dict[str, str]:
        """Return the three headers of one attempt, signed with the current key; see `Signer.headers`."""
        return self.current.headers(method, path, timestamp_ms=timestamp_ms)

    def advance(self, refused: Signer | None = None) -> bool:
        """Stop using a key that the exchange answered with 401 although the clock was right.

        Args:
            refused: the key that signed the refused attempt, by default the current one. Of many attempts
                that were under way with one key, only the first moves on.

        Returns:
            Whether an attempt with the key that is current now can help.
        """
        if refused is not None and refused is not self.current:
            return True
        if not self._following:
            return False
        self.refused.append(self.current)
        self.current = self._following.pop(0)
        _LOG.warning(
            "the exchange refuses key %s (401): from now on key %s signs, which was set as the next one; "
            "make it the current one (docs/operate.md, Keys)",
            shortened(self.refused[-1].key_id),
            shortened(self.current.key_id),
        )
        return True


def load_key(pem: SecretStr, *, key_id: str, where: str = "") -> Signer:
    """Return a signer for the key in `pem`; `where` says in messages whose key it is.

    Raises:
        SettingsError: encrypted, not a PEM, not a private key, or neither RSA nor Ed25519.
    """
    named = f"{where}: " if where else ""
    advice = "give the private key exactly as Kalshi let you save it"
    try:
        key = load_pem_private_key(pem.get_secret_value().encode(), password=None)
    except TypeError:
        refusal = (
            "the private key is encrypted with a password: store it decrypted in a file of mode 600 "
            "(openssl pkey -in KEY -out KEY.plain)"
        )
    except UnsupportedAlgorithm:
        refusal = f"the private key is of an unknown kind, not RSA or Ed25519: {advice}"
    except ValueError:
        refusal = (
            f"the private key is not a PEM private key, or it is damaged: {advice}, "
            "from -----BEGIN to END----- with its line breaks"
        )
    else:
        if isinstance(key, (RSAPrivateKey, Ed25519PrivateKey)):
            return Signer(key_id=key_id, key=key)
        kind = type(key).__name__.removesuffix("PrivateKey").lstrip("_")
        refusal = f"the private key is {kind}: Kalshi takes RSA and Ed25519 keys; {advice}"
    # What the parser said may describe the key's inside, hence no chain.
    raise SettingsError(f"{named}{refusal}")


def signers_of(settings: Settings) -> Signers | None:
    """Read the keys that `settings` name, which may ask a network; None without a key.

    Raises:
        SettingsError: a key cannot be read or used, or the next key is the current one.
    """
    if not settings.has_key:
        return None
    current = settings.read_key()
    if not settings.has_next_key:
        return Signers(_signer(current))
    following = settings.read_key(is_next=True)
    if is_same_id(current.key_id, following.key_id):
        raise SettingsError(
            f"{following.source}: this is the current key already ({shortened(current.key_id)}); "
            "make a new one in Kalshi's web interface, or unset the next one"
        )
    return Signers(_signer(current), _signer(following))


def _signer(held: Held) -> Signer:
    return load_key(held.pem, key_id=held.key_id, where=held.source)


class ExchangeClock:
    """Unix milliseconds as the exchange sees them: our clock, corrected where it is wrong.

    A `Date` header has whole seconds, so one answer tells our error to ±500 ms, and the way here adds to it.
    Only the median of several is believed, and only where it is more than a second: signatures are tolerated
    for longer than that. A 401 is believed at once. Give it no header of an answer from a cache (`Age`).
    """

    __slots__ = ("_now_ms", "_skews_ms", "offset_ms")

    def __init__(self, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._now_ms = now_ms
        self._skews_ms: deque[int] = deque(maxlen=_OBSERVATIONS)
        self.offset_ms = 0

    @property
    def seen_skew_ms(self) -> int | None:
        """How far our clock is behind the exchange's (±500 ms), by the last few answers; None before any."""
        return median_low(self._skews_ms) if self._skews_ms else None

    def now_ms(self) -> int:
        """Return the corrected time."""
        return self._now_ms() + self.offset_ms

    def skew_ms(self, exchange_s: int) -> int:
        """Return how far our clock is behind a `Date` header, which has whole seconds: its middle counts."""
        return exchange_s * 1_000 + 500 - self._now_ms()

    def observe(self, exchange_s: int) -> None:
        """Hear the `Date` header of an answer; follow it once enough of them agree that we are wrong.

        A correction starts beyond one second, follows steps that a header can show, and ends within half a
        second, so jitter around any of these borders moves nothing back and forth.
        """
        self._skews_ms.append(self.skew_ms(exchange_s))
        if len(self._skews_ms) < _ENOUGH_OBSERVATIONS:
            return
        skew_ms = median_low(self._skews_ms)
        if abs(skew_ms) < _HEADER_STEP_MS // 2:
            self.offset_ms = 0
        elif abs(skew_ms) > _HEADER_STEP_MS and abs(skew_ms - self.offset_ms) > _HEADER_STEP_MS // 2:
            _LOG.warning("our clock is %+d ms behind the exchange's: signing with its time", skew_ms)
            self.offset_ms = skew_ms

    def correct(self, exchange_s: int) -> None:
        """Follow the exchange's clock at once, after a 401; within a second ours is as good as the header."""
        skew_ms = self.skew_ms(exchange_s)
        self._skews_ms.clear()
        self._skews_ms.append(skew_ms)
        self.offset_ms = skew_ms if abs(skew_ms) > _HEADER_STEP_MS else 0


class KalshiAuth(httpx.Auth):
    """Signs each attempt with a fresh time; without a signer requests go out as they are."""

    def __init__(self, signer: Signers | Signer | None, clock: ExchangeClock) -> None:
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
