"""Everything that the recordings of the real exchange are known to hold, out of a lake made from them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from exchange.books import OrderBook
from exchange.units import DOLLAR_CC, parse_cc, parse_centi
from pipelines.ingest.import_candles import import_candles
from pipelines.ingest.import_trades import import_trades
from pipelines.ingest.import_ws import import_ws
from tests.realdata import DATA, needs_real_data
from warehouse import Lake
from warehouse.tables import BOOK_DELTAS, BOOK_GAPS, BOOK_SNAPSHOTS, CANDLES, TRADES

pytestmark = [needs_real_data, pytest.mark.slow]

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TAPES = ["trades_unemployment", "trades_payrolls", "trades_gdp_end_of_year"]
EARLIER_PULL = "trades_unemployment_pull1_to_2025-07-22"


def tapes(*names: str) -> list[Path]:
    return [DATA / "trades" / f"{name}.csv.gz" for name in names]


def test_the_tapes_hold_what_was_counted_in_them_market_by_market(tmp_path: Path) -> None:
    """24,803 + 16,281 + 1,305 trades; contracts, notional, takers and times of all 414 markets agree."""
    lake = Lake(tmp_path / "lake")
    receipt = import_trades(lake, tapes(*TAPES))
    assert (receipt.n_new, receipt.n_quarantined) == (24_803 + 16_281 + 1_305, 0)
    ours = (
        lake.scan(TRADES)
        .group_by("ticker")
        .agg(
            trades=pl.len().cast(pl.Int64),
            contracts_centi=pl.col("count_centi").sum(),
            notional_micros=(pl.col("yes_price_cc").cast(pl.Int64) * pl.col("count_centi")).sum(),
            taker_yes=(pl.col("taker_side") == "yes").sum().cast(pl.Int64),
            first_ts=pl.col("event_ts").min(),
            last_ts=pl.col("event_ts").max(),
        )
        .sort("ticker")
        .collect()
    )
    counted = pl.read_csv(DATA / "expected" / "trades_by_market.csv")
    counted = counted.filter(pl.col("file").is_in([f"trades/{name}.csv.gz" for name in TAPES]))
    times = [
        pl.col(f"{which}_time").str.to_datetime("%+", time_unit="us").alias(f"{which}_ts")
        for which in ("first", "last")
    ]
    expected = counted.select(
        "ticker",
        "trades",
        (pl.col("contracts") * 100).alias("contracts_centi"),
        (pl.col("notional_yes_cents") * 10_000).alias("notional_micros"),
        "taker_yes",
        *times,
    ).sort("ticker")
    assert ours.height == 414
    assert ours.equals(expected)


def test_the_earlier_pull_of_a_tape_changes_nothing_after_the_later_one(tmp_path: Path) -> None:
    """All 18,492 trades of the pull of 2025-07-22 are in the later pull; neither is the version new."""
    lake = Lake(tmp_path / "lake")
    import_trades(lake, tapes("trades_unemployment"))
    versions = lake.versions()
    again = import_trades(lake, tapes(EARLIER_PULL, "trades_unemployment"))
    assert (again.tables["trades"].n_known, again.n_new) == (18_492 + 24_803, 0)
    assert lake.versions() == versions


def test_candles_markets_and_results_hold_what_was_counted(tmp_path: Path) -> None:
    """528 markets: bars, volume, last open interest, first and last time, result and status."""
    lake = Lake(tmp_path / "lake")
    folder = DATA / "candles"
    import_candles(
        lake,
        [folder / "kxhighny_candles_1h.parquet"],
        observed_ts=NOW,
        markets=folder / "kxhighny_markets.parquet",
        events=folder / "kxhighny_events_2022-2026.parquet",
    )
    ours = (
        lake.scan(CANDLES)
        .sort("ticker", "end_ts")
        .group_by("ticker", maintain_order=True)
        .agg(
            candles=pl.len().cast(pl.Int64),
            volume=pl.col("volume_centi").sum(),
            last_oi=pl.col("open_interest_centi").last(),
            first_ts=pl.col("end_ts").first().dt.epoch("s"),
            last_ts=pl.col("end_ts").last().dt.epoch("s"),
        )
        .collect()
        .join(lake.markets().select("ticker", "event_ticker", "result", "status").collect(), on="ticker")
    )
    expected = pl.read_csv(DATA / "expected" / "candles_by_market.csv").with_columns(
        (pl.col("volume", "last_oi") * 100).round(0).cast(pl.Int64)
    )
    assert ours.height == 528
    assert ours.sort("ticker").equals(expected.sort("ticker"))
    assert lake.markets().collect()["volume_centi"].null_count() == 528


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """All 33 recordings and the capture of 12 markets, in one lake."""
    lake = Lake(tmp_path_factory.mktemp("recorded") / "lake")
    import_ws(
        lake,
        sorted((DATA / "ws").glob("*.json*.gz")),
        observed_ts=NOW,
        markets=DATA / "ws" / "ws_markets.csv",
    )
    return lake


def test_every_delta_of_the_recordings_is_there(recorded: Lake) -> None:
    """1,384,798 of the 33 recordings, and the 245 of the capture of 269 frames."""
    by_kind = recorded.scan(BOOK_DELTAS).group_by(pl.col("source").str.contains("cockpit")).len().collect()
    assert dict(by_kind.iter_rows()) == {False: 1_384_798, True: 245}


def test_every_book_rebuilt_from_the_lake_ends_as_it_was_recorded(recorded: Lake) -> None:
    """Best bids, their sizes, number of levels and total size of each of the recorded segments."""
    segments = pl.read_csv(DATA / "expected" / "ws_segments.csv", infer_schema=False)
    deltas = recorded.scan(BOOK_DELTAS).sort("session", "sid", "seq").collect()
    snapshots = recorded.scan(BOOK_SNAPSHOTS).collect()
    by_stream = deltas.partition_by("session", "ticker", as_dict=True)
    for segment in segments.iter_rows(named=True):
        source = f"import:{Path(segment['file']).name}"
        (snapshot,) = snapshots.filter(
            pl.col("source") == source,
            pl.col("ticker") == segment["market_ticker"],
            pl.col("seq") == int(segment["first_seq"]),
        ).iter_rows(named=True)
        book = book_of(snapshot)
        n_levels = len(book.levels("yes")) + len(book.levels("no"))
        assert n_levels == int(segment["snapshot_levels"]), segment
        if segment["deltas"] == "0":
            continue
        stream = by_stream[(snapshot["session"], snapshot["ticker"])]
        stream = stream.filter(pl.col("seq").is_between(snapshot["seq"], int(segment["last_seq"])))
        assert stream.height == int(segment["deltas"])
        for side, price_cc, delta_centi in stream.select("side", "price_cc", "delta_centi").iter_rows():
            book.apply_delta(side, price_cc, delta_centi)
        assert_ends_as(book, segment)


def test_books_over_time_end_as_they_were_recorded(recorded: Lake) -> None:
    """At the last change of each segment, no other recording speaks: all 46 are exact."""
    segments = pl.read_csv(DATA / "expected" / "ws_segments.csv", infer_schema=False)
    n_spoken = 0
    for segment in segments.filter(pl.col("deltas") != "0").iter_rows(named=True):
        ticker, source = segment["market_ticker"], f"import:{Path(segment['file']).name}"
        is_it = (pl.col("ticker") == ticker) & (pl.col("source") == source)
        is_it &= pl.col("seq").is_between(int(segment["first_seq"]), int(segment["last_seq"]))
        last = (
            recorded.scan(BOOK_DELTAS)
            .filter(is_it)
            .select(pl.col("session").last(), BOOK_DELTAS.known_ts.expr.max())
        )
        ((session, at_ts),) = last.collect().rows()
        row = recorded.books(ticker, at_ts, at_ts + timedelta(microseconds=1)).collect().row(0, named=True)
        if row["session"] != session:
            continue
        n_spoken += 1
        book = OrderBook(ticker)
        bids = zip(row["bid_prices_cc"], row["bid_counts_centi"], strict=True)
        asks = zip(row["ask_prices_cc"], row["ask_counts_centi"], strict=True)
        book.apply_snapshot(bids, ((DOLLAR_CC - price_cc, count_centi) for price_cc, count_centi in asks))
        assert_ends_as(book, segment)
    assert n_spoken == 46


def book_of(snapshot: dict[str, Any]) -> OrderBook:
    book = OrderBook(snapshot["ticker"])
    book.apply_snapshot(
        zip(snapshot["yes_prices_cc"], snapshot["yes_counts_centi"], strict=True),
        zip(snapshot["no_prices_cc"], snapshot["no_counts_centi"], strict=True),
    )
    return book


def assert_ends_as(book: OrderBook, segment: dict[str, Any]) -> None:
    for side, best in (("yes", book.best_bid()), ("no", book.best_no_bid())):
        price, size = segment[f"final_best_{side}_bid"], segment[f"final_best_{side}_bid_size"]
        found = None if best is None else (best.price_cc, best.count_centi)
        assert found == ((parse_cc(price), parse_centi(size)) if price else None), (side, segment)
    ask, no_bid = book.best_ask(), book.best_no_bid()
    assert (ask is None) == (no_bid is None)
    assert ask is None or no_bid is None or ask.price_cc == DOLLAR_CC - no_bid.price_cc
    assert len(book.levels("yes")) + len(book.levels("no")) == int(segment["final_levels"]), segment
    assert book.total_centi() == parse_centi(segment["final_total_size"]), segment


def test_the_capture_has_one_unbroken_stream_of_twelve_markets(recorded: Lake) -> None:
    """Its `ok` frames and snapshots consume numbers: 268 frames, no hole, one end at number 269."""
    gaps = recorded.scan(BOOK_GAPS).filter(pl.col("source").str.contains("cockpit")).collect()
    (end,) = gaps.iter_rows(named=True)
    assert (end["cause"], end["from_seq"], len(end["tickers"])) == ("session_end", 269, 12)


def test_recordings_without_deltas_are_known_to_be_blind(recorded: Lake) -> None:
    """A recorder dropped the deltas between number 1 and number 9471: nobody may use the first book."""
    gaps = recorded.scan(BOOK_GAPS).filter(pl.col("source").str.contains("20260513T1220Z")).collect()
    holes = gaps.filter(pl.col("cause") == "hole")
    assert holes.select("from_seq", "to_seq", "is_recovered").rows() == [(2, 9_470, True)]
    assert gaps.filter(pl.col("cause") == "session_end").height == 2


def test_results_of_the_recorded_markets_are_known(recorded: Lake) -> None:
    """43 of the 46 recorded markets have a result; each belongs to the series KXBTC15M."""
    results = pl.read_csv(DATA / "ws" / "ws_markets.csv")
    ours = recorded.markets().filter(pl.col("result").is_not_null()).collect()
    assert ours.height == results["result"].count()
    assert set(ours["series_ticker"]) == {"KXBTC15M"}
    joined = ours.join(results, on="ticker", suffix="_told")
    assert (joined["result"] == joined["result_told"]).all()
    assert (joined["floor_strike"] == joined["strike"]).all()
