"""A world that lives: the clock moves it, all hear one story, and strangers' orders meet its book."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.books import OrderBook
from exchange.errors import BadInput
from exchange.trades import Side, Trade
from exchange.units import DOLLAR_CC, to_us
from sandbox.clock import Clock, Frozen, Stepped
from sandbox.floor import Listener
from sandbox.lifecycle import LifecycleChange
from sandbox.matching import Fill
from sandbox.world import DEFAULT_END_TS, World
from tests.sandbox.places import a_standing_world

END_US = to_us(DEFAULT_END_TS)
HOUR_US = 3_600_000_000
OPEN_TO_THE_END = "KXSIMFED-MAR-H0"
ME = 1_000


def a_world(clock: Clock | None = None) -> World:
    if clock is None:
        return a_standing_world(3, days=6, activity=0.05)
    return World(3, days=6, activity=0.05, clock=clock)


def hours_before_end(hours: int) -> int:
    return END_US - hours * HOUR_US


class Diary(Listener):
    """Writes down everything, and keeps the books that the deltas make."""

    def __init__(self, world: World) -> None:
        self.books = {each.ticker: world.book(each.ticker) for each in world.markets()}
        self.trades: list[Trade] = []
        self.fills: list[Fill] = []
        self.changes: list[LifecycleChange] = []
        self.times_us: list[int] = []

    def book_changed(
        self, ticker: str, time_us: int, side: Side, price_cc: int, delta_centi: int, order_id: int
    ) -> None:
        assert order_id > 0
        self.times_us.append(time_us)
        self.books.setdefault(ticker, OrderBook(ticker)).apply_delta(side, price_cc, delta_centi)

    def traded(self, trade: Trade, fill: Fill) -> None:
        self.times_us.append(to_us(trade.created_ts))
        self.trades.append(trade)
        self.fills.append(fill)

    def changed(self, change: LifecycleChange) -> None:
        self.times_us.append(change.time_us)
        self.changes.append(change)


@settings(max_examples=5)
@given(
    start_h=st.integers(1, 60),
    steps_s=st.lists(st.integers(0, 20_000), max_size=12),
)
def test_many_steps_are_one_step_and_the_frozen_world(start_h: int, steps_s: list[int]) -> None:
    """Whatever the steps, the world is the one that was frozen where they end."""
    clock = Stepped(hours_before_end(start_h))
    world = a_world(clock)
    for step_s in steps_s:
        clock.advance(timedelta(seconds=step_s))
        world.floor.advance()
    assert world.digest() == a_world(Frozen(min(clock.now_us(), END_US))).digest()


def test_a_world_that_lives_to_its_end_is_the_world() -> None:
    """From two days before: tapes, markets, histories and bars end as without a clock; then it stands."""
    clock = Stepped(hours_before_end(48))
    world, whole = a_world(clock), a_world()
    clock.advance(timedelta(days=9))
    world.floor.advance()
    assert world.now_ts == DEFAULT_END_TS
    assert world.digest() == whole.digest()
    mine, theirs = world.tape(None), whole.tape(None)
    assert mine.rows(*mine.span(0, END_US + 1)) == theirs.rows(*theirs.span(0, END_US + 1))
    for market in whole.markets():
        assert world.book(market.ticker) == whole.book(market.ticker)
        for period_s in (60, 3_600, 86_400):
            asked = {"period_s": period_s, "start_ts": whole.trade_cutoff_ts, "end_ts": DEFAULT_END_TS}
            assert world.candles(market.ticker, **asked) == whole.candles(market.ticker, **asked)  # type: ignore[arg-type]


def test_listeners_hear_everything_once_in_time_order() -> None:
    """Deltas rebuild every book; prints are the tape's new rows; steps come with the market as it then is."""
    clock = Stepped(hours_before_end(30))
    world = a_world(clock)
    diary = Diary(world)
    n_before = len(world.tape(None))
    world.floor.listen(diary)
    clock.advance(timedelta(hours=30))
    world.floor.advance()
    assert diary.times_us == sorted(diary.times_us)
    assert diary.trades == world.tape(None).rows(n_before, len(world.tape(None)))
    assert [fill.count_centi for fill in diary.fills] == [trade.count_centi for trade in diary.trades]
    for market in world.markets():
        assert diary.books.get(market.ticker, OrderBook(market.ticker)) == world.book(market.ticker)
    assert {change.kind for change in diary.changes} >= {
        "event_created", "created", "opened", "closed", "close_date_updated", "determined", "settled",
    }  # fmt: skip
    words = {"created": "initialized", "opened": "active", "closed": "closed", "settled": "finalized"}
    for change in diary.changes:
        assert change.market is None or change.market.status == words.get(change.kind, change.market.status)
    world.floor.unlisten(diary)


def test_time_passes_only_when_somebody_asks() -> None:
    """The clock may be ahead: until `advance` the world stands where it was."""
    clock = Stepped(hours_before_end(3))
    world = a_world(clock)
    before, version = world.digest(), world.floor.version
    clock.advance(timedelta(hours=2))
    assert world.digest() == before
    assert world.floor.now_us == hours_before_end(3)
    world.floor.advance()
    assert world.floor.now_us == hours_before_end(1)
    assert world.floor.version > version


def test_a_strangers_bid_meets_the_standing_book() -> None:
    """On a frozen clock too: it takes the ask, prints on the tape, and moves book, volume and last price."""
    world = a_world()
    ask = world.book(OPEN_TO_THE_END).best_ask()
    before = world.floor.market(OPEN_TO_THE_END)
    assert ask is not None
    placed = world.floor.submit(
        OPEN_TO_THE_END, side="yes", limit_cc=ask.price_cc, count_centi=150, owner=ME, rests=True
    )
    assert [(f.taker, f.yes_price_cc, f.count_centi) for f in placed.fills] == [(ME, ask.price_cc, 150)]
    assert placed.rested_centi == 0
    after = world.floor.market(OPEN_TO_THE_END)
    assert after.volume_centi == before.volume_centi + 150
    assert after.last_price_cc == ask.price_cc
    assert after.yes_ask_size_centi == ask.count_centi - 150
    last = world.tape(OPEN_TO_THE_END).rows(0, 10**6)[-1]
    assert (last.created_ts, last.yes_price_cc, last.count_centi) == (DEFAULT_END_TS, ask.price_cc, 150)
    assert world.floor.market(OPEN_TO_THE_END) in world.markets()


def test_an_order_waits_its_turn_shrinks_and_goes() -> None:
    """Behind what stood at its price; decrease keeps its place; cancel returns what was left."""
    floor = a_world().floor
    bid = floor.book(OPEN_TO_THE_END).best_bid()
    assert bid is not None
    mine = floor.submit(
        OPEN_TO_THE_END, side="yes", limit_cc=bid.price_cc, count_centi=500, owner=ME, rests=True
    ).order_id
    assert floor.queue_ahead_centi(OPEN_TO_THE_END, mine) == bid.count_centi
    assert floor.decrease(OPEN_TO_THE_END, mine, by_centi=200) == 200
    assert floor.resting(OPEN_TO_THE_END, mine) == 300
    assert floor.queue_ahead_centi(OPEN_TO_THE_END, mine) == bid.count_centi
    assert floor.cancel(OPEN_TO_THE_END, mine) == 300
    assert floor.cancel(OPEN_TO_THE_END, mine) == 0
    assert floor.book(OPEN_TO_THE_END).best_bid() == bid


def test_agents_trade_with_a_stranger_while_the_world_lives() -> None:
    """The best bid of all is hit sooner or later; its owner hears that it was the maker."""
    clock = Stepped(hours_before_end(20))
    world = a_world(clock)
    diary = Diary(world)
    world.floor.listen(diary)
    ask = world.book(OPEN_TO_THE_END).best_ask()
    assert ask is not None
    mine = world.floor.submit(
        OPEN_TO_THE_END, side="yes", limit_cc=ask.price_cc - 50, count_centi=1, owner=ME, rests=True
    )
    assert mine.rested_centi == 1
    clock.advance(timedelta(hours=20))
    world.floor.advance()
    met = [
        (fill.maker, fill.taker_side)
        for fill in diary.fills
        if fill.maker_order_id == mine.order_id and fill.maker == ME
    ]
    assert met == [(ME, "no")]


def test_the_same_orders_at_the_same_times_give_the_same_world() -> None:
    """Two worlds, one that looks often and one that does not: the same tape and book."""
    digests = []
    for n_looks in (1, 8):
        clock = Stepped(hours_before_end(12))
        world = a_world(clock)
        sides: tuple[Side, Side] = ("yes", "no")
        for side in sides:
            for _ in range(n_looks):
                clock.advance(timedelta(hours=3 / n_looks))
                world.floor.advance()
            world.floor.submit(
                OPEN_TO_THE_END, side=side, limit_cc=DOLLAR_CC - 100, count_centi=9_999, owner=ME, rests=True
            )
        clock.advance(timedelta(hours=6))
        world.floor.advance()
        digests.append(world.digest())
    assert digests[0] == digests[1]


def test_strangers_orders_are_the_strangers_business() -> None:
    """When a market closes agents' orders go; what a listener wants to cancel it cancels, at that instant."""
    clock = Stepped(hours_before_end(4))
    world = a_world(clock)
    closing = next(m.ticker for m in world.markets() if "BTC15M" in m.ticker and m.status == "active")

    class Desk(Listener):
        taken: tuple[int, int] | None = None

        def changed(self, change: LifecycleChange) -> None:
            if change.kind == "closed" and change.ticker == closing:
                self.taken = (world.floor.now_us, world.floor.cancel(closing, mine.order_id))

    desk = Desk()
    world.floor.listen(desk)
    mine = world.floor.submit(closing, side="yes", limit_cc=100, count_centi=700, owner=ME, rests=True)
    close_ts = world.floor.market(closing).close_ts
    clock.advance(timedelta(hours=1))
    world.floor.advance()
    assert close_ts is not None
    assert desk.taken == (to_us(close_ts), 700)
    assert world.book(closing).total_centi() == 0


def test_a_market_that_is_not_here_is_named() -> None:
    """Unknown, not created yet, or not open yet: the message tells which and what to do."""
    floor = a_world().floor
    with pytest.raises(BadInput, match="NOPE: this world has no such market"):
        floor.book("NOPE")
    unopened = next(m.ticker for m in a_world().markets() if m.status == "initialized")
    assert floor.book(unopened) == OrderBook(unopened)
    with pytest.raises(BadInput, match="has not opened"):
        floor.submit(unopened, side="yes", limit_cc=100, count_centi=1, owner=ME, rests=True)
