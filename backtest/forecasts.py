"""A forecast: probabilities of markets, each with the moment from which it was known."""

from pathlib import Path

import polars as pl

from backtest.known import known_ts, known_ts_of_text
from exchange.errors import BadInput
from exchange.units import format_ts

_COLUMNS = ("ticker", "known_ts", "prob")


def read_forecast(given: str | Path | pl.DataFrame | pl.LazyFrame) -> pl.LazyFrame:
    """Read ticker, known_ts and prob (of YES, 0 to 1) from a Parquet or CSV file, or from a frame.

    Other columns are ignored. Times as text need a zone, such as 2026-05-11T12:00:00Z. What is finer than a
    microsecond is rounded up: nothing is known before it was.

    Returns:
        Sorted by (ticker, known_ts).

    Raises:
        BadInput: the file cannot be read, lacks a column, or has a row that is no probability at a time.
    """
    where = str(given) if isinstance(given, str | Path) else "forecast"
    if not isinstance(given, str | Path | pl.DataFrame | pl.LazyFrame):
        raise BadInput(f"{where}: give a file or a polars frame, not {type(given).__name__}")
    try:
        rows = _read(Path(given)) if isinstance(given, str | Path) else given.lazy().collect()
        if missing := [name for name in _COLUMNS if name not in rows.columns]:
            raise BadInput(f"{where}: no column {', '.join(missing)}: a forecast has {', '.join(_COLUMNS)}")
        rows = rows.select(
            pl.col("ticker").cast(pl.String), _known_ts(where, rows), pl.col("prob").cast(pl.Float64)
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        said = str(error).partition("\n")[0]  # polars appends its plan
        raise BadInput(f"{where}: cannot be read as a forecast: {said}") from error
    _refuse(where, rows)
    return rows.sort("ticker", "known_ts").lazy()


def _read(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file: forecast is a Parquet or CSV file")
    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)


def _known_ts(where: str, rows: pl.DataFrame) -> pl.Expr:
    dtype = rows.schema["known_ts"]
    if dtype == pl.String:
        return _read_ts(where, rows)
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        raise BadInput(f"{where}: known_ts is {dtype}: it must be a time with a zone")
    return known_ts(pl.col("known_ts"), dtype)


def _read_ts(where: str, rows: pl.DataFrame) -> pl.Expr:
    text, read = pl.col("known_ts"), known_ts_of_text(pl.col("known_ts"))
    wrong = rows.with_row_index("row", offset=1).filter(text.is_not_null() & read.is_null())
    if wrong.height:
        row, said = wrong.select("row", "known_ts").row(0)
        raise BadInput(
            f"{where}: known_ts of row {row} is {said!r}: times need a zone, such as 2026-05-11T12:00:00Z"
        )
    return read


def _refuse(where: str, rows: pl.DataFrame) -> None:
    empty = rows.filter(pl.any_horizontal(pl.col(_COLUMNS).is_null()))
    if empty.height:
        raise BadInput(f"{where}: {empty.height} rows without a ticker, known_ts or prob: leave them out")
    wrong = rows.filter(~pl.col("prob").is_between(0, 1))  # NaN lies above every number
    if wrong.height:
        ticker, known_ts, prob = wrong.row(0)
        raise BadInput(f"{where}: {ticker} at {format_ts(known_ts)}: prob is {prob}, not from 0 to 1")
    twice = rows.filter(pl.struct("ticker", "known_ts").is_duplicated())
    if twice.height:
        ticker, known_ts, _ = twice.row(0)
        raise BadInput(f"{where}: {ticker} has several probabilities at {format_ts(known_ts)}: keep one")
