"""Every table of the lake, declared once: files, checks, views and docs/data.md all read this."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Final

import dataframely as dy
import polars as pl

from warehouse import ledger_schemas, reference_schemas, tape_schemas
from warehouse.columns import PACKED


@dataclass(frozen=True, slots=True)
class KnownTs:
    """The earliest moment at which a live trader could have acted on a row."""

    sentence: str
    expr: pl.Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: what a row is, what makes it unique, how its files lie.

    `partition_by` names the time whose UTC date partitions the files; None keeps the table in one piece.
    `is_history`: rows are observed states, and only a row that differs from the state before it is new.
    `ranks` of sources by how their names begin, 0 for all others; the better one is first choice for a day of
    a market (warehouse.choosing). Without ranks the first version of a row stays, whoever told it.
    """

    name: str
    sentence: str
    schema: type[dy.Schema]
    key: tuple[str, ...]
    partition_by: str | None
    sort: tuple[str, ...]
    known_ts: KnownTs
    is_history: bool = False
    ranks: Mapping[str, int] = field(default_factory=dict)

    @property
    def columns(self) -> Mapping[str, dy.Column]:
        """Declared columns in their order: the facts, then where they came from."""
        return _declared(self.schema)

    @property
    def polars_schema(self) -> pl.Schema:
        """Column names and dtypes of a frame of this table."""
        return pl.Schema({each: column.dtype for each, column in self.columns.items()})

    @property
    def packed(self) -> tuple[str, ...]:
        """Columns of texts whose files keep them as binary; see warehouse.packing."""
        return tuple(name for name, column in self.columns.items() if (column.metadata or {}).get(PACKED))

    @property
    def measured(self) -> tuple[str, ...]:
        """Columns whose bounds files and log tell: what rows are sorted by, and their sources, if ranked."""
        return (*self.sort, "source") if self.ranks else self.sort

    @property
    def content(self) -> tuple[str, ...]:
        """Columns whose change makes an observed state new."""
        return tuple(each for each in self.columns if each not in ("observed_ts", "source", "fetched_ts"))

    def empty(self) -> pl.DataFrame:
        """Return no rows with the declared columns."""
        return pl.DataFrame(schema=self.polars_schema)


@cache
def _declared(schema: type[dy.Schema]) -> Mapping[str, dy.Column]:
    """Return the columns of `Table.columns`; dataframely would collect them anew for every reading."""
    declared = schema.columns()
    last = ("source", "fetched_ts")
    first = {each: column for each, column in declared.items() if each not in last}
    return MappingProxyType(first | {each: declared[each] for each in last if each in declared})


def _at(column: str, sentence: str) -> KnownTs:
    return KnownTs(sentence, pl.col(column))


_OBSERVED: Final = _at("observed_ts", "observed_ts: we could not know a state before somebody saw it.")
_STREAMED: Final = KnownTs(
    "the later of event_ts and received_ts: clocks differ, and neither may let us see the future.",
    pl.max_horizontal("event_ts", "received_ts"),
)

SERIES: Final = Table(
    name="series",
    sentence="Families of events under one contract and one fee, one row for every observed change.",
    schema=reference_schemas.Series,
    key=("ticker", "observed_ts"),
    partition_by=None,
    sort=("ticker", "observed_ts"),
    known_ts=_OBSERVED,
    is_history=True,
)
EVENTS: Final = Table(
    name="events",
    sentence="Questions, each with its markets, one row for every observed change.",
    schema=reference_schemas.Events,
    key=("ticker", "observed_ts"),
    partition_by=None,
    sort=("ticker", "observed_ts"),
    known_ts=_OBSERVED,
    is_history=True,
)
MARKETS: Final = Table(
    name="markets",
    sentence="Contracts: terms, status, result and payout, one row for every observed change.",
    schema=reference_schemas.Markets,
    key=("ticker", "observed_ts"),
    partition_by=None,
    sort=("ticker", "observed_ts"),
    known_ts=KnownTs(
        "observed_ts: a state holds from when we saw it, whenever it came about. Before its first sighting a "
        "market is assumed to be as first seen, with result and payout from settlement_ts on.",
        pl.col("observed_ts"),
    ),
    is_history=True,
)
TRADES: Final = Table(
    name="trades",
    sentence="The public tape: every execution once, from both tiers, the stream and imports.",
    schema=tape_schemas.Trades,
    key=("trade_id",),
    partition_by="event_ts",
    sort=("ticker", "event_ts", "trade_id"),
    known_ts=_at("event_ts", "event_ts, plus the feed delay that a backtest assumes."),
    ranks={"ws:": 1, "import:": 1, "archive:": 2},
)
CANDLES: Final = Table(
    name="candles",
    sentence="Bars of quotes and trades; an empty side of the book is null, not a price.",
    schema=tape_schemas.Candles,
    key=("ticker", "period_s", "end_ts"),
    partition_by="end_ts",
    sort=("ticker", "period_s", "end_ts"),
    known_ts=_at("end_ts", "end_ts: a bar is known when it is over."),
)
BOOK_SNAPSHOTS: Final = Table(
    name="book_snapshots",
    sentence="Order books, one row each, from the stream, polls and imports; whole unless depth is given.",
    schema=tape_schemas.BookSnapshots,
    key=("ticker", "session", "captured_ts"),
    partition_by="captured_ts",
    sort=("ticker", "captured_ts", "session"),
    known_ts=_at("captured_ts", "captured_ts: when the recorder had it."),
)
BOOK_DELTAS: Final = Table(
    name="book_deltas",
    sentence="Signed changes of order books as they were received.",
    schema=tape_schemas.BookDeltas,
    key=("session", "sid", "seq", "ticker", "side", "price_cc"),
    partition_by="event_ts",
    sort=("ticker", "session", "sid", "seq"),
    known_ts=_STREAMED,
)
QUOTES: Final = Table(
    name="quotes",
    sentence="Best bid and ask over time: ticker channel, top-of-book logs, candles' closes.",
    schema=tape_schemas.Quotes,
    key=("ticker", "session", "event_ts", "received_ts"),
    partition_by="event_ts",
    sort=("ticker", "event_ts", "received_ts", "session"),
    known_ts=_STREAMED,
)
BOOK_GAPS: Final = Table(
    name="book_gaps",
    sentence="Where a stream of books broke, which markets it blinds and until when.",
    schema=tape_schemas.BookGaps,
    key=("session", "sid", "from_seq", "cause"),
    partition_by=None,
    sort=("session", "sid", "from_seq"),
    known_ts=_at("from_ts", "from_ts: a gap blinds from its first moment."),
)
FEE_CHANGES: Final = Table(
    name="fee_changes",
    sentence="From when on which fee formula and multiplier holds for a series or an event.",
    schema=reference_schemas.FeeChanges,
    key=("scope", "ticker", "effective_ts"),
    partition_by=None,
    sort=("scope", "ticker", "effective_ts"),
    known_ts=_at("effective_ts", "effective_ts: the fee that was charged, whoever knew it before."),
)
WINDOWS: Final = Table(
    name="windows",
    sentence="Coverage ledger: what was asked, when, how much came, complete or failed and why.",
    schema=ledger_schemas.Windows,
    key=("resource", "scope", "start_ts", "end_ts", "status", "digest", "reason"),
    partition_by=None,
    sort=("resource", "scope", "start_ts", "end_ts", "asked_ts"),
    known_ts=_at("asked_ts", "asked_ts: provenance of our own work, not market knowledge."),
)
QUARANTINE: Final = Table(
    name="quarantine",
    sentence="Rows and messages that could not be read, whole, with the reason.",
    schema=ledger_schemas.Quarantine,
    key=("digest",),
    partition_by=None,
    sort=("table_name", "location", "digest"),
    known_ts=_at("seen_ts", "seen_ts: provenance of our own work, not market knowledge."),
)
DRIFT: Final = Table(
    name="drift",
    sentence="Fields and values of the exchange that no document lists, run by run, with an example.",
    schema=ledger_schemas.Drift,
    key=("kind", "place", "word", "first_seen_ts"),
    partition_by=None,
    sort=("kind", "place", "word", "first_seen_ts"),
    known_ts=_at("first_seen_ts", "first_seen_ts: provenance of our own work, not market knowledge."),
)
CHECKS: Final = Table(
    name="checks",
    sentence="What every run of `tapehouse warehouse check` found, one row for each check.",
    schema=ledger_schemas.Checks,
    key=("run_ts", "check_name"),
    partition_by=None,
    sort=("check_name", "run_ts"),
    known_ts=_at("run_ts", "run_ts: provenance of our own work, not market knowledge."),
)
DAY_DIGESTS: Final = Table(
    name="day_digests",
    sentence="How many rows a day of a table had and which, as often as a check saw it change.",
    schema=ledger_schemas.DayDigests,
    key=("table_name", "day_ts", "checked_ts"),
    partition_by=None,
    sort=("table_name", "day_ts", "checked_ts"),
    known_ts=_at("checked_ts", "checked_ts: provenance of our own work, not market knowledge."),
)

TABLES: Final[dict[str, Table]] = {
    each.name: each
    for each in (
        SERIES,
        EVENTS,
        MARKETS,
        TRADES,
        CANDLES,
        BOOK_SNAPSHOTS,
        BOOK_DELTAS,
        QUOTES,
        BOOK_GAPS,
        FEE_CHANGES,
        WINDOWS,
        QUARANTINE,
        DRIFT,
        CHECKS,
        DAY_DIGESTS,
    )
}
