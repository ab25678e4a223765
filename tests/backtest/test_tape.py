"""Quotes and trades as a tape: whatever order, files and pieces rows come in, the same lie in it."""

from functools import partial
from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest

from backtest import tape, trades_tape
from backtest.kernels.arrays import SIZE_MAX_CENTI, SIZE_UNKNOWN
from backtest.slippage import Slippage
from backtest.slippages import Slippages
from backtest.tape import QUOTE_COLUMNS, Tape, quotes_tape
from tests.backtest.worlds import a_quote, at
from tests.oracles.engine import quote_instants
from warehouse.storage import batches
from warehouse.tables import QUOTES, TRADES

CLOSE_US = int(at(40).timestamp()) * 1_000_000
MARKETS = pl.DataFrame({"ticker": ["A", "B", "C"], "close_us": [CLOSE_US] * 3})
Quote = dict[str, Any]


def laid(rows: list[Quote]) -> Tape:
    schema = QUOTES.polars_schema
    whole = [{name: row.get(name) for name in schema} for row in rows]
    return quotes_tape(pl.LazyFrame(whole, schema=schema).select(QUOTE_COLUMNS), MARKETS)


def printed(rows: list[Quote]) -> Tape:
    trades = pl.LazyFrame(
        [{name: row.get(name) for name in TRADES.polars_schema} for row in rows], schema=TRADES.polars_schema
    )
    markets = MARKETS.with_columns(series_ticker=pl.lit("S"))
    slippages = Slippages({"": Slippage(max_age="3s")})
    return trades_tape.trades_tape(trades.select(trades_tape.TRADE_COLUMNS), markets, slippages)


def some_quotes(random: Random) -> list[Quote]:
    """Return quotes of three markets and one unknown to the plan, in any order, many of one instant."""
    found = []
    for n in range(random.randrange(40)):
        bid, ask = random.choice([None, 0, 100, 200]), random.choice([None, 100, 300, 400, 10_000])
        sizes = random.choice([None, 0, 500]), random.choice([None, 700])
        ticker, session = random.choice("ABCX"), random.choice(["s", "t"])
        seconds = random.choice([random.randrange(6), random.randrange(50)])
        quote = a_quote(seconds, bid, ask, ticker=ticker, sizes=sizes, session=session)
        found.append(quote | {"received_ts": random.choice([None, at(seconds), at(seconds + n / 100)])})
    return found


def shown(quote: tuple[Any, ...]) -> tuple[int, int, int, int]:
    """Return bid, its size, ask, its size: 0 and 10,000 of size 0 where nothing is shown."""
    _, bid, bid_size, ask, ask_size = quote
    has_bid, has_ask = bid not in (None, 0) and bid_size != 0, ask not in (None, 10_000) and ask_size != 0
    return (
        *((bid, SIZE_UNKNOWN if bid_size is None else bid_size) if has_bid else (0, 0)),
        *((ask, SIZE_UNKNOWN if ask_size is None else ask_size) if has_ask else (10_000, 0)),
    )


def expected(rows: list[Quote], ticker: str) -> list[tuple[Any, ...]]:
    """Return time, prices, sizes, whether it is live and what of it is new: row by row, the slow way."""
    known = [quote | {"received_ts": quote["received_ts"] or at(-1)} for quote in rows]
    instants = quote_instants((quote for quote in known if quote["ticker"] == ticker), CLOSE_US)
    found: list[tuple[Any, ...]] = []
    before = None
    for t, quotes in sorted(instants.items()):
        for n, quote in enumerate(map(shown, quotes)):
            bid, _, ask, _ = quote
            is_live = n + 1 == len(quotes) and bid < ask
            is_new = before is None or bid != before[0], before is None or ask != before[1]
            found.append((t, *quote, is_live, *is_new))
            before = bid, ask
    return found


@pytest.mark.parametrize("n_rows", [1, 3, 500])
def test_rows_lie_by_market_and_time_in_whatever_order_and_pieces_they_come(
    n_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within an instant by receipt and then session, as if nobody had ever split or shuffled them."""
    monkeypatch.setattr(tape, "batches", partial(batches, n_rows=n_rows))
    monkeypatch.setattr(tape, "_SORTED_AT_ONCE", n_rows)
    random = Random(n_rows)
    for _ in range(40):
        rows = some_quotes(random)
        # Of quotes that agree in all that they are sorted by, the first one comes first.
        unique = {tuple(quote[name] for name in QUOTES.sort): quote for quote in rows}
        rows = list(unique.values())
        found = laid(rows)
        for m, ticker in enumerate(MARKETS["ticker"]):
            some = slice(found.offsets[m], found.offsets[m + 1])
            tops, sizes = found.tops[some], found.sizes[some]
            columns = (
                *(tops["ts_us"], tops["bid_cc"], sizes["bid_size"], tops["ask_cc"], sizes["ask_size"]),
                *(tops["is_live"] == 1, tops["is_new_bid"] == 1, tops["is_new_ask"] == 1),
            )
            assert list(zip(*(each.tolist() for each in columns), strict=True)) == expected(rows, ticker)


def test_trades_give_one_tape_in_whatever_order_and_pieces_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks, trades of markets without orders and trades after the close are in neither."""
    random = Random(7)
    rows = [
        {
            "ticker": ticker,
            "event_ts": at(random.randrange(50)),
            "yes_price_cc": 100 * random.randrange(30, 40),
            "taker_side": random.choice(["yes", "no"]),
        }
        for ticker in "ABCX" * 50
    ]
    blocks = [{**random.choice(rows), "yes_price_cc": 100, "is_block_trade": True} for _ in range(20)]
    ordered = printed(sorted(rows, key=lambda each: (each["ticker"], each["event_ts"])))
    assert np.diff(ordered.offsets).min() > 10
    monkeypatch.setattr(trades_tape, "batches", partial(batches, n_rows=3))
    monkeypatch.setattr(tape, "batches", partial(batches, n_rows=3))
    for _ in range(5):
        mixed = rows + blocks
        random.shuffle(mixed)
        found = printed(mixed)
        for name in ("offsets", "tops", "sizes"):
            assert (getattr(found, name) == getattr(ordered, name)).all(), name


def test_a_size_beyond_what_fits_is_the_most_that_does() -> None:
    """Fifty million contracts are displayed, and 42.9 million of them kept; 32 million were seen once."""
    found = laid([a_quote(1, 100, 200, sizes=(5_000_000_000, 3_222_231_300))])
    assert found.sizes.tolist() == [(SIZE_MAX_CENTI, 3_222_231_300)]
