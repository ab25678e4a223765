"""Best quotes as they became known: the rows that `Lake.tops` has, as SQL for macros to build on."""

from typing import Final

from exchange.units import DOLLAR_CC
from warehouse.macros.declaring import PRICE_CEILING_CC, PRICE_FLOOR_CC, utc_date
from warehouse.tape_schemas import BREAKS
from warehouse.tops import FROM_CANDLES

# How candles' closes are named beside the sessions of recorders, as in warehouse.tops.
_SESSION: Final = f"concat('{FROM_CANDLES}_', c.period_s)"
_KNOWN: Final = "greatest(q.event_ts, q.received_ts)"
_PERIOD: Final = "range between to_seconds(u.period_s) - interval 1 microsecond preceding and current row"


def _side(price: str, size: str | None = None) -> str:
    filled = f" and {size} is distinct from 0" if size else ""
    return f"case when {price} between {PRICE_FLOOR_CC} and {PRICE_CEILING_CC}{filled} then {price} end"


def _tops() -> str:
    """Return CTEs that end in `tops`: every best quote of the markets in the CTE `asked`, known by then.

    `asked` has one row for each ticker, with `at_ts`: no row known later is looked at, so that what comes
    out is what would have come out then.

    `tops` has ticker, known_ts, event_ts, session, bid_cc, ask_cc, last_cc, source. Recorded quotes; closes
    of candles that ended outside of every recording of the market (one whose end is not known by then ends
    with its last quote), less those in whose period a shorter one of them ended; and an empty quote (both
    null) where a recording ended and no other one of the market goes on. A side without size, or at $0 or
    $1, is null.
    """
    return f"""
    recorded as (
        select q.ticker, q.session, q.event_ts, {_KNOWN} as known_ts,
            {_side("q.bid_cc", "q.bid_size_centi")} as bid_cc,
            {_side("q.ask_cc", "q.ask_size_centi")} as ask_cc,
            q.last_price_cc as last_cc, q.source
        from raw.quotes q join asked a on a.ticker = q.ticker
        where {_KNOWN} <= a.at_ts and q.date <= {utc_date("a.at_ts")}
    ), bars as (
        select c.ticker, {_SESSION} as session, c.end_ts as event_ts, c.end_ts as known_ts,
            {_side("c.yes_bid_close_cc")} as bid_cc, {_side("c.yes_ask_close_cc")} as ask_cc,
            coalesce(c.price_close_cc, c.price_previous_cc) as last_cc, '{FROM_CANDLES}' as source, c.period_s
        from raw.candles c join asked a on a.ticker = c.ticker
        where c.end_ts <= a.at_ts and c.date <= {utc_date("a.at_ts")}
    ), stops as (
        select g.session, g.ticker, max(g.from_ts) as from_ts
        from (select b.session, unnest(b.tickers) as ticker, b.from_ts from raw.book_gaps b
            where b.cause not in {BREAKS}) g join asked a on a.ticker = g.ticker
        where g.from_ts <= a.at_ts
        group by g.session, g.ticker
    ), spans as (
        select r.ticker, r.session, a.at_ts, min(r.known_ts) as first_ts, min(r.event_ts) as begin_ts,
            greatest(max(s.from_ts), max(r.event_ts)) as until_ts,
            case when count(s.from_ts) > 0 then greatest(max(s.from_ts), max(r.known_ts))
                + interval 1 microsecond end as end_ts
        from recorded r join asked a on a.ticker = r.ticker
        left join stops s on s.session = r.session and s.ticker = r.ticker
        group by r.ticker, r.session, a.at_ts
    ), begun as (
        select p.ticker, p.begin_ts,
            max(p.until_ts) over (partition by p.ticker order by p.begin_ts) as until_ts
        from spans p
    ), shown as (
        select u.* exclude (period_s) from (
            select b.* from bars b asof left join begun n on n.ticker = b.ticker and n.begin_ts <= b.event_ts
            where coalesce(n.until_ts < b.event_ts, true)) u
        qualify u.period_s = min(u.period_s) over (partition by u.ticker order by u.event_ts {_PERIOD})
        union all select * from recorded
    ), ends as (
        select e.ticker, e.session, e.end_ts as known_ts from spans e
        where e.end_ts <= e.at_ts and not exists (
            select 1 from spans o where o.ticker = e.ticker and o.first_ts <= e.end_ts
                and coalesce(o.end_ts > e.end_ts, true))
    ), tops as (
        select s.ticker, s.known_ts, s.event_ts, s.session, s.bid_cc, s.ask_cc, s.last_cc, s.source
        from shown s
        union all
        select d.ticker, d.known_ts, d.known_ts, d.session, null, null, null, 'session_end' from ends d
    )"""


TOPS: Final = _tops()


def _latest() -> str:
    """Return CTEs that end in `top`: for each asked market the quote that stood at `at_ts`, if any did.

    `top` has ticker, bid_cc, ask_cc, quote_ts (when the quote became known), last_cc (the last price that
    any quote had told), told_ts (when). Markets of which nothing was known have no row. What happened last
    counts: of two recorders one may tell something older later.
    """
    order = "(t.event_ts, t.known_ts, t.session)"
    quote = "struct_pack(bid_cc := t.bid_cc, ask_cc := t.ask_cc, known_ts := t.known_ts)"
    return f"""{TOPS}, newest as (
        select t.ticker, arg_max({quote}, {order}) as quote,
            arg_max(t.last_cc, {order}) filter (where t.last_cc is not null) as last_cc,
            arg_max(t.known_ts, {order}) filter (where t.last_cc is not null) as told_ts
        from tops t
        group by t.ticker
    ), top as (
        select n.ticker, n.quote.bid_cc as bid_cc, n.quote.ask_cc as ask_cc, n.quote.known_ts as quote_ts,
            n.last_cc, n.told_ts
        from newest n
    )"""


_LATEST: Final = _latest()


def _implied() -> str:
    """Return CTEs that end in `implied`: for each asked market what its price said of YES at `at_ts`.

    `implied` has ticker, prob, basis, bid_cc, ask_cc, last_cc, known_ts; markets of which nothing was known
    have nulls.
    """
    return f"""{_LATEST}, printed as (
        select x.ticker, max(x.event_ts) as event_ts,
            arg_max(x.yes_price_cc, (x.event_ts, x.trade_id)) as price_cc
        from raw.trades x join asked a on a.ticker = x.ticker
        where x.event_ts <= a.at_ts and x.date <= {utc_date("a.at_ts")}
            and x.is_block_trade is distinct from true
        group by x.ticker
    ), heard as (
        select a.ticker, k.bid_cc, k.ask_cc, coalesce(k.bid_cc < k.ask_cc, false) as is_two_sided,
            coalesce(p.price_cc, k.last_cc) as last_cc, coalesce(p.event_ts, k.told_ts) as last_ts,
            k.quote_ts
        from asked a left join top k on k.ticker = a.ticker left join printed p on p.ticker = a.ticker
    ), implied as (
        select h.ticker, h.bid_cc, h.ask_cc, h.last_cc,
            case when h.is_two_sided then (h.bid_cc + h.ask_cc) / {2 * DOLLAR_CC}.0
                else h.last_cc / {DOLLAR_CC}.0 end as prob,
            case when h.is_two_sided then 'mid' when h.last_cc is not null then 'last' end as basis,
            case when h.is_two_sided then h.quote_ts else h.last_ts end as known_ts
        from heard h
    )"""


IMPLIED: Final = _implied()
