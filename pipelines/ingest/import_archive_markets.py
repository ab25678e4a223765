"""States of markets out of a public archive, beside what the exchange itself has told.

Until the exchange first told us of a market, every state of the archive is one that was observed when it
was fetched. After that the archive counts only where it is further: where it has a result that the last state
told before it lacks. Then status, result, payout and close come from it, and all else stays as it was told.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import polars as pl

from pipelines.ingest.import_archive_files import SOURCE, ArchiveFile, batches
from pipelines.ingest.import_archive_rows import MARKET_COLUMNS, markets, refused_rows
from pipelines.ingest.market_facts import commit_facts
from pipelines.ingest.receipts import ImportReceipt
from pipelines.ingest.refused import quarantine
from warehouse.lake import Lake
from warehouse.progress import Progress
from warehouse.tables import MARKETS

STATES_AT_ONCE: Final = 500_000  # every commit reads the table of markets
_VERDICT: Final = ("field", "value", "reason")
_FURTHER: Final = ("ticker", "observed_ts", "status", "result", "settlement_value_cc", "close_ts")
_PROVENANCE: Final = ("event_ticker", "source", "fetched_ts")


def commit_markets(
    lake: Lake,
    files: Sequence[ArchiveFile],
    until: datetime,
    receipt: ImportReceipt,
    progress: Progress,
) -> None:
    """Commit the states of all files, quarantine what is none, and count both."""
    for number, states in _batched(lake, files, until, receipt):
        progress("archive: commit markets", number, len(files))
        kept = beside_the_exchange(lake, states)
        receipt.count(MARKETS.name, n_known=states.height - kept.height)
        commit_facts(lake, kept, receipt)
    progress("archive: commit markets", len(files), len(files))


def beside_the_exchange(lake: Lake, states: pl.DataFrame) -> pl.DataFrame:
    """Return the states that tell something, without what the exchange told better before them."""
    told = (
        lake.scan(MARKETS)
        .filter(~pl.col("source").str.starts_with(SOURCE))
        .join(states.lazy().select("ticker").unique(), on="ticker", how="semi")
        .select("ticker", "observed_ts", told_result=pl.col("result").fill_null(""))
        .sort("observed_ts")
        .collect()
    )
    beside = states.sort("observed_ts").join_asof(told, on="observed_ts", by="ticker", check_sortedness=False)
    is_first = pl.col("told_result").is_null()
    is_further = (pl.col("told_result") == "") & (pl.col("result") != "")
    blank = [
        pl.when(is_first).then(pl.col(name)).alias(name)
        for name in states.columns
        if name not in (*_FURTHER, *_PROVENANCE)
    ]
    return beside.filter(is_first | is_further).with_columns(blank).drop("told_result")


def _batched(
    lake: Lake, files: Sequence[ArchiveFile], until: datetime, receipt: ImportReceipt
) -> Iterator[tuple[int, pl.DataFrame]]:
    waiting: list[pl.DataFrame] = []
    n_waiting = 0
    for number, file in enumerate(files):
        for rows in batches(file, MARKET_COLUMNS):
            receipt.n_rows += rows.height
            judged = markets(rows, until)
            is_good = pl.col("reason").is_null()
            bad = judged.filter(~is_good).select("line", *_VERDICT)
            quarantine(lake, MARKETS, refused_rows(file, rows, bad), receipt)
            waiting.append(judged.filter(is_good).drop("line", *_VERDICT))
            n_waiting += waiting[-1].height
        if n_waiting >= STATES_AT_ONCE:
            yield (
                number,
                pl.concat(waiting).unique(["ticker", "observed_ts"], keep="last", maintain_order=True),
            )
            waiting, n_waiting = [], 0
    if n_waiting:
        yield (
            len(files),
            pl.concat(waiting).unique(["ticker", "observed_ts"], keep="last", maintain_order=True),
        )
