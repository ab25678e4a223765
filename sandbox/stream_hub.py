"""From the floor and the desk to every WebSocket that asked: who hears what, and what keeps time moving.

While somebody listens, the floor is advanced every few milliseconds, in the server's event loop like all
else. The ticker channel tells the state at those moments, not every change in between, as the exchange does.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from exchange.markets import Market
from exchange.trades import Side, Trade
from exchange.units import to_us
from sandbox.catalog import Catalog, is_combo
from sandbox.desk import Desk
from sandbox.errors import UnknownTicker
from sandbox.floor import Floor, Listener
from sandbox.lifecycle import LifecycleChange
from sandbox.matching import Fill
from sandbox.stream_frames import delta, lifecycle, snapshot, ticker, trade
from sandbox.stream_private import PrivateFeed
from sandbox.stream_session import Session, Subscription

TICK_S: Final = 0.02


class Hub(Listener):
    """All open WebSockets of one app; without a floor only first snapshots are sent."""

    def __init__(self, catalog: Catalog, floor: Floor | None, desk: Desk) -> None:
        self._catalog = catalog
        self._floor = floor
        self._desk = desk
        self._sessions: list[Session] = []
        self._private = PrivateFeed(self._sessions)
        self._moved: set[str] = set()  # markets whose ticker may have changed since the last tick
        self._last_centi: dict[str, int] = {}
        self._pump: asyncio.Task[None] | None = None

    def join(self, session: Session) -> None:
        """Tell a session from now on."""
        self._sessions.append(session)
        if len(self._sessions) == 1 and self._floor is not None:
            self._floor.listen(self)
            self._desk.listen(self._private)
            self._pump = asyncio.get_running_loop().create_task(self._keep_time(self._floor))

    def leave(self, session: Session) -> None:
        """Forget a session."""
        self._sessions.remove(session)
        if not self._sessions and self._floor is not None:
            self._floor.unlisten(self)
            self._desk.unlisten(self._private)
            if self._pump is not None:
                self._pump.cancel()

    def first(
        self, session: Session, subscription: Subscription, tickers: Iterable[str], command_id: int
    ) -> None:
        """Send what markets of a subscription begin with; one that nobody knows begins with nothing."""
        for name in tickers:
            market = self._catalog.live(name)
            if market is None:
                continue
            if subscription.channel == "orderbook_delta":
                book = self._catalog.source.book(name)
                msg = snapshot(book, use_yes_price=subscription.use_yes_price)
                session.send(subscription, "orderbook_snapshot", msg, command_id=command_id)
            elif subscription.channel == "ticker":
                self._show(session, subscription, market)

    def book_changed(
        self, ticker: str, time_us: int, side: Side, price_cc: int, delta_centi: int, order_id: int
    ) -> None:
        """Send one change to whoever follows this book."""
        self._moved.add(ticker)
        told: dict[bool, str] = {}
        order = self._desk.order_behind(ticker, order_id, is_new=delta_centi > 0)
        for session, subscription in self._following("orderbook_delta", ticker):
            mode = subscription.use_yes_price
            if order is not None and order.account == session.caller.account:
                own = (order.client_order_id, order.subaccount)
                msg = delta(ticker, time_us, side, price_cc, delta_centi, use_yes_price=mode, own=own)
                session.send(subscription, "orderbook_delta", msg)
                continue
            if mode not in told:
                told[mode] = delta(ticker, time_us, side, price_cc, delta_centi, use_yes_price=mode)
            session.send(subscription, "orderbook_delta", told[mode])

    def traded(self, made: Trade, fill: Fill) -> None:
        """Send a print to whoever follows this market."""
        del fill
        self._moved.add(made.ticker)
        self._last_centi[made.ticker] = made.count_centi
        msg = ""
        for session, subscription in self._following("trade", made.ticker):
            msg = msg or trade(made)
            session.send(subscription, "trade", msg)

    def changed(self, change: LifecycleChange) -> None:
        """Send a step in a life: combos on a channel of their own."""
        self._moved.add(change.ticker)
        told = lifecycle(change)
        if told is None:
            return
        kind, msg = told
        about = change.market or change.event
        channel = "multivariate_market_lifecycle" if about and is_combo(about) else "market_lifecycle_v2"
        kind = channel if kind == "market_lifecycle_v2" else kind
        for session in self._sessions:
            subscription = session.subscription(channel)
            if subscription is not None:
                session.send(subscription, kind, msg)

    def show_tickers(self) -> None:
        """Send the top of every book that moved since last time and looks different now."""
        moved, self._moved = self._moved, set()
        for session in self._sessions:
            subscription = session.subscription("ticker")
            if subscription is None:
                continue
            for name in sorted(moved):
                market = self._market(name) if subscription.wants(name) else None
                if market is not None:
                    self._show(session, subscription, market)

    def _show(self, session: Session, subscription: Subscription, market: Market) -> None:
        time_us = to_us(self._catalog.source.now_ts)
        last_centi = self._last_centi.get(market.ticker, 0)
        looks = ticker(market, last_centi=last_centi, time_us=0)
        if subscription.shown.get(market.ticker) == looks:
            return
        subscription.shown[market.ticker] = looks
        session.send(subscription, "ticker", ticker(market, last_centi=last_centi, time_us=time_us))

    def _following(self, channel: str, name: str) -> list[tuple[Session, Subscription]]:
        found = ((session, session.subscription(channel)) for session in self._sessions)
        return [(session, each) for session, each in found if each is not None and each.wants(name)]

    def _market(self, name: str) -> Market | None:
        assert self._floor is not None
        try:
            return self._floor.market(name)
        except UnknownTicker:  # a series or event, or a market that vanished
            return None

    async def _keep_time(self, floor: Floor) -> None:
        while True:
            floor.advance()
            self.show_tickers()
            await asyncio.sleep(TICK_S)
