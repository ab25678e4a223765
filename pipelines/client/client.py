"""The client: what the exchange's API offers, asked politely and answered exactly.

```python
async with Client() as client:                       # environment variables say where and who
    async for page in client.trades("KXHIGHNY-26JUL19-T80"):
        for trade in page:
            print(trade.created_time, trade.yes_price_dollars)
```
"""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from pipelines.client.breaker import Breaker
from pipelines.client.budget import Budget, Costs, with_headroom
from pipelines.client.drift import Drift
from pipelines.client.endpoints.account import AccountEndpoints
from pipelines.client.endpoints.candles import CandleEndpoints
from pipelines.client.endpoints.events import EventEndpoints
from pipelines.client.endpoints.house import HouseEndpoints
from pipelines.client.endpoints.live import LiveEndpoints
from pipelines.client.endpoints.markets import MarketEndpoints
from pipelines.client.endpoints.metadata import MetadataEndpoints
from pipelines.client.endpoints.orders import OrderEndpoints
from pipelines.client.endpoints.portfolio import PortfolioEndpoints
from pipelines.client.endpoints.series import SeriesEndpoints
from pipelines.client.endpoints.tape import TapeEndpoints
from pipelines.client.keys.found import shortened
from pipelines.client.paging import MAX_PAGES
from pipelines.client.retry import Retry
from pipelines.client.session import CONCURRENT_REQUESTS, Session
from pipelines.client.settings import Settings
from pipelines.client.signing import ExchangeClock, signers_of
from pipelines.client.telemetry import Telemetry
from pipelines.client.tiers import Limits
from pipelines.client.wire import AccountLimits

if TYPE_CHECKING:
    from pipelines.client.stream import Feed, Stream
    from pipelines.client.trading import Trading


class Client(
    AccountEndpoints,
    CandleEndpoints,
    EventEndpoints,
    HouseEndpoints,
    LiveEndpoints,
    MarketEndpoints,
    MetadataEndpoints,
    OrderEndpoints,
    PortfolioEndpoints,
    SeriesEndpoints,
    TapeEndpoints,
):
    """One exchange, one key (or none), one connection pool; an async context manager for one event loop.

    Args:
        settings: where and who; None reads the environment.
        budget: None takes the one that all programs of this machine with the same key share.
        retry: how often and how long a request is tried.
        breaker: share one among clients of one host; None makes one.
        clock: for signatures.
        telemetry: where to count; None counts for OpenTelemetry's global meter provider.
        n_concurrent: requests under way at once; more wait in line.
        max_pages: pages that one iterator may fetch.

    Raises:
        SettingsError: settings or key cannot be used.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        budget: Budget | None = None,
        retry: Retry | None = None,
        breaker: Breaker | None = None,
        clock: ExchangeClock | None = None,
        telemetry: Telemetry | None = None,
        n_concurrent: int = CONCURRENT_REQUESTS,
        max_pages: int = MAX_PAGES,
    ) -> None:
        self.settings = settings or Settings()
        self.budget = budget or Budget.shared(self.settings.tier, self.settings.budget_name)
        self.drift = Drift()
        self.telemetry = telemetry or Telemetry()
        self._max_pages = max_pages
        self._session = Session(
            self.settings.base_url,
            signer=signers_of(self.settings),
            clock=clock or ExchangeClock(),
            budget=self.budget,
            breaker=breaker
            or Breaker(urlsplit(self.settings.base_url).netloc, on_change=self.telemetry.breaker_became),
            retry=retry or Retry(),
            drift=self.drift,
            telemetry=self.telemetry,
            n_concurrent=n_concurrent,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        # A traceback with variables also shows a client whose making failed half-way.
        session = vars(self).get("_session")
        return f"Client({session.base_url}, {session.signer or 'without key'})" if session else "Client()"

    async def close(self) -> None:
        """Close every connection; the client cannot be used afterwards."""
        await self._session.close()

    def stream(self, *feeds: "Feed", **options: Any) -> "Stream":  # noqa: ANN401  Stream's own
        """Return a stream of the WebSocket: `async with` connects it, `async for` yields its items.

        It counts into this client's drift and telemetry, signs with its keys, and is closed by itself.

        Args:
            feeds: what is wanted from the start; more can be subscribed later.
            options: the other arguments of `pipelines.client.stream.Stream`.

        Raises:
            RequestError: feeds that cannot be had together.
        """
        from pipelines.client.stream import Stream  # who only asks by REST need not load a WebSocket

        return Stream(
            self.settings.ws_url,
            signer=self._session.signer,
            clock=self._session.clock,
            drift=self.drift,
            telemetry=self.telemetry,
            feeds=feeds,
            **options,
        )

    @property
    def trading(self) -> "Trading":
        """What sends orders, for those who asked for it: KALSHI_TRADING says whose money may move.

        Raises:
            TradingOff: nobody asked, or for another exchange than this one, or there is no key.
        """
        from pipelines.client.trading import Trading  # who only reads need not load it

        return Trading(self, self._session)

    @property
    def n_requests(self) -> int:
        """How many times a request was sent, retries included."""
        return self._session.n_requests

    @property
    def clock_skew_ms(self) -> int | None:
        """How far our clock is behind the last answer's `Date` header (±500 ms); None before the first."""
        return self._session.clock.seen_skew_ms

    @property
    def key_kind(self) -> str | None:
        """`RSA-2048`, `Ed25519` or the like; None without a key."""
        return None if self._session.signer is None else self._session.signer.kind

    @property
    def key_id(self) -> str | None:
        """The id of the key that signs now; None without a key."""
        return None if self._session.signer is None else self._session.signer.key_id

    @property
    def refused_key_ids(self) -> list[str]:
        """Heads of the ids of keys that the exchange refused and another one followed."""
        signers = self._session.signer
        return [] if signers is None else [shortened(one.key_id) for one in signers.refused]

    async def adopt_limits(self) -> AccountLimits | None:
        """Ask the exchange for our real limits and prices, follow and return them; without a key ask nothing.

        Raises:
            Unauthorized, Unreachable, HttpError, WireError: see `pipelines.client.errors`.

        Source: KALSHI.md §3 (rate limits page of 2026-09-22).
        """
        if self._session.signer is None:
            return None
        limits = await self.account_limits()
        costs = await self.endpoint_costs()
        for bucket, real in ((self.budget.read, limits.read), (self.budget.write, limits.write)):
            bucket.adopt(
                with_headroom(Limits(tokens_per_s=real.refill_rate, capacity_tokens=real.bucket_capacity))
            )
        routes = {(one.method.upper(), one.path): one.cost for one in costs.endpoint_costs or []}
        self.budget.costs = Costs(costs.default_cost, routes)
        return limits
