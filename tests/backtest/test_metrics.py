"""What a run's frames say, worked by hand."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from backtest.metrics import (
    by_event,
    by_series,
    drawdown,
    evidence,
    exposure,
    fill_rate,
    interval_by_day,
    known_time,
    profit,
    row_of,
    settled_cash,
    shortfalls,
)
from tests.backtest.a_run import T0, a_fill, a_frame, a_run, a_settlement, names


def an_equity(*points: tuple[float, int, int]) -> pl.DataFrame:
    """Return an equity frame of (hours, marked dollars, locked dollars)."""
    rows = [
        {
            "ts": T0 + timedelta(hours=hours),
            "cash_micros": 0,
            "marked_micros": marked * 1_000_000,
            "locked_micros": locked * 1_000_000,
        }
        for hours, marked, locked in points
    ]
    return a_frame("equity", rows)


def events_of(*nets: int, days: Sequence[int] | None = None) -> pl.DataFrame:
    """Return events with these nets, each on a day of its own or on the days of these numbers."""
    numbers = range(len(nets)) if days is None else days
    rows = [
        {"event_ticker": f"E{number}", "day": T0.date() + timedelta(days=day), "net_micros": net}
        for number, (net, day) in enumerate(zip(nets, numbers, strict=True))
    ]
    return pl.DataFrame(rows, schema={"event_ticker": pl.String, "day": pl.Date, "net_micros": pl.Int64})


def ends(interval: dict[str, Any]) -> tuple[float | None, float | None]:
    return interval["low_micros"], interval["high_micros"]


def test_net_is_gross_minus_fees_and_gross_is_cash_payouts_and_marks() -> None:
    """Two purchases of $5.00, one paid $10.00, one held at $4.00: gross 4, fees 0.35, net 3.65."""
    held = {**names(1), "position_centi": 1_000, "mark_cc": 4_000, "marked_micros": 4_000_000}
    earned = profit(
        a_frame("fills", [a_fill(0), a_fill(1)]),
        a_frame("settlements", [a_settlement(0)]),
        a_frame("positions", [held]),
    )
    assert earned == {
        "gross_micros": 4_000_000,
        "fees_micros": 350_000,
        "net_micros": 3_650_000,
        "payout_micros": 10_000_000,
        "open_marked_micros": 4_000_000,
    }


def test_an_event_gathers_its_markets() -> None:
    """Two strikes of one event, one won and one lost: $10.00 paid for $10.35 is one trial of -$0.35."""
    other = {"ticker": "KXTEST-000-NO"}
    rows = by_event(
        a_frame("fills", [a_fill(0), a_fill(0, **other)]),
        a_frame("settlements", [a_settlement(0), a_settlement(0, won=False, **other)]),
        a_frame("positions", []),
    )
    assert rows.to_dicts() == [
        {
            "event_ticker": "KXTEST-000",
            "series_ticker": "KXTEST",
            "day": T0.date(),
            "n_markets": 2,
            "n_fills": 2,
            "stake_micros": 10_000_000,
            "fees_micros": 350_000,
            "gross_micros": 0,
            "net_micros": -350_000,
            "is_open": False,
        }
    ]
    assert by_series(rows)["net_micros"].to_list() == [-350_000]


def test_an_event_belongs_to_the_day_on_which_its_money_last_moved() -> None:
    """Five events bought at noon of day 0: what comes after decides, to the microsecond, in UTC.

    0 paid a microsecond before midnight, 1 at midnight; 2 never paid, and was bought again on day 3; 3 was
    sold on day 1 and its market settled on day 4; 4 paid on day 2, which was corrected on day 9.
    """
    noon, midnight = T0 + timedelta(hours=12), T0 + timedelta(days=1)
    fills = [a_fill(event, fill_ts=noon) for event in range(5)]
    again = [a_fill(2, fill_ts=noon + timedelta(days=3)), a_fill(3, fill_ts=noon + timedelta(days=1))]
    paid = [
        a_settlement(0, settled_ts=midnight - timedelta(microseconds=1)),
        a_settlement(1, settled_ts=midnight),
        a_settlement(3, settled_ts=noon + timedelta(days=4), position_centi=0),
        a_settlement(4, settled_ts=noon + timedelta(days=2), is_correction=False),
        a_settlement(4, settled_ts=noon + timedelta(days=9), is_correction=True),
    ]
    rows = by_event(a_frame("fills", fills + again), a_frame("settlements", paid), a_frame("positions", []))
    assert [(day - T0.date()).days for day in rows["day"]] == [0, 1, 3, 1, 2]
    assert by_series(rows).select("n_events", "n_days").rows() == [(5, 4)]


def test_events_sum_to_the_profit_of_the_run() -> None:
    run = a_run(40)
    earned = profit(run.fills, run.settlements, run.positions)
    events = by_event(run.fills, run.settlements, run.positions)
    assert events["net_micros"].sum() == earned["net_micros"] == run.summary["pnl_micros"][0]
    assert events["is_open"].sum() == 1


def test_the_deepest_fall_is_from_the_last_peak_before_it() -> None:
    """100, 120, 90, 110, 85: the fall is 120 to 85, 35 of 120."""
    fall = drawdown(an_equity((0, 100, 0), (1, 120, 0), (2, 90, 0), (3, 110, 0), (4, 85, 0)))
    assert fall == {
        "max_drawdown_micros": 35_000_000,
        "max_drawdown_share": 35 / 120,
        "peak_ts": T0 + timedelta(hours=1),
        "trough_ts": T0 + timedelta(hours=4),
    }


def test_settled_cash_falls_by_what_markets_lost_when_they_settled() -> None:
    """$100, +5 is 105, then -8 and -2 at one instant are 95, +1 is 96: the fall is 10 of 105."""
    paid = [(3, 1), (2, -8), (1, 5), (2, -2)]
    settlements = pl.DataFrame(
        {
            "settled_ts": [T0 + timedelta(hours=hour) for hour, _ in paid],
            "pnl_micros": [1_000_000 * dollars for _, dollars in paid],
        }
    )
    curve = settled_cash(settlements, 100_000_000)
    assert curve["settled_micros"].to_list() == [100_000_000, 105_000_000, 95_000_000, 96_000_000]
    assert drawdown(curve, "settled_micros") == {
        "max_drawdown_micros": 10_000_000,
        "max_drawdown_share": 10 / 105,
        "peak_ts": T0 + timedelta(hours=1),
        "trough_ts": T0 + timedelta(hours=2),
    }


def test_cash_that_nothing_has_settled_into_never_fell() -> None:
    run = a_run(40)
    nothing = settled_cash(run.settlements.clear(), 100_000_000)
    assert drawdown(nothing, "settled_micros")["max_drawdown_micros"] == 0
    settled = settled_cash(run.settlements, run.summary["cash_start_micros"][0])
    assert (
        settled["settled_micros"][-1]
        == run.summary["cash_start_micros"][0] + run.settlements["pnl_micros"].sum()
    )


@pytest.mark.parametrize("curve", [an_equity(), an_equity((0, 100, 0)), an_equity((0, 100, 0), (1, 120, 0))])
def test_equity_that_never_falls_has_no_drawdown(curve: pl.DataFrame) -> None:
    assert drawdown(curve) == {
        "max_drawdown_micros": 0,
        "max_drawdown_share": 0.0,
        "peak_ts": None,
        "trough_ts": None,
    }


def test_what_was_locked_earns_per_dollar_and_day() -> None:
    """6 dollar-days that earned $3 are 0.5 per dollar-day."""
    tied = exposure({"locked_max_micros": 10_000_000, "locked_dollar_days": 6.0}, 3_000_000)
    assert tied == {"max_locked_micros": 10_000_000, "capital_days": 6.0, "return_per_capital_day": 0.5}


def test_nothing_locked_has_no_return_on_capital() -> None:
    nothing = {"locked_max_micros": 0, "locked_dollar_days": 0.0}
    assert exposure(nothing, 5)["return_per_capital_day"] is None


def test_the_fill_rate_counts_contracts_not_orders() -> None:
    """1 of 1 and 1 of 9 contracts: two orders touched, but 20 % filled."""
    orders = a_frame(
        "orders",
        [
            {"count_centi": 100, "filled_centi": 100, "status": "filled"},
            {"count_centi": 900, "filled_centi": 100, "status": "partial"},
            {"count_centi": None, "filled_centi": 0, "status": "rejected"},
        ],
    )
    rate = fill_rate(orders)
    assert rate["filled_share"] == 0.2
    assert (rate["n_filled"], rate["n_partial"], rate["n_unfilled"], rate["n_rejected"]) == (1, 1, 0, 1)
    assert fill_rate(orders.clear())["filled_share"] is None


def test_shortfalls_say_why_and_how_much_was_missed() -> None:
    """8 of 9 contracts found no size and 1 of 1 had no cash: 8 and 1 of 11 asked for."""
    orders = a_frame(
        "orders",
        [
            {"count_centi": 100, "filled_centi": 100, "status": "filled"},
            {"count_centi": 900, "filled_centi": 100, "status": "partial", "reason": "no size left"},
            {"count_centi": 100, "filled_centi": 0, "status": "unfilled", "reason": "no cash"},
        ],
    )
    rows = shortfalls(orders).select("status", "reason", "n_orders", "missing_centi").rows()
    assert rows == [("partial", "no size left", 1, 800), ("unfilled", "no cash", 1, 100)]
    assert shortfalls(orders)["missing_share"].sum() == pytest.approx(9 / 11)


def test_evidence_is_weighed_by_contracts() -> None:
    fills = a_frame("fills", [a_fill(0), a_fill(1, evidence="book", count_centi=3_000)])
    assert evidence(fills).to_dicts() == [
        {"evidence": "book", "n_fills": 1, "count_centi": 3_000, "count_share": 0.75},
        {"evidence": "touch", "n_fills": 1, "count_centi": 1_000, "count_share": 0.25},
    ]


def test_of_two_days_there_are_three_means_with_known_chances() -> None:
    """Trap 35: a day of three events at +1 and a day of one at -5, drawn twice, with all their events.

    A quarter of all draws has the first twice: 6/6 = 1. Half has both: (3 - 5)/4 = -0.5. A quarter has the
    second twice: -10/2 = -5. So the point of 23 % is -5, and that of 27 % is -0.5.
    """
    events = events_of(1, 1, 1, -5, days=[0, 0, 0, 1])
    wide, narrow = (interval_by_day(events, level=level, n_draws=40_000) for level in (0.54, 0.46))
    assert (wide["n_events"], wide["n_days"], wide["mean_micros"]) == (4, 2, -0.5)
    assert ends(wide) == (-5.0, 1.0)
    assert ends(narrow) == (-0.5, -0.5)


def test_ten_equal_events_of_a_day_say_no_more_than_one() -> None:
    """Trap 35: twelve days, on each of which one cause moves all: the interval is that of twelve trials."""
    shocks = [3_100_000, -2_400_000, 900_000, -4_000_000, 5_200_000, -700_000] * 2
    ten = interval_by_day(
        events_of(*(each for each in shocks for _ in range(10)), days=[i // 10 for i in range(120)])
    )
    one = interval_by_day(events_of(*shocks))
    assert ten == {**one, "n_events": 120}
    assert ten["n_days"] == 12


def test_with_an_event_a_day_it_is_the_bootstrap_of_events() -> None:
    """The textbook's, to the bit: as many events as there are, drawn with replacement 2,000 times."""
    nets = np.random.default_rng(3).integers(-5_000_000, 6_000_000, 700)
    drawn = nets[np.random.default_rng(11).integers(0, 700, (2_000, 700))].mean(axis=1)
    interval = interval_by_day(events_of(*nets.tolist()), seed=11, level=0.5)
    assert ends(interval) == tuple(np.quantile(drawn, [0.25, 0.75]))


def test_the_interval_is_repeatable_and_depends_on_its_seed() -> None:
    uneven = events_of(*range(1_000))
    assert interval_by_day(uneven, seed=1) == interval_by_day(uneven, seed=1)
    assert interval_by_day(uneven, seed=1) != interval_by_day(uneven, seed=2)


def test_the_interval_of_the_best_of_many_allows_for_all_that_were_tried() -> None:
    """Trap 46: one miss in 20 among 50 tries is one in 1,000 each, as 99.9 % of a single one would be."""
    events = events_of(*[1_000_000, -1_000_000] * 50)
    one, best = interval_by_day(events), interval_by_day(events, n_tried=50)
    assert ends(best) == ends(interval_by_day(events, level=0.999, n_draws=40_000))
    assert best["low_micros"] < one["low_micros"] < one["high_micros"] < best["high_micros"]


def test_equal_events_have_an_interval_without_width() -> None:
    assert ends(interval_by_day(events_of(7, 7, 7, 7, days=[0, 0, 1, 2]))) == (7.0, 7.0)


@pytest.mark.parametrize(("nets", "mean", "n_days"), [((), None, 0), ((5,), 5.0, 1), ((5, 9, 1), 5.0, 1)])
def test_fewer_than_two_days_have_no_interval(nets: tuple[int, ...], mean: float | None, n_days: int) -> None:
    interval = interval_by_day(events_of(*nets, days=[0] * len(nets)))
    assert (interval["mean_micros"], *ends(interval)) == (mean, None, None)
    assert (interval["n_events"], interval["n_days"]) == (len(nets), n_days)


def test_known_time_is_weighed_by_each_markets_length() -> None:
    """1 h known by half and 3 h known whole: 3.5 of 4 hours; a market without times weighs nothing."""
    rows: list[dict[str, Any]] = [
        {"open_ts": T0, "close_ts": T0 + timedelta(hours=1), "known_share": 0.5, "n_gaps": 2, "n_events": 5},
        {"first_ts": T0, "last_ts": T0 + timedelta(hours=3), "known_share": 1.0, "n_gaps": 0, "n_events": 6},
        {"known_share": None, "n_gaps": 0, "n_events": 0},
    ]
    assert known_time(a_frame("coverage", rows)) == {
        "n_markets": 3,
        "n_with_gaps": 1,
        "n_gaps": 2,
        "n_events": 11,
        "known_share": 0.875,
    }


def test_a_parameter_row_is_cut_out_of_every_frame() -> None:
    run = a_run(5, {"min_edge": [0.01, 0.02], "minutes": [5]})
    one = row_of(run.fills, {"min_edge": 0.02, "minutes": 5})
    assert one.height == 5
    assert one["min_edge"].unique().to_list() == [0.02]
    assert row_of(run.coverage, {"min_edge": 0.02}).height == run.coverage.height
