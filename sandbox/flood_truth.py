"""What really happened in a flood, written down for whoever judges a recording of it.

Three files of text, in a folder of their own:

    books.jsonl    {"ticker", "yes": [[price_cc, count_centi], …], "no": […]}: before the first change
    changes.csv    number,time_us,ticker,side,price_cc,delta_centi: every change, in order
    sent.jsonl     what befell connections: {"at_us", "number", "line", "what", …}

`line` counts connections from 1; `number` is how many changes had happened. `what` is one of

    connected, gone
    subscribed       sid, tickers: all of the subscription from then on
    snapshot         sid, seq, ticker: put on its way, as the book was after `number` changes
    ws_hole, ws_duplicate, ws_disconnect   sid, seq, ticker, change: which frame; change is null of a snapshot
    ws_stall         until_us
    ws_overflow      sid

A delta's number in its subscription is in no file: it follows from these.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from exchange.books import OrderBook
from exchange.trades import Side
from sandbox.errors import BadWorld

BOOKS: Final = "books.jsonl"
CHANGES: Final = "changes.csv"
SENT: Final = "sent.jsonl"
_BUFFER_BYTES: Final = 1 << 20


class Change(NamedTuple):
    """One change of a level: the `number`-th of the flood, counted from 0, in the market of that rank."""

    number: int
    time_us: int
    market: int
    side: Side
    price_cc: int
    delta_centi: int


class Truth:
    """The three files of a flood, being written.

    Raises:
        BadWorld: the folder is there already, or cannot be made.
    """

    def __init__(self, folder: Path, books: Sequence[OrderBook]) -> None:
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise BadWorld(f"{folder}: {error.strerror}; name a new folder for the truth") from error
        self._tickers = [book.ticker for book in books]
        self._changes = (folder / CHANGES).open("w", buffering=_BUFFER_BYTES, encoding="ascii")
        self._changes.write("number,time_us,ticker,side,price_cc,delta_centi\n")
        self._sent = (folder / SENT).open("w", buffering=1, encoding="ascii")  # line by line
        with (folder / BOOKS).open("w", encoding="ascii") as file:
            for book in books:
                told = {"ticker": book.ticker, "yes": book.levels("yes"), "no": book.levels("no")}
                file.write(json.dumps(told) + "\n")

    def changed(self, changes: Iterable[Change]) -> None:
        """Write down changes."""
        tickers = self._tickers
        self._changes.writelines(
            f"{number},{time_us},{tickers[market]},{side},{price_cc},{delta_centi}\n"
            for number, time_us, market, side, price_cc, delta_centi in changes
        )

    def befell(self, told: Mapping[str, object]) -> None:
        """Write down what befell a connection."""
        self._sent.write(json.dumps(told) + "\n")

    def close(self) -> None:
        """Put everything on disk."""
        self._changes.close()
        self._sent.close()
