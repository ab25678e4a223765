"""`fee` and `maker_fee` in SQL against the law of `exchange.fees`, to the millionth of a dollar."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import polars as pl
import pytest

from backtest.lake_fees import terms_in
from exchange.fees import COMBO_MAKER, FLAT, MAKER, QUADRATIC, FeeTerms, charge_fill, is_combo, rounding_at
from tests.warehouse.catalogs import asked, opened
from tests.warehouse.rows import an_event, at, frame
from warehouse import Lake
from warehouse.tables import EVENTS, FEE_CHANGES, SERIES

TERMS = {
    "KXPLAIN": FeeTerms(QUADRATIC, 1_000_000),
    "KXHALF": FeeTerms(QUADRATIC, 500_000),
    "KXMAKER": FeeTerms(MAKER, 1_000_000),
    "KXODDLY": FeeTerms(COMBO_MAKER, 333_333),
    "KXFREE": FeeTerms(QUADRATIC, 0),
    "KXMVECOMBO": FeeTerms(COMBO_MAKER, 1_000_000),
}
MOMENTS = [
    datetime(2026, 3, 15, tzinfo=UTC),
    datetime(2026, 5, 27, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 5, 28, tzinfo=UTC),
    datetime(2026, 7, 6, 12, tzinfo=UTC),
    datetime(2026, 7, 7, tzinfo=UTC),
    datetime(2026, 9, 1, tzinfo=UTC),
]
N_POINTS = 6_000


def a_series(ticker: str, terms: FeeTerms | None, **changes: object) -> dict[str, Any]:
    told = {"fee_type": terms and terms.fee_type, "fee_multiplier_ppm": terms and terms.multiplier_ppm}
    return (
        {"ticker": ticker, "observed_ts": datetime(2026, 1, 1, tzinfo=UTC), "source": "test"} | told | changes
    )


def a_change(ticker: str, ppm: int | None, seconds: float, **changes: object) -> dict[str, Any]:
    told = {"scope": "series", "ticker": ticker, "effective_ts": at(seconds), "source": "test"}
    return told | {"fee_type": QUADRATIC, "fee_multiplier_ppm": ppm} | changes


def with_series(folder: Path, *rows: dict[str, Any]) -> Lake:
    lake = Lake(folder)
    lake.commit(SERIES, frame(SERIES, *rows))
    return lake


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    rows = [a_series(ticker, terms) for ticker, terms in TERMS.items()]
    lake = with_series(tmp_path_factory.mktemp("fees"), *rows, a_series("KXFLAT", FeeTerms(FLAT, 1_000_000)))
    with opened(lake) as connection:
        yield connection


def test_fees_that_were_published_or_charged_come_out(catalog: duckdb.DuckDBPyConnection) -> None:
    """KALSHI.md §8.4 and §18; in March 2026 the balance still moved in whole cents: $0.01 for 1 @ .01."""
    points = [
        (100, "0.50", "KXPLAIN", "2026-09-01", "1.75"),
        (20, "0.13", "KXHALF", "2026-09-01", "0.0792"),
        (1, "0.28", "KXPLAIN", "2026-09-01", "0.0142"),
        (1, "0.01", "KXPLAIN", "2026-03-15", "0.01"),
        (0, "0.50", "KXPLAIN", "2026-09-01", "0"),
    ]
    for count, price, series, day, dollars in points:
        row = asked(
            catalog, "select fee(?, ?, ?, ?::timestamptz) as f", count, price, series, f"{day} 12:00:00Z"
        )
        assert row == [{"f": Decimal(dollars)}], (count, price, series)


def charged_micros(cc: int, centi: int, series: str, ts: datetime, *, is_taker: bool) -> int:
    """What the law says of one fill."""
    return charge_fill(
        terms=TERMS[series],
        price_cc=cc,
        count_centi=centi,
        is_taker=is_taker,
        is_combo=is_combo(series),
        rounding=rounding_at(ts),
    ).fee_micros


@pytest.mark.parametrize(("macro", "is_taker"), [("fee", True), ("maker_fee", False)])
def test_the_law_in_sql_is_the_law(catalog: duckdb.DuckDBPyConnection, macro: str, *, is_taker: bool) -> None:
    """Thousands of fills, all terms, every rounding, 0.01 to a hundred million contracts."""
    chance = Random(20_261_126)
    points = pl.DataFrame(
        {
            "cc": [chance.choice([0, 1, 9_999, 10_000, chance.randint(0, 10_000)]) for _ in range(N_POINTS)],
            "centi": [int(10 ** chance.uniform(0, 10)) for _ in range(N_POINTS)],
            "series": [chance.choice(list(TERMS)) for _ in range(N_POINTS)],
            "ts": [chance.choice(MOMENTS) for _ in range(N_POINTS)],
        },
        schema_overrides={"ts": pl.Datetime("us", "UTC")},
    )
    catalog.register("points", points.with_row_index("place").to_arrow())
    exact = "centi::decimal(18,2) * 0.01, cc::decimal(9,4) * 0.0001"
    query = f"select place, {macro}({exact}, series, ts) from points order by place"
    found = [dollars for _, dollars in catalog.execute(query).fetchall()]
    for point, dollars in zip(points.iter_rows(), found, strict=True):
        assert dollars * 1_000_000 == charged_micros(*point, is_taker=is_taker), point


def test_nothing_is_guessed(catalog: duckdb.DuckDBPyConnection) -> None:
    """No such series, an unpublished formula, no such price or count, no moment, or one too early."""
    for count, price, series, moment in (
        ("10", "0.5", "KXNONE", "2026-09-01 00:00:00Z"),
        ("10", "0.5", "KXFLAT", "2026-09-01 00:00:00Z"),
        ("10", "0.50005", "KXPLAIN", "2026-09-01 00:00:00Z"),
        ("10", "1.01", "KXPLAIN", "2026-09-01 00:00:00Z"),
        ("10", "-0.01", "KXPLAIN", "2026-09-01 00:00:00Z"),
        ("-1", "0.5", "KXPLAIN", "2026-09-01 00:00:00Z"),
        ("0.005", "0.5", "KXPLAIN", "2026-09-01 00:00:00Z"),
        ("10", "0.5", "KXPLAIN", None),
        ("10", "0.5", "KXPLAIN", "2025-12-31 23:59:59Z"),
    ):
        query = "select fee(?::decimal(18,4), ?::decimal(9,5), ?, ?::timestamptz) as f"
        assert asked(catalog, query, count, price, series, moment) == [{"f": None}], (count, price, series)


def test_columns_of_the_caller_are_not_taken_for_the_macros_own(catalog: duckdb.DuckDBPyConnection) -> None:
    """Named as the columns of the schedule are: ticker, from_ts, fee_type."""
    query = (
        "select fee(fee_type, multiplier, ticker, from_ts) as f from (select 100 as fee_type, "
        "0.5 as multiplier, 'KXHALF' as ticker, timestamptz '2026-09-01 00:00:00Z' as from_ts)"
    )
    assert asked(catalog, query) == [{"f": Decimal("0.875")}]


def test_a_schedule_holds_from_its_change_until_the_next(tmp_path: Path) -> None:
    """Seen at 1.0; halved at 10 s, doubled at 20 s: 200 @ .50 are $3.50, then 1.75, then 7."""
    lake = with_series(tmp_path, a_series("KX", FeeTerms(QUADRATIC, 1_000_000), observed_ts=at(0)))
    lake.commit(FEE_CHANGES, frame(FEE_CHANGES, a_change("KX", 500_000, 10), a_change("KX", 2_000_000, 20)))
    wanted = {-1: None, 0: "3.5", 9.9: "3.5", 10: "1.75", 19: "1.75", 20: "7", 99: "7"}
    with opened(lake) as connection:
        for seconds, dollars in wanted.items():
            (row,) = asked(connection, "select fee(200, 0.5, 'KX', ?) as f", at(seconds))
            assert row["f"] == (None if dollars is None else Decimal(dollars)), seconds


def test_before_its_first_sighting_a_series_had_no_other_fees_if_the_list_of_changes_says_so(
    tmp_path: Path,
) -> None:
    """Seen at noon: unknown before, until the list was pulled; before a listed change nobody knows."""
    terms = FeeTerms(QUADRATIC, 1_000_000)
    lake = with_series(
        tmp_path,
        a_series("KX", terms, observed_ts=at(0)),
        a_series("KXMOVED", terms, observed_ts=at(0)),
    )
    lake.commit(FEE_CHANGES, frame(FEE_CHANGES, a_change("KXMOVED", 1_000_000, -60)))
    query = "select fee(100, 0.5, 'KX', ?) as a, fee(100, 0.5, 'KXMOVED', ?) as b"
    with opened(lake) as connection:
        assert asked(connection, query, at(-99), at(-99)) == [{"a": None, "b": None}]
        assert asked(connection, query, at(-59), at(-59)) == [{"a": None, "b": Decimal("1.75")}]
    lake.record_window("fees", "series:KX", at(0), at(1), n_rows=1, digest="d")
    with opened(lake) as connection:
        assert asked(connection, query, at(-99), at(-99)) == [{"a": Decimal("1.75"), "b": None}]
        bases = "select basis from fee_terms order by ticker"
        assert asked(connection, bases) == [{"basis": "unchanged"}, {"basis": "change"}]


def test_the_schedule_is_the_one_that_backtests_charge_by(tmp_path: Path) -> None:
    """Where `fee_terms` tells, it tells what `backtest.lake_fees` finds, at every turn and between."""
    chance = Random(7)
    names, rates = [f"KX{number}" for number in range(40)], (500_000, 1_000_000, 2_000_000)
    changes = [
        a_change(ticker, chance.choice(rates), second, fee_type=MAKER)
        for ticker in names
        for second in chance.sample(range(100), 3)
    ]
    states = [
        a_series(ticker, FeeTerms(QUADRATIC, chance.choice(rates)), observed_ts=at(second))
        for ticker in names
        for second in chance.sample(range(100), 2)
    ]
    lake = with_series(tmp_path, *states)
    lake.commit(FEE_CHANGES, frame(FEE_CHANGES, *changes))
    told = terms_in(lake.uri)
    with opened(lake) as connection:
        turns = asked(connection, "from fee_terms")
    for ticker in names:
        for second in range(-1, 101):
            now = at(second)
            own = [each for each in turns if each["ticker"] == ticker]
            held = [
                each
                for each in own
                if each["from_ts"] <= now and (each["until_ts"] is None or now < each["until_ts"])
            ]
            known = told(ticker, now)
            # Backtests take the first state seen to have held before, and say so; here that is unknown.
            assert len(held) == (now >= min(each["from_ts"] for each in own))
            for each in held:
                assert known is not None
                assert known[0] == FeeTerms(each["fee_type"], int(each["multiplier"] * 1_000_000))


def test_an_events_own_terms_are_in_the_view(tmp_path: Path) -> None:
    """An override that ends is a row without terms; an event that never had one has no row."""
    lake = Lake(tmp_path)
    over = a_change("KXA", 0, 10, scope="event")
    lake.commit(
        FEE_CHANGES, frame(FEE_CHANGES, over, a_change("KXA", None, 20, scope="event", fee_type=None))
    )
    lake.commit(EVENTS, frame(EVENTS, an_event("KXA"), an_event("KXB")))
    with opened(lake) as connection:
        rows = connection.execute("select ticker, from_ts, multiplier from fee_terms").fetchall()
    assert rows == [("KXA", at(0), None), ("KXA", at(10), Decimal(0)), ("KXA", at(20), None)]
