"""Whole books, rebuilt in SQL as `warehouse.books` rebuilds them."""

from typing import Final

from warehouse.macros.declaring import Macro, given
from warehouse.tape_schemas import PASSING_ENDS
from warehouse.views import YES_PRICE_CC, contracts, dollars

_BOOK_AT: Final = f"""
    with {given("ticker, ts")}, stream as (
        select d.session, d.sid, d.seq, greatest(d.event_ts, d.received_ts) as known_ts from raw.book_deltas d
        union all
        select s.session, s.sid, s.seq, s.captured_ts from raw.book_snapshots s
    ), blind as (
        select g.session from raw.book_gaps g cross join given
        where list_contains(g.tickers, given._ticker) and g.from_ts < given._ts
          and (g.until_ts is null or g.until_ts > given._ts)
          and not (g.cause in {PASSING_ENDS} and exists (
            from stream r where r.session = g.session and r.sid = g.sid
              and (r.seq = g.from_seq or (r.seq > g.from_seq and r.known_ts <= given._ts))
        ))
    ), base as (
        select s.*
        from raw.book_snapshots s join given on given._ticker = s.ticker
        where s.captured_ts <= given._ts and s.depth is null
          and s.session not in (select b.session from blind b)
        order by s.captured_ts desc limit 1
    ), changes as (
        select d.side, d.price_cc, d.delta_centi as count_centi
        from raw.book_deltas d join base b on d.session = b.session and d.sid = b.sid and d.seq > b.seq
        join given on given._ticker = d.ticker
        where greatest(d.event_ts, d.received_ts) <= given._ts
    ), resting as (
        select 'yes' as side, unnest(yes_prices_cc) as price_cc, unnest(yes_counts_centi) as count_centi
        from base
        union all
        select 'no', unnest(no_prices_cc), unnest(no_counts_centi) from base
        union all
        select * from changes
    ), levels as (
        select side, price_cc, sum(count_centi) as count_centi from resting
        group by all having count_centi > 0
    )
    select
        l.side,
        {dollars("l.price_cc")} as price,
        {dollars(YES_PRICE_CC.format("l"))} as yes_price,
        {contracts("l.count_centi")} as contracts,
        b.session,
        b.captured_ts
    from levels l cross join base b
    order by l.side desc, l.price_cc desc"""

BOOK_AT: Final = Macro(
    name="book_at",
    parameters="ticker, ts",
    sentence=(
        "One market's book as known at ts, a timestamptz; YES bids, then NO bids, best first. No rows: the "
        "book was empty, or unknown (no snapshot yet, or inside book_gaps)."
    ),
    sql=_BOOK_AT,
    comments={
        "side": "Whose bids: yes or no.",
        "price": "The level, in the side's own prices. In dollars.",
        "yes_price": "The level as a YES price: a NO bid at p is a YES ask at $1 minus p. In dollars.",
        "contracts": "Contracts resting there.",
        "session": "The recording that tells.",
        "captured_ts": "When that recording's snapshot was taken from which the book is rebuilt.",
    },
)
