"""What files say about markets, laid over what the lake already knows of them.

A recording or a table of results states a few facts; the rest stays as it was last known, so that a poorer
source never wipes out a richer one: "" is unknown, and a final state with its result stays final.

Assumption, for the lack of anything better: where neither the file nor the lake tells a market's event and
series, the event is the ticker up to its last dash and the series the ticker up to its first one. Kalshi
names markets so today but promises nothing [KALSHI.md §12.19]; such rows say so in `source`, and a later
sync of the market corrects them.
"""

from datetime import datetime
from pathlib import Path
from typing import Final

import polars as pl

from exchange.units import DOLLAR_CC
from pipelines.ingest import exact
from pipelines.ingest.receipts import ImportReceipt
from pipelines.ingest.refused import as_refused, quarantine
from pipelines.ingest.tape_files import check_tape, tape_chunks
from warehouse.lake import Lake
from warehouse.tables import MARKETS, Table

RESULT_COLUMNS: Final = ("ticker", "close_time", "strike", "expiration_value", "result")
_STATED: Final = ("event_ticker", "series_ticker")
# How far a market is from being traded: a state of a higher number comes after all of a lower one.
_FINAL: Final = {"determined": 1, "disputed": 1, "amended": 1, "finalized": 2}
# Filters have words of their own for states, and recorders note those [KALSHI.md §9].
_SAID_IN_FILTERS: Final = {
    "unopened": "initialized",
    "open": "active",
    "paused": "inactive",
    "settled": "finalized",
}
_RESULTS: Final = ("yes", "no", "scalar", "")
_ASSUMED: Final = " (event and series read off the ticker)"


def import_results(lake: Lake, path: Path, observed_ts: datetime, receipt: ImportReceipt) -> None:
    """Bring a table of markets and results (CSV: RESULT_COLUMNS, optionally event and series) into `markets`.

    A market with a result is final; what it pays follows from yes or no. When it was paid the file does not
    tell, so settlement_ts stays unknown. The state counts as observed at `observed_ts`.

    Raises:
        UnreadableFile: the file is missing, damaged or lacks a column.
    """
    names = check_tape(path, RESULT_COLUMNS)
    stated = [name for name in _STATED if name in names]
    for chunk in tape_chunks(path, [*RESULT_COLUMNS, *stated]):
        rows = _read_results(chunk)
        is_good = pl.col("field").is_null()
        location = pl.format("{}:{}", pl.lit(path.name), pl.col("line")).alias("location")
        refused = rows.filter(~is_good).select(
            location, "field", "value", pl.lit("cannot be read").alias("reason"), "payload"
        )
        quarantine(lake, MARKETS, as_refused(refused), receipt)
        facts = rows.filter(is_good).select(
            "ticker",
            pl.lit(observed_ts).cast(exact.TIME).alias("observed_ts"),
            *(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in stated),
            "close_ts",
            "floor_strike",
            "status",
            "result",
            "settlement_value_cc",
            "expiration_value",
            pl.lit(f"import:{path.name}").alias("source"),
        )
        commit_facts(lake, facts, receipt)


def commit_facts(lake: Lake, facts: pl.DataFrame, receipt: ImportReceipt) -> None:
    """Commit stated facts (ticker, observed_ts, source, other columns of `markets`) over what is known."""
    if facts.is_empty():
        return
    said = facts.with_columns(pl.col("status").cast(pl.String).replace(_SAID_IN_FILTERS))
    commit = lake.commit(MARKETS, _with_origin(laid_over(lake, MARKETS, said)))
    receipt.count(
        MARKETS.name, n_new=commit.n_new, n_known=commit.n_known, n_quarantined=commit.n_quarantined
    )


def laid_over(lake: Lake, table: Table, facts: pl.DataFrame) -> pl.DataFrame:
    """Fill what the facts leave open, null or "", from the last known state at or before `observed_ts`.

    Facts of a market from before its last known, final state (the file is older than it says) fill only what
    that state leaves open.
    """
    facts = facts.with_columns(_told(pl.col(pl.String)))
    states = lake.scan(table).join(facts.lazy().select("ticker").unique(), on="ticker", how="semi")
    known = states.sort("observed_ts").drop("source", "fetched_ts").collect()
    names = [name for name in known.columns if name not in {"ticker", "observed_ts"}]
    joined = facts.sort("observed_ts").join_asof(
        known.rename({name: f"{name}_known" for name in names}),
        on="observed_ts",
        by="ticker",
        check_sortedness=False,
    )
    is_stale = _is_stale() if "status" in facts.columns else pl.lit(value=False)
    filled = [
        pl.when(is_stale)
        .then(pl.coalesce(f"{name}_known", name))
        .otherwise(pl.coalesce(name, f"{name}_known"))
        .alias(name)
        if name in facts.columns
        else pl.col(f"{name}_known").alias(name)
        for name in names
    ]
    return joined.with_columns(filled).drop(f"{name}_known" for name in names)


def _told(text: pl.Expr) -> pl.Expr:
    return pl.when(text != "").then(text).name.keep()


def _is_stale() -> pl.Expr:
    """Tell where a stated status comes before the known one, whose result is known."""
    has_result = pl.col("result_known").fill_null("") != ""
    stage, known_stage = (
        pl.col(name).replace_strict(_FINAL, default=0, return_dtype=pl.Int32)
        for name in ("status", "status_known")
    )
    return pl.col("status").is_not_null() & has_result & (stage < known_stage)


def _with_origin(rows: pl.DataFrame) -> pl.DataFrame:
    missing = [pl.lit(None, pl.String).alias(name) for name in _STATED if name not in rows.columns]
    rows = rows.with_columns(missing)
    is_open = pl.any_horizontal(pl.col(name).is_null() for name in _STATED)
    return rows.with_columns(
        pl.when(is_open).then(pl.col("source") + _ASSUMED).otherwise("source").alias("source"),
        pl.coalesce("event_ticker", pl.col("ticker").str.replace(r"-[^-]*$", "")).alias("event_ticker"),
        pl.coalesce("series_ticker", pl.col("ticker").str.replace(r"-.*$", "")).alias("series_ticker"),
    )


def _read_results(chunk: pl.DataFrame) -> pl.DataFrame:
    rows = chunk.with_columns(
        exact.moment("close_time").alias("close_ts"),
        pl.when(pl.col("strike") != "").then("strike").cast(pl.Float64, strict=False).alias("floor_strike"),
        pl.when(pl.col("result") != "").then("result").alias("result_known"),
    )
    result = pl.col("result_known")
    checks = (
        ("payload", pl.col("is_torn") | (pl.col("n_missing") != 0)),
        ("ticker", pl.col("ticker") == ""),
        ("close_time", pl.col("close_ts").is_null()),
        ("strike", (pl.col("strike") != "") & pl.col("floor_strike").is_null()),
        ("result", ~pl.col("result").is_in(_RESULTS)),
    )
    wrong = pl.coalesce(
        pl.when(is_wrong).then(pl.struct(field=pl.lit(field), value=pl.col(field)))
        for field, is_wrong in checks
    )
    value = pl.when(result == "yes").then(DOLLAR_CC).when(result == "no").then(0)
    return rows.with_columns(
        wrong.alias("wrong"),
        pl.when(result.is_not_null()).then(pl.lit("finalized")).alias("status"),
        value.cast(pl.Int32).alias("settlement_value_cc"),
        pl.when(pl.col("expiration_value") != "").then("expiration_value").alias("expiration_value"),
        result.alias("result"),
    ).unnest("wrong")
