"""Books of a recording that were refused: until the market's next one, nobody knows its book."""

from collections.abc import Iterator
from typing import Any

import polars as pl

Gap = dict[str, Any]


class Refusals:
    """Takes the books of one recording part by part, those that were refused among them."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}
        self._blind: dict[str, None] = {}

    def add(self, books: pl.DataFrame, refused: pl.DataFrame) -> Iterator[Gap]:
        """Yield the gaps that end in this part: from a market's last good book to its next one.

        Args:
            books: seq (the line), ticker, captured_ts of the good ones.
            refused: line, ticker of the rows that made none; without a ticker, any market's book was lost.
        """
        told = books.select("ticker", line="seq", at_us=pl.col("captured_ts").dt.epoch("us"))
        told = told.select("line", "ticker", "at_us")
        if refused.is_empty() and not self._blind:
            last = told.sort("line").group_by("ticker").last()
            self._last |= {ticker: (line, at_us) for ticker, line, at_us in last.iter_rows()}
            return
        lost = refused.select("line", pl.col("ticker").fill_null(""), at_us=pl.lit(None, pl.Int64))
        for line, ticker, at_us in pl.concat([told, lost]).sort("line").iter_rows():
            if at_us is None:
                self._blind |= dict.fromkeys(self._last if ticker == "" else {ticker} & self._last.keys())
                continue
            if ticker in self._blind:
                del self._blind[ticker]
                yield self._gap(ticker) | {"to_seq": line - 1, "until_ts": at_us, "is_recovered": True}
            self._last[ticker] = line, at_us

    def end(self) -> Iterator[Gap]:
        """Yield the gaps that nothing ends."""
        for ticker in self._blind:
            yield self._gap(ticker)

    def _gap(self, ticker: str) -> Gap:
        line, at_us = self._last[ticker]
        return {
            "sid": 0,
            "from_seq": line + 1,
            "to_seq": None,
            "tickers": [ticker],
            "from_ts": at_us,
            "until_ts": None,
            "cause": "bad_frame",
            "is_recovered": False,
        }
