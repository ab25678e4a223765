"""Checks of trades against what their markets tell: volume, hours, price grid."""

from typing import Final

from warehouse.checks.declaring import (
    BLOCK,
    COMBO,
    KIND,
    LATE,
    NOT_COVERED,
    NOT_LISTED,
    STALE_TERMS,
    Check,
    Class,
    contracts,
    dollars,
    utc,
)

# The first fractional market, and some days after all were (KALSHI.md §13: changelog 2026-03-09, 04-17).
_FRACTIONS_FROM: Final = "timestamptz '2026-03-09 00:00:00+00'"
_FRACTIONS_UNTIL: Final = "timestamptz '2026-04-20 00:00:00+00'"

_VOLUME: Final = f"""
    with traded as (
        select ticker, sum(count_centi)::bigint as sum_centi, count(*) as n_trades,
               coalesce(sum(count_centi) filter (where is_block_trade), 0)::bigint as block_centi,
               bool_and(count_centi % 100 = 0) as is_whole, bool_or({KIND} <> 'exchange') as is_import,
               min(event_ts) as first_ts, max(event_ts) as last_ts
        from raw.trades group by ticker
    ), compared as (
        select m.ticker, m.series_ticker, m.event_ticker, m.last_close_ts, m.volume_centi,
               coalesce(t.sum_centi, 0) as sum_centi, coalesce(t.block_centi, 0) as block_centi,
               w.ticker is not null as is_whole_life,
               coalesce(t.is_import, false)
                   or {KIND.replace("source", "m.source")} <> 'exchange' as is_import,
               coalesce(t.is_whole and t.is_import and t.first_ts < {_FRACTIONS_UNTIL}
                   and t.last_ts >= {_FRACTIONS_FROM}
                   and abs(m.volume_centi - t.sum_centi) < 100 * t.n_trades, false) as is_rounded
        from facts.markets m left join traded t using (ticker) left join facts.whole w using (ticker)
        where m.status = 'finalized' and m.volume_centi is not null
    ), asked as (
        select c.ticker, max(w.asked_ts) as asked_ts
        from compared c join raw.windows w
          on w.scope in ('all', 'all+combos', 'series:' || c.series_ticker, 'event:' || c.event_ticker,
                         'ticker:' || c.ticker)
         and w.start_ts <= c.last_close_ts and w.end_ts > c.last_close_ts
        where w.resource = 'trades' and w.status = 'complete' and c.sum_centi <> c.volume_centi
        group by c.ticker
    )
    select case
             when sum_centi = volume_centi then 'ok'
             when sum_centi - block_centi = volume_centi then 'block'
             when is_rounded then 'fractional_migration'
             when not is_whole_life and (sum_centi < volume_centi or is_import) then 'not_covered'
             when sum_centi < volume_centi and a.asked_ts < c.last_close_ts + interval 1 hour then 'late'
             else 'flagged'
           end as class,
           1 as n, c.ticker as place, {contracts("volume_centi")} as expected,
           {contracts("sum_centi")} as found
    from compared c left join asked a using (ticker)"""

_KNOWN_MARKETS: Final = f"""
    with traded as (
        select ticker, count(*) as n, min(event_ts) as first_ts, max(event_ts) as last_ts
        from raw.trades group by ticker
    ), listed as (
        select scope, asked_ts from facts.listings where resource = 'markets'
    )
    select case
             when m.ticker is not null then 'ok'
             when starts_with(t.ticker, 'KXMVE') then 'combo'
             when l.asked_ts is null or l.asked_ts < t.first_ts + interval 1 hour then 'not_listed'
             else 'flagged'
           end as class,
           t.n, t.ticker as place, 'a market of this name' as expected,
           printf('%d trades from %s on', t.n, {utc("t.first_ts")}) as found
    from traded t left join facts.markets m using (ticker)
    left join (select max(asked_ts) as asked_ts from listed where scope in ('all', 'all+combos')) l on true"""

_HOURS: Final = f"""
    with hours as (
        select ticker, observed_ts, first_open_ts, last_close_ts,
               first_open_ts - interval 1 second as from_ts, last_close_ts + interval 1 minute as until_ts
        from facts.markets
    ), traded as (
        select t.*, h.* exclude (ticker), t.first_ts >= h.from_ts and t.last_ts < h.until_ts as is_inside
        from (
            select ticker, count(*) as n, min(event_ts) as first_ts, max(event_ts) as last_ts
            from raw.trades group by ticker
        ) t join hours h using (ticker)
    ), looked as (
        select t.ticker, t.event_ts, h.first_open_ts, h.last_close_ts,
               case
                 when t.event_ts >= h.from_ts and t.event_ts < h.until_ts then 'ok'
                 when t.event_ts >= h.observed_ts then 'stale_terms'
                 when t.is_block_trade then 'block'
                 else 'flagged'
               end as class
        from raw.trades t join (from traded where not is_inside) h using (ticker)
    )
    select 'ok' as class, sum(n)::bigint as n, null as place, null as expected, null as found
    from traded where is_inside
    union all
    select class, count(*), case when class <> 'ok' then ticker end as place,
           printf('between %s and a minute after %s', {utc("any_value(first_open_ts)")},
                  {utc("any_value(last_close_ts)")}),
           printf('at %s', {utc("min(event_ts)")})
    from looked group by class, place"""

_GRID: Final = f"""
    with states as (
        select ticker, observed_ts, price_ranges from raw.markets where price_ranges is not null
        qualify price_ranges is distinct from lag(price_ranges) over (
            partition by ticker order by observed_ts)
    ), grids as (
        select ticker, unnest(price_ranges) as band, count(*) over (partition by ticker) as n_grids,
               lag(observed_ts) over states_of as after_ts, lead(observed_ts) over states_of as before_ts
        from states window states_of as (partition by ticker order by observed_ts)
    ), priced as (
        select t.ticker, t.yes_price_cc, coalesce(t.is_block_trade, false) as is_block,
               t.event_ts >= m.observed_ts as is_later, case when g.n_grids > 1 then t.event_ts end as at_ts,
               count(*) as n, min(t.event_ts) as first_ts
        from raw.trades t join facts.markets m using (ticker)
        join (select ticker, any_value(n_grids) as n_grids from grids group by ticker) g using (ticker)
        group by all
    ), judged as (
        select p.ticker, p.yes_price_cc, p.is_block, p.is_later, p.n, p.first_ts,
               p.yes_price_cc between 1 and 9999 and bool_or(
                   p.yes_price_cc between g.band.start_cc and g.band.end_cc
                   and (p.yes_price_cc - g.band.start_cc) % g.band.step_cc = 0
                   and (p.at_ts is null or (coalesce(p.at_ts > g.after_ts, true)
                        and coalesce(p.at_ts < g.before_ts, true)))
               ) as is_on
        from priced p join grids g using (ticker)
        group by p.ticker, p.yes_price_cc, p.is_block, p.is_later, p.n, p.first_ts, p.at_ts
    )
    select class, sum(n)::bigint as n, case when class <> 'ok' then ticker end as place,
           'a price on the grid of the market then' as expected,
           printf('%s at %s', {dollars("arg_min(yes_price_cc, first_ts)")}, {utc("min(first_ts)")}) as found
    from (
        select *, case when is_on then 'ok' when is_block then 'block' when is_later then 'stale_terms'
                    else 'flagged' end as class
        from judged
    )
    group by class, place"""

TERMS_CHECKS: Final[tuple[Check, ...]] = (
    Check(
        name="volume",
        sentence="The trades of a finalized market add up to the volume that the exchange tells.",
        things="markets",
        sql=_VOLUME,
        needs=("markets", "whole"),
        explained=(
            BLOCK,
            NOT_COVERED,
            LATE,
            Class(
                name="fractional_migration",
                sentence="Imported whole counts of weeks in which fractions began: each may be rounded.",
            ),
        ),
        advice=(
            "Too few: pull the market's life again, `tapehouse sync trades --ticker TICKER --reread`. "
            "Too many: some trades are there twice; see trades_once and trade_ids."
        ),
    ),
    Check(
        name="trade_markets",
        sentence="Every trade belongs to a market that is listed.",
        things="trades",
        sql=_KNOWN_MARKETS,
        needs=("markets", "listings"),
        explained=(COMBO, NOT_LISTED),
        advice="Ask for it by name: `tapehouse sync markets --ticker TICKER`.",
    ),
    Check(
        name="trade_hours",
        sentence="Trades happen between a market's opening and a minute after its close.",
        things="trades",
        sql=_HOURS,
        needs=("markets",),
        explained=(STALE_TERMS, BLOCK),
        advice="Refresh the market, `tapehouse sync markets --ticker TICKER`; else the times are wrong.",
    ),
    Check(
        name="trade_grid",
        sentence="Trades have prices of the grid that their market had then, inside of $0 and $1.",
        things="trades",
        sql=_GRID,
        needs=("markets",),
        explained=(BLOCK, STALE_TERMS),
        advice="A price that no order can have was read or written wrong: pull the market's day again.",
    ),
)
