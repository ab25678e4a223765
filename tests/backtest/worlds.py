"""Small hand-made lakes: tables of the real schema held in memory, and factories for their rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import polars as pl

import backtest as bt
from backtest.results import Run
from warehouse.tables import QUOTES, TABLES, Table

T0: Final = datetime(2026, 9, 1, 12, tzinfo=UTC)  # fees: centicents, with rebate
SERIES: Final = "KXTEST"


def at(seconds: float) -> datetime:
    """Return the moment so many seconds after T0."""
    return T0 + timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class MemoryLake:
    """A lake of rows given as dicts; what a row leaves out is null."""

    rows: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    uri: str = "memory"

    def pinned(self) -> "MemoryLake":
        return self

    def versions(self) -> dict[str, int]:
        return {name: 1 for name, rows in self.rows.items() if rows}

    def tops(self, tickers: Sequence[str]) -> pl.LazyFrame:
        return self.scan(QUOTES).filter(pl.col("ticker").is_in(list(tickers)))

    def scan(
        self,
        table: Table,
        *,
        dates: tuple[date | None, date | None] = (None, None),  # noqa: ARG002 -- memory has no files
    ) -> pl.LazyFrame:
        schema = table.polars_schema
        rows = [{name: row.get(name) for name in schema} for row in self.rows.get(table.name, ())]
        return pl.LazyFrame(rows, schema=schema)


def a_lake(**tables: Iterable[Mapping[str, Any]]) -> MemoryLake:
    """Return a lake with these tables and, unless given, one quadratic series observed long ago."""
    unknown = set(tables) - set(TABLES)
    assert not unknown, unknown
    rows = {name: list(each) for name, each in tables.items()}
    rows.setdefault("series", [a_series()])
    return MemoryLake(rows)


def a_series(
    ticker: str = SERIES,
    fee_type: str = "quadratic",
    ppm: int = 1_000_000,
    **more: Any,  # noqa: ANN401 -- any column
) -> dict[str, Any]:
    """Return one observed state of a series, long before T0."""
    return {
        "ticker": ticker,
        "observed_ts": at(-1e6),
        "fee_type": fee_type,
        "fee_multiplier_ppm": ppm,
        **more,
    }


def a_market(ticker: str = "A", **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- any column
    """Return a market that trades from T0 to T0+1000 s and is not settled."""
    return {
        "ticker": ticker,
        "observed_ts": at(5_000),
        "event_ticker": f"E-{ticker}",
        "series_ticker": SERIES,
        "open_ts": at(0),
        "close_ts": at(1_000),
        "status": "active",
        "result": "",
        "price_level_structure": "linear_cent",
        **more,
    }


def settled(ticker: str = "A", *, pays_cc: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- any column
    """Return a market that paid `pays_cc` per YES at T0+2000 s, a thousand seconds after its close.

    It was seen at T0+5000 s, or at its end if that is later.
    """
    paid = {"status": "finalized", "settlement_value_cc": pays_cc, "settlement_ts": at(2_000)}
    told: dict[str, Any] = paid | {"result": {10_000: "yes", 0: "no"}.get(pays_cc, "scalar")} | more
    ends = [told[name] for name in ("close_ts", "settlement_ts") if told.get(name) is not None]
    return a_market(ticker, **({"observed_ts": max([at(5_000), *ends])} | told))


def a_quote(
    seconds: float,
    bid_cc: int | None,
    ask_cc: int | None,
    *,
    ticker: str = "A",
    sizes: tuple[int | None, int | None] = (100_000, 100_000),
    session: str = "s",
) -> dict[str, Any]:
    """Return a quote with 1,000 contracts on each side, known when it happened."""
    return {
        "ticker": ticker,
        "session": session,
        "event_ts": at(seconds),
        "received_ts": at(seconds),
        "bid_cc": bid_cc,
        "ask_cc": ask_cc,
        "bid_size_centi": None if bid_cc is None else sizes[0],
        "ask_size_centi": None if ask_cc is None else sizes[1],
    }


def a_snapshot(
    seconds: float,
    *,
    yes: Mapping[int, int] | None = None,
    no: Mapping[int, int] | None = None,
    ticker: str = "A",
    session: str = "s",
    seq: int = 1,
    method: str = "ws",
) -> dict[str, Any]:
    """Return a whole book: YES bids and NO bids as {price_cc: count_centi}, each in its own prices."""
    yes, no = dict(sorted((yes or {}).items())), dict(sorted((no or {}).items()))
    return {
        "ticker": ticker,
        "session": session,
        "captured_ts": at(seconds),
        "sid": 1 if method == "ws" else None,
        "seq": seq if method == "ws" else None,
        "yes_prices_cc": list(yes),
        "yes_counts_centi": list(yes.values()),
        "no_prices_cc": list(no),
        "no_counts_centi": list(no.values()),
        "method": method,
    }


def a_delta(
    seconds: float,
    side: str,
    price_cc: int,
    delta_centi: int,
    *,
    seq: int,
    ticker: str = "A",
    session: str = "s",
) -> dict[str, Any]:
    """Return one change of one level, in the side's own price."""
    return {
        "session": session,
        "sid": 1,
        "seq": seq,
        "ticker": ticker,
        "side": side,
        "price_cc": price_cc,
        "delta_centi": delta_centi,
        "event_ts": at(seconds),
        "received_ts": at(seconds),
    }


def a_gap(
    seconds: float,
    *,
    from_seq: int,
    tickers: Sequence[str] = ("A",),
    session: str = "s",
    cause: str = "hole",
    until: float | None = None,
) -> dict[str, Any]:
    """Return a hole in a stream, until the second at which a snapshot repaired it, if one did."""
    return {
        "session": session,
        "sid": 1,
        "from_seq": from_seq,
        "to_seq": from_seq,
        "tickers": list(tickers),
        "from_ts": at(seconds),
        "until_ts": None if until is None else at(until),
        "cause": cause,
        "is_recovered": until is not None,
    }


def a_plan(*rows: tuple[float, str, pl.Expr]) -> pl.LazyFrame:
    """Return a plan of (seconds after T0, ticker, intent) rows, in this order."""
    assert rows, "a plan needs a row"
    return pl.concat(
        [
            pl.LazyFrame({"ticker": [ticker], "known_ts": [at(seconds)]}).select(
                "ticker", pl.col("known_ts").cast(pl.Datetime("us", "UTC")), intent=intent
            )
            for seconds, ticker, intent in rows
        ]
    )


def replayed(lake: MemoryLake, *rows: tuple[float, str, pl.Expr], **arguments: Any) -> Run:  # noqa: ANN401 -- of bt.run
    """Run a plan of a few rows against quotes (or fills="book") with one second of latency and $1,000."""
    given: dict[str, Any] = {"fills": "touch", "latency": "1s", "cash": 1_000} | arguments
    return bt.run(a_plan(*rows), lake, **given)


def assert_conserved(run: Run) -> None:
    """Check cash end = start + payouts + sales - purchases - fees, for every parameter row.

    Also that the summary, which is made without them, says what the other frames say.
    """
    for row in run.summary.iter_rows(named=True):
        own = {name: _of_row(frame, row, run.param_names) for name, frame in run.frames.items()}
        fills, paid, held, orders = (own[name] for name in ("fills", "settlements", "positions", "orders"))
        moved = int(paid["payout_micros"].sum()) + int((fills["cash_micros"] - fills["fee_micros"]).sum())
        assert row["cash_end_micros"] == row["cash_start_micros"] + moved
        assert row["marked_end_micros"] == row["cash_end_micros"] + int(held["marked_micros"].sum())
        assert row["pnl_micros"] == row["marked_end_micros"] - row["cash_start_micros"]
        totals = (fills["fee_micros"].sum(), paid["payout_micros"].sum(), fills["count_centi"].sum())
        assert (row["fees_micros"], row["payouts_micros"], row["filled_centi"]) == totals
        assert (row["n_fills"], row["n_open"]) == (fills.height, held.height)
        assert row["n_settled"] == paid["ticker"].n_unique()
        assert row["n_markets"] == fills["ticker"].n_unique()
        assert row["n_rejected"] == orders.filter(pl.col("status") == "rejected").height
        assert row["n_no_cash"] == orders.filter(pl.col("reason") == "no cash").height
        assert row["n_orders"] == orders.filter(pl.col("action") != "cancel").height


def _of_row(frame: pl.DataFrame, row: dict[str, Any], params: Sequence[str]) -> pl.DataFrame:
    """Return the rows of a frame that belong to the parameters of a row of the summary."""
    return frame.filter(
        pl.lit(value=True), *(pl.col(key) == row[key] for key in params if key in frame.columns)
    )
