"""Whether trades and changes of one book agree: a trade takes exactly its size off the level it hits.

Kalshi sends the change and the trade over different channels, so either may stand first in a recording.
In the NBA recordings of 2026-01-08 each of the 7,700 trades has its change at most 25 rows away.
"""

from typing import Final

import polars as pl

WITHIN_ROWS: Final = 60

PRINTS: Final = pl.Schema(
    {
        "line": pl.Int64(),
        "is_trade": pl.Boolean(),
        "side": pl.String(),
        "price_cc": pl.Int32(),
        "count_centi": pl.Int64(),
    }
)
"""A trade or a change in the order of the recording: the level, in the side's own prices, and the contracts
that went from it (of a change that added some: below 0)."""


def matched(prints: pl.DataFrame, *, within_rows: int = WITHIN_ROWS) -> pl.DataFrame:
    """Pair trades with changes of the same level and size at most so many lines away, each used once.

    Args:
        prints: one market's, per PRINTS, sorted by line.
        within_rows: how far apart the two may stand.

    Returns:
        line of the trade, change_line; sorted by line. As many pairs as there can be: all windows are of one
        width, so the earliest change that is free is never the wrong one.
    """
    bucket = pl.col("line") // max(within_rows, 1)
    changes = prints.filter(~pl.col("is_trade") & (pl.col("count_centi") > 0))
    trades = prints.filter("is_trade").with_columns(bucket=pl.concat_list(bucket - 1, bucket, bucket + 1))
    near = (
        trades.explode("bucket")
        .join(
            changes.select("side", "price_cc", "count_centi", bucket=bucket, change_line="line"),
            on=["side", "price_cc", "count_centi", "bucket"],
        )
        .filter((pl.col("line") - pl.col("change_line")).abs() <= within_rows)
        .sort("line", "change_line")
    )
    pairs: dict[int, int] = {}
    used: set[int] = set()
    for line, change_line in near.select("line", "change_line").iter_rows():
        if line not in pairs and change_line not in used:
            pairs[line] = change_line
            used.add(change_line)
    schema = {"line": pl.Int64, "change_line": pl.Int64}
    return pl.DataFrame(list(pairs.items()), schema=schema, orient="row")


class TradeMatcher:
    """Does as `matched` for a recording that comes in parts, and counts.

    `n_trades` and `n_matched` tell of the trades whose surroundings have been seen; `first_unmatched` is the
    line of the first trade without its change, or None.
    """

    def __init__(self, within_rows: int = WITHIN_ROWS) -> None:
        self.n_trades = 0
        self.n_matched = 0
        self.first_unmatched: int | None = None
        self._within = within_rows
        self._waiting = PRINTS.to_frame()

    def feed(self, prints: pl.DataFrame, *, is_last: bool = False) -> None:
        """Take the next part, per PRINTS."""
        both = pl.concat([self._waiting, prints.select(list(PRINTS))])
        last_line = both["line"].max()
        if last_line is None:
            return
        assert isinstance(last_line, int)
        # Trades near the end may find their change in the next part; what they may find stays with them.
        until = last_line + 1 if is_last else last_line - self._within
        pairs = matched(both, within_rows=self._within)
        settled = both.filter(pl.col("is_trade") & (pl.col("line") < until))
        found = settled.join(pairs, on="line", how="left", maintain_order="left")
        missed = found.filter(pl.col("change_line").is_null())["line"]
        self.n_trades += settled.height
        self.n_matched += settled.height - len(missed)
        if self.first_unmatched is None and len(missed):
            self.first_unmatched = int(missed[0])
        used = found["change_line"].drop_nulls()
        is_needed = (
            pl.when("is_trade")
            .then(pl.col("line") >= until)
            .otherwise((pl.col("line") >= until - self._within) & ~pl.col("line").is_in(used.implode()))
        )
        self._waiting = both.filter(is_needed)
