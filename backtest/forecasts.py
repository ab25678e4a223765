"""A forecast in a file: probabilities of markets, each with the moment from which it was known."""

from pathlib import Path

import polars as pl

from exchange.errors import BadInput
from exchange.units import format_ts

_TIME = pl.Datetime("us", "UTC")
_COLUMNS = ("ticker", "known_ts", "prob")


def read_forecast(path: Path) -> pl.LazyFrame:
    """Read ticker, known_ts and prob (of YES, 0 to 1) from a Parquet or CSV file; other columns are ignored.

    Times in a CSV file need a zone, such as 2026-05-11T12:00:00Z.

    Returns:
        Sorted by (ticker, known_ts).

    Raises:
        BadInput: the file cannot be read, lacks a column, or has a row that is no probability at a time.
    """
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file: forecast is a Parquet or CSV file")
    try:
        rows = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
        if missing := [name for name in _COLUMNS if name not in rows.columns]:
            raise BadInput(f"{path}: no column {', '.join(missing)}: a forecast has {', '.join(_COLUMNS)}")
        rows = rows.select(
            pl.col("ticker").cast(pl.String), _known_ts(path, rows), pl.col("prob").cast(pl.Float64)
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadInput(f"{path}: cannot be read as a forecast: {error}") from error
    _refuse(path, rows)
    return rows.sort("ticker", "known_ts").lazy()


def _known_ts(path: Path, rows: pl.DataFrame) -> pl.Expr:
    dtype = rows.schema["known_ts"]
    if dtype == pl.String:
        return pl.col("known_ts").str.to_datetime("%+", time_unit="us", time_zone="UTC")
    if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
        raise BadInput(f"{path}: known_ts is {dtype}: it must be a time with a zone")
    return pl.col("known_ts").dt.convert_time_zone("UTC").cast(_TIME)


def _refuse(path: Path, rows: pl.DataFrame) -> None:
    empty = rows.filter(pl.any_horizontal(pl.col(_COLUMNS).is_null()))
    if empty.height:
        raise BadInput(f"{path}: {empty.height} rows without a ticker, known_ts or prob: leave them out")
    wrong = rows.filter(~pl.col("prob").is_between(0, 1))  # NaN lies above every number
    if wrong.height:
        ticker, known_ts, prob = wrong.row(0)
        raise BadInput(f"{path}: {ticker} at {format_ts(known_ts)}: prob is {prob}, not from 0 to 1")
    twice = rows.filter(pl.struct("ticker", "known_ts").is_duplicated())
    if twice.height:
        ticker, known_ts, _ = twice.row(0)
        raise BadInput(f"{path}: {ticker} has several probabilities at {format_ts(known_ts)}: keep one")
