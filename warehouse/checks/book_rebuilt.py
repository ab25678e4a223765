"""What rebuilt books say, counted: `facts.book_tops`, `facts.book_spells` and `facts.book_takings`.

Each is made market by market and day by day, and only counts are kept, with the first of each kind as an
example; so a long recording needs no more memory than a busy day of one market.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Final

import polars as pl

from warehouse.book_quality import Part, parts, quotes_in, states_in, trades_in
from warehouse.checks.kept import Earlier, changed_dates
from warehouse.lake import Lake
from warehouse.progress import Progress
from warehouse.tables import BOOK_DELTAS, BOOK_SNAPSHOTS, QUOTES, TRADES, Table

UNCHANGED: Final = "unchanged"

_MOMENT: Final = pl.Datetime("us", "UTC")
_OF_TOPS: Final = ["known_ts", "bid_cc", "bid_centi", "ask_cc", "ask_centi"]
_OF_TAKINGS: Final = ["event_ts", "side", "price_cc", "count_centi"]
_COUNTED: Final = {"ticker": pl.String(), "session": pl.String()}
_COUNT: Final = {"n": pl.Int64()}

SCHEMAS: Final[dict[str, dict[str, pl.DataType]]] = {
    "book_tops": _COUNTED
    | {"agreement": pl.String()}
    | _COUNT
    | {name: _MOMENT if name == "known_ts" else pl.Int64() for name in _OF_TOPS},
    "book_spells": {
        "ticker": pl.String(),
        "anomaly": pl.String(),
        "from_ts": _MOMENT,
        "length_ms": pl.Int64(),
        "n": pl.Int64(),
    },
    "book_takings": _COUNTED
    | {"taking": pl.String()}
    | _COUNT
    | {"event_ts": _MOMENT, "side": pl.String(), "price_cc": pl.Int32(), "count_centi": pl.Int64()},
}


class Rebuilt:
    """The three facts, each made once and only if asked for.

    A day is looked at again where its files are not those of the last kept run that found nothing wrong; of
    the others, the rows are counted as unchanged.
    """

    def __init__(self, lake: Lake, earlier: Mapping[str, Earlier], progress: Progress) -> None:
        self._lake, self._earlier, self._progress = lake, earlier, progress
        self._made: dict[str, pl.DataFrame] = {}

    def fact(self, name: str) -> pl.DataFrame:
        """Return one of them, per SCHEMAS."""
        if name not in self._made:
            self._made |= self._takings() if name == "book_takings" else self._books()
        return self._made[name]

    def _takings(self) -> dict[str, pl.DataFrame]:
        changed = self._changed(TRADES, "book_trades")
        found = [
            _counted(trades_in(self._lake, part), "taking", _OF_TAKINGS)
            for part in self._parts([TRADES], changed)
        ]
        return {"book_takings": _joined("book_takings", [*found, self._unchanged(TRADES, "taking", changed)])}

    def _books(self) -> dict[str, pl.DataFrame]:
        changed = self._changed(QUOTES, "book_quotes", "book_states")
        tops, spells = [], []
        for part in self._parts([QUOTES, BOOK_DELTAS], changed):
            states = states_in(self._lake, part)
            tops.append(_counted(quotes_in(self._lake, part, states), "agreement", _OF_TOPS))
            spells.append(spells_of(states, part.start_ts, part.end_ts))
        tops.append(self._unchanged(QUOTES, "agreement", changed))
        spells.append(self._unchanged(BOOK_DELTAS, "anomaly", changed))
        return {"book_tops": _joined("book_tops", tops), "book_spells": _joined("book_spells", spells)}

    def _parts(self, of: Sequence[Table], changed: set[date] | None) -> Iterator[Part]:
        waiting = [
            each for each in parts(self._lake, of) if changed is None or each.start_ts.date() in changed
        ]
        for done, part in enumerate(waiting):
            self._progress(f"books and {of[0].name}", done, len(waiting))
            yield part

    def _changed(self, of: Table, *checks: str) -> set[date] | None:
        """Return the dates to look at; None is all."""
        runs = [self._earlier.get(name) for name in checks]
        if any(run is None or run.n_flagged for run in runs):
            return None
        changed: set[date] = set()
        tables = [each for each in (BOOK_DELTAS, BOOK_SNAPSHOTS, of) if self._lake.files(each) is not None]
        for run in runs:
            for table in tables:
                dates = changed_dates(self._lake, table, run)
                if dates is None:
                    return None
                changed |= dates
        return changed

    def _unchanged(self, of: Table, kind: str, changed: set[date] | None) -> pl.DataFrame:
        """Return one row that counts the rows of the other dates."""
        files = self._lake.files(of)
        n = 0
        if changed is not None and files is not None:
            n = sum(files.files.filter(~pl.col("date").is_in(list(changed)))["n_rows"])
        return pl.DataFrame({kind: [UNCHANGED], "n": [n]})


def spells_of(states: pl.DataFrame, start_ts: datetime, end_ts: datetime) -> pl.DataFrame:
    """Return one row for all sound states of a market, and one for each run of states with one anomaly.

    Of runs that begin in `[start_ts, end_ts)`; one that goes on at the end of what is looked at is as long as
    it is until there. See SCHEMAS.
    """
    seen = states.filter("is_known").with_columns(
        until_ts=pl.coalesce("until_ts", "from_ts"),
        spell=pl.when(pl.col("anomaly").is_null())
        .then(-1)
        .otherwise(pl.struct("ticker", "anomaly").rle_id().cast(pl.Int64)),
    )
    return (
        seen.group_by("ticker", "anomaly", "spell", maintain_order=True)
        .agg(
            pl.col("from_ts").min(),
            (pl.col("until_ts").max() - pl.col("from_ts").min()).dt.total_milliseconds().alias("length_ms"),
            pl.col("from_ts").is_between(start_ts, end_ts, closed="left").sum().cast(pl.Int64).alias("n"),
        )
        .filter(pl.col("n") > 0)
        .select(list(SCHEMAS["book_spells"]))
    )


def _counted(rows: pl.DataFrame, kind: str, example: list[str]) -> pl.DataFrame:
    return rows.group_by("ticker", "session", kind, maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("n"), pl.col(example).first()
    )


def _joined(name: str, found: list[pl.DataFrame]) -> pl.DataFrame:
    schema = SCHEMAS[name]
    return pl.concat([pl.DataFrame(schema=schema), *found], how="diagonal").select(list(schema))
