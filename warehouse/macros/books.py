"""Whole books, rebuilt in SQL as `warehouse.books` rebuilds them."""

from typing import Final

from warehouse.macros.declaring import Macro, given
from warehouse.tape_schemas import PASSING_ENDS
from warehouse.views import YES_PRICE_CC, contracts, dollars

# A row is known once all rows before it in its stream are: before the first that is not (`late_seq`). A gap
# begins once what came before it is past (`reached_seq`). A level that fell below zero counts from zero
# again.
_BOOK_AT: Final = f"""
    with {given("ticker, ts")}, mine as (
        select d.session, d.sid, d.seq, d.side, d.price_cc, d.delta_centi as count_centi,
            greatest(d.event_ts, d.received_ts) as known_ts
        from raw.book_deltas d join given on given._ticker = d.ticker
    ), whole as (
        select s.* from raw.book_snapshots s join given on given._ticker = s.ticker where s.depth is null
    ), stops as (
        select r.session, r.sid, min(case when r.known_ts > given._ts then r.seq end) as late_seq,
            min(case when r.known_ts >= given._ts then r.seq end) as reached_seq
        from (select m.session, m.sid, m.seq, m.known_ts from mine m
            union all
            select w.session, w.sid, w.seq, w.captured_ts from whole w where w.sid is not null) r
        cross join given
        group by r.session, r.sid
    ), gaps as (
        select g.* from raw.book_gaps g cross join given
        where list_contains(g.tickers, given._ticker) and g.from_ts < given._ts
    ), heard as (
        select g.session, g.sid, g.from_seq, g.cause,
            min(r.seq) as seq, arg_min(r.known_ts, r.seq) as known_ts
        from gaps g join (
            select d.session, d.sid, d.seq, greatest(d.event_ts, d.received_ts) as known_ts
            from raw.book_deltas d
            union all
            select s.session, s.sid, s.seq, s.captured_ts from raw.book_snapshots s
        ) r on r.session = g.session and r.sid = g.sid and r.seq >= g.from_seq
        where g.cause in {PASSING_ENDS}
        group by all
    ), breaks as (
        select g.session, g.sid, g.from_seq, g.from_ts, g.cause, coalesce(g.until_ts, h.known_ts) as until_ts
        from gaps g left join heard h
            on h.session = g.session and h.sid = g.sid and h.from_seq = g.from_seq and h.cause = g.cause
        where h.seq is distinct from g.from_seq
    ), blind as (
        select b.session
        from breaks b cross join given left join stops t on t.session = b.session and t.sid = b.sid
        where (b.until_ts is null or b.until_ts > given._ts) and coalesce(t.reached_seq >= b.from_seq, true)
    ), bases as (
        select w.* from whole w cross join given left join stops t on t.session = w.session and t.sid = w.sid
        where w.captured_ts <= given._ts and coalesce(w.seq < t.late_seq, true)
        qualify row_number() over (partition by w.session
            order by coalesce(w.sid, -1) desc, coalesce(w.seq, -1) desc, w.captured_ts desc) = 1
    ), base as (
        select b.* from bases b
        where b.session not in (select x.session from blind x)
            and (b.method <> 'rest' or b.captured_ts > coalesce((
                select max(k.from_ts) from breaks k where k.cause <> 'no_snapshot'
                    and k.session not in (select w.session from whole w where w.method = 'rest')
            ), '-infinity'::timestamptz))
        order by b.method = 'rest', b.captured_ts desc, b.session desc limit 1
    ), resting as (
        select 'yes' as side, unnest(yes_prices_cc) as price_cc, unnest(yes_counts_centi) as count_centi,
            cast(-1 as bigint) as seq
        from base
        union all
        select 'no', unnest(no_prices_cc), unnest(no_counts_centi), -1 from base
        union all
        select m.side, m.price_cc, m.count_centi, m.seq
        from mine m join base b on m.session = b.session and m.sid = b.sid and m.seq > b.seq
        left join stops t on t.session = m.session and t.sid = m.sid
        where coalesce(m.seq < t.late_seq, true)
    ), running as (
        select r.side, r.price_cc, r.seq, sum(r.count_centi) over (
            partition by r.side, r.price_cc order by r.seq rows unbounded preceding) as count_centi
        from resting r
    ), levels as (
        select r.side, r.price_cc, arg_max(r.count_centi, r.seq) - least(0, min(r.count_centi)) as count_centi
        from running r group by r.side, r.price_cc having count_centi > 0
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
