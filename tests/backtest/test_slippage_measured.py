"""Slippage measured in recorded books and in own fills: the costs by hand, and the fit through them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import backtest as bt
from backtest.cli import app
from backtest.config import read_config
from backtest.errors import PlanError
from backtest.printing import print_slippage
from backtest.report_numbers import NONE
from backtest.slippage_fit import SEEN, fitted
from tests.backtest import lakes, worlds
from tests.backtest.lakes import committed
from tests.realdata import DATA, needs_real_data
from warehouse import Lake
from warehouse.errors import NoLake
from warehouse.tables import BOOK_DELTAS, BOOK_SNAPSHOTS, QUOTES, TRADES

BOOK = worlds.a_snapshot(0, yes={4_500: 300, 4_400: 100_000}, no={5_000: 200, 4_800: 10_000})
HEADER = "created_time,ticker,outcome_side,count_fp,yes_price_dollars,fee_cost,is_taker,order_id\n"


def a_book_lake(folder: Path, *snapshots: dict[str, Any]) -> Lake:
    lake = Lake(folder / "lake")
    committed(lake, BOOK_SNAPSHOTS, snapshots)
    return lake


def test_walking_a_book_costs_what_the_levels_say(tmp_path: Path) -> None:
    """Bids 3 at .45, then .44; asks 2 at .50, then .52. Ten pay (8 x .02) / 10 or (7 x .01) / 10 more."""
    measured = bt.calibrate_slippage(
        a_book_lake(tmp_path, BOOK), tickers="A", sizes=(2, 10, 500), impact="linear"
    )
    assert measured.fit is not None
    rows = measured.fit.select(
        "price_from_cc", "contracts", "n", "deep_share", "half_spread_cc", "cost_cc"
    ).rows()
    assert rows == [
        (4_000, 2.0, 2, 1.0, 250.0, 0.0),
        (4_000, 10.0, 2, 1.0, 250.0, 115.0),
        (4_000, 500.0, 2, 0.5, 250.0, pytest.approx(99.4)),  # only the bids are that deep: 497 x .01 / 500
    ]
    assert measured.half_spread_cc == {0: 250}
    # Least squares of 0, 0, 160, 70 and 99.4 on n / 2: (115 x 10 + 99.4 x 250) / (1 + 1 + 25 + 25 + 62,500).
    assert measured.coefficient_cc == pytest.approx((1_150 + 24_850) / 62_552, rel=1e-3)


def test_a_calibration_is_a_slippage_and_prints_its_table(tmp_path: Path) -> None:
    measured = bt.calibrate_slippage(a_book_lake(tmp_path, BOOK), tickers=["A"], sizes=(2, 10))
    text = str(measured)
    assert text.startswith("Slippage(half_spread_cc={0: 250}, impact='")
    assert "half the spread is by YES price: $0.0250 from $0.00" in text
    assert "115.00" in text
    assert "of the variance" in text
    assert measured == bt.Slippage(
        half_spread_cc={0: 250}, impact=measured.impact, coefficient_cc=measured.coefficient_cc
    )


def test_books_that_are_unknown_or_have_one_side_measure_nothing(tmp_path: Path) -> None:
    lake = a_book_lake(tmp_path, worlds.a_snapshot(0, yes={4_500: 300}), worlds.a_snapshot(9, ticker="B"))
    with pytest.raises(PlanError, match="nothing to measure: no book of these 2 markets"):
        bt.calibrate_slippage(lake, tickers=["A", "B"])


def test_a_book_so_deep_that_nothing_leaves_the_touch_has_no_impact(tmp_path: Path) -> None:
    deep = worlds.a_snapshot(0, yes={4_500: 10**7}, no={5_400: 10**7})
    measured = bt.calibrate_slippage(a_book_lake(tmp_path, deep), tickers="A")
    assert (measured.half_spread_cc, measured.impact, measured.coefficient_cc) == ({0: 50}, None, None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sizes": ()}, r"sizes=\(\): give contracts, each more than 0"),
        ({"sizes": (0, 1)}, r"sizes=\(0, 1\): give contracts, each more than 0"),
        ({"sizes": 100}, r"sizes=100: give contracts, .* in a list such as \[1, 10, 100\]"),
        ({"sizes": ["10"]}, r"sizes=\['10'\]: give contracts, .* in a list"),
        ({"sizes": "10"}, "sizes='10': give contracts, .* in a list"),
        ({"sizes": [float("inf")]}, r"sizes=\[inf\]: give contracts, .* in a list"),
        ({"every": 10}, "every=10: write a length of time such as '250ms'"),
        ({"tickers": None}, r"of which markets\? Name a series or tickers"),
    ],
)
def test_sizes_and_markets_must_be_named(tmp_path: Path, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        bt.calibrate_slippage(a_book_lake(tmp_path, BOOK), **({"tickers": "A"} | arguments))


def seen(
    costs: dict[float, float], n: int = 40, price_cc: int = 5_050, half: float = 50.0, first: int = 0
) -> pl.DataFrame:
    """Return orders of each size in each of `n` books."""
    rows = [
        (first + book, price_cc, half, contracts, contracts, cost)
        for contracts, cost in costs.items()
        for book in range(n)
    ]
    return pl.DataFrame(rows, schema=SEEN, orient="row")


@settings(max_examples=20)
@given(st.sampled_from(["linear", "sqrt"]), st.floats(0.01, 100))
def test_costs_that_follow_a_shape_give_that_shape_back(shape: str, coefficient: float) -> None:
    """N contracts pay n / 2, or two thirds of the root of n, times the coefficient: it is found again."""
    sizes = np.array([1.0, 10.0, 100.0, 1_000.0])
    costs = coefficient * (sizes / 2 if shape == "linear" else 2 / 3 * np.sqrt(sizes))
    found = fitted(seen(dict(zip(sizes.tolist(), costs.tolist(), strict=True))), None, "")
    assert found.impact == shape
    assert found.coefficient_cc == pytest.approx(coefficient, rel=1e-3)
    assert found.explained_share == pytest.approx(1)


def test_dimes_with_enough_books_have_half_spreads_of_their_own() -> None:
    """40 at .50 with .0100, 30 at .95 with .0021, 3 at .05 with .0900: these few take the mean of all."""
    few = seen({1.0: 5.0}, n=3, price_cc=500, half=900, first=40)
    many = seen({1.0: 5.0}, n=30, price_cc=9_500, half=20.5, first=43)
    rows = pl.concat([seen({1.0: 5.0}, half=100), few, many])
    overall = int(np.ceil((40 * 100 + 3 * 900 + 30 * 20.5) / 73))
    assert overall == 101
    assert fitted(rows, "sqrt", "").half_spread_cc == {0: 101, 5_000: 100, 6_000: 101, 9_000: 21}


def test_half_spreads_do_not_depend_on_which_sizes_were_asked() -> None:
    """Of 20 books at .50 and 40 at .95 the dime of .50 has too few, however many orders walk each.

    So it takes the mean of all 60 books, (20 x .0100 + 40 x .0040) / 60 = .0060. That large orders found
    depth at .50 alone changes nothing.
    """
    for sizes in ((1.0,), (1.0, 10.0, 100.0)):
        costs = {size: 2.0 * size**0.5 for size in sizes}
        middle, high = seen(costs, n=20, half=100), seen(costs, n=40, price_cc=9_500, half=40, first=20)
        shallow = high.filter(pl.col("contracts") < 100)
        assert fitted(pl.concat([middle, shallow]), "sqrt", "").half_spread_cc == {0: 60, 9_000: 40}


def test_a_book_is_one_book_though_orders_of_many_sizes_walk_both_of_its_sides(tmp_path: Path) -> None:
    """16 books of A at .475 with a half-spread of .0250 are 32 of these; 31 of B at .10 have .0100.

    All 47 have (16 x .0250 + 31 x .0100) / 47 = .0151, rounded up to .0152.
    """

    def a_thin_book(n: int) -> dict[str, Any]:
        return worlds.a_snapshot(n, yes={900: 10_000}, no={8_900: 10_000}, ticker="B", seq=n + 1)

    books = [worlds.a_snapshot(n, yes={4_500: 300}, no={5_000: 200}, seq=n + 1) for n in range(16)]
    lake = a_book_lake(tmp_path, *books, *(a_thin_book(n) for n in range(31)))
    for sizes in ((1,), (1, 2, 3)):
        measured = bt.calibrate_slippage(lake, tickers=["A", "B"], every="1s", sizes=sizes)
        assert measured.half_spread_cc == {0: 152, 1_000: 100, 2_000: 152}


def test_books_too_thin_for_every_size_say_how_deep_they_are(tmp_path: Path) -> None:
    """The bids of BOOK are 3 and 1,000, the asks 2 and 100."""
    lake = a_book_lake(tmp_path, BOOK)
    with pytest.raises(PlanError, match="no book has 2,000 contracts on a side: the deepest has 1,003;"):
        bt.calibrate_slippage(lake, tickers="A", sizes=(100_000, 2_000))
    assert bt.calibrate_slippage(lake, tickers="A", sizes=(100_000, 1_003)).impact is not None


def test_own_fills_pay_more_than_the_touch_before_them(tmp_path: Path) -> None:
    """YES at .50 and .52 when .50 was asked: .0100 on average; NO at .56 when .55 was: .0100 too."""
    lake = Lake(tmp_path / "lake")
    committed(lake, QUOTES, [lakes.a_quote(-1, 4_500, 5_000), lakes.a_quote(0, 4_900, 5_200)])
    sheet = tmp_path / "fills.csv"
    at = lakes.T0.isoformat().replace("+00:00", "Z")
    sheet.write_text(
        HEADER
        + f"{at},KXT-1-A,yes,5.00,0.5000,0.00,true,one\n"
        + f"{at},KXT-1-A,yes,5.00,0.5200,0.00,true,one\n"
        + f"{at},KXT-1-A,no,2.00,0.4400,0.00,true,two\n"
        + f"{at},KXT-1-A,yes,9.00,0.1000,0.00,false,a maker's\n"
        + f"{at},KXT-9-Z,yes,9.00,0.1000,0.00,true,without a touch\n"
    )
    measured = bt.calibrate_slippage(lake, fills=sheet, impact="linear")
    assert measured.fit is not None
    assert measured.fit.select("contracts", "n", "half_spread_cc", "cost_cc").rows() == [
        (2.0, 1, 250.0, 100.0),
        (10.0, 1, 250.0, 100.0),
    ]
    later = lakes.at(1)
    with pytest.raises(PlanError, match="no taker's order in these files has a touch"):
        bt.calibrate_slippage(lake, fills=[sheet], start=later)


def test_without_quotes_own_fills_are_held_against_the_trades_before(tmp_path: Path) -> None:
    """Takers in turn at .50 and .48: the ask is .50 after a purchase; .53 is .0300 more than that."""
    lake = Lake(tmp_path / "lake")
    trades = [
        {
            "trade_id": str(n),
            "ticker": "KXT-1-A",
            "event_ts": lakes.at(n - 20),
            "yes_price_cc": 4_800 if n % 2 else 5_000,
            "count_centi": 100,
            "taker_side": "no" if n % 2 else "yes",
            "is_block_trade": False,
        }
        for n in range(11)
    ]
    committed(lake, TRADES, trades)
    sheet = tmp_path / "fills.csv"
    sheet.write_text(f"{HEADER}2026-09-01T12:00:00Z,KXT-1-A,yes,4.00,0.5300,0.00,true,one\n")
    measured = bt.calibrate_slippage(lake, fills=str(sheet))
    assert measured.fit is not None
    assert measured.fit.select("contracts", "half_spread_cc", "cost_cc").rows() == [(4.0, 100.0, 300.0)]


def test_the_command_ends_with_a_line_for_a_configuration(tmp_path: Path) -> None:
    """Printed, put into a file and read again, it is the slippage that was measured.

    Of 1,000 contracts the bids alone have as many: 997 of them a cent below the touch, $0.00997 on average.
    """
    lake = a_book_lake(tmp_path, BOOK)
    answer = CliRunner().invoke(app, ["slippage", "--ticker", "A", "--lake", str(tmp_path / "lake")])
    assert answer.exit_code == 0
    *_, titles, one, ten, hundred, thousand, note, line = answer.stdout.splitlines()
    assert titles.split() == ["Contracts", "Measured", "Deep", "enough", "Cost", "Model"]
    assert [row.split()[0] for row in (one, ten, hundred, thousand)] == ["1", "10", "100", "1,000"]
    assert thousand.split()[:5] == ["1,000", "2", "50.0", "%", "$0.0100"]
    assert note.startswith("Cost: what a contract paid beyond the touch")
    config = tmp_path / "my.toml"
    config.write_text(f'strategy = "favourite_longshot"\nfills = "trades"\n{line}\n')
    measured = bt.calibrate_slippage(lake, tickers="A")
    assert read_config(config).slippage == measured
    arguments = ["slippage", "--ticker", "A", "--lake", str(tmp_path / "lake"), "--json"]
    told = json.loads(CliRunner().invoke(app, arguments).stdout)
    assert told["slippage"]["half_spread_cc"] == {"0": 250}
    assert len(told["fit"]) == 4
    with pytest.raises(NoLake):
        CliRunner().invoke(app, ["slippage", "--lake", str(tmp_path / "none")], catch_exceptions=False)


def test_a_size_that_no_book_has_cost_nothing_that_anybody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    fit = pl.DataFrame(
        {"contracts": [5.0], "n": [2], "deep_share": [0.0], "cost_cc": [None], "model_cc": [20.0]}
    )
    print_slippage(bt.Slippage(half_spread_cc=100, fit=fit.cast({"cost_cc": pl.Float64})))
    assert ["5", "2", "0.0", "%", NONE, "$0.0020"] in [
        line.split() for line in capsys.readouterr().out.splitlines()
    ]


@pytest.mark.long
@needs_real_data
def test_markets_of_one_series_predict_each_other(tmp_path: Path) -> None:
    """KXBTC15M, 2026-05-13: half-spreads and costs of one market, against another's a few hours later."""
    from datetime import UTC, datetime

    from pipelines.ingest.import_ws import import_ws

    lake = Lake(tmp_path / "lake")
    files = [DATA / "ws" / f"forward_native_shadow_20260513T{each}Z.jsonl.gz" for each in ("1259", "1333")]
    import_ws(
        lake, files, observed_ts=datetime(2026, 5, 14, tzinfo=UTC), markets=DATA / "ws" / "ws_markets.csv"
    )
    longest = lake.scan(BOOK_DELTAS).group_by("ticker").len().sort("len").tail(2).collect()["ticker"]
    one, other = (bt.calibrate_slippage(lake, tickers=each, impact="sqrt") for each in longest)
    assert one.coefficient_cc is not None
    assert other.coefficient_cc is not None
    assert 0.5 < one.coefficient_cc / other.coefficient_cc < 2
