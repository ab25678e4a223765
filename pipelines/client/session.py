"""One connection pool to one host: budget, signature, send, retry, breaker, decode.

Order matters. A request first takes one of a few slots, then its tokens, and goes out at once: tokens are
not taken long before they are used, so requests cannot pile up and overrun the exchange's bucket. Every try
pays and signs anew. A change (an order) is tried again only after a try that surely changed nothing.
"""

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Final, TypeVar

import httpx
import msgspec

from pipelines.client.breaker import Breaker
from pipelines.client.budget import Budget, Flight
from pipelines.client.decode import BrokenBody, decode
from pipelines.client.drift import Drift
from pipelines.client.errors import (
    HttpError,
    RateLimited,
    ServerFault,
    Unauthorized,
    Unreachable,
    WireError,
)
from pipelines.client.refusals import (
    TOO_MANY,
    brief,
    date_s,
    may_have_acted,
    never_left,
    refusal,
    unknown_outcome,
    unreachable,
)
from pipelines.client.requests import Answer, Params, Request
from pipelines.client.retry import Retry
from pipelines.client.signing import ExchangeClock, KalshiAuth, Signer, Signers
from pipelines.client.telemetry import Telemetry
from pipelines.client.transport import pool

T = TypeVar("T", bound=msgspec.Struct)

CONCURRENT_REQUESTS: Final = 16

_LOG: Final = logging.getLogger(__name__)
_NO_CONTENT: Final = 204
_US_PER_S: Final = 1_000_000
_OK: Final = frozenset({200, 201, 202, _NO_CONTENT})
_READING: Final = frozenset({"GET", "HEAD"})
_JSON: Final = {"Content-Type": "application/json"}


class Session:
    """Sends requests to one exchange and decodes the answers; use it within one event loop."""

    def __init__(
        self,
        base_url: str,
        *,
        signer: Signers | None,
        clock: ExchangeClock,
        budget: Budget,
        breaker: Breaker,
        retry: Retry,
        drift: Drift,
        telemetry: Telemetry,
        n_concurrent: int,
    ) -> None:
        self.base_url = base_url
        self.host = httpx.URL(base_url).netloc.decode("ascii")
        self.signer = signer
        self.clock = clock
        self.budget = budget
        self.breaker = breaker
        self.drift = drift
        self.telemetry = telemetry
        self.n_requests = 0
        self._retry = retry
        self._slots = asyncio.Semaphore(n_concurrent)
        self._auth = KalshiAuth(signer, clock)
        self._http = pool(base_url, n_concurrent=n_concurrent)

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
        """Return the decoded answer to one GET; see `send`."""
        return await self.send(Request(path=path, shape=shape, params=params or {}, answers=answers))

    async def send(self, request: Request[T]) -> T:
        """Return the decoded answer to one request; errors as in `timed`."""
        return (await self.timed(request)).found

    async def timed(self, request: Request[T]) -> Answer[T]:
        """Return the decoded answer to one request, and when it came.

        Raises:
            HttpError: the exchange refused (its leaves say how), after retries where that can help.
            Unreachable: no usable answer after all tries.
            UnknownOutcome: a change that is not repeatable was sent, and nobody knows whether it was made.
            WireError: an answer whose meaning is not certain.
        """
        is_probe = self.breaker.enter(request.path, method=request.method)
        try:
            found = await self._tries(request, 1 if is_probe else self._retry.max_tries)
        except (Unreachable, ServerFault) as error:
            self.breaker.failed(brief(error), is_probe=is_probe)
            self._raise_if_in_doubt(request, error)
            raise
        except (HttpError, WireError) as error:
            self.breaker.succeeded()
            self._raise_if_in_doubt(request, error)
            raise
        except BaseException:
            self.breaker.abandoned(is_probe=is_probe)
            raise
        self.breaker.succeeded()
        return found

    def _raise_if_in_doubt(self, request: Request[T], error: Unreachable | HttpError | WireError) -> None:
        """Raise UnknownOutcome where a change may have been made in spite of an error."""
        is_plain = isinstance(error, HttpError) and not may_have_acted(error.status)
        if request.is_repeatable or is_plain or never_left(error):
            return
        n_tries = 1 if isinstance(error, WireError) else error.n_tries
        raise unknown_outcome(request, error, host=self.host, n_tries=n_tries) from error

    async def _tries(self, request: Request[T], max_tries: int) -> Answer[T]:
        n_tries, busy_s, is_clock_corrected = 0, 0.0, False
        while True:
            n_tries += 1
            async with self._slots:
                flight = await self._pay(request)
                began_s = time.monotonic()
                signed_by = None if self.signer is None else self.signer.current
                try:
                    return await self._try(request, flight, n_tries)
                except Unauthorized as error:
                    if not self._signs_anew(request, error, signed_by, is_clock_corrected=is_clock_corrected):
                        raise
                    is_clock_corrected, pause_s = True, 0.0
                except (Unreachable, RateLimited, ServerFault) as error:
                    pause_s = self._retry.pause_s(n_tries)
                    busy_s += time.monotonic() - began_s + pause_s
                    is_harmless = request.is_repeatable or isinstance(error, RateLimited) or never_left(error)
                    if not is_harmless or n_tries >= max_tries or busy_s > self._retry.total_s:
                        raise
                    self.telemetry.tried_again(request.route, brief(error))
                    _LOG.info(
                        "%s %s: %s; try %d in %.1f s",
                        request.method,
                        request.path,
                        brief(error),
                        n_tries + 1,
                        pause_s,
                    )
            if pause_s:
                await self._retry.sleep(pause_s)

    async def _pay(self, request: Request[T]) -> Flight:
        began_s = time.monotonic()
        flight = await self.budget.acquire(request.method, request.path, n_items=request.n_items)
        self.telemetry.paid(
            "read" if request.method in _READING else "write",
            n_tokens=self.budget.costs.of(request.method, request.path) * request.n_items,
            waited_s=time.monotonic() - began_s,
        )
        return flight

    def _signs_anew(
        self, request: Request[T], error: Unauthorized, signed_by: Signer | None, *, is_clock_corrected: bool
    ) -> bool:
        """Follow the exchange's clock after a 401, then the next key; whether to try once more."""
        if self.signer is None:
            return False
        if is_clock_corrected or error.date_s is None:
            return self.signer.advance(signed_by)
        self.clock.correct(error.date_s)
        _LOG.warning(
            "%s %s: 401; signing once more with the exchange's clock (%+d ms)",
            request.method,
            request.path,
            self.clock.offset_ms,
        )
        return True

    async def _try(self, request: Request[T], flight: Flight, n_tries: int) -> Answer[T]:
        began_s, outcome, n_bytes = time.monotonic(), "cancelled", 0
        # Without an answer nobody knows whether the request still arrives: the bucket waits for it a little.
        is_over = is_accepted = False
        try:
            response = await self._answer(request, n_tries)
            answered_ts, latency_s = datetime.now(UTC), time.monotonic() - began_s
            outcome, n_bytes = str(response.status_code), len(response.content)
            seen_s = date_s(response)
            if seen_s is not None:
                self.clock.observe(seen_s)
            is_over, is_accepted = True, response.status_code != TOO_MANY
            if not is_accepted:
                self.budget.drain(request.method)
            found = self._decoded(request, response, n_tries)
        except Unreachable as error:
            outcome, is_over = brief(error), is_over or never_left(error)
            raise
        finally:
            if is_over:
                self.budget.landed(request.method, flight, is_accepted=is_accepted)
            self.telemetry.answered(
                request.method,
                request.route,
                outcome,
                duration_s=time.monotonic() - began_s,
                n_bytes=n_bytes,
            )
        if found is None:
            raise refusal(request, response, n_tries=n_tries, has_key=self.signer is not None)
        return Answer(found, answered_ts, round(latency_s * _US_PER_S))

    async def _answer(self, request: Request[T], n_tries: int) -> httpx.Response:
        try:
            async with asyncio.timeout(self._retry.try_s):
                self.n_requests += 1
                return await self._http.request(
                    request.method,
                    self.base_url + request.path,
                    params=request.params or None,
                    content=request.body,
                    headers=None if request.body is None else _JSON,
                    auth=self._auth,
                )
        except (httpx.TransportError, httpx.DecodingError, TimeoutError) as error:
            raise unreachable(request, error, host=self.host, n_tries=n_tries) from error

    def _decoded(self, request: Request[T], response: httpx.Response, n_tries: int) -> T | None:
        """Return the answer, None if it is an error.

        Raises:
            Unreachable: a good status over a broken body.
            WireError: a good status over a body of uncertain meaning.
        """
        is_good = response.status_code in _OK
        if not is_good and response.status_code not in request.answers:
            return None
        try:
            # 204 has no content, which is all there is to say.
            content = b"{}" if response.status_code == _NO_CONTENT else response.content
            return decode(content, request.shape, path=request.where, drift=self.drift)
        except BrokenBody as error:
            self.telemetry.anomaly("broken body", request.route)
            if is_good:
                raise unreachable(request, error, host=self.host, n_tries=n_tries) from error
        except WireError as error:
            if is_good:
                self.telemetry.anomaly("unreadable", f"{request.route} {error.field}")
                raise
        return None
