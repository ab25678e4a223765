"""Traps 9, 17: quotes that are old, or whose recording ended: nobody knows, and that is no empty book."""

import re
from typing import Any

import pytest

import backtest as bt
from exchange.errors import BadInput
from tests.backtest.worlds import a_gap, a_lake, a_market, a_plan, a_quote, at, replayed, settled

QUOTE = a_quote(0, 4_000, 4_200)


def stopped(*gaps: dict[str, Any], quotes: list[dict[str, Any]] | None = None, **more: Any) -> Any:  # noqa: ANN401 -- any column
    """Return a lake of one market whose recordings stop."""
    return a_lake(markets=[a_market(**more)], quotes=quotes or [QUOTE], book_gaps=list(gaps))


@pytest.mark.parametrize("cause", ["session_end", "killed", "stalled", "overflow", "unsubscribed"])
def test_nothing_fills_where_a_recording_has_ended(cause: str) -> None:
    """The session of the only quote ends at 5 s, however: the order of 900 s finds the book unknown."""
    lake = stopped(a_gap(5, from_seq=2, cause=cause))
    run = replayed(lake, (1, "A", bt.buy_yes(1)), (900, "A", bt.buy_yes(1)))
    assert run.orders.select("filled_centi", "reason").rows() == [(100, None), (0, "book unknown")]


@pytest.mark.parametrize("side", ["yes", "no"])
def test_what_is_held_stays_marked_at_the_last_known_bid(side: str) -> None:
    """10 YES at .42 are worth .40 each, 10 NO at .60 are worth .58; at the end as at every midnight."""
    buy, bid_cc = (bt.buy_yes(10), 4_000) if side == "yes" else (bt.buy_no(10), 5_800)
    lake = stopped(a_gap(5, from_seq=2, cause="killed"), close_ts=at(200_000))
    run = replayed(lake, (1, "A", buy))
    assert run.positions["mark_cc"].to_list() == [bid_cc]
    worth = run.equity["marked_micros"] - run.equity["cash_micros"]
    assert worth.to_list()[1:] == [1_000 * bid_cc] * (run.equity.height - 1)
    assert run.equity.height >= 3


def test_coverage_counts_the_end_of_a_recording_as_a_gap() -> None:
    """Open for 1,000 s, known for the first 500 of them."""
    (row,) = replayed(
        stopped(a_gap(500, from_seq=2, cause="session_end")), (1, "A", bt.buy_yes(1))
    ).coverage.to_dicts()
    assert row["known_share"] == pytest.approx(0.5, abs=1e-6)
    assert row["n_gaps"] == 1


def test_two_recordings_that_end_at_once_leave_one_gap() -> None:
    quotes = [QUOTE, a_quote(2, 4_100, 4_200, session="t")]
    ends = [a_gap(500, from_seq=2, session=each, cause="session_end") for each in ("s", "t")]
    (row,) = replayed(stopped(*ends, quotes=quotes), (1, "A", bt.buy_yes(1))).coverage.to_dicts()
    assert (row["n_events"], row["n_gaps"]) == (3, 1)


def test_a_recording_that_is_taken_up_again_is_known_from_its_next_quote() -> None:
    quotes = [QUOTE, a_quote(20, 4_000, 4_200, session="t")]
    lake = stopped(a_gap(5, from_seq=2, cause="killed"), quotes=quotes)
    orders = replayed(lake, *((second, "A", bt.buy_yes(1)) for second in (3, 10, 18.5, 19))).orders
    assert orders["reason"].to_list() == [None, "book unknown", "book unknown", None]


def test_the_end_of_one_recording_blinds_nobody_while_another_goes_on() -> None:
    """T records from 2 s to 30 s: the end of s at 5 s tells nothing, that of t does."""
    quotes = [QUOTE, a_quote(2, 4_100, 4_200, session="t")]
    ends = [a_gap(5, from_seq=2, cause="killed"), a_gap(30, from_seq=2, session="t", cause="session_end")]
    orders = replayed(stopped(*ends, quotes=quotes), *((s, "A", bt.buy_yes(1)) for s in (10, 40))).orders
    assert orders["reason"].to_list() == [None, "book unknown"]
    alone = replayed(stopped(ends[0], quotes=quotes), (40, "A", bt.buy_yes(1))).orders
    assert alone["reason"].to_list() == [None]


def test_no_recording_ends_before_its_last_quote() -> None:
    """The recorder's clock is 3 s behind the exchange's: its end at 5 s comes after its quote of 7 s."""
    lake = stopped(a_gap(5, from_seq=3, cause="killed"), quotes=[QUOTE, a_quote(7, 4_000, 4_300)])
    orders = replayed(lake, (5, "A", bt.buy_yes(1)), (8, "A", bt.buy_yes(1))).orders
    assert orders["reason"].to_list() == [None, "book unknown"]


def test_a_bid_that_waits_is_not_filled_by_a_price_that_nobody_knows() -> None:
    """The ask of .42 is none any more when the bid of .45 arrives; the next ask of .44 is one."""
    quotes = [QUOTE, a_quote(20, 4_000, 4_400, session="t")]
    lake = stopped(a_gap(5, from_seq=2, cause="killed"), quotes=quotes)
    run = replayed(lake, (10, "A", bt.buy_yes(1, limit=4_500, tif="gtc")))
    assert run.fills.select("fill_ts", "price_cc").rows() == [(at(20), 4_500)]


def test_a_policy_is_not_asked_while_nobody_knows_and_its_quotes_are_taken_back() -> None:
    """Asked on full seconds: the end at 5 s is news at 6 s."""

    @bt.policy(every="1s", params={"bid_cc": 3_000})
    def bidding(at: Any, params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
        return bt.Quotes(params.bid_cc if at.bid_cc > 0 else 1_000, 100, 10_000, 0)

    quotes = [QUOTE, a_quote(20, 4_000, 4_200, session="t")]
    lake = stopped(a_gap(5, from_seq=2, cause="killed"), quotes=quotes)
    run = bt.run(bidding.in_python().on(["A"]), lake, fills="touch", latency="1s", feed="0ms")
    told = run.orders.select("decision_ts", "action", "limit_cc").rows()
    assert told == [
        (at(0), "buy", 3_000),
        (at(6), "cancel", None),
        (at(20), "buy", 3_000),
    ]


def test_what_a_settled_market_paid_does_not_depend_on_its_recording() -> None:
    lake = a_lake(
        markets=[settled(pays_cc=10_000)],
        quotes=[QUOTE],
        book_gaps=[a_gap(5, from_seq=2, cause="session_end")],
    )
    run = bt.run(a_plan((1, "A", bt.buy_yes(10))), lake, fills="touch")
    assert run.settlements["payout_micros"].to_list() == [10_000_000]
    assert (run.equity["marked_micros"] >= run.equity["marked_micros"][0] - 500_000).all()


def test_a_quote_counts_for_as_long_as_it_may() -> None:
    """Trap 9: no more than 3 s: one that arrives after 3 s fills, one a microsecond later does not."""
    lake = stopped(quotes=[QUOTE, a_quote(20, 4_000, 4_200)])
    seconds = (2, 2.000001, 10, 19)
    orders = replayed(lake, *((each, "A", bt.buy_yes(1)) for each in seconds), max_age="3s").orders
    assert orders["reason"].to_list() == [None, "book unknown", "book unknown", None]
    always = replayed(lake, *((each, "A", bt.buy_yes(1)) for each in seconds)).orders
    assert always["reason"].to_list() == [None] * 4


def test_what_arrives_at_an_old_quote_may_wait_for_the_next() -> None:
    lake = stopped(quotes=[QUOTE, a_quote(20, 4_000, 4_300)])
    waiting = (10, "A", bt.buy_yes(1, limit=4_500, tif="gtc"))
    at_once = replayed(lake, waiting)
    later = replayed(lake, waiting, max_age="3s")
    assert at_once.fills.select("fill_ts", "price_cc", "role").rows() == [(at(11), 4_200, "taker")]
    assert later.fills.select("fill_ts", "price_cc", "role").rows() == [(at(20), 4_500, "maker")]


@pytest.mark.parametrize(("fills", "seconds"), [("touch", 8), ("mid", 8)])
def test_coverage_counts_a_quote_for_as_long_as_it_may(fills: str, seconds: int) -> None:
    """Two quotes, 20 s apart, count for 4 s each, of 1,000 s that the market was open."""
    lake = stopped(quotes=[QUOTE, a_quote(20, 4_000, 4_200)])
    run = replayed(lake, (1, "A", bt.buy_yes(1)), fills=fills, max_age="4s")
    assert run.coverage["known_share"].to_list() == [pytest.approx(seconds / 1_000)]
    assert "a quote that no other one follows within 4 s, or before its recording ends, counts no longer" in (
        run.assumptions
    )


def test_a_policy_is_not_asked_about_an_old_quote() -> None:
    """Asked every 10 s: of the quote of 3 s it hears after 7 s, too late; of that of 18 s after 2 s.

    When that is older than 5 s, the bid is taken back, as where a recording ends.
    """

    @bt.policy(every="10s")
    def bidding(_at: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
        return bt.Quotes(3_000, 100, 10_000, 0)

    lake = stopped(quotes=[a_quote(3, 4_000, 4_200), a_quote(18, 4_000, 4_300)])
    asked = bidding.in_python().on(["A"])
    run = bt.run(asked, lake, fills="touch", feed="0ms", max_age="5s")
    assert run.orders.select("decision_ts", "action").rows() == [(at(20), "buy"), (at(30), "cancel")]
    always = bt.run(asked, lake, fills="touch", feed="0ms")
    assert always.orders["decision_ts"].to_list() == [at(10)]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"max_age": "0s"}, "max_age='0s' must be more than 0, or left out"),
        ({"max_age": 5}, "max_age=5: write a length of time such as '250ms'"),
        ({"max_age": "5s", "fills": "book"}, "max_age is of quotes: only with fills='touch' or 'mid'"),
    ],
)
def test_an_age_that_cannot_be_meant_is_refused(asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadInput, match=re.escape(problem)):
        replayed(stopped(), (1, "A", bt.buy_yes(1)), **asked)
