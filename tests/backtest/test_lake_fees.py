"""Fee terms that an account is audited by: the same as those that a backtest charges."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.account_fees import audit_fees
from backtest.lake_fees import terms_in
from exchange.fees import FeeTerms
from tests.backtest.lakes import a_lake, a_market, a_quote, at, committed
from tests.backtest.test_account_fees import a_fill
from warehouse import Lake
from warehouse.errors import NoLake
from warehouse.tables import EVENTS, FEE_CHANGES, SERIES

STANDARD, HALF, FREE = (FeeTerms("quadratic", ppm) for ppm in (1_000_000, 500_000, 0))


def half_a_fee(folder: Path, *markets: dict[str, Any], event: dict[str, Any] | None = None) -> str:
    """A lake with quotes of .49 to .50, the standard fee in KXT and half of it in KXHALF."""
    lake = a_lake(folder, [a_quote(0, 4_900, 5_000, ticker=each["ticker"]) for each in markets], markets)
    half = {"ticker": "KXHALF", "fee_type": "quadratic", "fee_multiplier_ppm": 500_000}
    committed(lake, SERIES, [half | {"observed_ts": at(-9_999)}])
    if event:
        committed(lake, EVENTS, [event | {"observed_ts": at(-3_000)}])
    return lake.uri


def terms_at(uri: str, ticker: str, minutes: float = 2) -> FeeTerms | None:
    """Return the terms alone, after a look at what a backtest charges and an audit finds of a contract."""
    found = terms_in(uri)(ticker, at(minutes))
    plan = pl.LazyFrame({"ticker": [ticker], "known_ts": [at(minutes)]})
    plan = plan.select("ticker", pl.col("known_ts").dt.cast_time_unit("us"), intent=bt.buy_yes(1))
    fills = bt.run(plan, Lake(uri), fills="touch", latency="1us", fees=bt.assume_fees("quadratic")).fills
    for fee_micros in fills["fee_micros"]:
        fill = a_fill(fee_micros, ticker=ticker, at_ts=at(minutes))
        assert audit_fees([fill], terms_at=terms_in(uri)).is_exact
    return None if found is None else found[0]


def test_a_market_is_of_the_event_that_it_was_last_seen_with(tmp_path: Path) -> None:
    """First of KXT-1-A, then of KXT-1, which is free; seen twice, whichever comes first in a file."""
    states = [
        a_market("KXT-1-A-B", seen=seen, event_ticker=event)
        for seen, event in ((-1_000, "KXT-1"), (-2_000, "KXT-1-A"))
    ]
    free = {"fee_type_override": "quadratic", "fee_multiplier_override_ppm": 0}
    uri = half_a_fee(tmp_path, *states, event={"ticker": "KXT-1", "series_ticker": "KXT", **free})
    assert terms_at(uri, "KXT-1-A-B") == FREE


def test_nothing_is_due_during_a_waiver(tmp_path: Path) -> None:
    """Until the hour; the source says until when."""
    uri = half_a_fee(tmp_path, a_market(fee_waiver_expiration_ts=at(60)))
    assert terms_at(uri, "KXT-1-A", 59) == FREE
    assert terms_at(uri, "KXT-1-A", 60) == STANDARD
    assert terms_in(uri)("KXT-1-A", at(0)) == (FREE, "waived until 2026-09-01, as the lake's markets say")


@pytest.mark.parametrize(
    ("own", "events", "wanted"),
    [("KXHALF", "KXT", HALF), (None, "KXHALF", HALF), (None, None, STANDARD), ("KXNEW", "KXT", None)],
)
def test_a_series_is_the_market_s_then_its_event_s_then_that_of_its_name(
    tmp_path: Path, own: str | None, events: str | None, wanted: FeeTerms | None
) -> None:
    """KXT-1-A begins as KXT does, of which the standard is on record; of KXNEW nothing is."""
    event = None if events is None else {"ticker": "KXT-1", "series_ticker": events}
    uri = half_a_fee(tmp_path, a_market(series_ticker=own), event=event)
    assert terms_at(uri, "KXT-1-A") == wanted


def test_a_market_that_the_lake_lacks_is_of_the_series_it_is_named_by(tmp_path: Path) -> None:
    told = terms_in(half_a_fee(tmp_path, a_market()))
    assert told("KXHALF-26SEP01-A", at(0)) == (HALF, "from the lake's fee tables")
    assert told("KXNEW-26SEP01-A", at(0)) is None


def test_before_the_first_record_a_state_holds_and_says_so_and_a_change_does_not(tmp_path: Path) -> None:
    """Half was seen on 25 August; that KXT-2 no longer has terms of its own is all there is before noon."""
    uri = half_a_fee(tmp_path, a_market(), a_market("KXT-2-A"))
    committed(
        Lake(uri),
        FEE_CHANGES,
        [{"scope": "event", "ticker": "KXT-2", "effective_ts": at(0), "known_ts": at(0)}],
    )
    told = terms_in(uri)
    said = "from the lake's fee tables as first observed on 2026-08-25, after the fill"
    assert told("KXHALF-1-A", at(-20_000)) == (HALF, said)
    assert told("KXT-2-A", at(-1)) is None
    assert terms_at(uri, "KXT-2-A") == STANDARD


def test_a_folder_without_a_lake_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoLake, match="there is no lake"):
        terms_in(str(tmp_path / "none"))
