"""Columns of what streams: trades, candles, books, quotes.

Source: KALSHI.md §5.4-§5.6, §7 and §10 (OpenAPI 3.34.0, read 2026-10-09).
"""

from typing import Final

import dataframely as dy
import polars as pl

from warehouse.columns import (
    SECONDS,
    Sourced,
    contracts,
    duration_us,
    flag,
    long_id,
    moment,
    name,
    names,
    price,
    prices,
    sizes,
    text,
    whole,
)


class Trades(Sourced):
    """The public tape."""

    trade_id = long_id("Kalshi's id; unique for ever.")
    ticker = name("The market.")
    event_ts = moment("When it was executed.")
    yes_price_cc = price("YES price; the NO price is 10_000 minus this.")
    count_centi = contracts("Contracts traded.", least=1)
    taker_side = text("The outcome that the taker acquired: yes or no.", regex="^(yes|no)$")
    is_block_trade = flag("Negotiated off the book; empty where the source does not say.")


class Candles(Sourced):
    """Bars of quotes and trades; an empty side of the book (0 or $1) is null, not a price."""

    ticker = name("The market.")
    period_s = dy.Int32(
        description="Length of the bar: 60, 3600 or 86400.", min=1, metadata={"unit": SECONDS}
    )
    end_ts = moment("End of the bar; daily bars end at midnight US Eastern.")
    yes_bid_open_cc = price("Best YES bid at the start.", nullable=True)
    yes_bid_high_cc = price("Highest best YES bid.", nullable=True)
    yes_bid_low_cc = price("Lowest best YES bid.", nullable=True)
    yes_bid_close_cc = price("Best YES bid at the end.", nullable=True)
    yes_ask_open_cc = price("Best YES ask at the start.", nullable=True)
    yes_ask_high_cc = price("Highest best YES ask.", nullable=True)
    yes_ask_low_cc = price("Lowest best YES ask.", nullable=True)
    yes_ask_close_cc = price("Best YES ask at the end.", nullable=True)
    price_open_cc = price("First YES trade.", nullable=True)
    price_high_cc = price("Highest YES trade.", nullable=True)
    price_low_cc = price("Lowest YES trade.", nullable=True)
    price_close_cc = price("Last YES trade.", nullable=True)
    price_mean_cc = price("Mean of the YES trades, as Kalshi computes it.", nullable=True)
    price_previous_cc = price("Last YES trade before the bar.", nullable=True)
    volume_centi = contracts("Contracts traded in the bar.", least=0)
    open_interest_centi = contracts("Contracts open at the end.", nullable=True)


class BookSnapshots(Sourced):
    """Order books, one row each; an empty book is an observation too."""

    ticker = name("The market.")
    session = name("One connection or one poller; sequence numbers mean something only inside it.")
    captured_ts = moment("When we had it, by the recorder's clock.")
    sid = whole(
        "Subscription id that Kalshi gave; in polls a number for the market; 0 for imports without.",
        nullable=True,
    )
    seq = whole(
        "Sequence number inside the sid; in polls the number of the poll; the file's line in imports.",
        nullable=True,
    )
    yes_prices_cc = prices("Prices of YES bids, ascending.")
    yes_counts_centi = sizes("Contracts resting at each YES price.")
    no_prices_cc = prices("Prices of NO bids in NO prices, ascending.")
    no_counts_centi = sizes("Contracts resting at each NO price.")
    method = text("ws, rest, or import: a recording that others made.", regex="^(ws|rest|import)$")
    depth = whole(
        "How many levels a side were recorded, best first; empty: all. Limited, it is not the book.",
        nullable=True,
        least=1,
    )
    latency_us = duration_us(
        "From sending the poll to its answer, in which the book was so at some instant; empty for others.",
        nullable=True,
    )

    @dy.rule()
    def yes_lists_match(cls) -> pl.Expr:  # noqa: N805 -- dataframely hands the schema in
        """Each YES price has one count."""
        return pl.col("yes_prices_cc").list.len() == pl.col("yes_counts_centi").list.len()

    @dy.rule()
    def no_lists_match(cls) -> pl.Expr:  # noqa: N805 -- dataframely hands the schema in
        """Each NO price has one count."""
        return pl.col("no_prices_cc").list.len() == pl.col("no_counts_centi").list.len()

    @dy.rule()
    def yes_prices_ascend(cls) -> pl.Expr:  # noqa: N805 -- dataframely hands the schema in
        """No YES price comes twice or out of order."""
        return pl.col("yes_prices_cc").list.diff(null_behavior="drop").list.min().fill_null(1) > 0

    @dy.rule()
    def no_prices_ascend(cls) -> pl.Expr:  # noqa: N805 -- dataframely hands the schema in
        """No NO price comes twice or out of order."""
        return pl.col("no_prices_cc").list.diff(null_behavior="drop").list.min().fill_null(1) > 0


class BookDeltas(Sourced):
    """Changes of order books as they were received."""

    session = name("One connection; sequence numbers mean something only inside it.")
    sid = whole("Subscription id that Kalshi gave; 0 for imports that have none.")
    seq = whole("Sequence number inside the sid, one counter for all its markets; else the file's line.")
    ticker = name("The market.")
    side = text("Which side's bids changed: yes or no.", regex="^(yes|no)$")
    price_cc = price("The level, in the side's own prices.")
    delta_centi = contracts("Signed change of the contracts resting there.")
    event_ts = moment("When the exchange says it happened.")
    received_ts = moment(
        "When we received it, by the recorder's clock; event_ts where one time was recorded."
    )


class Quotes(Sourced):
    """Best bid and ask over time."""

    ticker = name("The market.")
    session = name("One connection, poller or import.")
    event_ts = moment("When the exchange says it happened.")
    received_ts = moment("When we received it; empty where only one time was recorded.", nullable=True)
    bid_cc = price("Best YES bid; empty when there is none.", nullable=True)
    bid_size_centi = contracts("Contracts at the bid; empty where unknown.", nullable=True)
    ask_cc = price("Best YES ask; empty when there is none.", nullable=True)
    ask_size_centi = contracts("Contracts at the ask; empty where unknown.", nullable=True)
    last_price_cc = price("Last YES trade.", nullable=True)
    volume_centi = contracts("Contracts traded so far.", nullable=True)
    open_interest_centi = contracts("Contracts open.", nullable=True)


# Causes of gaps in a stream that goes on; all others end a session, or what it told of some markets.
BREAKS: Final = ("hole", "no_snapshot", "bad_frame", "missed_poll")
# Ends that may be no more than where a recording, or the part of one that was read, stopped.
PASSING_ENDS: Final = ("session_end", "killed")
_ENDS: Final = (*PASSING_ENDS, "stalled", "overflow", "channel_error", "unsubscribed")


class BookGaps(Sourced):
    """Where a stream of books broke and what it blinds."""

    session = name("The connection that broke.")
    sid = whole("The subscription whose numbers have a hole; in polls the market's number.")
    from_seq = whole("First number missing; at the end of a session the last number plus one.")
    to_seq = whole("Last number missing; empty at the end of a session.", nullable=True)
    tickers = names("Markets whose books are unknown in the gap.", nullable=False)
    from_ts = moment("Since when the books are unknown: the last thing received before.")
    until_ts = moment("Until when; empty when nothing ever repaired it.", nullable=True)
    cause = text(
        "hole, bad_frame, no_snapshot or missed_poll (it failed, or nobody asked); or how the session ended: "
        "session_end (closed, or lost), stalled, overflow or channel_error (the exchange ended the "
        "subscription), killed (the recorder was), unsubscribed (of these markets only).",
        regex=f"^({'|'.join((*BREAKS, *_ENDS))})$",
    )
    is_recovered = flag("A later snapshot of the same session made the books known again.", nullable=False)
