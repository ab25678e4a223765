"""Histories of markets as rows of the lake tell them: when they paid, paused, and on which grid."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from backtest.kernels.arrays import NEVER
from backtest.lifecycle import ALWAYS, ends, grids, pauses, payouts, unpaid
from exchange.ticks import STRUCTURES
from exchange.units import to_us
from tests.backtest.worlds import a_market, at
from warehouse.tables import MARKETS

HOUR = timedelta(hours=1)
CLOSE_S = 1_000


def history(*states: dict[str, Any]) -> pl.DataFrame:
    """Return rows of one market, each with its own observed_ts."""
    schema = MARKETS.polars_schema
    rows = [a_market(**state) for state in states]
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def seen(seconds: float, status: str, yes_cc: int | None = None, paid: float | None = None) -> dict[str, Any]:
    """Return a state: what one YES pays, if that is decided, and when it was paid, if it was."""
    told = {} if yes_cc is None else {"result": "scalar", "settlement_value_cc": yes_cc}
    when = {} if paid is None else {"settlement_ts": at(paid)}
    return {"observed_ts": at(seconds), "status": status, **told, **when}


def us(seconds: float) -> int:
    return to_us(at(seconds))


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param([seen(5_000, "closed")], [], id="nothing decided pays nothing"),
        pytest.param([seen(5_000, "finalized", 0, 2_000)], [(2_000, 0, False)], id="paid at $0 on record"),
        pytest.param([seen(5_000, "determined", 10_000)], [(CLOSE_S + 3_600, 10_000, True)], id="assumed"),
        pytest.param(
            [seen(4_000, "closed"), seen(5_000, "determined", 10_000)],
            [(4_000 + 3_600, 10_000, True)],
            id="not before it was last seen undecided",
        ),
        pytest.param(
            [seen(900, "active"), seen(5_000, "determined", 10_000)],
            [(CLOSE_S + 3_600, 10_000, True)],
            id="undecided before the close means nothing",
        ),
        pytest.param(
            [seen(2_000, "determined", 10_000), seen(3_000, "disputed", 10_000)], [], id="a dispute unpays"
        ),
        pytest.param(
            [
                seen(2_000, "determined", 10_000),
                seen(3_000, "disputed", 10_000),
                seen(4_000, "amended", 0),
                seen(9_000, "finalized", 0, 8_000),
            ],
            [(8_000, 0, False)],
            id="determined, disputed, amended, paid once",
        ),
        pytest.param(
            [seen(2_000, "determined", 10_000), seen(4_000, "amended", 0)],
            [(2_000 + 3_600, 0, True)],
            id="the timer restarts after it was last seen decided otherwise",
        ),
        pytest.param(
            [seen(2_000, "finalized", 10_000, 1_500), seen(9_000, "finalized", 0, 8_000)],
            [(1_500, 10_000, False), (8_000, 0, False)],
            id="paid and corrected",
        ),
        pytest.param(
            [seen(2_000, "finalized", 10_000, 1_500), seen(9_000, "finalized", 5_000, 1_500)],
            [(1_500, 10_000, False), (9_000, 5_000, True)],
            id="corrected in place: when it was first seen",
        ),
        pytest.param(
            [seen(2_000, "finalized", 10_000, 1_500), seen(3_000, "disputed")],
            [(1_500, 10_000, False)],
            id="what was paid stays paid in a dispute",
        ),
        pytest.param(
            [seen(2_000, "finalized", 5_000, 1_500), seen(3_000, "finalized", 5_000, 1_600)],
            [(1_600, 5_000, False)],
            id="one value, two times: the later sighting",
        ),
        pytest.param(
            [seen(2_000, "finalized", 5_000, 1_500), seen(3_000, "finalized", 5_000)],
            [(1_500, 5_000, False)],
            id="a source without the time does not unsay it",
        ),
        pytest.param(
            [
                seen(2_000, "finalized", 10_000, 1_500),
                seen(3_000, "finalized", 0, 2_500),
                seen(4_000, "finalized", 10_000, 3_500),
            ],
            [(1_500, 10_000, False), (2_500, 0, False), (3_500, 10_000, False)],
            id="there and back",
        ),
    ],
)
def test_a_market_pays_what_its_last_decision_says_and_corrects_what_it_paid(
    states: list[dict[str, Any]], expected: list[tuple[float, int, bool]]
) -> None:
    """Traps 31, 32: the close is at 1,000 s, and an hour is assumed where no payout is on record."""
    found = payouts(history(*states), HOUR)
    told = found.select("settle_us", "value_cc", "is_assumed_time").rows()
    assert told == [(us(seconds), value, is_assumed) for seconds, value, is_assumed in expected]
    assert found["number"].to_list() == list(range(len(expected)))


def test_the_sighting_of_a_decision_is_told_if_it_came_before_the_payout() -> None:
    """Trap 31: determined at 2,000 s and paid at 8,000 s; or known only from a state after the payout."""
    states = seen(2_000, "determined", 0), seen(9_000, "finalized", 0, 8_000)
    assert payouts(history(*states), HOUR)["decided_us"].to_list() == [us(2_000)]
    assert payouts(history(states[1]), HOUR)["decided_us"].to_list() == [NEVER]


def test_a_market_without_any_close_or_payout_on_record_stays_open() -> None:
    """A result without either has no time at which it could have been paid."""
    state = seen(5_000, "determined", 10_000) | {"close_ts": None}
    paid = payouts(history(state), HOUR)
    assert paid.is_empty()
    assert unpaid(history(state), paid) == (1, 0)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        pytest.param([seen(5_000, "closed")], (0, 0), id="not decided yet"),
        pytest.param([seen(5_000, "finalized")], (0, 1), id="final, and nobody says at what"),
        pytest.param([seen(5_000, "closed") | {"result": "scalar"}], (0, 1), id="scalar, without the value"),
        pytest.param([seen(5_000, "disputed", 10_000)], (0, 0), id="a dispute is no decision"),
        pytest.param([seen(5_000, "determined", 0)], (0, 0), id="paid an hour after the close"),
        pytest.param([seen(5_000, "finalized", 0, 2_000) | {"close_ts": None}], (0, 0), id="paid on record"),
        pytest.param(
            [seen(4_000, "finalized", 0, 2_000), seen(5_000, "finalized")], (0, 0), id="paid before"
        ),
        pytest.param([seen(4_000, "determined", 0), seen(5_000, "finalized")], (0, 1), id="unsaid again"),
    ],
)
def test_decided_markets_that_never_pay_are_counted(
    states: list[dict[str, Any]], expected: tuple[int, int]
) -> None:
    """Those without any time, and those without a value, by their last state."""
    assert unpaid(history(*states), payouts(history(*states), HOUR)) == expected


def test_a_market_that_reopens_was_paused_from_its_close_on() -> None:
    """It was to close at 3, was seen closed at 5, and traded again at 7; without a close, from 5 on."""
    for close, begin in ((3, 3), (9, 5), (0, 1), (None, 5)):
        seconds = [(1, "active"), (2, "active"), (5, "closed"), (6, "closed"), (7, "active"), (9, "closed")]
        close_ts = None if close is None else at(close)
        states = [seen(second, status) | {"close_ts": close_ts} for second, status in seconds]
        assert pauses(history(*states)).rows() == [("A", us(begin), us(7), True)]


def test_a_pause_lasts_until_another_state_is_seen() -> None:
    """Trap 36: two sightings of one pause are one; states without a status say nothing."""
    states = [seen(1, "active"), seen(2, "inactive"), seen(3, "inactive"), seen(4, "active")]
    unsaid = {"observed_ts": at(6), "status": None}
    found = pauses(history(*states, seen(5, "inactive"), unsaid, seen(7, "closed"), seen(8, "inactive")))
    assert found.rows() == [
        ("A", us(2), us(4), True),
        ("A", us(5), us(7), False),
    ]
    assert pauses(history(*states, seen(5, "inactive"))).rows()[1:] == [("A", us(5), NEVER, False)]


def test_a_market_that_reopens_by_way_of_other_states_was_paused_all_the_time() -> None:
    """Trap 36: it was to close at 5, was seen closed at 10, paused at 20, and traded again at 30."""
    for between in ("inactive", "determined", "disputed", "initialized", None):
        told = [(1, "active"), (10, "closed"), (20, between), (30, "active")]
        states = [
            seen(second, status or "active") | {"status": status, "close_ts": at(5)}
            for second, status in told
        ]
        assert pauses(history(*states)).rows() == [("A", us(5), us(30), True)]
        assert ends(history(*states)).is_empty()


@pytest.mark.parametrize("status", ["closed", "determined", "disputed", "amended", "finalized"])
def test_a_market_that_was_seen_over_does_not_trade_until_its_listed_close(status: str) -> None:
    """Trap 36: sources tell a state without a close, and what was listed before stands beside it."""
    states = history(seen(1, "active"), seen(500, "inactive"), seen(600, status), seen(700, status))
    assert ends(states).rows() == [("A", us(600))]
    assert pauses(states).rows() == [("A", us(500), us(600), False)]


def test_a_payout_without_a_time_counts_from_the_first_sighting_of_the_end() -> None:
    """Listed to close at 1,000 s, seen decided at 500: paid an hour after that."""
    (paid,) = payouts(history(seen(1, "active"), seen(500, "determined", 10_000)), HOUR).to_dicts()
    assert (paid["settle_us"], paid["is_assumed_time"]) == (us(500) + 3_600_000_000, True)


def labelled(seconds: float, label: str | None, ticker: str = "A") -> dict[str, Any]:
    return {"observed_ts": at(seconds), "price_level_structure": label, "ticker": ticker}


def test_each_grid_holds_from_its_first_sighting() -> None:
    """Trap 13: the first from the beginning; a state that does not tell it changes nothing."""
    states = [(1, "linear_cent"), (2, None), (3, "linear_cent"), (4, "deci_cent"), (5, "linear_cent")]
    times, known = grids(history(*(labelled(*each) for each in states)))
    told = [(from_us, known[grid]) for _, from_us, grid in times.rows()]
    assert told == [
        (ALWAYS, STRUCTURES["linear_cent"]),
        (us(4), STRUCTURES["deci_cent"]),
        (us(5), STRUCTURES["linear_cent"]),
    ]


def test_combos_traded_on_tenths_of_a_cent_before_september_2026() -> None:
    """Trap 13: all combos changed on 2026-09-03; one that was seen before says itself what it was."""
    late, early = at(3 * 86_400), at(0)
    fine = {"price_level_structure": "center_deci_edge_centi_cent"}
    states = [
        {"ticker": "KXMVE-1", "observed_ts": late, **fine},
        {"ticker": "KXMVE-2", "observed_ts": early, **fine},
        {"ticker": "KXOTHER", "observed_ts": late, **fine},
    ]
    times, known = grids(history(*states))
    new = STRUCTURES["center_deci_edge_centi_cent"]
    assert [(ticker, from_us, known[grid]) for ticker, from_us, grid in times.rows()] == [
        ("KXMVE-1", ALWAYS, STRUCTURES["deci_cent"]),
        ("KXMVE-1", to_us(datetime(2026, 9, 3, tzinfo=UTC)), new),
        ("KXMVE-2", ALWAYS, new),
        ("KXOTHER", ALWAYS, new),
    ]
