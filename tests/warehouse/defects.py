"""Defects to plant into a clean lake, past Lake.commit, and what each check must then flag.

A defect has markets or days of its own, so that all can be planted together and told apart by their places.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import deltalake
import polars as pl

from tests.warehouse import book_defects as books
from tests.warehouse.rows import a_quote, a_snapshot, frame
from warehouse import Lake
from warehouse.digests import summed_up
from warehouse.layout import arrow, stored
from warehouse.quarantine import Rejected
from warehouse.tables import (
    BOOK_SNAPSHOTS,
    CANDLES,
    DRIFT,
    EVENTS,
    FEE_CHANGES,
    MARKETS,
    QUOTES,
    SERIES,
    TABLES,
    TRADES,
    WINDOWS,
    Table,
)

Change = Callable[[pl.DataFrame], pl.DataFrame]
EMPTY: Final = summed_up(pl.Series(dtype=pl.UInt64))[1]
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """`flags` has the checks that must flag it, and how the places begin that they name: "" is any.

    With `after_a_check` it can only be seen by who has looked before.
    """

    name: str
    plant: Callable[[Lake], None]
    flags: Mapping[str, Sequence[str]]
    after_a_check: bool = False


def rewrite(lake: Lake, table: Table, change: Change) -> None:
    """Replace a whole table by what `change` makes of its rows, as nothing of ours would."""
    rows = change(lake.scan(table, every_source=True).collect())
    made = arrow(table, stored(table, rows, is_packed=True), is_packed=True)
    deltalake.write_deltalake(lake.place.of(table), made, mode="overwrite")


def day(number: int, *, hour: int = 0) -> datetime:
    """Return a moment of February 2026; March goes on counting: 29 is its first."""
    return datetime(2026, 2, 1, tzinfo=UTC) + timedelta(days=number - 1, hours=hour)


def on(number: int) -> pl.Expr:
    """Tell the trades of a day."""
    return pl.col("event_ts").is_between(day(number), day(number + 1), closed="left")


def of(ticker: str) -> pl.Expr:
    """Tell the rows of a market."""
    return pl.col("ticker") == ticker


def window_of_trades(number: int) -> str:
    """Return how the place of a day's window of trades begins."""
    return f"trades all [{day(number):%Y-%m-%d}"


def changed(table: Table, is_it: pl.Expr, **values: Any) -> Callable[[Lake], None]:  # noqa: ANN401 -- of any column
    """Set columns of some rows."""
    new = {
        name: value if isinstance(value, pl.Expr) else pl.lit(value, dtype=table.polars_schema[name])
        for name, value in values.items()
    }
    made = [pl.when(is_it).then(value).otherwise(pl.col(name)).alias(name) for name, value in new.items()]
    return lambda lake: rewrite(lake, table, lambda rows: rows.with_columns(made))


def gone(table: Table, is_it: pl.Expr) -> Callable[[Lake], None]:
    """Take rows out."""
    return lambda lake: rewrite(lake, table, lambda rows: rows.filter(~is_it.fill_null(value=False)))


def twice(is_it: pl.Expr, **values: pl.Expr) -> Callable[[Lake], None]:
    """Put trades in once more, with other values."""

    def change(rows: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([rows, rows.filter(is_it).with_columns(**values)])

    return lambda lake: rewrite(lake, TRADES, change)


def added(table: Table, *rows: dict[str, Any]) -> Callable[[Lake], None]:
    """Put rows in through the front door, which lets these in."""
    return lambda lake: _committed(lake, table, rows)


def _committed(lake: Lake, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    assert lake.commit(table, frame(table, *rows)).n_new == len(rows)


def recorded(rows: books.Rows) -> Callable[[Lake], None]:
    """Put recorded books in, through the front door."""

    def plant(lake: Lake) -> None:
        for name, each in rows.items():
            _committed(lake, TABLES[name], each)

    return plant


def asked(**values: Any) -> Callable[[Lake], None]:  # noqa: ANN401 -- as record_window takes them
    """Enter a window into the ledger."""
    return lambda lake: _entered(lake, values)


def _entered(lake: Lake, values: dict[str, Any]) -> None:
    lake.record_window("trades", "all", **values)


def refused(lake: Lake) -> None:
    """Put a payload into quarantine."""
    lake.quarantine("trades", [Rejected(location="/markets/trades", reason="torn", payload="{")])


def nth(is_it: pl.Expr, n: int) -> pl.Expr:
    """Tell one of some rows: the n-th as they lie in the table."""
    return is_it & (is_it.cum_sum() == n + 1)


NEW_ID: Final = pl.concat_str(pl.lit("ffffffff"), pl.col("trade_id").str.slice(8))
SIMPLE: Final = "KXSIMBTC15M-26FEB25{}05-05"
GAME: Final = "KXSIMGAME-26FEB2{0}A0{1}H0{1}-{2}0{1}"
HIGH: Final = "KXSIMHIGHNY-26FEB2{}"
IN_HOURS: Final = "candles_3600 all"


def _shifted(ticker: str, period_s: int, n: int, by: timedelta) -> Callable[[Lake], None]:
    is_it = of(ticker) & (pl.col("period_s") == period_s) & (pl.col("volume_centi") > 0)
    return changed(CANDLES, nth(is_it, n), end_ts=pl.col("end_ts") + by)


DEFECTS: Final[tuple[Defect, ...]] = (
    Defect(
        name="a page is missing",
        plant=gone(TRADES, of(GAME.format(7, 3, "A")) & on(27) & (pl.col("event_ts").dt.hour() >= 20)),
        flags={
            "volume": [GAME.format(7, 3, "A")],
            "candle_trades": [GAME.format(7, 3, "A")],
            "window_rows": [window_of_trades(27)],
        },
    ),
    Defect(
        name="a stretch of trades is there twice, under other ids",
        plant=twice(of(HIGH.format("6-B48.5")) & on(26), trade_id=NEW_ID),
        flags={
            "trades_once": [HIGH.format("6-B48.5")],
            "volume": [HIGH.format("6-B48.5")],
            "candle_trades": [HIGH.format("6-B48.5")],
            "window_rows": [window_of_trades(26)],
        },
    ),
    Defect(
        name="one trade is there twice, under another id",
        plant=twice(nth(of(SIMPLE.format("12")), 3), trade_id=NEW_ID),
        flags={
            "volume": [SIMPLE.format("12")],
            "candle_trades": [SIMPLE.format("12")],
            "window_rows": [window_of_trades(25)],
        },
    ),
    Defect(
        name="a trade comes back on another day under its own id",
        plant=twice(nth(of("KXSIMFED-MAR-C25"), 9), event_ts=pl.col("event_ts") + 2 * DAY + HOUR),
        flags={
            "trade_ids": [""],
            "candle_trades": ["KXSIMFED-MAR-C25"],
            "window_rows": ["trades all ["],
        },
    ),
    Defect(
        name="new trades are said to be from the archive",
        plant=changed(TRADES, of("KXSIMCPI-FEB-T0.2") & on(28), source="historical"),
        flags={"trade_tiers": ["KXSIMCPI-FEB-T0.2"]},
    ),
    Defect(
        name="a window says that nothing came",
        plant=changed(
            WINDOWS,
            (pl.col("resource") == "trades") & (pl.col("start_ts") == day(27)),
            n_rows=0,
            digest=EMPTY,
        ),
        flags={"window_rows": [window_of_trades(27)], "window_silence": [window_of_trades(27)]},
    ),
    Defect(
        name="a window says that less came",
        plant=changed(
            WINDOWS,
            (pl.col("resource") == "trades") & (pl.col("start_ts") == day(28)),
            n_rows=pl.col("n_rows") - 50,
        ),
        flags={"window_rows": [window_of_trades(28)]},
    ),
    Defect(
        name="a later answer has less",
        plant=asked(start_ts=day(24), end_ts=day(25), n_rows=3, digest="2:other", asked_ts=day(31)),
        flags={"window_answers": [window_of_trades(24)], "window_rows": [window_of_trades(24)]},
    ),
    Defect(
        name="a window failed, and nobody came back",
        plant=asked(
            start_ts=day(29), end_ts=day(31), n_rows=0, digest="", status="failed", reason="HTTP 500"
        ),
        flags={"failed_windows": [window_of_trades(29)]},
    ),
    Defect(
        name="the last states of a market are lost",
        plant=changed(MARKETS, of("KXSIMCPI-JAN-T0.4"), status="active", result="", settlement_value_cc=None),
        flags={"fresh_markets": ["KXSIMCPI-JAN-T0.4"]},
    ),
    Defect(
        name="the block trade of a market is missing",
        plant=gone(TRADES, of(HIGH.format("7-B36.5")) & pl.col("is_block_trade")),
        flags={
            "volume": [HIGH.format("7-B36.5")],
            "candle_trades": [HIGH.format("7-B36.5")],
            "window_rows": ["trades all ["],
        },
    ),
    Defect(
        name="a final market closes earlier in hindsight",
        plant=lambda lake: rewrite(lake, MARKETS, _closing_earlier),
        flags={"final_results": [GAME.format(5, 1, "H")]},
    ),
    Defect(
        name="yes pays nothing",
        plant=changed(MARKETS, of(SIMPLE.format("16")), settlement_value_cc=0),
        flags={"settlement": [SIMPLE.format("16")]},
    ),
    Defect(
        name="a final market has no result",
        plant=changed(MARKETS, of(SIMPLE.format("20")), result=""),
        flags={"settlement": [SIMPLE.format("20")]},
    ),
    Defect(
        name="two markets of one event win",
        plant=changed(MARKETS, of(HIGH.format("5-B40.5")), result="yes", settlement_value_cc=10_000),
        flags={"exclusive_events": [HIGH.format("5")]},
    ),
    Defect(
        name="a price is beside the grid",
        plant=changed(TRADES, nth(of(HIGH.format("6-B46.5")), 30), yes_price_cc=pl.col("yes_price_cc") + 37),
        flags={
            "trade_grid": [HIGH.format("6-B46.5")],
            "candle_trades": [HIGH.format("6-B46.5")],
            "window_rows": [window_of_trades(26)],
        },
    ),
    Defect(
        name="a trade happened before the market opened",
        plant=changed(TRADES, nth(of(HIGH.format("7-T39")), 0), event_ts=pl.col("event_ts") - DAY),
        flags={
            "trade_hours": [HIGH.format("7-T39")],
            "candle_trades": [HIGH.format("7-T39")],
            "window_rows": ["trades all ["],
        },
    ),
    Defect(
        name="an hour is an hour late",
        plant=_shifted("KXSIMCPI-JAN-T0.3", 3_600, 1, HOUR),
        flags={
            "candle_trades": ["KXSIMCPI-JAN-T0.3, 3600 s"],
            "candle_lengths": ["KXSIMCPI-JAN-T0.3, "],
            "window_rows": [IN_HOURS],
        },
    ),
    Defect(
        name="a day ends at midnight UTC",
        plant=_shifted("KXSIMCPI-JAN-T0.2", 86_400, 1, -5 * HOUR),
        flags={
            "candle_ends": ["KXSIMCPI-JAN-T0.2, 86400 s"],
            "candle_trades": ["KXSIMCPI-JAN-T0.2, 86400 s"],
            "candle_lengths": ["KXSIMCPI-JAN-T0.2, 86400 s"],
            "window_rows": ["candles_86400 all"],
        },
    ),
    Defect(
        name="a bid is above the ask",
        plant=changed(
            CANDLES,
            nth(of("KXSIMCPI-JAN-T0.1") & (pl.col("period_s") == 60) & (pl.col("yes_ask_low_cc") > 0), 5),
            yes_bid_high_cc=9_990,
            yes_bid_close_cc=9_990,
        ),
        flags={"candle_prices": ["KXSIMCPI-JAN-T0.1, 60 s"], "window_rows": ["candles_60 all"]},
    ),
    Defect(
        name="a market with trades is not listed",
        plant=gone(MARKETS, of("KXSIMCPI-FEB-T0.1")),
        flags={"trade_markets": ["KXSIMCPI-FEB-T0.1"]},
    ),
    Defect(
        name="one source has half of a day, another the rest",
        plant=changed(
            TRADES,
            of("KXSIMGAME-26MAR01A05H05-A05") & on(29) & (pl.col("event_ts").dt.hour() >= 16),
            source="import:other.csv",
        ),
        flags={
            "trade_sources": ["KXSIMGAME-26MAR01A05H05-A05"],
            "candle_trades": ["KXSIMGAME-26MAR01A05H05-A05"],
        },
    ),
    Defect(
        name="a quote has its sides swapped",
        plant=added(QUOTES, a_quote(), a_quote(1, bid_cc=5_000, ask_cc=4_500)),
        flags={"quotes": ["KXA-1"]},
    ),
    Defect(
        name="a book is crossed",
        plant=added(BOOK_SNAPSHOTS, a_snapshot(), a_snapshot(2, session="s2", no_prices_cc=[5_600])),
        flags={"books": ["KXA-1"]},
    ),
    Defect(
        name="a recorder was killed, and nobody said so",
        plant=recorded(books.an_endless_recording("KXBOOKS-END")),
        flags={"book_ends": ["KXBOOKS-END, "]},
    ),
    Defect(
        name="frames are missing, and no snapshot came",
        plant=recorded(books.a_recording_with_a_hole("KXBOOKS-HOLE")),
        flags={"book_coverage": ["KXBOOKS-HOLE 2026-03-01"]},
    ),
    Defect(
        name="changes are missing where no number is",
        plant=recorded(books.a_recording_that_lacks_changes("KXBOOKS-LACK")),
        flags={"book_quotes": ["KXBOOKS-LACK, "]},
    ),
    Defect(
        name="trades took nothing off a recorded book",
        plant=recorded(books.a_recording_without_trades(HIGH.format("6-B44.5"), day(26, hour=10), DAY)),
        flags={"book_trades": [HIGH.format("6-B44.5")]},
    ),
    Defect(
        name="more left a level than was there",
        plant=recorded(books.a_recording_that_takes_too_much("KXBOOKS-NEGATIVE")),
        flags={"book_states": ["KXBOOKS-NEGATIVE"]},
    ),
    Defect(
        name="a recorder's clock was set",
        plant=recorded(books.a_recording_with_a_set_clock("KXBOOKS-CLOCK")),
        flags={"book_clocks": ["session KXBOOKS-CLOCK"]},
    ),
    Defect(
        name="an event has no series",
        plant=changed(EVENTS, of("KXSIMFED-APR"), series_ticker="KXNOWHERE"),
        flags={"families": ["event KXSIMFED-APR"]},
    ),
    Defect(
        name="fees contradict their last change",
        plant=changed(SERIES, of("KXSIMBTC15M"), fee_multiplier_ppm=1_000_000),
        flags={"fees": ["series KXSIMBTC15M"]},
    ),
    Defect(
        name="a taker took neither side",
        plant=changed(TRADES, nth(of("KXSIMCPI-FEB-T0.4"), 2), taker_side="maybe"),
        flags={"declaration": ["trades"], "window_rows": ["trades all ["]},
    ),
    Defect(
        name="a payload could not be read",
        plant=refused,
        flags={"quarantine": ["trades"]},
    ),
    Defect(
        name="the exchange says a new word",
        plant=added(
            DRIFT,
            {
                "kind": "value",
                "place": "Market.status",
                "word": "resting",
                "example": '"resting"',
                "first_seen_ts": day(29),
                "n_seen": 2,
            },
        ),
        flags={"drift": ["value Market.status resting"]},
    ),
    Defect(
        name="a commit is lost",
        plant=gone(TRADES, on(24)),
        flags={
            "volume": [""],
            "candle_trades": [""],
            "window_rows": [window_of_trades(24)],
            "days": ["trades 2026-02-24"],
        },
        after_a_check=True,
    ),
    Defect(
        name="a close is changed in place",
        plant=changed(MARKETS, of("KXSIMCPI-FEB-T0.3"), close_ts=pl.col("close_ts") + HOUR),
        flags={"days": ["markets 2026-03-02"]},
        after_a_check=True,
    ),
    Defect(
        name="a row is lost that no window has",
        plant=gone(FEE_CHANGES, pl.col("change_id") == "btc-1"),
        flags={"days": ["fee_changes 2026-01-25"]},
        after_a_check=True,
    ),
    Defect(
        name="an entry of the ledger is lost",
        plant=gone(WINDOWS, (pl.col("resource") == "trades") & (pl.col("start_ts") == day(23))),
        flags={"days": ["windows 2026-03-02"]},
        after_a_check=True,
    ),
)


def _closing_earlier(rows: pl.DataFrame) -> pl.DataFrame:
    state = rows.filter(of(GAME.format(5, 1, "H"))).with_columns(
        pl.col("close_ts") - HOUR, pl.col("observed_ts") + HOUR
    )
    return pl.concat([rows, state])
