"""A policy's run: one stage for all parameter rows, then the clock with the policy in it, row by row."""

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import polars as pl

from backtest.errors import PlanError, TooLarge
from backtest.intents import INTENT
from backtest.kernels.arrays import (
    DRAWN_FEED,
    EQUITY,
    EVENT,
    FILL,
    HEARD,
    I64,
    NEVER,
    NO_QUEUE,
    ORDER,
    QUEUES,
    TO_LESS,
    VIEW,
    Records,
    World,
)
from backtest.kernels.asking import answer_of, asking_about, plain, view_of
from backtest.kernels.clock import DONE, FAILED, drive
from backtest.limits import ORDERS_MAX, refuse_orders
from backtest.outcomes import KEPT_OF_ORDERS, Columns, Outcome, columns_of, outcome_of
from backtest.plan import Wanted
from backtest.policies import Policy, Quoting, params_record
from backtest.policy_source import digest_of
from backtest.replay import Stage, mark_grid, new_world, refuse_unknown_fees
from backtest.results import TIME
from backtest.rooms import Room
from backtest.signals import Laid, laid
from exchange.units import to_us

if TYPE_CHECKING:
    from backtest.settings import Settings

_ORDERS_FIRST = 1 << 20  # room for that many at first; memory is taken as they come
_ENTRY_BITS: Final = 62  # of an entry of the agenda, for time and market
_YEAR_US: Final = 365 * 86_400_000_000
N_DRAWN = 1 << 16  # latencies drawn at once; a policy's orders use them in turn
_SENT = {  # besides what every run keeps of orders
    "sent_us": np.int64,
    "limit_cc": np.int64,
    "is_post_only": np.bool,
    "cancels": np.int8,
    "arrival_us": np.int64,
}


class Own(NamedTuple):
    """What only policies have, for all parameter rows: signals, and how long news is under way."""

    signals: Laid
    feeds: I64
    heard: Records  # when each row of the tape is known; empty where `feeds` is one length


def own_news(stage: Stage, settings: "Settings", quoting: Quoting) -> Own:
    """Lay out the signals of a policy, and say when it hears of the rows of the tape.

    Of lengths that were measured each instant of a market draws one; what was sent first is heard first.
    """
    tape, feeds = stage.tape, settings.feed.drawn(N_DRAWN)
    heard = np.zeros(0 if len(feeds) == 1 else len(tape.tops), HEARD)
    if len(heard):
        for m, (first, end) in enumerate(pairwise(tape.offsets)):
            at_us = tape.tops["ts_us"][first:end]
            late_us = at_us + feeds[(at_us + m) % len(feeds)]
            heard["ts_us"][first:end] = np.maximum.accumulate(late_us)
    return Own(laid(quoting.signals, stage.rules.places), feeds, heard)


def quote(
    stage: Stage,
    settings: "Settings",
    quoting: Quoting,
    own: Own,
    row: dict[str, Any],
    ask: Any,  # noqa: ANN401 -- numba's
) -> Outcome:
    """Run one parameter row of a policy; `own`: as `own_news` gives it for all of them.

    Raises:
        FeesUnknown: an order could be filled at a time whose fees nobody knows.
        PlanError: the policy answered with something else than quotes; and what it raises itself.
    """
    market, first_us, last_us = _active(stage, quoting)
    refuse_unknown_fees(stage, market, first_us, last_us)
    world = new_world(
        stage.tape,
        stage.venue,
        np.zeros(0, ORDER),
        mark_grid(stage, market, first_us),
        Room(),
        cash_micros=settings.cash_micros,
        cap_micros=settings.per_event_micros,
        series_cap_micros=settings.per_series_micros,
        queue=QUEUES[settings.queue] if settings.fills == "queue" else NO_QUEUE,
        refill_us=settings.refill_us,
        first_us=int(first_us.min()) if len(first_us) else None,
    )
    world = _with_policy(world, settings, quoting, own)
    view = np.zeros(1, view_of(quoting.policy.depth))
    world = _writing_to(view, world)
    world, fills, equity = _driven(world, quoting.policy, view, params_record(row), own.signals.values, ask)
    sent = columns_of(world.orders, KEPT_OF_ORDERS | _SENT)
    asked = Wanted(row, list(stage.rules.places), _intents(sent))
    return outcome_of(asked, world, sent, fills, equity, stage.tape, cash_micros=settings.cash_micros)


def _writing_to(view: Records, world: World) -> World:
    """Let the clock write to `view`, which a policy sees: first what every policy does, then the levels."""
    written = view.view(np.uint8)
    return world._replace(
        at=written[: VIEW.itemsize].view(VIEW), depth=written[VIEW.itemsize :].view(np.int64)
    )


def _driven(
    world: World,
    policy: Policy,
    view: Records,
    params: Records,
    signals: Records,
    ask: Any,  # noqa: ANN401 -- numba's
) -> tuple[World, Records, Records]:
    asking = asking_about(view, params, signals, len(world.markets), policy.memory)
    ask = ask or plain(policy.function, asking)
    m, fills, equity = -1, np.zeros(64, FILL), np.zeros(64, EQUITY)
    while True:
        why, m, fills, equity = drive(world, m, ask, asking.asked, asking.asked.ctypes.data, fills, equity)
        if why == DONE:
            n_orders = world.purse[0]["n_orders"]
            return world._replace(orders=world.orders[:n_orders]), fills, equity
        if why == FAILED:
            if asking.failures:
                raise asking.failures[0]
            answer_of(policy.function, asking)
            raise PlanError(
                f"the policy {policy.function.__name__} fails when it is compiled and not in Python"
            )
        world = _roomier(world)


def _roomier(world: World) -> World:
    refuse_orders(len(world.orders) + 1)
    n = min(max(4 * len(world.orders), _ORDERS_FIRST), ORDERS_MAX)
    orders, heap = np.zeros(n, ORDER), np.zeros(2 * n + _questions(world, world.feeds), EVENT)
    orders[: len(world.orders)], heap[: len(world.heap)] = world.orders, world.heap
    return world._replace(orders=orders, heap=heap)


def told(quoting: Quoting, settings: "Settings") -> dict[str, Any]:
    """Return what a manifest says of a policy: the digest of its source and constants, how it is asked."""
    policy, signals = quoting.policy, quoting.signals
    known = {} if signals is None else {"signals": signals.told()}
    return known | {
        "name": policy.function.__name__,
        "sha256": digest_of(policy.function),
        "every_us": policy.every_us,
        "feed_us": settings.feed.told,
        "memory": policy.memory,
        "depth": policy.depth,
        "post_only": policy.post_only,
        "start": None if quoting.start is None else quoting.start.isoformat(),
        "end": None if quoting.end is None else quoting.end.isoformat(),
    }


def said(quoting: Quoting, settings: "Settings", own: Own) -> tuple[str, ...]:
    """Return what a reader of the report must know of how a policy is asked."""
    known = []
    if quoting.signals is not None:
        first, end = own.signals.first, own.signals.end
        known = [f"signals ({', '.join(quoting.signals.names)}) count from their known_ts on"]
        if n_none := int((first == end).sum()):
            known.append(f"{n_none} of {len(first)} markets have no signal")
    return (
        *known,
        f"the policy knows of everything {settings.feed} after it happened, its own fills included",
        "messages about one market arrive in the order in which they were sent",
    )


def _active(stage: Stage, quoting: Quoting) -> tuple[I64, I64, I64]:
    """Return the markets that have rows, and from when to when each can be quoted."""
    markets = stage.venue.markets
    which = np.flatnonzero(markets["end_row"] > markets["first_row"])
    first_us = stage.tape.tops["ts_us"][markets["first_row"][which]]
    last_us = np.maximum(
        stage.tape.tops["ts_us"][markets["end_row"][which] - 1], markets["close_us"][which] - 1
    )
    start_us = 0 if quoting.start is None else to_us(quoting.start)
    end_us = NEVER if quoting.end is None else to_us(quoting.end)
    first_us, last_us = np.maximum(first_us, start_us), np.minimum(last_us, end_us)
    is_quoted = first_us <= last_us
    return which[is_quoted], first_us[is_quoted], last_us[is_quoted]


def _with_policy(world: World, settings: "Settings", quoting: Quoting, own: Own) -> World:
    purse, signals = world.purse, own.signals
    world.markets["first_signal"], world.markets["end_signal"] = signals.first, signals.end
    purse["every_us"] = quoting.policy.every_us
    purse["feed_us"] = own.feeds[0] if len(own.feeds) == 1 else DRAWN_FEED
    purse["from_us"] = 0 if quoting.start is None else to_us(quoting.start)
    purse["until_us"] = NEVER if quoting.end is None else to_us(quoting.end)
    purse["is_maker"] = quoting.policy.post_only
    bits = (len(world.markets) - 1).bit_length()
    purse["agenda_us"], purse["agenda_bits"] = _first_us(world, own, bits), bits
    return world._replace(
        seen=np.zeros(len(world.levels), np.int64),
        latencies=settings.latency.drawn(N_DRAWN),
        heap=np.zeros(_questions(world, own.feeds), EVENT),
        agenda=np.full(2 << bits, NEVER),
        signals=signals.times,
        feeds=own.feeds,
        heard=own.heard,
    )


def _first_us(world: World, own: Own, bits: int) -> int:
    """Return the first instant of the tape; `bits`: what a market's number takes of an entry of the agenda.

    Raises:
        TooLarge: an entry has no room for so many markets over so long a time.
    """
    if not len(world.tops):
        return 0
    purse, markets, times = world.purse[0], world.markets, world.tops["ts_us"]
    has_rows = markets["end_row"] > markets["first_row"]
    first_us = int(times[markets["first_row"][has_rows]].min())
    heard_us = int(times[markets["end_row"][has_rows] - 1].max()) + int(own.feeds.max())
    aged_us = heard_us + int(purse["holds_us"]) if purse["holds_us"] < NEVER else heard_us
    until_us = int(purse["until_us"]) if purse["until_us"] < NEVER else heard_us
    signalled_us = int(own.signals.times["ts_us"].max(initial=first_us))
    last_us = max(aged_us, until_us, signalled_us, int(purse["from_us"])) + int(purse["every_us"])
    most_us = 1 << (_ENTRY_BITS - bits)
    if min(last_us, int(markets["close_us"].max())) - first_us >= most_us:
        raise TooLarge(
            f"a policy can be asked about {len(markets)} markets for {most_us // _YEAR_US} years from "
            "their first quote on: give it fewer, or an earlier end= of quoting"
        )
    return first_us


def _questions(world: World, feeds: I64) -> int:
    """Return how many questions about news of orders can be due at once, for news is under way for a feed."""
    return len(world.markets) * (2 + int(feeds.max() // world.purse["every_us"][0]))


def _intents(sent: Columns) -> pl.DataFrame:
    """Return a policy's orders as a plan's intents would have been."""
    kinds = {each.name: each.dtype for each in INTENT.fields}
    direction, cancels = pl.col("direction"), pl.col("cancels")
    buy, sell, cancel = (pl.lit(each, kinds["action"]) for each in ("buy", "sell", "cancel"))
    yes, no = (pl.lit(each, kinds["side"]) for each in ("yes", "no"))
    return pl.DataFrame(sent).select(
        number="market",
        known_ts=pl.col("sent_us").cast(TIME),
        action=pl.when(direction > 0).then(buy).when(direction < 0).then(sell).otherwise(cancel),
        side=pl.when((direction == 0) & (cancels == TO_LESS)).then(no).otherwise(yes),
        count_centi="count_centi",
        limit_cc=pl.when(direction != 0).then("limit_cc"),
        ttl_us=pl.lit(None, pl.Int64),
        tif=pl.lit("gtc", kinds["tif"]),
        post_only="is_post_only",
        replace=cancels > 0,
        arrival_us="arrival_us",
    )
