"""Rows of a public archive as rows of the lake, or the reason why not.

What the archive's cents can and cannot say. Until 2026-03 the API itself sent whole cents and contracts,
and the archive has them as they were. Since the first sub-cent and fractional markets (2026-03-09, KALSHI.md
§13) the program that writes it cuts `"0.0050"` to 0 cents and `"93.51"` contracts to 93. A cut price shows,
because YES and NO no longer make a dollar; a cut count does not. So trades from that day on are left out,
unless the caller says otherwise; pull them from the exchange.

The same program reads dollars through floats, which makes 28, 56 and 57 cents of $0.29, $0.57 and $0.58.
Where prices were whole cents, the other side tells which it was, and the price is read back exactly.
"""

from datetime import UTC, datetime
from typing import Final

import polars as pl

from exchange.units import DOLLAR_CC
from pipelines.ingest.import_archive_files import SOURCE, ArchiveFile, hundredths_of, moment_of, text_of
from pipelines.ingest.refused import as_refused

EXACT_UNTIL: Final = datetime(2026, 3, 9, tzinfo=UTC)
TRADE_COLUMNS: Final = (
    "trade_id",
    "ticker",
    "count",
    "yes_price",
    "no_price",
    "taker_side",
    "created_time",
    "_fetched_at",
)
MARKET_COLUMNS: Final = (
    "ticker",
    "event_ticker",
    "market_type",
    "title",
    "yes_sub_title",
    "no_sub_title",
    "status",
    "last_price",
    "volume",
    "open_interest",
    "result",
    "created_time",
    "open_time",
    "close_time",
    "_fetched_at",
)
_SHOWN: Final = ("count", "created_time", "yes_price", "no_price")
_RESULTS: Final = ("yes", "no", "scalar", "")
_CENT_CC: Final = 100
_CUT_BY_FLOATS_CC: Final = (2_800, 5_600, 5_700)  # of $0.29, $0.57 and $0.58


def trades(rows: pl.DataFrame) -> pl.DataFrame:
    """Read a batch of the archive's trades.

    Returns:
        line, trade_id, ticker, event_ts, yes_price_cc, count_centi, taker_side, fetched_ts, and field, value,
        reason: what is wrong with the row, or null. In the batch's order.
    """
    yes = hundredths_of(rows, "yes_price")
    read = rows.select(
        "line",
        text_of(rows, "trade_id"),
        text_of(rows, "ticker"),
        moment_of(rows, "created_time").alias("event_ts"),
        yes.alias("yes_price_cc"),
        hundredths_of(rows, "count").alias("count_centi"),
        text_of(rows, "taker_side").str.to_lowercase(),
        moment_of(rows, "_fetched_at").alias("fetched_ts"),
        (hundredths_of(rows, "no_price") if "no_price" in rows.columns else DOLLAR_CC - yes).alias("no_cc"),
        *(text_of(rows, name).alias(f"said_{name}") for name in _SHOWN),
    )
    judged = read.with_columns(*_read_back()).with_columns(_verdict(_trade_checks())).unnest("verdict")
    return judged.drop("no_cc", *(f"said_{name}" for name in _SHOWN))


def markets(rows: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """Read a batch of the archive's markets, each a state that was observed when it was fetched.

    Counts and prices of states fetched from `until` on may be cut, and are left out of them.

    Returns:
        line, the facts as columns of `markets`, and field, value, reason as for `trades`.
    """
    result = text_of(rows, "result").fill_null("").alias("result")
    read = rows.select(
        "line",
        *(text_of(rows, name) for name in ("ticker", "event_ticker", "status")),
        *(text_of(rows, name) for name in ("market_type", "title", "yes_sub_title", "no_sub_title")),
        moment_of(rows, "_fetched_at").alias("observed_ts"),
        *(moment_of(rows, f"{name}_time").alias(f"{name}_ts") for name in ("created", "open", "close")),
        *(hundredths_of(rows, name).alias(f"{name}_centi") for name in ("volume", "open_interest")),
        hundredths_of(rows, "last_price").cast(pl.Int32, strict=False).alias("last_price_cc"),
        result,
        text_of(rows, "_fetched_at").alias("said_fetched_at"),
    )
    checks = (
        ("ticker", "ticker", _is_empty("ticker"), "is empty"),
        ("event_ticker", "event_ticker", _is_empty("event_ticker"), "is empty"),
        ("_fetched_at", "said_fetched_at", pl.col("observed_ts").is_null(), "says no time of observation"),
        ("result", "result", ~pl.col("result").is_in(_RESULTS), "is not yes, no, scalar or empty"),
    )
    price, is_exact = pl.col("last_price_cc"), pl.col("observed_ts") < until
    payout = pl.when(pl.col("result") == "yes").then(DOLLAR_CC).when(pl.col("result") == "no").then(0)
    return (
        read.with_columns(
            _verdict(checks),
            # A market that never traded prints a last price of 0.
            pl.when(is_exact & price.is_between(1, DOLLAR_CC - 1)).then(price).alias("last_price_cc"),
            *(
                pl.when(is_exact & (pl.col(name) >= 0)).then(pl.col(name)).alias(name)
                for name in ("volume_centi", "open_interest_centi")
            ),
            payout.cast(pl.Int32).alias("settlement_value_cc"),
            pl.lit(SOURCE).alias("source"),
            pl.col("observed_ts").alias("fetched_ts"),
        )
        .unnest("verdict")
        .drop("said_fetched_at")
    )


def refused_rows(file: ArchiveFile, rows: pl.DataFrame, bad: pl.DataFrame) -> pl.DataFrame:
    """Return refused rows of a batch (line, field, value, reason) per `refused.REFUSED`, each as JSON."""
    told = rows.join(bad, on="line", maintain_order="right")
    where = f"{file.path.parent.name}/{file.path.name}:{{}}"
    return as_refused(
        told.with_columns(
            pl.format(where, "line").alias("location"),
            pl.struct(pl.exclude("line", *bad.columns)).struct.json_encode().alias("payload"),
        )
    )


def _trade_checks() -> tuple[tuple[str, str, pl.Expr, str], ...]:
    price, other = pl.col("yes_price_cc"), pl.col("no_cc")
    is_whole = (price + other == DOLLAR_CC).fill_null(value=False)
    is_side = pl.col("taker_side").is_in(["yes", "no"]).fill_null(value=False)
    return (
        ("trade_id", "trade_id", _is_empty("trade_id"), "is empty"),
        ("ticker", "ticker", _is_empty("ticker"), "is empty"),
        ("created_time", "said_created_time", pl.col("event_ts").is_null(), "is no time"),
        ("count", "said_count", ~(pl.col("count_centi") >= 1).fill_null(value=False), "is no positive count"),
        (
            "yes_price",
            "said_yes_price",
            ~price.is_between(1, DOLLAR_CC - 1).fill_null(value=False),
            "is no price between 0 and 100 cents",
        ),
        ("no_price", "said_no_price", ~is_whole, "does not make 100 cents with yes_price, as cut prices do"),
        ("taker_side", "taker_side", ~is_side, "is not yes or no"),
    )


def _read_back() -> tuple[pl.Expr, pl.Expr]:
    """Return the prices that whole cents had before floats cut one of the two by a cent."""
    yes, no = pl.col("yes_price_cc"), pl.col("no_cc")
    is_cut = (yes + no == DOLLAR_CC - _CENT_CC) & (pl.col("event_ts") < EXACT_UNTIL)
    return tuple(  # type: ignore[return-value]
        pl.when(is_cut & side.is_in(_CUT_BY_FLOATS_CC)).then(side + _CENT_CC).otherwise(side).alias(name)
        for name, side in (("yes_price_cc", yes), ("no_cc", no))
    )


def _is_empty(column: str) -> pl.Expr:
    return pl.col(column).fill_null("") == ""


def _verdict(checks: tuple[tuple[str, str, pl.Expr, str], ...]) -> pl.Expr:
    return pl.coalesce(
        pl.when(is_wrong).then(
            pl.struct(field=pl.lit(field), value=pl.col(said).fill_null(""), reason=pl.lit(reason))
        )
        for field, said, is_wrong, reason in checks
    ).alias("verdict")
