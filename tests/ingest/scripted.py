"""A small exchange with two tiers, over a real socket, whose tiers a test moves while it is being asked."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from exchange.units import parse_ts
from pipelines.client import Client, Settings
from pipelines.ingest.sync import sync
from pipelines.ingest.windows import Receipt
from tests.client.loopback import Asked, Reply, exchange, patient
from tests.client.payloads import Json, a_market, a_series, an_event
from warehouse import Lake

DAY_TS = datetime(2026, 10, 1, tzinfo=UTC)
TICKER = "KX-1"
UNKNOWN = Reply(status=404, body={"code": "not_found", "message": "no such thing"})
_TRADES = {"/markets/trades", "/historical/trades"}


@dataclass
class Scripted:
    """Market KX-1 of event KX of series KXS, open on 1 and 2 October 2026; a test changes what it is about.

    `hook` is asked first; it answers, or changes the exchange and returns None.
    """

    cutoff: str = "2026-09-01T00:00:00Z"
    markets: list[Json] = field(
        default_factory=lambda: [
            a_market(TICKER, open_time="2026-10-01T00:00:00Z", close_time="2026-10-03T00:00:00Z")
        ]
    )
    archived: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=lambda: [an_event()])
    series: list[Json] = field(default_factory=lambda: [a_series()])
    candles: list[Json] = field(default_factory=list)
    trades: list[Json] = field(default_factory=list)
    hook: Callable[[Asked], Reply | None] = lambda _asked: None
    clock_ahead_s: int = 0

    def archive(self) -> None:
        """Move every market out of the live tier, and the border with them."""
        self.archived, self.markets, self.cutoff = self.archived + self.markets, [], "2026-10-04T00:00:00Z"

    def __call__(self, asked: Asked) -> Reply:
        """Answer one request."""
        reply = self.hook(asked) or Reply(body=self._answer(asked.path, asked.query))
        if reply.body is None and reply.status == 200:
            reply = UNKNOWN
        return Reply(body=reply.body, status=reply.status, clock_ahead_s=self.clock_ahead_s)

    def _answer(self, path: str, query: dict[str, list[str]]) -> Any:  # noqa: ANN401 -- any JSON
        if path == "/historical/cutoff":
            names = ("market_settled_ts", "trades_created_ts", "orders_updated_ts")
            return dict.fromkeys(names, self.cutoff)
        if path in _TRADES:
            return {"trades": self._tape(is_live=path == "/markets/trades", query=query), "cursor": ""}
        if path.endswith("candlesticks"):
            return self._bars(path, query)
        if path in {"/series", "/events", "/events/multivariate", "/markets", "/historical/markets"}:
            return self._listing(path)
        if path.endswith("/fee_changes"):
            return {"series_fee_change_arr": [], "event_fee_changes": [], "cursor": ""}
        return self._one(path)

    def _listing(self, path: str) -> Json:
        rows = {
            "/series": self.series,
            "/events": self.events,
            "/events/multivariate": [],
            "/markets": self.markets,
            "/historical/markets": self.archived,
        }
        name = path.removeprefix("/historical").split("/")[1]
        return {name: rows[path], "cursor": ""}

    def _one(self, path: str) -> Json | None:
        kind, _, name = path.removeprefix("/historical").strip("/").partition("/")
        rows = {"series": self.series, "events": self.events, "markets": self.markets}[kind]
        key = {"series": "ticker", "events": "event_ticker", "markets": "ticker"}[kind]
        rows = self.archived if path.startswith("/historical") else rows
        found = [row for row in rows if row[key] == name]
        return (
            {kind.removesuffix("s") if kind != "series" else kind: found[0], "markets": []} if found else None
        )

    def _tape(self, *, is_live: bool, query: dict[str, list[str]]) -> list[Json]:
        least, most = int(query["min_ts"][0]), int(query["max_ts"][0])
        border_ts = parse_ts(self.cutoff)
        return [
            trade
            for trade in self.trades
            if (parse_ts(trade["created_time"]) >= border_ts) == is_live
            and least < parse_ts(trade["created_time"]).timestamp() < most
        ]

    def _bars(self, path: str, query: dict[str, list[str]]) -> Json | None:
        first, last = int(query["start_ts"][0]), int(query["end_ts"][0])
        bars = [each for each in self.candles if first <= each["end_period_ts"] <= last]
        if archived := re.fullmatch("/historical/markets/([^/]+)/candlesticks", path):
            is_known = archived[1] in {each["ticker"] for each in self.archived}
            return {"ticker": archived[1], "candlesticks": [*map(_spelled_old, bars)]} if is_known else None
        live = {each["ticker"] for each in self.markets}
        named = [ticker for ticker in query["market_tickers"][0].split(",") if ticker in live]
        return {"markets": [{"market_ticker": ticker, "candlesticks": bars} for ticker in named]}


def synced(
    scripted: Scripted,
    lake: Lake,
    resources: Sequence[str],
    **asked: Any,  # noqa: ANN401 -- as sync takes them
) -> list[Receipt]:
    """Sync from it, each request tried once."""
    receipts: list[Receipt] = told(scripted, lambda client: sync(client, lake, resources, **asked))
    return receipts


def told(scripted: Scripted, ask: Callable[[Client], Any]) -> Any:  # noqa: ANN401 -- whatever is asked
    """Run something with a client of it, each request tried once."""

    async def asking(settings: Settings) -> Any:  # noqa: ANN401 -- likewise
        async with Client(settings, retry=patient(max_tries=1)) as client:
            return await ask(client)

    with exchange(scripted) as served:
        return asyncio.run(asking(served.settings(tier="prestige")))


def _spelled_old(candle: Json) -> Json:
    def bare(prices: Json) -> Json:
        return {name.removesuffix("_dollars"): price for name, price in prices.items()}

    empty = dict.fromkeys(("open", "high", "low", "close", "mean"))
    return {
        "end_period_ts": candle["end_period_ts"],
        "yes_bid": bare(candle["yes_bid"]),
        "yes_ask": bare(candle["yes_ask"]),
        "price": empty | bare(candle["price"]),
        "volume": candle["volume_fp"],
        "open_interest": candle["open_interest_fp"],
    }
