"""Policies by hand: what becomes of quotes, what is known when, and what is refused with which words.

tests/backtest/test_policies_oracle.py has the same for any world; here the numbers can be followed.
"""

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

import backtest as bt
from backtest.errors import ParameterError, PlanError, TooLarge
from backtest.policies import Policy
from backtest.quoting import N_DRAWN
from backtest.results import Run
from tests.backtest.test_engine_queue import a_trade
from tests.backtest.worlds import (
    MemoryLake,
    a_delta,
    a_gap,
    a_lake,
    a_market,
    a_quote,
    a_snapshot,
    assert_conserved,
    at,
    replayed,
    settled,
)

BOOK = a_snapshot(0, yes={4_000: 500, 4_500: 300}, no={4_500: 400})  # bids .40 and .45, ask .55


def _fixed(_at: Any, params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    return bt.Quotes(params.bid_cc, params.bid_centi, params.ask_cc, params.ask_centi)


NOTHING = {"bid_cc": 0, "bid_centi": 0, "ask_cc": 0, "ask_centi": 0}
FIXED = bt.policy(every="1s", params=NOTHING)(_fixed)
TAKING = bt.policy(every="1s", params=NOTHING, post_only=False)(_fixed)
T0_US = int(at(0).timestamp()) * 1_000_000
BID = {"bid_cc": 4_500, "bid_centi": 1_000}


@bt.policy(every="1s", params={"size": 10, "share": 1.0}, memory=1)
def joining(at: Any, params: Any, memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    """Join the bid, and ask 9,000 plus a cent for every question so far; nothing below a bid of .30."""
    memory[0] += 1
    centi = int(100 * params.size * params.share) if at.bid_cc >= 3_000 else 0
    return bt.Quotes(at.bid_cc, centi, int(8_900 + 100 * memory[0]), 100)


def quoted(
    policy: Policy = FIXED,
    *quotes: dict[str, Any],
    start: datetime | None = None,
    end: datetime | None = None,
    **arguments: Any,  # noqa: ANN401 -- of bt.run
) -> Run:
    """Run a policy on market A: known at once, under way for a second."""
    lake = a_lake(markets=[a_market()], quotes=quotes or [a_quote(0, 4_500, 5_500)])
    return ran(policy.on(["A"], start=start, end=end), lake, **arguments)


def ran(quoting: bt.Quoting, lake: MemoryLake, **arguments: Any) -> Run:  # noqa: ANN401 -- of bt.run
    usual: dict[str, Any] = {"fills": "touch", "latency": "1s", "feed": "0s", "cash": 1_000}
    run = bt.run(quoting, lake, **usual | arguments)
    assert_conserved(run)
    return run


def sent(run: Run, *columns: str) -> list[tuple[Any, ...]]:
    """Return what was sent: seconds of decision, action, limit and size, and more columns."""
    seconds = (pl.col("decision_ts") - at(0)).dt.total_microseconds() / 1e6
    return run.orders.select(seconds, "action", "limit_cc", "count_centi", *columns).rows()


def test_a_quote_at_an_unchanged_price_keeps_its_place_and_is_not_topped_up() -> None:
    """3 stand ahead at .45; trades of 4 and 3 leave us 1 and 1, of the 2 that were sent at second 0.

    Only then is another order sent: it stands behind the one contract that is left.
    """
    changes = [
        a_delta(3, "yes", 4_500, 500, seq=2),
        a_delta(4, "yes", 4_500, -400, seq=3),
        a_delta(6, "yes", 4_500, -300, seq=4),
    ]
    trades = [a_trade(4, 4_500, 400, "no"), a_trade(6, 4_500, 300, "no")]
    lake = a_lake(markets=[a_market()], book_snapshots=[BOOK], book_deltas=changes, trades=trades)
    run = ran(FIXED.on(["A"]), lake, fills="queue", params=BID | {"bid_centi": 200})
    assert run.fills.select("fill_ts", "count_centi", "role").rows() == [
        (at(4), 100, "maker"),
        (at(6), 100, "maker"),
    ]
    assert sent(run, "filled_centi", "reason") == [
        (0, "buy", 4_500, 200, 200, None),
        (6, "buy", 4_500, 200, 0, "expired"),
    ]


def test_another_price_replaces_and_size_zero_takes_back() -> None:
    """The bid goes 45, 47, 20: a replacement arrives a second later, and below 30 nothing is wanted."""
    quotes = [a_quote(0, 4_500, 5_500), a_quote(10, 4_700, 5_500), a_quote(20, 2_000, 5_500)]
    run = quoted(joining, *quotes)
    bids = run.orders.filter((pl.col("limit_cc") < 9_000) | (pl.col("action") == "cancel"))
    assert bids.select("action", "limit_cc", "arrival_ts", "status", "reason").rows() == [
        ("buy", 4_500, at(1), "unfilled", "cancelled"),
        ("buy", 4_700, at(11), "unfilled", "cancelled"),
        ("cancel", None, at(21), "done", None),
    ]


def test_what_is_replaced_may_trade_until_the_replacement_arrives() -> None:
    """The replacement is under way from second 10 to 11; at 10.5 somebody sells at 44, and both are ours."""
    usual = [a_quote(0, 4_500, 5_500), a_quote(10, 4_700, 5_500), a_quote(10.8, 4_700, 5_500)]
    cheap = [a_quote(t, 4_000, 4_400) for t in (10.5, 12)]
    run = quoted(joining, *usual, *cheap, params={"share": 0.1})
    assert run.fills.select("fill_ts", "yes_price_cc", "count_centi").rows() == [
        (at(10.5), 4_500, 100),
        (at(12), 4_700, 100),
    ]


def test_memory_is_of_each_market() -> None:
    """Asked three times about A and once about B: asks of 90, 91 and 92, and of 90."""
    quotes = [a_quote(t, bid, 5_500) for t, bid in ((0, 4_500), (10, 4_600), (20, 4_700))]
    lake = a_lake(markets=[a_market(), a_market("B")], quotes=[*quotes, a_quote(5, 4_500, 5_500, ticker="B")])
    asks = ran(joining.on(lake_markets(lake)), lake).orders.filter(action="sell")
    assert asks.select("ticker", "limit_cc").rows() == [
        ("A", 9_000),
        ("B", 9_000),
        ("A", 9_100),
        ("A", 9_200),
    ]


def lake_markets(lake: MemoryLake) -> pl.LazyFrame:
    return pl.LazyFrame({"ticker": [row["ticker"] for row in lake.rows["markets"]]})


def test_feed_and_latency_are_two_waits() -> None:
    """What happened at 0.05 is known at 0.15 and asked about at 1; sent then, the bid is there at 1.25.

    At 1.95 it is filled: the question at 2 knows what was until 1.9, the one at 3 knows of the fill.
    """
    seen: list[tuple[Any, ...]] = []

    @bt.policy(every="1s")
    def looking(told: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- a record
        times = (told.ts_us - T0_US, told.changed_us - T0_US)
        mine = (told.position_centi, told.my_bid_cc, told.my_bid_centi)
        seen.append((*times, told.bid_cc, told.ask_cc, told.ask_centi, *mine))
        return bt.Quotes(4_500, 1_000, 0, 0)

    quotes = [
        a_quote(0.05, 4_500, 5_500),
        a_quote(1.85, 4_400, 5_400),
        a_quote(1.95, 4_300, 4_500, sizes=(7, 200)),
    ]
    run = quoted(looking.in_python(), *quotes, feed="100ms", latency="250ms", end=at(3.5))
    assert seen == [
        (1_000_000, 50_000, 4_500, 5_500, 100_000, 0, 0, 0),
        (2_000_000, 1_850_000, 4_400, 5_400, 100_000, 0, 4_500, 1_000),
        (3_000_000, 1_950_000, 4_300, 4_500, 200, 200, 4_500, 800),
    ]
    assert run.fills.select("fill_ts", "count_centi").rows() == [(at(1.95), 200)]
    assert sent(run, "arrival_ts") == [
        (1, "buy", 4_500, 1_000, at(1.25)),
        (4, "cancel", None, 0, at(4.25)),  # the first moment of the grid at or after the end
    ]


def test_a_policy_hears_what_cash_cut_off_its_order() -> None:
    """$3 bid for 6 of 10 at .50 from 1.25 s on; heard at 1.35, so that it is asked at 2 s, and told of 6."""
    found = []

    @bt.policy(every="1s")
    def told(at: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
        found.append((at.ts_us - T0_US, at.my_bid_cc, at.my_bid_centi))
        return bt.Quotes(5_000, 1_000, 0, 0)

    lake = a_lake(markets=[a_market()], quotes=[a_quote(each, 4_900, 5_500) for each in (0, 4)])
    quoting = told.in_python().on(["A"])
    run = bt.run(quoting, lake, fills="touch", latency="250ms", feed="100ms", cash=3)
    assert run.orders.select("count_centi", "dropped_centi").rows() == [(1_000, 400)]
    assert found == [(1_000_000, 0, 0), (2_000_000, 5_000, 600), (5_000_000, 5_000, 600)]


def test_questions_come_by_time_and_at_one_instant_by_market() -> None:
    """Thirty-seven markets, told apart by their bids, each quoted three times within nine seconds."""
    names, seen = [f"M{number:02}" for number in range(37)], list[tuple[int, int]]()

    @bt.policy(every="1s")
    def looking(told: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- a record
        seen.append(((told.ts_us - T0_US) // 1_000_000, told.bid_cc // 100 - 1))
        return bt.Quotes(0, 0, 0, 0)

    quoted_at = [((7 * number + 4 * turn) % 10, number) for number in range(37) for turn in range(3)]
    lake = a_lake(
        markets=[a_market(name) for name in names],
        quotes=[a_quote(s, 100 * number + 100, 9_000, ticker=names[number]) for s, number in quoted_at],
    )
    ran(looking.in_python().on(names), lake, feed="0ms")
    assert seen == sorted(quoted_at)


def test_quoting_may_not_last_longer_than_the_clock_can_plan() -> None:
    """Forty markets take 6 of 62 bits of an entry: 2**56 microseconds are 2,284 years of 365 days."""
    markets = [a_market(f"M{number}", close_ts=None) for number in range(40)]
    lake = a_lake(markets=markets, quotes=[a_quote(0, 4_500, 5_500, ticker="M7")])
    names = [each["ticker"] for each in markets]
    fine = ran(FIXED.on(names, end=datetime(4_300, 1, 1, tzinfo=UTC)), lake, params=BID)
    assert fine.orders["action"].to_list() == ["buy", "cancel"]
    with pytest.raises(TooLarge, match="about 40 markets for 2284 years from their first quote on: give"):
        ran(FIXED.on(names, end=datetime(4_400, 1, 1, tzinfo=UTC)), lake, params=BID)


def test_a_feed_that_was_measured_is_drawn_and_never_tells_what_is_older() -> None:
    """A quote a second; each is heard late by what its instant drew, but never before the one before it."""
    seen: list[tuple[int, int]] = []

    @bt.policy(every="100ms")
    def looking(told: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- a record
        seen.append((told.ts_us - T0_US, told.changed_us - T0_US))
        return bt.Quotes(0, 0, 0, 0)

    feed = bt.sample_latency(["100ms", "300ms", "2500ms"], seed=5)
    quotes = [a_quote(second, 4_000 + 100 * (second % 2), 5_500) for second in range(40)]
    run = quoted(looking.in_python(), *quotes, feed=feed)
    drawn, heard, last = feed.drawn(N_DRAWN).tolist(), {}, 0
    for at_us in range(0, 40_000_000, 1_000_000):
        last = max(last, at_us + drawn[(T0_US + at_us) % N_DRAWN])
        heard[at_us] = last
    news = sorted(set(heard.values()))  # each a whole multiple of 100 ms
    assert seen == [(t, max(at_us for at_us, late in heard.items() if late <= t)) for t in news]
    assert {heard[at_us] - at_us for at_us in heard} >= {100_000, 300_000, 1_500_000, 2_500_000}
    assert any("everything 100 to 2500 ms (half within 300 ms), drawn" in each for each in run.assumptions)
    assert run.manifest["config"]["policy"]["feed_us"]["n"] == 3


def test_nothing_is_quoted_before_the_start_and_all_is_taken_back_at_the_end() -> None:
    quotes = [a_quote(t, 4_500, 5_500 + t) for t in (0, 3, 8, 20)]
    run = quoted(FIXED, *quotes, start=at(5), end=at(10), params=BID)
    assert sent(run) == [(5, "buy", 4_500, 1_000), (10, "cancel", None, 0)]


def _fair(_at: Any, _params: Any, _memory: Any, signals: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    if math.isnan(signals.fair_cc):
        return bt.Quotes(100, 100, 0, 0)
    return bt.Quotes(int(signals.fair_cc), 100, 0, 0)


FAIR = bt.policy(every="1s")(_fair)


def fairly(*rows: tuple[float, str | None, float | None]) -> pl.DataFrame:
    """Return signals of (seconds, ticker, fair price in cents)."""
    known = pl.Series("known_ts", [at(seconds) for seconds, _, _ in rows], pl.Datetime("us", "UTC"))
    cents = pl.Series("fair_cc", [fair and fair * 100 for *_, fair in rows], pl.Float64)
    return pl.DataFrame([pl.Series("ticker", [name for _, name, _ in rows], pl.String), known, cents])


@pytest.mark.parametrize("policy", [FAIR, FAIR.in_python()], ids=["compiled", "in Python"])
def test_a_signal_counts_from_its_known_ts_on_and_is_news(policy: Policy) -> None:
    """Before the first, and where it is null, nothing is known: a bid of .01. Feed delays none of them.

    That of second 1 counts before the first quote (3) is known (at 4); of two at 8.25 the later row; B's
    never.
    """
    early, late = [(6, "A", 43), (1, "A", None)], [(8.25, "A", 44), (8.25, "A", 45), (11, "A", None)]
    told = fairly(*late, *early, (5, "B", 30))
    quotes = [a_quote(3, 4_500, 5_500), a_quote(20, 4_500, 5_600)]
    lake = a_lake(markets=[a_market()], quotes=quotes)
    run = ran(policy.on(["A"], signals=told), lake, feed="500ms")
    bids = [(4, 100), (6, 4_300), (9, 4_500), (11, 100)]
    assert sent(run) == [(t, "buy", limit, 100) for t, limit in bids]


def test_signals_without_a_ticker_are_about_all_markets() -> None:
    quotes = [a_quote(0, 4_500, 5_500, ticker=name) for name in "AB"]
    lake = a_lake(markets=[a_market(), a_market("B")], quotes=quotes)
    told = fairly((0, None, 40), (5, None, 41)).drop("ticker")
    run = ran(FAIR.on(["A", "B"], signals=told.lazy()), lake)
    assert run.orders.select("ticker", "limit_cc").rows() == [
        *((name, 4_000) for name in "AB"),
        *((name, 4_100) for name in "AB"),
    ]


def test_a_run_says_which_signals_it_had() -> None:
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_500, 5_500)])
    first, second = (
        ran(FAIR.on(["A"], signals=fairly((0, "A", cents))), lake, params={}).manifest["config"]["policy"]
        for cents in (40, 41)
    )
    assert (first["signals"]["names"], first["signals"]["n_rows"]) == (["fair_cc"], 1)
    assert first["signals"]["sha256"] != second["signals"]["sha256"]
    told = ran(FAIR.on(["A"], signals=fairly((0, "A", 40))), lake).assumptions
    assert "signals (fair_cc) count from their known_ts on" in told
    assert not any("have no signal" in each for each in told)
    misspelt = ran(FAIR.on(["A"], signals=fairly((0, "a", 40))), lake)
    assert "1 of 1 markets have no signal" in misspelt.assumptions


@pytest.mark.parametrize(
    ("signals", "said"),
    [
        (None, r"_fair takes signals: give on\(…, signals=frame"),
        ([1], "signals are a polars frame, not list"),
        (fairly((0, "A", 1)).drop("known_ts"), "known_ts is None: it must be Datetime in UTC"),
        (fairly((0, "A", 1)).drop("fair_cc"), "no column besides ticker and known_ts"),
        (fairly((0, "A", 1)).with_columns(fair_cc=pl.lit("x")), "fair_cc is String: signals are numbers"),
        (fairly((0, "A", 1)).rename({"fair_cc": "fair cc"}), "cannot read a column called 'fair cc'"),
        (fairly((0, None, 1)), "rows without ticker or known_ts"),
        (
            fairly((0, "A", 1)).with_columns(ticker=pl.lit(7)),
            "ticker is Int32: cast it to String, or drop it",
        ),
        (
            fairly((0, "A", 1)).lazy().with_columns(pl.col("fair_cc") * bt.param("times")),
            "read once, for all values of times: let the policy have the parameter",
        ),
        (
            fairly((0, "A", 1)).rename({"fair_cc": "fare_cc"}),
            r"_fair reads 'fair_cc'.*nor in signals \(fare_cc",
        ),
    ],
)
def test_signals_that_cannot_be_meant_are_refused(signals: Any, said: str) -> None:  # noqa: ANN401 -- what a user may write
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_500, 5_500)])
    with pytest.raises(PlanError, match=said):
        ran(FAIR.on(["A"], signals=signals), lake)


def _none(_at: Any, _params: Any, _memory: Any, signals: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    return bt.Quotes(int(signals.none), 100, 0, 0)


NONE = bt.policy(every="1s")(_none)


@pytest.mark.parametrize("policy", [NONE, NONE.in_python()], ids=["compiled", "in Python"])
def test_a_signal_may_be_called_none(policy: Policy) -> None:
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_500, 5_500)])
    told = fairly((0, "A", 40)).rename({"fair_cc": "none"})
    assert sent(ran(policy.on(["A"], signals=told), lake)) == [(0, "buy", 4_000, 100)]


def test_a_policy_that_takes_no_signals_is_given_none() -> None:
    with pytest.raises(PlanError, match=r"_fixed takes no signals: make it _fixed\(at, params, memory, "):
        FIXED.on(["A"], signals=fairly((0, "A", 1)))
    with pytest.raises(PlanError, match="<lambda> takes 2 arguments"):
        bt.policy(every="1s")(lambda _at, _params: bt.Quotes(0, 0, 0, 0))


def test_an_unknown_book_takes_quotes_back_and_a_known_one_brings_them_again() -> None:
    """A hole from second 4.5 on, repaired at 8."""
    lake = a_lake(
        markets=[a_market()],
        book_snapshots=[BOOK, a_snapshot(8, yes={4_500: 300}, no={4_500: 400}, seq=9)],
        book_gaps=[a_gap(4.5, from_seq=2, until=8)],
    )
    run = ran(FIXED.on(["A"]), lake, fills="book", params=BID)
    assert sent(run) == [(0, "buy", 4_500, 1_000), (5, "cancel", None, 0), (8, "buy", 4_500, 1_000)]


def test_prices_off_the_grid_move_away_from_the_other_side_and_those_outside_of_it_are_none() -> None:
    """Whole cents: 45.50 bid is 45, 55.50 ask 56; below 1 cent, above 99 and beyond $0 and $1 is no order."""
    tries = [(4_550, 5_550), (99, 9_901), (0, 10_000), (-100, 10_100), (100, 9_900), (-(2**62), 2**62)]
    rows = pl.DataFrame(
        [{"bid_cc": bid, "bid_centi": 100, "ask_cc": ask, "ask_centi": 100} for bid, ask in tries]
    )
    run = quoted(params=rows)
    limits = run.orders.group_by("bid_cc", maintain_order=True).agg("limit_cc").rows()
    assert limits == [(4_550, [4_500, 5_600]), (100, [100, 9_900])]


@pytest.mark.parametrize("centi", [0, -1, -(2**62)])
def test_a_size_of_nothing_or_less_is_no_order(centi: int) -> None:
    assert quoted(params=BID | {"bid_centi": centi}).orders.is_empty()


def test_a_quote_that_would_trade_is_rejected_unless_quotes_may_take() -> None:
    """A bid of 56 meets an ask of 55: rejected on arrival, sent again once that is known; or filled at 55."""
    quotes, wanted = [a_quote(0, 4_500, 5_500), a_quote(3.5, 4_500, 6_000)], BID | {"bid_cc": 5_600}
    assert sent(quoted(FIXED, *quotes, params=wanted), "reason") == [
        *((t, "buy", 5_600, 1_000, "post only") for t in (0, 1, 2)),
        (3, "buy", 5_600, 1_000, "expired"),
    ]
    run = quoted(TAKING, *quotes, params=wanted, end=at(1))
    assert run.fills.select("yes_price_cc", "count_centi", "role").rows() == [(5_500, 1_000, "taker")]


def test_markets_share_one_purse() -> None:
    """$6.00: the bid for 10 at .45 in A reserves $4.50, which leaves $1.50 for 3.33 in B."""
    crossing = [a_quote(t, 4_000, ask, ticker=name) for name in "AB" for t, ask in ((0, 5_500), (10, 4_500))]
    lake = a_lake(markets=[settled("A", pays_cc=10_000), settled("B", pays_cc=0)], quotes=crossing)
    run = ran(FIXED.on(["B", "A", "A"], end=at(10)), lake, cash=6, params=BID)
    assert run.fills.select("ticker", "count_centi").rows() == [("A", 1_000), ("B", 333)]
    # 6.00 - 4.50 - 1.4985 + 10.00, without fees: makers pay none here.
    assert run.summary["cash_end_micros"].to_list() == [10_001_500]


def test_a_market_that_nobody_recorded_is_never_asked_about() -> None:
    lake = a_lake(markets=[a_market(), a_market("B")], quotes=[a_quote(0, 4_500, 5_500)])
    assert ran(FIXED.on(["B"]), lake, params=BID).orders.is_empty()
    assert set(ran(FIXED.on(["A", "B", "C"]), lake, params=BID).orders["ticker"]) == {"A"}


def test_parameters_have_defaults_types_and_sweeps() -> None:
    """Sizes 10 x 1.0 by default; 4 and 8 times .5 in a sweep, whatever is not named keeps its default."""
    bids = quoted(joining).orders.filter(action="buy")
    assert bids.select("size", "share", "count_centi").rows() == [(10, 1.0, 1_000)]
    run = quoted(joining, params={"share": 0.5, "size": [4, 8.0]})
    bids = run.orders.filter(action="buy")
    assert bids.select("size", "share", "count_centi").rows() == [(4, 0.5, 200), (8, 0.5, 400)]
    assert [each.dtype for each in run.summary.select("size", "share")] == [pl.Int64, pl.Float64]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"sise": 1}, "the policy has no parameter sise; it has size, share"),
        ({"size": 1.5}, r"size=1.5: the policy's default 10 makes it a whole number; write 10.0 there"),
        ({"size": "1"}, "size='1' should be a number"),
        ({"size": True}, "size=True should be a number"),
        ({"size": 2**63}, "should be a number, and below 2"),
        ({"share": float("nan")}, "share=nan should be a number"),
        ({"share": [1.0, float("inf")]}, "share=inf should be a number"),
    ],
)
def test_a_parameter_that_cannot_be_meant_is_refused(params: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        quoted(joining, params=params)


def test_defaults_may_be_numbers_of_numpy() -> None:
    """Whole ones make a whole number of the parameter, as Python's do."""
    defaults: dict[str, Any] = {"size": np.int64(10), "share": np.float64(1)}
    known = bt.policy(every="1s", params=defaults, memory=1)(joining.function)
    assert known == joining
    assert [type(each) for each in known.params.values()] == [int, float]
    with pytest.raises(ParameterError, match="the policy's default 10 makes it a whole number"):
        quoted(known, params={"size": 1.5})


def test_a_run_says_which_policy_it_was_and_what_it_knew() -> None:
    run = quoted(FIXED, feed="100ms", start=at(5))
    told = run.manifest["config"]["policy"]
    assert told == {
        "name": "_fixed",
        "sha256": told["sha256"],
        "every_us": 1_000_000,
        "feed_us": 100_000,
        "memory": 0,
        "depth": 0,
        "post_only": True,
        "start": at(5).isoformat(),
        "end": None,
    }
    assert told["sha256"] != quoted(joining).manifest["config"]["policy"]["sha256"]
    assert (
        "the policy knows of everything 100 ms after it happened, its own fills included" in run.assumptions
    )


def test_in_python_a_sweep_gives_the_same_frames() -> None:
    quotes = [a_quote(t, bid, bid + 300) for t, bid in enumerate((4_500, 4_100, 4_900, 2_000, 4_400))]
    arguments: dict[str, Any] = {"params": {"size": [3, 7]}, "latency": "500ms"}
    run, slow = quoted(joining, *quotes, **arguments), quoted(joining.in_python(), *quotes, **arguments)
    assert run.fills.height > 2
    assert all(frame.equals(slow.frames[name]) for name, frame in run.frames.items())


def _dividing(told: Any, _params: Any, memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    memory[0] += 1
    return bt.Quotes(4_500 // int(2 - memory[0]), told.bid_centi // 1_000, 0, 0)


DIVIDING = bt.policy(every="1s", memory=1)(_dividing)


@pytest.mark.parametrize("policy", [DIVIDING, DIVIDING.in_python()], ids=["compiled", "in Python"])
def test_what_a_policy_raises_comes_out_with_its_own_line(policy: Policy) -> None:
    """The second question divides by zero; the traceback ends in the policy, compiled or not."""
    with pytest.raises(ZeroDivisionError) as caught:
        quoted(policy, a_quote(0, 4_500, 5_500), a_quote(5, 4_600, 5_500))
    assert caught.traceback[-1].name == "_dividing"


def _beyond(told: Any, _params: Any, memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    return bt.Quotes(told.bid_cc, int(memory[1]), 0, 0)


def test_memory_that_a_policy_did_not_ask_for_is_an_error() -> None:
    """It is the memory of another market, or of somebody else; compiled code would read and write it."""
    with pytest.raises(IndexError, match="index 1 is out of bounds for axis 0 with size 1"):
        quoted(bt.policy(every="1s", memory=1)(_beyond), a_quote(0, 4_500, 5_500))


def _misspelt(told: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    return bt.Quotes(told.bid, 100, 0, 0)


def _text(told: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    return bt.Quotes(told.bid_cc + "0", 100, 0, 0)


def _formatting(told: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    return bt.Quotes(int(f"{told.bid_cc:>5}"), 100, 0, 0)


def _silent(told: Any, _params: Any, _memory: Any) -> Any:  # noqa: ANN401 -- records, to numba
    return bt.Quotes(told.bid_cc, 100, 0, 0) if told.bid_cc > 5_000 else None


def _floats(told: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    return bt.Quotes(told.bid_cc / 2, 100, 0, 0)


def _half(told: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
    return bt.Quotes(told.bid_cc, 100)  # type: ignore[call-arg]  # the mistake


def _bare(told: Any, _params: Any, _memory: Any) -> Any:  # noqa: ANN401 -- records, to numba
    return told.bid_cc, 100, 0, 0


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (_misspelt, r"_misspelt reads 'bid', which is neither in at \(ts_us, .* nor in params \(none\)"),
        (
            _text,
            r'_text does not compile: No implementation .* File ".*test_policies.py", line \d+; in_python',
        ),
        (_formatting, "_formatting does not compile: format spec in f-strings not supported"),
        (_silent, r"_silent returns OptionalType\(Quotes.* whole numbers, always; .* wants nothing"),
        (_floats, r"the policy _floats returns Quotes\(float64.*whole numbers"),
        (_half, "_half does not compile: In .*Quotes.*: missing a required argument: 'ask_cc'"),
        (_bare, "the policy _bare returns Tuple.*return bt.Quotes"),
    ],
)
def test_a_policy_that_is_no_policy_is_refused_before_anything_runs(function: Any, said: str) -> None:  # noqa: ANN401 -- a policy's function
    with pytest.raises(PlanError, match=said):
        quoted(bt.policy(every="1s")(function))


@pytest.mark.parametrize(("function", "said"), [(_floats, "2250.0"), (_silent, "None")])
def test_in_python_it_is_refused_with_what_it_returned(function: Any, said: str) -> None:  # noqa: ANN401 -- a policy's function
    with pytest.raises(PlanError, match=f"the policy {function.__name__} returned .*{said}.*whole numbers"):
        quoted(bt.policy(every="1s")(function).in_python())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"every": "0s"}, "every must be more than 0"),
        ({"every": 1}, "every=1: write a length of time"),
        ({"every": timedelta(seconds=-1)}, "every must be more than 0"),
        ({"every": "1s", "params": {"half cc": 1}}, "half cc=1 should be a name and a number"),
        ({"every": "1s", "params": {"half": "1"}}, "half='1' should be a name and a number"),
        ({"every": "1s", "params": {1: 1}}, "1=1 should be a name and a number"),
        ({"every": "1s", "params": ["half"]}, r"params=\['half'\]: give names and defaults"),
        ({"every": "1s", "params": {"ticker": 1}}, "cannot be called ticker: results have a column"),
        ({"every": "1s", "memory": -1}, "memory=-1: a whole number from 0 to 10,000"),
        ({"every": "1s", "memory": 0.5}, r"memory=0\.5: a whole number"),
    ],
)
def test_an_argument_of_policy_that_cannot_be_meant_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        bt.policy(**arguments)


@pytest.mark.parametrize(
    ("tickers", "times", "said"),
    [
        ("A", {}, r"give a list of tickers, \['A'\]"),
        ([], {}, "a policy needs a market"),
        (pl.DataFrame({"name": ["A"]}), {}, "the frame has no column ticker"),
        (["A"], {"start": at(0).replace(tzinfo=None)}, "start: 2026-09-01T12:00:00 has no time zone"),
        (["A"], {"end": "soon"}, "end: 'soon' is not an RFC 3339 time"),
        (["A"], {"end": 5}, "end: 5 is not a date or time"),
        (["A"], {"start": at(1), "end": at(1)}, "must come after start"),
    ],
)
def test_markets_and_times_that_cannot_be_meant_are_refused(
    tickers: Any,  # noqa: ANN401 -- what a user may write
    times: dict[str, Any],
    said: str,
) -> None:
    with pytest.raises(PlanError, match=said):
        FIXED.on(tickers, **times)


def test_a_date_or_text_bounds_a_policy_like_a_moment() -> None:
    midnight = datetime(2026, 9, 1, tzinfo=UTC)
    asked = FIXED.on(["A"], start=midnight, end=midnight + timedelta(days=1))
    assert FIXED.on(["A"], start="2026-09-01", end="2026-09-02T02:00:00+02:00") == asked
    assert FIXED.on(["A"], start=date(2026, 9, 1), end=date(2026, 9, 2)) == asked


def test_a_policy_without_markets_is_told_what_to_do() -> None:
    with pytest.raises(PlanError, match=r"run policy\.on\(\[…\]\)"):
        bt.run(FIXED, a_lake(), fills="touch")  # type: ignore[arg-type]  # the mistake


def test_a_ladder_has_a_policy_on_every_rung() -> None:
    """The bid of 45 is crossed at second 10 in quotes; there are no books here, hence nothing in `book`."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_500, 5_500), a_quote(10, 4_000, 4_500)])
    rows = bt.ladder(
        FIXED.on(["A"], end=at(10)), lake, rungs=("touch", "book"), params=BID, latency="1s", feed="0s"
    )
    assert rows.select("rung", "n_fills").rows() == [("touch", 1), ("book", 0)]


def test_a_feed_is_refused_for_a_plan() -> None:
    """Its rows have their known_ts already: a delay that nobody adds must not look as if it were there."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_000, 6_000)])
    with pytest.raises(PlanError, match="feed= is for policies"):
        replayed(lake, (1, "A", bt.buy_yes(1)), feed="50ms")


def test_a_policy_says_that_it_lacks_how_often_it_is_asked() -> None:
    """With and without parentheses, and with the interval in the wrong place."""
    made: Any = bt.policy
    with pytest.raises(TypeError, match="missing 1 required keyword-only argument: 'every'"):
        made(quiet)
    with pytest.raises(PlanError, match=r'as in @bt\.policy\(every="1s"\)'):
        made("1s", every="1s")


def quiet(at: Any, params: Any, memory: Any) -> bt.Quotes:  # noqa: ANN401, ARG001 -- records, to numba
    return bt.Quotes(0, 0, 0, 0)


def test_a_grid_that_changes_under_way_refuses_what_is_off_it_on_arrival() -> None:
    """Sent at 8 s at .455, which is a price until 10 s, it arrives at 11 s; then it is sent at .45."""
    markets = [
        a_market(observed_ts=at(-50), price_level_structure="deci_cent"),
        a_market(observed_ts=at(10), price_level_structure="linear_cent"),
    ]
    quotes = [a_quote(7.5, 4_000, 5_000), a_quote(12, 4_000, 4_540)]
    policy = FIXED.on(["A"])
    run = ran(
        policy,
        a_lake(markets=markets, quotes=quotes),
        latency="3s",
        params={"bid_cc": 4_550, "bid_centi": 100},
    )
    assert sent(run, "reason", "filled_centi") == [
        (8, "buy", 4_550, 100, "off-grid limit", 0),
        (11, "buy", 4_500, 100, "expired", 0),
    ]
