"""What the kernels work on: arrays of integer records, and the codes inside them.

Records, because numba compiles a handful of arrays in seconds and dozens in minutes. Nothing here computes,
and numba is not needed to read it.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool]
Records = npt.NDArray[Any]

NEVER: Final = np.iinfo(np.int64).max
DRAWN_FEED: Final = -1
BUCKET_ROWS: Final = 8  # of the tape, on average at least
DOLLAR_CC: Final = 10_000
# |position| and counts stay below this, so that their products with each other and with prices fit int64.
COUNT_MAX_CENTI: Final = 3_000_000_000

TURNS_MIN: Final = 5  # of the taker's side, that a market must have shown before its spread is known

# As in intents.py; NO_SIDE for null.
BUY, SELL, CLOSE, CANCEL = range(4)
YES, NO, NO_SIDE = range(3)
IOC, FOK, GTC = 0, 1, 2
TRADED, PRINT = 5, 6  # on a tape with trades, besides the ops of warehouse.rebuilding.ops
EXPIRY, WAKE, ARRIVE, ASK = range(4)  # kinds of events in the heap, in their order within one instant
NO_QUEUE, PESSIMISTIC, PROPORTIONAL, FRONT = 0, 1, 2, 3
QUEUES: Final = {"pessimistic": PESSIMISTIC, "proportional": PROPORTIONAL, "front": FRONT}
DISPLAYED, UNSIZED, CROSSED, QUEUED, THROUGH, IMPACT = 0, 1, 2, 3, 4, 5
(FILLED, ZERO_COUNT, NO_MARKET, NOT_OPEN, CLOSED, NO_LIMIT, OFF_GRID) = range(7)
(BOOK_UNKNOWN, NOTHING_HELD, NO_CASH, EVENT_CAP, TOO_LARGE) = range(7, 12)
(BEYOND_LIMIT, NO_SIZE, KILLED, EXPIRED, WOULD_CROSS, CANCELLED, NOTHING_WAITS) = range(12, 19)
(LEG_BEFORE, PAUSED, SERIES_CAP) = range(19, 22)
TO_MORE, TO_LESS = 1, 2  # bits of an order's `cancels`: waiting orders to more YES, to less
REASONS: Final = (
    None,
    "zero count",
    "unknown market",
    "not open",
    "closed",
    "no limit price",
    "off-grid limit",
    "book unknown",
    "nothing held",
    "no cash",
    "event cap",
    "too large",
    "beyond limit",
    "no size left",
    "fill or kill",
    "expired",
    "post only",
    "cancelled",
    "nothing waits",
    "leg before unfilled",
    "paused",
    "series cap",
)


Law = tuple[int, int, int, int, int]  # num, den, quantum, unit, has_rebate


def _record(*fields: str) -> "np.dtype[np.void]":
    """Return a record type from "name" (int64) or "name:i4" fields."""
    pairs = [(name, kind or "i8") for name, _, kind in (field.partition(":") for field in fields)]
    return np.dtype(pairs, align=True)


# One row of the tape, market by market in order of time. Bid and ask are the top of the book after it: 0 and
# 10_000 where a side is empty, the last known ones while the book is unknown. `is_live`: last row of its
# instant, and the book is known and not crossed. Of a quote: whether what we took of a side is back with it,
# and whether it is none, but where nobody knows any more.
TOP: Final = _record(
    *("ts_us", "bid_cc:i2", "ask_cc:i2"), *("is_live:i1", "is_new_bid:i1", "is_new_ask:i1", "is_unknown:i1")
)
PRICE_UNKNOWN: Final = -1  # the bid of a quote that is none
# The same row of a quote: sizes; SIZE_UNKNOWN where nobody knows, SIZE_OF_CLOSE where nobody can, for it is a
# candle's close; of more than SIZE_MAX_CENTI, that much.
SIZE: Final = _record("bid_size:u4", "ask_size:u4")
SIZE_UNKNOWN: Final = 2**32 - 1
SIZE_OF_CLOSE: Final = 2**32 - 2
SIZE_MAX_CENTI: Final = 2**32 - 3
OF_A_CLOSE: Final = -2  # how a size says so before it is on the tape
# A trade at a price of YES; `is_bought`: the taker acquired YES.
DEAL: Final = _record("ts_us", "cc:i2", "is_bought:i1")
# How far the rows of one market have got: the next one, when the last was received, whether any came late.
SHELF: Final = _record("row", "received_us", "is_mixed_up")
# The same row of a book: op, the level it is about, and a change (DELTA; TRADED where a trade made it), a
# size (SET), or the contracts of a trade that no change shows (PRINT).
CHANGE: Final = _record("amount", "level:i4", "op:i1")
# A displayed level in YES prices. A market's levels are its bids, best first, then its asks, best first.
# `used`: what we took of it, last at `taken_us`.
LEVEL: Final = _record("cc", "size", "used", "taken_us")
MARKET: Final = _record(
    *("first_row", "end_row", "first_level", "split_level", "end_level"),  # in the tape; bids end at split
    *("event", "series", "first_fee", "end_fee", "waiver_us", "quantum", "slippage"),
    *("first_grid", "end_grid", "first_pause", "end_pause"),
    *("open_us", "close_us"),
    "row",  # how far the book has got
    "position",  # signed YES
    *("paid_for", "value_cc"),  # once it is settled: what the position was, and at what it paid
    "basis",  # what the position cost, at average cost
    "spent",  # purchases + fees - sales
    "is_known",  # the book at `row`
    *("print_row", "print_used"),  # the last trade that filled us, and how much of it
    "was_traded",
    "waiting",  # the last order that began to wait here, -1 before any; the others follow in `next`
    "is_closing",  # their end at the close is planned
    *("asked_us", "news_us", "seen_row"),  # of a policy: see quoting.py
    *("trade_us", "trade_cc", "trade_centi", "trade_way"),  # the last trade that it knows of; way 0: none
    *("told_position", "bid_order", "ask_order", "sent_us"),
    # What it knows that these lost for want of cash, and when it hears of more; NEVER: not yet said.
    *("bid_cut", "bid_cut_us", "ask_cut", "ask_cut_us"),
    *("bid_level", "ask_level"),  # where the known best prices stand among the levels, or stood
    *("first_signal", "end_signal", "signal"),  # those about it, and the last known one or the one before all
)
# Direction is +1 to more YES, -1 to less, 0 to none, or for a cancellation; limits are YES prices; `waiting`:
# what it still wants.
ORDER: Final = _record(
    "arrival_us",
    "expiry_us",  # when it ends at the latest; once it is over and has waited, when that was
    *("count_centi", "filled", "waiting", "reserved", "accumulated"),
    "dropped",  # what it lost for want of cash while it waited
    *("ahead", "shown", "fresh", "level:i4"),  # in the queue: see queue.py
    "seen_row:i4",  # of a plan's, where on the tape it arrives; of one in a queue, up to where that is known
    *("sent_us", "ended_us", "told_filled"),  # of a policy's; ended_us: when it hears that it is over, or 0
    *("market:i4", "limit_cc:i4"),
    "next:i4",  # the next order that may wait in this market, -1 after the last
    "after:i4",  # 1 + the order that is the leg before; 0 for all that is sent whatever others got
    *("direction:i1", "tif:i1", "reason:i1", "is_resting:i1", "is_post_only:i1"),
    "is_cut:i1",  # it ends because trading resumes after a pause
    "cancels:i1",  # see TO_MORE
)
EVENT: Final = _record("ts", "key", "order")  # see heap.py
# A market's time from its first row on in `n` parts of 2^shift microseconds: the rows at which they begin,
# and where the last one ends, stand in `World.starts` from `first` on.
BUCKETS: Final = _record("first_us", "shift", "first", "n")
SEARCH: Final = _record("low", "length", "until_us")  # see seeking.py
GRID: Final = _record("from_us", "grid")
# The pauses of the exchange come first, then those of the markets.
PAUSE: Final = _record("from_us", "until_us", "is_cancelling")
PAYOUT: Final = _record("settle_us", "market", "value_cc", "number")  # in order; numbers above 0 correct
# What the positions of one event have cost; if they are netted, what that returned, and what its members have
# settled at in sum.
QUESTION: Final = _record("basis", "returned", "value_cc", "is_netted", "first_member", "end_member")
FEE: Final = _record("from_us", "num", "den", "maker_num", "maker_den")
ROUNDING_ROW: Final = _record("from_us", "unit", "has_rebate")
# `cap`, `series_cap`: most that the positions of one event or series may have cost, -1 without a cap.
# `returned`: collateral that netting has given back, at our disposal besides `cash`. `refill_us`: how long
# what we took stays taken; `holds_us`: how long a row of the tape says what is shown.
PURSE: Final = _record(
    *(
        "cash",
        "reserved",
        "locked",
        "returned",
        "cap",
        "series_cap",
        "is_book",
        "queue",
        "refill_us",
        "holds_us",
        "n_halts",
    ),
    *("n_fills", "n_active", "n_settled", "n_equity", "n_heap", "has_hole"),
    *("next_order", "next_payout", "next_mark"),  # where the clock stands
    # Equity: the instant that awaits a row or -1, the one that the next row was written for, the last row's,
    # and the least distance.
    *("dirty_us", "noted_us", "marked_us", "step_us"),
    *("n_planned", "n_sought", "n_orders"),  # orders known before the clock starts, found by it, and all
    *("every_us", "from_us", "until_us", "n_told", "is_maker"),  # of a policy; every_us: 0 without
    *("feed_us", "heard_us"),  # DRAWN_FEED or one for all; when it hears of the last message about its orders
    *("clock_us", "asked_us", "quiet_us"),  # last instant and question; what is not in the heap comes then
    *("agenda_us", "agenda_bits"),  # see agenda.py
    "locked_max",  # most that was locked at the end of any instant
    *("tied", "tied_us"),  # what is locked, and since when
    *("lock_high", "lock_middle", "lock_low"),  # dollar-seconds locked: high + middle / 10^6 + low / 10^12
)
FILL: Final = _record(
    *("fill_us", "count_centi", "cash_micros", "fee_micros", "position_after_centi"),
    "heard_us",  # when a policy hears of it; undefined for plans
    *("order_id:i4", "yes_price_cc:i4", "evidence:i1", "is_taker:i1"),
)
SETTLEMENT: Final = _record(
    "market", "settled_us", "position_centi", "value_cc", "payout_micros", "cost_micros", "payout"
)
MOVE: Final = _record("market", "ts", "position")  # what is held of a market from then on
EQUITY: Final = _record("ts", "cash_micros", "marked_micros", "locked_micros", "returned_micros")
# What a policy sees: sizes in hundredths, prices of YES, 0 (bids) or 10_000 (asks) where a side is empty.
VIEW: Final = _record(
    *("ts_us", "changed_us", "bid_cc", "bid_centi", "ask_cc", "ask_centi"),
    *("trade_us", "trade_cc", "trade_centi", "trade_way"),
    *("position_centi", "my_bid_cc", "my_bid_centi", "my_ask_cc", "my_ask_centi"),
)
# What it sees of the displayed levels, if it asked for any: arrays of as many numbers, best first.
LEVELS_SEEN: Final = ("bid_prices_cc", "bid_counts_centi", "ask_prices_cc", "ask_counts_centi")
# When a policy hears of a row of the tape, or of a signal.
HEARD: Final = _record("ts_us")
NO_SIGNAL: Final = np.dtype([("no signal", "f8")])  # what one would say if a policy had any
# A question to a policy: the addresses of a VIEW, of its parameters, of its memory (`width` numbers a market)
# and of room for as much, and of its signals; the market; which of the signals it knows; and the answer.
ASKED: Final = _record(
    *("at", "params", "memory", "kept", "width", "signals", "market", "signal"),
    *("bid_cc", "bid_centi", "ask_cc", "ask_centi"),
)


class World(NamedTuple):
    """One parameter row's world: the shared tape and venue, its own markets, levels, orders and purse."""

    tops: Records
    buckets: Records  # of each market: see buckets.py
    starts: I32
    sought: Records  # room for as many searches at once
    sizes: Records  # of quotes
    changes: Records  # of books
    levels: Records
    markets: Records
    orders: Records
    heap: Records  # see heap.py; with room for two events of every order, and for news of a policy's orders
    agenda: I64  # see agenda.py; of length two without a policy
    events: Records
    series: I64  # cost of what is held, by series
    members: I64  # markets of netted events, event by event
    fees: Records
    rounding: Records
    slipped: I32  # (2: up, down; grids; 10_001): a price some ticks worse, 0 where there is none
    reach: I64  # (slippages; 10_001 centicents): contracts without a recorded size that trade no worse
    payouts: Records
    pauses: Records
    grids: Records
    grid_us: I64  # when equity is marked besides after fills and settlements
    settled: Records
    purse: Records  # of length one
    kept: Records  # room for the levels of any market
    seen: I64  # sizes of levels as a policy knows them
    at: Records  # of length one: what it is asked about
    depth: I64  # LEVELS_SEEN, one after the other, as many numbers of each
    snapped: I32  # (2: down, up; grids; 10_001): the price itself if a limit may stand there, else the next
    latencies: I64  # to draw from for a policy's orders
    signals: Records  # of a policy, market by market, or all of them of every market
    feeds: I64  # how long news is under way to a policy: one length, or drawn ones, by microsecond
    heard: Records  # of each row of the tape, with a DRAWN_FEED
