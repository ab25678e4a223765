"""Checks of the tape of trades by itself: each trade once, from the tier and the source that it says."""

from typing import Final

from warehouse.checks.declaring import KIND, Check, Class, utc
from warehouse.tables import TRADES

_STREAK: Final = 8
# A window's rows say when its reading began. Within so long it is over: what is asked later is read later.
_LONGEST: Final = "1 hour"

_TRADE_IDS: Final = """
    with twice as (
        select hash(trade_id) as mark from raw.trades group by mark having count(*) > 1
    ), rows_of as (
        select trade_id, count(*) as n, min(date) as first_date, max(date) as last_date,
               count(distinct source) as n_sources,
               count(distinct (ticker, event_ts, yes_price_cc, count_centi, taker_side)) as n_contents
        from raw.trades where hash(trade_id) in (from twice) group by trade_id having count(*) > 1
    )
    select 'flagged' as class, n, trade_id as place, 'one row' as expected,
           printf('%d rows from %d sources, %d different, on %s to %s', n, n_sources, n_contents,
                  first_date::varchar, last_date::varchar) as found
    from rows_of
    union all
    select 'ok', count(*) - (select coalesce(sum(n), 0) from rows_of)::bigint, null, null, null
    from raw.trades"""

_REPEATED: Final = f"""
    with trades as (
        select ticker, event_ts, yes_price_cc, count_centi, taker_side
        from raw.trades where date between getvariable('first') and getvariable('last')
    ), suspects as (
        select ticker
        from (
            select any_value(ticker) as ticker from trades
            group by hash(ticker, event_ts, yes_price_cc, count_centi, taker_side) having count(*) % 2 = 0
        )
        group by ticker having count(*) >= {_STREAK}
    ), instants as (
        select ticker, event_ts, bool_and(times % 2 = 0) as is_double, sum(times) as n
        from (
            select ticker, event_ts, yes_price_cc, count_centi, taker_side, count(*) as times
            from trades where ticker in (from suspects) group by all
        )
        group by ticker, event_ts
    ), runs as (
        select *, row_number() over (partition by ticker order by event_ts)
                - row_number() over (partition by ticker, is_double order by event_ts) as run
        from instants
    ), streaks as (
        select ticker, is_double, min(event_ts) as from_ts, max(event_ts) as to_ts,
               count(*) as n_instants, sum(n)::bigint as n
        from runs group by ticker, is_double, run
    )
    select class, sum(n)::bigint as n, case when class <> 'ok' then ticker end as place,
           'every execution once' as expected,
           printf('each trade an even number of times in %d successive instants from %s on',
                  max(n_instants), {utc("min(from_ts)")}) as found
    from (
        select *, if(is_double and n_instants >= {_STREAK}, 'flagged', 'ok') as class from streaks
    )
    group by class, place
    union all
    select 'ok', count(*), null, null, null from trades where ticker not in (from suspects)"""

_TIERS: Final = f"""
    with live as (
        select fetched_ts, min(event_ts) as oldest_ts
        from raw.trades where source = 'rest' group by fetched_ts
    ), floors as (
        select fetched_ts, min(oldest_ts) over (
            order by fetched_ts rows between current row and unbounded following
        ) as oldest_ts
        from live
    ), readings as (
        select a.fetched_ts, least(l.oldest_ts, f.oldest_ts) as oldest_ts
        from (select distinct fetched_ts from raw.trades where source = 'historical') a
        left join live l on l.fetched_ts = a.fetched_ts
        asof left join floors f on f.fetched_ts >= a.fetched_ts + interval '{_LONGEST}'
    ), archived as (
        select t.ticker, t.event_ts, r.oldest_ts
        from raw.trades t left join readings r on r.fetched_ts = t.fetched_ts
        where t.source = 'historical'
    )
    select class, count(*) as n,
           case when class <> 'ok' then ticker end as place,
           printf('from the live tier, which still had %s', {utc("min(oldest_ts)")}) as expected,
           printf('%s, said to be from the archive', {utc("max(event_ts)")}) as found
    from (select *, if(oldest_ts < event_ts, 'flagged', 'ok') as class from archived)
    group by class, place"""

_ONE_SOURCE: Final = f"""
    with told as (
        select ticker, date, count(distinct {KIND}) as n_kinds,
               list(distinct source order by source) as sources
        from raw.trades_all group by ticker, date
    ), mixed as (
        select ticker, date from raw.trades group by ticker, date having count(distinct {KIND}) > 1
    ), unread as (
        select a.ticker, a.date, count(distinct a.trade_id) as n
        from raw.trades_all a semi join (from told where n_kinds > 1) d using (ticker, date)
        where a.trade_id not in (
            select t.trade_id from raw.trades t semi join (from told where n_kinds > 1) d using (ticker)
        )
        group by a.ticker, a.date
    )
    select case
             when m.ticker is not null then 'flagged'
             when n_kinds = 1 then 'ok'
             when u.n > 0 then 'flagged'
             else 'passed_over'
           end as class,
           1 as n, ticker || ' ' || date::varchar as place,
           'all its trades from the one source that is read' as expected,
           printf('%s; %d trades are told by another source only', array_to_string(sources, ', '),
                  coalesce(u.n, 0)) as found
    from told left join mixed m using (ticker, date) left join unread u using (ticker, date)"""

TAPE_CHECKS: Final[tuple[Check, ...]] = (
    Check(
        name="trade_ids",
        sentence="A trade_id is there once, in whatever day and from whatever source.",
        things="trades",
        sql=_TRADE_IDS,
        advice="Two rows tell one trade differently; keep what the exchange tells now.",
    ),
    Check(
        name="trades_once",
        sentence=(
            f"No market has {_STREAK} instants in a row at which each trade is there an even number of times."
        ),
        things="trades",
        sql=_REPEATED,
        by_date_of=TRADES,
        advice="A stretch was brought in twice under other ids; see `source` and `fetched_ts` of its rows.",
    ),
    Check(
        name="trade_tiers",
        sentence=(
            "What came from the archive is older than all that the live tier showed in the same reading, and "
            "in those that began an hour later or more."
        ),
        things="archived trades",
        sql=_TIERS,
        advice="The tier of these rows is wrong, or the live tier was read after the archive.",
    ),
    Check(
        name="trade_sources",
        sentence="A day of a market is read from one kind of source, which lacks nothing that others tell.",
        things="market days",
        sql=_ONE_SOURCE,
        explained=(
            Class(
                name="passed_over", sentence="Several sources tell the day; the one that is read has it all."
            ),
        ),
        advice="Each source has a part of the day: pull all of it from the exchange, which then is read.",
    ),
)
