"""What a run assumes, in sentences that stand before its numbers."""

from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from backtest.baskets import LEGS
from backtest.kernels.arrays import NEVER, TRADED
from backtest.report_numbers import several

if TYPE_CHECKING:
    from collections.abc import Sequence

    from backtest.outcomes import Outcome
    from backtest.replay import Stage
    from backtest.settings import Settings
    from backtest.tape import Tape

DRY_MIN: Final = 0.1  # of the orders, that got less for want of cash: then the purse decides, not the plan
OWN_MAX: Final = 0.05  # of what is ever traded in a market: more moves it, whatever a tape says
BASIS: Final = {
    "mid": "the middle between bid and ask, at which nobody can trade: a fantasy to measure others by",
    "touch": "best quotes and their sizes",
    "trades": "a touch made of the last trades: nobody recorded the quotes",
    "book": "displayed depth, level by level",
    "queue": "displayed depth, level by level, and for orders that wait, trades at their price",
}
PLACES: Final = {
    "pessimistic": "behind everything displayed when they came; cancels are all from behind them",
    "proportional": "behind everything displayed when they came; cancels are from before and behind alike",
    "front": "first in the queue, an upper bound",
}


def assumed(settings: "Settings", stage: "Stage", done: "Sequence[Outcome]") -> tuple[str, ...]:
    """Return the sentences, of all parameter rows together."""
    said = [
        f"fills against {BASIS[settings.fills]}",
        f"orders arrive {settings.latency} after the row they were decided on was known",
        "orders that wait are filled at their own limit and pay the maker fee",
        "our own orders move nobody, nor meet each other: the tape goes on as if we had not traded",
        "whether the plan looks ahead was not checked: that is for bt.audit, not for a run",
        *stage.assumptions,
    ]
    if settings.fills == "queue":
        said.append(f"orders that wait stand {PLACES[settings.queue]}")
        if n_silent := _silent(stage.tape, done):
            said.append(
                f"no trade is on record of {several(n_silent, 'market')} with orders that wait: there they "
                "fill only where the other side comes to them, wherever in the queue they stand"
            )
    if n_repeated := max(each.n_repeated for each in done):
        said.append(
            f"{several(n_repeated, 'order repeats', 'orders repeat')} another one word by word, market "
            "and moment too: each is an order of its own"
        )
    if settings.legs:
        said.append(LEGS[settings.legs])
    if settings.extra_ticks:
        said.append(f"every fill on arrival is {several(settings.extra_ticks, 'tick')} worse than the quote")
    if settings.slippage is not None:
        said += settings.slippage.sentences(has_spread=settings.fills != "trades")
    if settings.refill_us < NEVER:
        said.append(f"what we took of a level counts as displayed again after {settings.refill_us / 1e6:g} s")
    has_impact = settings.slippage is not None and settings.slippage.has_impact
    n_unsized = sum(each.n_unsized for each in done)
    if n_unsized and settings.fills == "touch" and not has_impact:
        said.append(
            f"{several(n_unsized, 'fill')} met quotes without a size: all that was asked for was given"
        )
    if dry := _dry(done):
        said.append(dry)
    if n_large := _large(done, stage.rules.markets["traded_centi"]):
        said.append(
            f"in {several(n_large, 'market')} we traded more than {OWN_MAX:.0%} of all that was ever traded "
            "there: others would have answered"
        )
    return tuple(said)


def _silent(tape: "Tape", done: "Sequence[Outcome]") -> int:
    """Return in how many markets where orders waited the tape of a book has no trade."""
    is_ours = np.zeros(len(tape.offsets) - 1, np.bool)
    for each in done:
        is_ours[each.orders["market"][each.orders["is_resting"] != 0]] = True
    trades = np.flatnonzero(tape.changes["op"] >= TRADED)
    has_none = np.diff(np.searchsorted(trades, tape.offsets)) == 0
    return int((is_ours & has_none).sum())


def _dry(done: "Sequence[Outcome]") -> str:
    """Return what to know of purses that could not pay for many orders; "" if all could."""
    counts = [(each.n_no_cash, len(each.orders["reason"])) for each in done]
    dry = [(short, n) for short, n in counts if short and short >= DRY_MIN * n]
    if not dry:
        return ""
    short, n = max(dry, key=lambda each: each[0] / each[1])
    where = f"in {len(dry):,} of {len(done):,} settings, " if len(done) > 1 else ""
    return (
        f"{where}the purse ran dry: it paid for {short:,} of {several(n, 'order')} in part or not at all"
        f"{', in the worst' if len(dry) > 1 else ''}; give it more cash=, or want less"
    )


def _large(done: "Sequence[Outcome]", traded_centi: pl.Series) -> int:
    """Return in how many markets some parameter row traded too much to go unnoticed."""
    traded = traded_centi.fill_null(0).to_numpy()
    large = np.zeros(len(traded), np.bool)
    for each in done:
        market = each.orders["market"][each.fills["order_id"]]
        own = np.bincount(market, each.fills["count_centi"], minlength=len(traded))
        large |= (own > OWN_MAX * traded) & (traded > 0)  # a source may write 0 for "not known"
    return int(large.sum())
