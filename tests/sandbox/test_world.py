"""A world's parts agree with each other, and a seed is a world."""

import os
import subprocess
import sys
from collections import defaultdict
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from exchange.books import OrderBook
from exchange.errors import BadInput
from exchange.ticks import is_on_grid
from exchange.trades import Side, Trade
from exchange.units import DOLLAR_CC, to_us
from sandbox.history import Quote
from sandbox.world import World
from tests.sandbox.places import a_world

END_US = 2**62
ROOT = Path(__file__).resolve().parents[2]
DIGEST = "from sandbox.world import World; print(World(3, days=6, activity=0.05).digest())"


def trades_by_ticker(world: World) -> dict[str, list[Trade]]:
    whole = world.tape(None)
    grouped: dict[str, list[Trade]] = defaultdict(list)
    for trade in whole.rows(*whole.span(0, END_US)):
        grouped[trade.ticker].append(trade)
    return grouped


def test_the_same_seed_is_the_same_world_in_another_process() -> None:
    """Nothing depends on hash order: another PYTHONHASHSEED gives the same digest."""
    digests = set()
    for hash_seed in ("0", "4242"):
        env = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True, env=env
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1
    assert digests == {World(3, days=6, activity=0.05).digest()}


def test_another_seed_is_another_world() -> None:
    """Seeds 7 and 8 differ."""
    assert World(8, days=6, activity=0.05).digest() != World(7, days=6, activity=0.05).digest()


def test_a_world_says_the_same_on_every_machine() -> None:
    """The digest of a tiny world is pinned: it changes only when the world is changed on purpose."""
    assert World(1, days=6, activity=0.02).digest()[:16] == "088de2f193deab62"


def test_market_volume_is_the_sum_of_its_trades() -> None:
    """volume, volume of 24 hours and last price all come from the tape."""
    world = a_world()
    trades = trades_by_ticker(world)
    day_ago_ts = world.now_ts - timedelta(days=1)
    for market in world.markets():
        tape = trades.get(market.ticker, [])
        assert market.volume_centi == sum(each.count_centi for each in tape)
        assert market.volume_24h_centi == sum(e.count_centi for e in tape if e.created_ts >= day_ago_ts)
        assert market.last_price_cc == (tape[-1].yes_price_cc if tape else None)


def test_open_interest_never_exceeds_what_was_traded() -> None:
    """Every contract that is open was bought by somebody."""
    for market in a_world().markets():
        assert 0 <= market.open_interest_centi <= market.volume_centi


def test_results_and_settlement_values_agree() -> None:
    """Yes pays a dollar, no nothing, a cancelled game half a dollar; before determination nothing is told."""
    pays = {"yes": DOLLAR_CC, "no": 0, "scalar": DOLLAR_CC // 2, "": None}
    for market in a_world().markets():
        assert market.settlement_value_cc == pays[market.result]
        assert (market.result != "") == (market.status in {"determined", "finalized"})
        assert (market.settlement_ts is not None) == (market.status == "finalized")


def test_exclusive_events_that_are_over_have_exactly_one_winner() -> None:
    """The strikes of these events cover everything; only the cancelled game has no winner."""
    world = a_world()
    results_of: dict[str, list[str]] = defaultdict(list)
    for market in world.markets():
        results_of[market.event_ticker].append(market.result)
    decided = 0
    for event in world.events():
        results = results_of[event.ticker]
        if event.mutually_exclusive and "" not in results:
            decided += 1
            assert results.count("yes") == 1 or set(results) == {"scalar"}
    assert decided > 10


def test_a_world_has_one_of_everything() -> None:
    """Statuses, a void, early closes, markets without trades, several grids and fee regimes."""
    world = a_world()
    markets = world.markets()
    assert {each.status for each in markets} == {
        "initialized",
        "active",
        "inactive",
        "closed",
        "determined",
        "finalized",
    }
    assert {each.result for each in markets} == {"", "yes", "no", "scalar"}
    assert any(each.volume_centi == 0 and each.status == "finalized" for each in markets)
    assert any(each.can_close_early and each.status == "finalized" for each in markets)
    assert len({each.price_level_structure for each in markets}) >= 4
    assert {(each.fee_type, each.multiplier_ppm) for each in world.fee_changes()} >= {
        ("quadratic", 500_000),
        ("quadratic_with_maker_fees", 1_000_000),
        ("quadratic", 0),
        (None, None),
    }
    trades = [each for tape in trades_by_ticker(world).values() for each in tape]
    assert any(each.is_block_trade for each in trades)
    assert any(each.count_centi % 100 for each in trades)


def test_many_trades_share_a_timestamp_with_their_neighbour() -> None:
    """Sweeps print several trades at one instant, as 32 to 42 % of real rows do."""
    tapes = [tape for tape in trades_by_ticker(a_world()).values() if len(tape) > 20]
    shared = sum(a.created_ts == b.created_ts for tape in tapes for a, b in pairwise(tape))
    assert 0.15 < shared / sum(map(len, tapes)) < 0.6


def test_trade_ids_are_unique_and_prices_are_on_the_grid() -> None:
    """A trade id is a key; a price is one that the market accepts."""
    world = a_world()
    grids = {each.ticker: each.price_ranges for each in world.markets()}
    trades = [each for tape in trades_by_ticker(world).values() for each in tape]
    assert len({each.trade_id for each in trades}) == len(trades)
    assert all(is_on_grid(each.yes_price_cc, grids[each.ticker]) for each in trades)


def test_trades_happen_while_the_market_is_open() -> None:
    """No print before the opening or after the (possibly early) close."""
    world = a_world()
    listed = {each.ticker: each for each in world.markets()}
    for ticker, tape in trades_by_ticker(world).items():
        market = listed[ticker]
        assert market.open_ts is not None
        assert market.close_ts is not None
        assert market.open_ts < tape[0].created_ts <= tape[-1].created_ts < market.close_ts


def test_replaying_the_deltas_gives_the_book_and_the_quotes() -> None:
    """After every instant the replayed top is the recorded quote; at the end the books are equal."""
    world = a_world()
    for start in ("KXSIMFED-MAR-H0", "KXSIMHIGHNY-26MAR01-B", "KXSIMBTC15M-26MAR012005"):
        ticker = next(each for each in world.histories() if each.startswith(start))
        book, tops = OrderBook(ticker), {}

        def hear(time_us: int, side: Side, price_cc: int, delta_centi: int) -> None:
            book.apply_delta(side, price_cc, delta_centi)  # noqa: B023 - called within this turn of the loop
            bid, ask = book.best_bid(), book.best_ask()  # noqa: B023 - the same
            assert bid is None or ask is None or bid.price_cc < ask.price_cc
            tops[time_us] = (bid.price_cc if bid else 0, ask.price_cc if ask else DOLLAR_CC)  # noqa: B023

        history = world.listen(ticker, hear)
        assert book == world.book(ticker)
        changed, last = history.quotes[:1], history.quotes[0][1:]
        for time_us, top in tops.items():
            if top != last:
                changed.append(Quote(time_us, *top))
                last = top
        assert changed == history.quotes


def test_books_are_empty_seconds_after_the_close() -> None:
    """Resting orders go within 20 seconds of the close; open markets still have theirs."""
    world = a_world()
    for market in world.markets():
        history = world.histories().get(market.ticker)
        if history is None or market.close_ts is None or market.status in {"active", "inactive"}:
            continue
        assert world.book(market.ticker).total_centi() == 0
        assert history.quotes[-1].time_us <= to_us(market.close_ts) + 20_000_000
    assert any(world.book(each.ticker).total_centi() for each in world.markets())


def test_cutoffs_lie_inside_the_world_on_midnights() -> None:
    """Both tiers have trades and markets, and each kind of data has a cutoff of its own."""
    world = a_world()
    trades = world.tape(None)
    first, end = trades.span(0, END_US)
    _, archived = trades.span(0, to_us(world.trade_cutoff_ts))
    assert first < archived < end
    assert world.trade_cutoff_ts != world.market_cutoff_ts
    assert to_us(world.trade_cutoff_ts) % 86_400_000_000 == 0
    settled = [each.settlement_ts for each in world.markets() if each.settlement_ts]
    assert min(settled) < world.market_cutoff_ts < max(settled)


def test_a_world_that_cannot_be_is_refused() -> None:
    """Too few days is bad input, with advice."""
    with pytest.raises(BadInput, match="at least 6 days"):
        World(days=1)
