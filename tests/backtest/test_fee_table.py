"""Which fee terms hold when: observed states, recorded changes, overrides, waivers, and what nobody knows."""

from typing import Any

import pytest

import backtest as bt
from backtest.errors import FeesUnknown, PlanError
from exchange.errors import UnknownFeeType
from tests.backtest.worlds import SERIES, MemoryLake, a_lake, a_market, a_quote, a_series, at, replayed

QUOTES = [a_quote(0, 4_900, 5_000)]


def a_change(
    seconds: float,
    ppm: int | None,
    *,
    fee_type: str | None = "quadratic",
    **more: Any,  # noqa: ANN401 -- any column
) -> dict[str, Any]:
    return {
        "scope": "series",
        "ticker": SERIES,
        "effective_ts": at(seconds),
        "fee_type": fee_type,
        "fee_multiplier_ppm": ppm,
        **more,
    }


def fees(lake: MemoryLake, *seconds: float, **arguments: Any) -> list[int]:  # noqa: ANN401 -- of bt.run
    """Return the fees of 100 contracts at .50 bought at these decisions: 1.75 at the standard."""
    run = replayed(lake, *((each, "A", bt.buy_yes(100)) for each in seconds), **arguments)
    return run.fills["fee_micros"].to_list()


def world(**tables: list[dict[str, Any]]) -> MemoryLake:
    return a_lake(**({"markets": [a_market()], "quotes": QUOTES} | tables))


def test_the_fee_of_a_fill_is_the_one_of_its_moment() -> None:
    """Trap 22: half the fee from 10 s on, nothing from 20 s on; the boundary belongs to the new fee."""
    lake = world(fee_changes=[a_change(10, 500_000), a_change(20, 0)])
    assert fees(lake, 5, 8.9, 9, 15, 19) == [1_750_000, 1_750_000, 875_000, 875_000, 0]


def test_a_state_seen_later_reaches_back_when_no_change_is_recorded() -> None:
    """Trap 22: today's fee for yesterday's trade is an assumption, and the run says so."""
    lake = world(series=[a_series(observed_ts=at(90_000), ppm=500_000)])
    run = replayed(lake, (5, "A", bt.buy_yes(100)))
    assert run.fills["fee_micros"].to_list() == [875_000]
    assert any("no change is recorded" in each for each in run.assumptions)


def test_before_the_first_recorded_change_the_fee_is_unknown() -> None:
    """Trap 22: refused with the series and the date, unless terms are assumed in so many words."""
    lake = world(series=[a_series(observed_ts=at(90_000))], fee_changes=[a_change(10, 500_000)])
    with pytest.raises(FeesUnknown, match=r"KXTEST before 2026-09-01.*assume_fees") as caught:
        fees(lake, 5, 15)
    assert caught.value.series == (SERIES,)
    assert fees(lake, 15) == [875_000]
    assert fees(lake, 5, 15, fees=bt.assume_fees("quadratic", "0.25")) == [437_500, 875_000]


def test_an_order_that_may_wait_into_unknown_fees_is_refused() -> None:
    """`flat` has no published formula."""
    lake = world(fee_changes=[a_change(10, 1_000_000, fee_type="flat")])
    assert fees(lake, 5) == [1_750_000]
    with pytest.raises(FeesUnknown):
        replayed(lake, (5, "A", bt.buy_yes(1, limit=100, ttl="1m")))


def test_assumed_fees_are_told_by_series() -> None:
    run = replayed(world(series=[]), (1, "A", bt.buy_yes(100)), fees=bt.assume_fees("quadratic"))
    assert run.fills["fee_micros"].to_list() == [1_750_000]
    assert "fees of KXTEST: assumed quadratic x 1 where unknown" in run.assumptions
    with pytest.raises(FeesUnknown, match="KXTEST"):
        fees(world(series=[]), 1)


def test_an_event_s_override_beats_its_series_field_by_field() -> None:
    """A multiplier of its own until 10 s, none after: both fields null clear it."""
    event = {
        "ticker": "E-A",
        "observed_ts": at(-10),
        "series_ticker": SERIES,
        "fee_multiplier_override_ppm": 500_000,
    }
    cleared = a_change(10, None, fee_type=None, scope="event", ticker="E-A")
    assert fees(world(events=[event], fee_changes=[cleared]), 5, 15) == [875_000, 1_750_000]


def test_an_override_of_which_only_the_end_is_on_record_is_unknown_before_it() -> None:
    """Half, nothing or twice the series' 1.75 until 10 s: nobody recorded it."""
    ended = a_change(10, None, fee_type=None, scope="event", ticker="E-A")
    lake = world(fee_changes=[ended])
    with pytest.raises(FeesUnknown, match="KXTEST before 2026-09-01"):
        fees(lake, 5, 15)
    assert fees(lake, 15) == [1_750_000]
    run = replayed(lake, (5, "A", bt.buy_yes(100)), fees=bt.assume_fees("quadratic", "0.25"))
    assert run.fills["fee_micros"].to_list() == [437_500]
    assert "fees of KXTEST: assumed quadratic x 0.25 where unknown" in run.assumptions


def test_before_its_first_override_on_record_an_event_has_the_fees_of_its_series() -> None:
    """1.75 until 10 s, nothing from then on; the run says so."""
    begun = a_change(10, 0, scope="event", ticker="E-A")
    run = replayed(world(fee_changes=[begun]), (5, "A", bt.buy_yes(100)), (15, "A", bt.buy_yes(100)))
    assert run.fills["fee_micros"].to_list() == [1_750_000, 0]
    said = "fees of event E-A: its series' before 2026-09-01, its first override on record"
    assert said in run.assumptions


def test_a_market_without_a_series_has_the_fees_of_the_one_that_its_ticker_begins_with() -> None:
    """Combos are told without a series: half of 1.75, as on record for KXMVE; of KXNEW nothing is."""

    def combo(event: str, **arguments: Any) -> bt.Run:  # noqa: ANN401 -- of bt.run
        lake = world(
            markets=[a_market(event_ticker=event, series_ticker=None)],
            series=[a_series("KXMVE", ppm=500_000)],
        )
        return replayed(lake, (1, "A", bt.buy_yes(100)), **arguments)

    for arguments in ({}, {"fees": bt.assume_fees("quadratic")}):
        run = combo("KXMVE-1", **arguments)
        assert run.fills["fee_micros"].to_list() == [875_000]
        assert "fees of KXMVE: also for markets without a series on record, whose tickers begin so" in (
            run.assumptions
        )
    assert combo("KXNEW-1", fees=bt.assume_fees("quadratic")).fills["fee_micros"].to_list() == [1_750_000]
    with pytest.raises(FeesUnknown, match="the series of KXNEW-1"):
        combo("KXNEW-1")


def test_the_series_of_a_market_is_found_through_its_event() -> None:
    event = {"ticker": "E-A", "observed_ts": at(0), "series_ticker": SERIES}
    assert fees(world(markets=[a_market(series_ticker=None)], events=[event]), 1) == [1_750_000]


def test_nothing_is_due_during_a_waiver() -> None:
    assert fees(world(markets=[a_market(fee_waiver_expiration_ts=at(10))]), 5, 9) == [0, 1_750_000]


def test_combos_are_priced_to_the_centicent() -> None:
    """71.94 at .013 was charged .064780 on 2026-08-18; a quantum of one micro-dollar would give less."""
    lake = a_lake(
        markets=[a_market("KXMVE-A", price_ranges=[{"start_cc": 0, "end_cc": 10_000, "step_cc": 10}])],
        quotes=[a_quote(0, 120, 130, ticker="KXMVE-A")],
    )
    run = replayed(lake, (1, "KXMVE-A", bt.buy_yes("71.94")))
    assert run.fills["fee_micros"].to_list() == [64_780]


@pytest.mark.parametrize("multiplier", [-1, "0.0000001", "much"])
def test_assumed_multipliers_are_numbers_of_at_most_six_decimals(multiplier: float | str) -> None:
    with pytest.raises(PlanError, match="multiplier"):
        bt.assume_fees("quadratic", multiplier)
    with pytest.raises(UnknownFeeType):
        bt.assume_fees("flat")


def test_assumed_fees_stand_in_for_a_type_without_a_formula_too() -> None:
    """`flat` from 10 s on: refused without an assumption, priced with one; known terms stay as they are."""
    lake = world(fee_changes=[a_change(0, 500_000), a_change(10, 1_000_000, fee_type="flat")])
    assert fees(lake, 5, 15, fees=bt.assume_fees("quadratic")) == [875_000, 1_750_000]


@pytest.mark.parametrize("multiplier", ["-1", "1000000000", "0.0000001", "many"])
def test_an_assumed_multiplier_that_is_none_is_refused(multiplier: str) -> None:
    with pytest.raises(PlanError, match="multiplier"):
        bt.assume_fees("quadratic", multiplier)
