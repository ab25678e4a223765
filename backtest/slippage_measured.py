"""Slippage measured: by walking recorded books, or from what your own orders paid."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from backtest.account_fills import fill_files
from backtest.engine import opened
from backtest.errors import PlanError
from backtest.latency import as_us
from backtest.slippage import Slippage
from backtest.slippage_books import seen_in_books
from backtest.slippage_fit import fitted
from backtest.slippage_own import seen_in_fills
from exchange.units import CONTRACT_CENTI
from warehouse.asking import Moment, bounds
from warehouse.naming import Names, Tickers, tickers_of
from warehouse.tables import BOOK_SNAPSHOTS

if TYPE_CHECKING:
    from warehouse import Lake

SIZES: Final = (1, 10, 100, 1_000)


def calibrate_slippage(
    lake: "Lake",
    *,
    series: Names | None = None,
    tickers: Tickers | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    every: str | timedelta = "10s",
    sizes: Sequence[float] = SIZES,
    fills: str | Path | Iterable[str | Path] | None = None,
    impact: str | None = None,
) -> Slippage:
    """Measure what trading costs beyond the middle, for `bt.run(slippage=...)`; printed, it shows its table.

    From books: of each market, every so often while it was recorded, half of the spread, and what buying and
    selling each of `sizes` would have paid more than the touch. Or from fills: what your own account's orders
    paid more than the touch before them, where they were takers.

    Args:
        lake: where the books are, or the quotes or trades around the fills.
        series: of the markets, one or several, or
        tickers: the markets, by name; with fills, those among them.
        start: included.
        end: excluded.
        every: the distance in time from one book to the next; books close to each other tell little new.
        sizes: contracts, each more than 0.
        fills: files of your own fills, CSV exports or pages of GET /portfolio/fills, instead of books.
        impact: "linear" or "sqrt"; by default the one that explains more of the costs.

    Raises:
        PlanError: nothing to measure, sizes that are none, or no book deep enough for any of them.
        UnknownSeries, UnknownTicker, BadDepth, BadInput: the lake or a file is not as asked.
    """
    pinned, between = cast("Lake", opened(lake)), bounds(start, end)
    named = tickers_of(pinned, BOOK_SNAPSHOTS, series=series, ticker=tickers)
    if fills is not None:
        seen = seen_in_fills(pinned, fill_files(fills), named, between)
        return fitted(seen, impact, "no taker's order in these files has a touch in the lake before it")
    if named is None:
        raise PlanError(
            "slippage of which markets? Name a series or tickers (--series, --ticker), or give fills"
        )
    as_us("every", every)
    seen = seen_in_books(pinned, named, between, every, _counts_centi(sizes))
    return fitted(seen, impact, f"no book of these {len(named)} markets is known and has two sides then")


def _counts_centi(sizes: object) -> list[int]:
    given: list[Any] | None = None
    if isinstance(sizes, Iterable) and not isinstance(sizes, str):
        given = list(sizes)
    if given is None or not all(isinstance(each, Real) and isfinite(each) for each in given):
        raise PlanError(f"sizes={sizes!r}: give contracts, each more than 0, in a list such as [1, 10, 100]")
    counts = sorted({round(float(each) * CONTRACT_CENTI) for each in given})
    if not counts or counts[0] < 1:
        raise PlanError(f"sizes={sizes!r}: give contracts, each more than 0")
    return counts
