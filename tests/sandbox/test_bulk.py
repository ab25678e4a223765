"""A bulk exchange is drawn at once, and yet its numbers agree and it lives by its clock."""

from collections import defaultdict
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.fees import is_combo as is_combos
from exchange.trades import Trade
from exchange.units import DOLLAR_CC, from_us, to_us
from sandbox.bulk import BulkSource
from sandbox.bulk_plan import PAUSE_US, BulkSize
from sandbox.catalog import Catalog
from sandbox.clock import Stepped
from sandbox.errors import BadWorld
from sandbox.world import DEFAULT_END_TS
from tests.sandbox.places import a_client, every_page

if TYPE_CHECKING:
    from exchange.markets import Market

SIZE = BulkSize(seed=7, days=12, n_markets=300, n_combos=60, n_trades=6_000)
HOUR = timedelta(hours=1)
ALL_TIME = (0, 2**62)
LONG_AFTER_US = to_us(DEFAULT_END_TS + timedelta(days=90))


def a_moving(hours_before_end: float = 240, *, live_days: int = 4) -> tuple[BulkSource, Stepped]:
    """Return an exchange whose clock stands some hours before its end, and the clock."""
    clock = Stepped(to_us(DEFAULT_END_TS - hours_before_end * HOUR))
    return BulkSource(SIZE, clock=clock, live_days=live_days), clock


@cache
def at_its_end() -> BulkSource:
    return BulkSource(SIZE, live_days=4)


def trades_of(source: BulkSource, ticker: str | None = None) -> list[Trade]:
    tape = source.tape(ticker)
    return list(tape.rows(*tape.span(*ALL_TIME)))


def test_a_seed_is_one_exchange() -> None:
    one, same = (BulkSource(SIZE) for _ in range(2))
    other = BulkSource(BulkSize(seed=8, days=12, n_markets=300, n_combos=60, n_trades=6_000))
    assert trades_of(one) == trades_of(same) != trades_of(other)
    assert one.markets() == same.markets() != other.markets()
    assert one.fee_changes() == same.fee_changes()


def test_there_is_as_much_of_everything_as_was_asked_for() -> None:
    source = at_its_end()
    listed = [source.listing.market(rank, LONG_AFTER_US) for rank in range(source.plan.n_markets)]
    assert len([each for each in listed if not is_combos(each.ticker)]) == 300
    assert len([each for each in listed if is_combos(each.ticker)]) == 60
    assert len({each.ticker for each in listed}) == 360
    assert len(source.trades) == len({tuple(raw) for raw in source.trades.ids.tolist()}) == 6_000


def test_markets_trade_while_they_are_open_and_not_paused() -> None:
    source = at_its_end()
    plan, market, time_us = source.plan, source.trades.market, source.trades.time_us
    assert (time_us >= plan.open_us[market]).all()
    assert (time_us < plan.close_us[market]).all()
    assert (time_us < to_us(DEFAULT_END_TS)).all()
    since_pause_us = time_us - plan.pause_us[market]
    assert not ((since_pause_us >= 0) & (since_pause_us < PAUSE_US)).any()
    assert (np.diff(time_us) >= 0).all()


def test_volume_price_and_open_interest_are_those_of_the_trades() -> None:
    """At any time, not only at the end; a trade that is late counts though it does not show yet."""
    source, clock = a_moving(100)
    for _ in range(3):
        counts: dict[str, int] = defaultdict(int)
        last_cc: dict[str, int] = {}
        n = int(np.searchsorted(source.trades.time_us, clock.now_us(), side="right"))
        for rank in range(n):
            ticker = source.listing.tickers[source.trades.market[rank]]
            counts[ticker] += int(source.trades.count_centi[rank])
            last_cc[ticker] = int(source.trades.price_cc[rank])
        source.news()
        for market in source.markets():
            assert market.volume_centi == counts[market.ticker]
            assert market.last_price_cc == last_cc.get(market.ticker)
            assert market.open_interest_centi == market.volume_centi * 3 // 5
        clock.advance(33 * HOUR)


def test_candles_are_made_of_the_trades() -> None:
    """First, highest, lowest and last price of each hour `(end - 1 h, end]`, and its contracts."""
    source = at_its_end()
    by_market: dict[str, dict[int, list[Trade]]] = defaultdict(lambda: defaultdict(list))
    for trade in trades_of(source):
        by_market[trade.ticker][-(-to_us(trade.created_ts) // 3_600_000_000)].append(trade)
    busy, hours = max(by_market.items(), key=lambda each: len(each[1]))
    bars = source.candles(busy, period_s=3_600, start_ts=from_us(0), end_ts=DEFAULT_END_TS)
    assert len(hours) > 3
    assert {to_us(each.end_ts) // 3_600_000_000: each.volume_centi for each in bars if each.price} == {
        hour: sum(each.count_centi for each in traded) for hour, traded in hours.items()
    }
    for bar in bars:
        prices = [each.yes_price_cc for each in hours.get(to_us(bar.end_ts) // 3_600_000_000, [])]
        if bar.price is not None:
            assert (bar.price.open_cc, bar.price.close_cc) == (prices[0], prices[-1])
            assert (bar.price.high_cc, bar.price.low_cc) == (max(prices), min(prices))


def test_exactly_one_market_of_an_exclusive_event_pays() -> None:
    source = at_its_end()
    by_event: dict[str, list[Market]] = defaultdict(list)
    for rank in range(source.plan.n_markets):
        market = source.listing.market(rank, LONG_AFTER_US)
        by_event[market.event_ticker].append(market)
        assert market.status == "finalized"
        assert {"yes": 10_000, "no": 0}.get(market.result, market.settlement_value_cc) == (
            market.settlement_value_cc
        )
    exclusive = [each for each in source.listing.events(LONG_AFTER_US) if each.mutually_exclusive]
    assert len(exclusive) > 20
    for event in exclusive:
        assert sum(each.result == "yes" for each in by_event[event.ticker]) == 1


def test_a_disputed_result_is_the_other_one_until_it_is_amended() -> None:
    source = at_its_end()
    rank = int(np.flatnonzero(source.plan.flips & ~source.plan.is_scalar)[0])
    plan = source.plan
    before, after, final = (
        source.listing.market(rank, int(at_us))
        for at_us in (plan.determined_us[rank], plan.amended_us[rank], plan.settled_us[rank])
    )
    assert (before.status, after.status, final.status) == ("determined", "amended", "finalized")
    assert {before.result, after.result} == {"yes", "no"}
    assert after.result == final.result
    assert before.settlement_value_cc == DOLLAR_CC - (after.settlement_value_cc or 0)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 40 * 3_600), min_size=1, max_size=5))
def test_following_the_news_is_as_good_as_looking_anew(steps_s: list[int]) -> None:
    """Whatever the steps of the clock: what was followed is what an exchange made at that time lists."""
    source, clock = a_moving()
    followed = Catalog(source)
    for step_s in steps_s:
        clock.advance(timedelta(seconds=step_s))
        followed.refresh()
    anew = Catalog(BulkSource(SIZE, clock=Stepped(clock.now_us()), live_days=4))
    assert followed.markets == anew.markets
    assert [each for each in followed.market_rows if each.ticker in followed.markets] == anew.market_rows
    assert (followed.event_rows, followed.series) == (anew.event_rows, anew.series)


def test_a_late_trade_shows_later_and_where_it_belongs() -> None:
    """Ranks count it from the start, so that a cursor from before means the same page afterwards."""
    source, clock = a_moving()
    is_late = source.trades.shown_us > source.trades.time_us
    late = int(np.flatnonzero(is_late & (source.trades.time_us > clock.now_us()))[0])
    clock.advance(timedelta(microseconds=int(source.trades.shown_us[late]) - clock.now_us() - 1))
    around = (late - 3, late + 4)
    before = source.tape(None).rows(*around)
    clock.advance(timedelta(microseconds=1))
    after = source.tape(None).rows(*around)
    assert [each for each in after if each not in before] == list(source.tape(None).rows(late, late + 1))
    assert to_us(source.tape(None).rows(late, late + 1)[0].created_ts) == source.trades.time_us[late]


def test_nothing_of_the_future_shows() -> None:
    source, clock = a_moving()
    _, end = source.tape(None).span(*ALL_TIME)
    assert max(each.created_ts for each in source.tape(None).rows(0, end)) <= source.now_ts
    assert all(each.created_ts and each.created_ts <= source.now_ts for each in source.markets())
    clock.advance(HOUR)
    assert source.tape(None).span(*ALL_TIME)[1] > end


def test_both_tiers_together_tell_every_trade_once_and_the_border_moves_at_midnight() -> None:
    """The live tier is four days deep; 25 hours later the border stands a day later."""
    source, clock = a_moving(48)
    before_ts = source.trade_cutoff_ts
    with a_client(source) as (client, _):
        for _ in range(2):
            live = every_page(client, "/markets/trades", "trades", limit=700)
            archived = every_page(client, "/historical/trades", "trades", limit=700)
            told = {each["trade_id"] for each in [*live, *archived]}
            n_shown = int((source.trades.shown_us <= clock.now_us()).sum())
            assert len(told) == n_shown
            clock.advance(timedelta(hours=25))
        assert source.trade_cutoff_ts - before_ts == timedelta(days=2)
        source.move_cutoff(timedelta(hours=6))
        assert source.trade_cutoff_ts - before_ts == timedelta(days=2, hours=6)


def test_combos_can_be_left_out_and_untouched_provisional_markets_vanish() -> None:
    source, clock = a_moving(240)
    with a_client(source) as (client, _):
        clock.advance(timedelta(hours=239))
        plain = every_page(client, "/markets", "markets", limit=1_000, mve_filter="exclude")
        everything = every_page(client, "/markets", "markets", limit=1_000)
        plain_tickers = {each["ticker"] for each in plain}
        assert not any(map(is_combos, plain_tickers))
        assert {each["ticker"] for each in everything} - plain_tickers
        gone = np.flatnonzero(source.plan.vanishes & (source.plan.settled_us <= clock.now_us()))
        assert len(gone) > 2
        for rank in gone.tolist():
            ticker = source.listing.tickers[rank]
            assert client.get(f"/markets/{ticker}").status_code == 404
            assert client.get(f"/historical/markets/{ticker}").status_code == 404


def test_what_was_never_asked_about_and_an_empty_exchange_are_answered() -> None:
    source = BulkSource(BulkSize(n_markets=1, n_combos=0, n_trades=0, days=1))
    assert trades_of(source) == trades_of(source, "KXNONE") == []
    assert not source.candles("KXNONE", period_s=60, start_ts=from_us(0), end_ts=DEFAULT_END_TS)
    assert source.quote_at("KXNONE", DEFAULT_END_TS) == (None, None, None)
    assert source.book("KXNONE").best_bid() is None
    with pytest.raises(BadWorld, match="at least a day and a market"):
        BulkSize(n_markets=0)
    with pytest.raises(BadWorld, match="an end with a zone and a live day"):
        BulkSource(SIZE, live_days=0)


def test_only_block_trades_and_the_book_around_the_last_price() -> None:
    source, _ = a_moving(100)
    blocks = source.tape(None, is_block_trade=True)
    told = blocks.rows(*blocks.span(*ALL_TIME))
    assert told == [each for each in trades_of(source) if each.is_block_trade]
    quoted = [each for each in source.markets() if each.status == "active" and each.last_price_cc]
    for market in quoted[:20]:
        bid, ask = source.book(market.ticker).best_bid(), source.book(market.ticker).best_ask()
        assert (bid.price_cc if bid else 0) == market.yes_bid_cc
        assert (ask.price_cc if ask else DOLLAR_CC) == market.yes_ask_cc
        assert market.yes_bid_cc < (market.last_price_cc or 0) < market.yes_ask_cc
