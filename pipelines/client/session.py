"""One connection pool to one host: budget, signature, send, retry, breaker, decode.

Order matters. A request first takes one of a few slots, then its tokens, and goes out at once: tokens are
not taken long before they are used, so requests cannot pile up and overrun the exchange's bucket. Every try
pays and signs anew.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec

from pipelines.client.breaker import Breaker
from pipelines.client.budget import Budget
from pipelines.client.decode import BrokenBody, decode
from pipelines.client.drift import Drift
from pipelines.client.errors import (
    Forbidden,
    HttpError,
    NotFound,
    RateLimited,
    ServerFault,
    Unauthorized,
    Unreachable,
    WireError,
)
from pipelines.client.retry import Retry
from pipelines.client.signing import ExchangeClock, KalshiAuth, Signer
from pipelines.client.wire import ErrorBody

T = TypeVar("T", bound=msgspec.Struct)
Params = Mapping[str, str | int | list[str]]

CONCURRENT_REQUESTS: Final = 16

_LOG: Final = logging.getLogger(__name__)
_OK: Final = 200
_RETRIED_STATUSES: Final = frozenset({500, 502, 503, 504})
_ERRORS: Final[dict[int, type[HttpError]]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    429: RateLimited,
}
_HEADERS: Final = {
    "Accept": "application/json",
    # Other languages would translate titles and rules (changelog of 2026-08-27).
    "Accept-Language": "en",
    "Accept-Encoding": "gzip",
    "User-Agent": "tapehouse",
}


class Session:
    """Sends GET requests to one exchange and decodes the answers; use it within one event loop."""

    def __init__(
        self,
        base_url: str,
        *,
        signer: Signer | None,
        clock: ExchangeClock,
        budget: Budget,
        breaker: Breaker,
        retry: Retry,
        drift: Drift,
        n_concurrent: int,
    ) -> None:
        self.base_url = base_url
        self.host = urlsplit(base_url).netloc
        self.signer = signer
        self.clock = clock
        self.budget = budget
        self.breaker = breaker
        self.drift = drift
        self.n_requests = 0
        self.skew_ms: int | None = None
        self._retry = retry
        self._slots = asyncio.Semaphore(n_concurrent)
        self._auth = KalshiAuth(signer, clock)
        self._http = _pool(base_url, n_concurrent)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def get(
        self,
        path: str,
        shape: type[T],
        *,
        params: Params | None = None,
        answers: frozenset[int] = frozenset(),
    ) -> T:
        """Return the decoded answer to one GET.

        Args:
            path: relative to the base URL, such as `/markets`.
            shape: the struct to decode into.
            params: the query; a list repeats its key.
            answers: error statuses whose body may be `shape` as well.

        Raises:
            HttpError: the exchange refused (its leaves say how), after retries where that can help.
            Unreachable: no usable answer after all tries.
            WireError: an answer whose meaning is not certain.
        """
        is_probe = self.breaker.enter(path)
        try:
            found = await self._tries(
                path, shape, params or {}, answers, 1 if is_probe else self._retry.max_tries
            )
        except (Unreachable, ServerFault) as error:
            self.breaker.failed(_brief(error), is_probe=is_probe)
            raise
        except (HttpError, WireError):
            self.breaker.succeeded()
            raise
        except BaseException:
            self.breaker.abandoned(is_probe=is_probe)
            raise
        self.breaker.succeeded()
        return found

    async def _tries(
        self, path: str, shape: type[T], params: Params, answers: frozenset[int], max_tries: int
    ) -> T:
        n_tries, busy_s, is_clock_corrected = 0, 0.0, False
        while True:
            n_tries += 1
            async with self._slots:
                await self.budget.acquire("GET", path)
                began_s = time.monotonic()
                try:
                    return await self._try(path, shape, params, answers, n_tries)
                except Unauthorized as error:
                    if is_clock_corrected or self.signer is None or error.date_s is None:
                        raise
                    is_clock_corrected = True
                    self.clock.correct(error.date_s)
                    _LOG.warning(
                        "GET %s: 401; signing once more with the exchange's clock (%+d ms)",
                        path,
                        self.clock.offset_ms,
                    )
                    pause_s = 0.0
                except (Unreachable, RateLimited, ServerFault) as error:
                    pause_s = self._retry.pause_s(n_tries)
                    busy_s += time.monotonic() - began_s + pause_s
                    if n_tries >= max_tries or busy_s > self._retry.total_s:
                        raise
                    _LOG.info("GET %s: %s; try %d in %.1f s", path, _brief(error), n_tries + 1, pause_s)
            if pause_s:
                await self._retry.sleep(pause_s)

    async def _try(
        self, path: str, shape: type[T], params: Params, answers: frozenset[int], n_tries: int
    ) -> T:
        where = f"{path}?{urlencode(params, doseq=True)}" if params else path
        try:
            async with asyncio.timeout(self._retry.try_s):
                self.n_requests += 1
                response = await self._http.get(self.base_url + path, params=params, auth=self._auth)
        except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
            raise self._unreachable(where, error, n_tries) from error
        date_s = _date_s(response)
        if date_s is not None:
            self.skew_ms = self.clock.skew_ms(date_s)
        if response.status_code == _OK or response.status_code in answers:
            try:
                return decode(response.content, shape, path=where, drift=self.drift)
            except BrokenBody as error:
                if response.status_code == _OK:
                    raise self._unreachable(where, error, n_tries) from error
            except WireError:
                if response.status_code == _OK:
                    raise
        if response.status_code == _TOO_MANY:
            self.budget.drain("GET")
        raise self._refusal(response, where=where, n_tries=n_tries, date_s=date_s)

    def _unreachable(self, where: str, error: Exception, n_tries: int) -> Unreachable:
        tries = f"{n_tries} tries" if n_tries > 1 else "1 try"
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return Unreachable(
            f"GET {where}: no usable answer from {self.host} after {tries} ({said}); "
            "check the network and KALSHI_BASE_URL, then try again",
            path=where,
            n_tries=n_tries,
        )

    def _refusal(
        self, response: httpx.Response, *, where: str, n_tries: int, date_s: int | None
    ) -> HttpError:
        status = response.status_code
        kind = ServerFault if status in _RETRIED_STATUSES else _ERRORS.get(status, HttpError)
        try:
            body = msgspec.json.decode(response.content, type=ErrorBody)
            code, detail = body.code, ": ".join(filter(None, (body.message or body.error, body.details)))
        except (msgspec.DecodeError, UnicodeDecodeError):
            code, detail = "", " ".join(response.content[:200].decode("utf-8", "replace").split())
        advice = ""
        if response.is_redirect:
            advice = (
                "redirects are not followed, a signature is good for one path only: check KALSHI_BASE_URL"
            )
        elif status == _NO_KEY and self.signer is None:
            advice = "this needs a key: set KALSHI_KEY_ID and KALSHI_PRIVATE_KEY_PATH"
        return kind(
            status=status, path=where, code=code, detail=detail, advice=advice, n_tries=n_tries, date_s=date_s
        )


_TOO_MANY: Final = 429
_NO_KEY: Final = 401


def _pool(base_url: str, n_concurrent: int) -> httpx.AsyncClient:
    is_plain = base_url.startswith("http://")  # loopback only, see Settings
    return httpx.AsyncClient(
        headers=_HEADERS,
        # Loading the CA bundle takes 40 ms; there is nothing to verify on plain loopback.
        verify=not is_plain,
        trust_env=not is_plain,
        http2=False,
        follow_redirects=False,
        timeout=httpx.Timeout(20.0, connect=10.0, pool=None),
        limits=httpx.Limits(
            max_connections=n_concurrent, max_keepalive_connections=n_concurrent, keepalive_expiry=30.0
        ),
    )


def _date_s(response: httpx.Response) -> int | None:
    try:
        return int(parsedate_to_datetime(response.headers["date"]).timestamp())
    except (KeyError, ValueError, TypeError):
        return None


def _brief(error: Exception) -> str:
    if isinstance(error, HttpError):
        return str(error.status)
    cause = error.__cause__
    return type(cause or error).__name__
