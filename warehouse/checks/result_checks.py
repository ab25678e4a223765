"""Checks of what markets paid: against their result, over time, and among the markets of one event."""

from typing import Final

from warehouse.checks.declaring import NOT_LISTED, Check, Class, dollars, utc

# `scalar` became a result in January 2026; what was called off before has none (KALSHI.md §9, log of 01-20).
_SCALAR_FROM: Final = "timestamptz '2026-01-20 00:00:00+00'"

_SETTLEMENT: Final = f"""
    with decided as (
        select *, coalesce(result, '') as told, coalesce(notional_value_cc, 10000) as most_cc
        from facts.markets
        where status in ('determined', 'disputed', 'amended', 'finalized') or coalesce(result, '') <> ''
    )
    select case
             when told = 'yes' and settlement_value_cc = most_cc then 'ok'
             when told = 'no' and settlement_value_cc = 0 then 'ok'
             when told = 'scalar' and settlement_value_cc between 0 and most_cc then 'ok'
             when told = '' and coalesce(settlement_ts, close_ts) < {_SCALAR_FROM} then 'void_of_old'
             when told <> '' and settlement_value_cc is null then 'not_told'
             when told = '' and starts_with(source, 'import:') then 'not_told'
             else 'flagged'
           end as class,
           1 as n, ticker as place,
           case told when 'yes' then {dollars("most_cc")} when 'no' then '$0.0000'
                when 'scalar' then 'at most ' || {dollars("most_cc")} else 'a result' end as expected,
           printf('%s, %s pays %s', status, if(told = '', 'no result', told),
                  coalesce({dollars("settlement_value_cc")}, 'nobody knows what')) as found
    from decided"""

_FINAL: Final = f"""
    with states as (
        select ticker, observed_ts, status, coalesce(result, '') as result, settlement_value_cc, close_ts,
               lag(status) over later as was_status, lag(coalesce(result, '')) over later as was_result,
               lag(settlement_value_cc) over later as was_value_cc, lag(close_ts) over later as was_close_ts
        from raw.markets window later as (partition by ticker order by observed_ts)
    ), changed as (
        select *, was_status = 'finalized' and (
                   status is distinct from 'finalized' or result <> was_result
                   or settlement_value_cc is distinct from was_value_cc or close_ts <> was_close_ts
               ) as is_changed
        from states where status = 'finalized' or was_status = 'finalized'
    )
    select class, count(*) as n,
           case when class <> 'ok' then ticker end as place,
           any_value(printf('%s %s, closed %s', was_status, was_result, {utc("was_close_ts")})) as expected,
           any_value(printf('%s %s, closed %s, since %s', status, result, {utc("close_ts")},
               {utc("observed_ts")})) as found
    from (select *, if(coalesce(is_changed, false), 'flagged', 'ok') as class from changed)
    group by class, place"""

_EXCLUSIVE: Final = f"""
    with paid as (
        select event_ticker, count(*) filter (where result = 'yes') as n_yes,
               count(*) filter (where result = 'scalar') as n_scalar,
               sum(settlement_value_cc)::bigint as sum_cc, max(coalesce(notional_value_cc, 10000)) as most_cc,
               bool_and(status = 'finalized') as is_final,
               list(ticker order by ticker) filter (where settlement_value_cc > 0) as payers
        from facts.markets where is_exclusive
        group by event_ticker having count(*) filter (where coalesce(result, '') <> '') > 0
    )
    select case
             when n_yes > 1 then 'flagged'
             when n_scalar > 0 then 'scalar'
             when coalesce(sum_cc, 0) > most_cc then 'flagged'
             when is_final and n_yes = 1 and sum_cc <> most_cc then 'flagged'
             else 'ok'
           end as class,
           1 as n, event_ticker as place,
           'at most one market says yes; together they pay at most $1' as expected,
           printf('%d say yes; %s paid by %s', n_yes, {dollars("coalesce(sum_cc, 0)")},
                  array_to_string(payers[:3], ', ')) as found
    from paid"""

_STALE: Final = f"""
    with asked as (
        select m.ticker, max(l.asked_ts) as asked_ts
        from (
            select ticker, unnest(['all', 'all+combos', 'series:' || series_ticker,
                'event:' || event_ticker, 'ticker:' || ticker]) as scope
            from facts.markets where not is_combo
        ) m
        join facts.listings l on l.resource = 'markets' and l.scope = m.scope
        group by m.ticker
    )
    select case
             when m.status is null or m.status not in ('initialized', 'active', 'inactive')
               or m.close_ts > c.exchange_ts - interval 2 days then 'ok'
             when m.has_vanished then 'vanished'
             when a.asked_ts is null or m.is_combo then 'not_listed'
             else 'flagged'
           end as class,
           1 as n, m.ticker as place, printf('closed, as trading ended %s', {utc("m.close_ts")}) as expected,
           printf('%s, last seen %s', m.status, {utc("m.observed_ts")}) as found
    from facts.markets m left join asked a using (ticker), facts.clock c"""

RESULT_CHECKS: Final[tuple[Check, ...]] = (
    Check(
        name="settlement",
        sentence="Yes pays $1, no pays nothing, scalar something between; what is final has a result.",
        things="decided markets",
        sql=_SETTLEMENT,
        needs=("markets",),
        explained=(
            Class(
                name="void_of_old",
                sentence="Ended before results could be scalar (2026-01-20): called off, without a result.",
            ),
            Class(name="not_told", sentence="The source does not tell what was paid.", is_undecided=True),
        ),
        advice="Refresh the market, `tapehouse sync markets --ticker TICKER`, and look at markets_history.",
    ),
    Check(
        name="final_results",
        sentence="Once a market is finalized, its status, result, payout and close stay as they are.",
        things="states of final markets",
        sql=_FINAL,
        advice="See markets_history: the exchange changed its mind, or a poorer source was laid over.",
    ),
    Check(
        name="exclusive_events",
        sentence="Of an event's mutually exclusive markets at most one says yes, and they pay $1 at most.",
        things="exclusive events with results",
        sql=_EXCLUSIVE,
        needs=("markets",),
        explained=(Class(name="scalar", sentence="Some markets were called off and pay a fair price each."),),
        advice="Refresh the event's markets: `tapehouse sync markets --event EVENT`.",
    ),
    Check(
        name="fresh_markets",
        sentence="No market is said to trade two days after its close, by the newest fact of the lake.",
        things="markets",
        sql=_STALE,
        needs=("markets", "listings", "clock"),
        explained=(
            NOT_LISTED,
            Class(
                name="vanished",
                sentence="Neither tier of the exchange knows it any more: it stays as it was seen last.",
            ),
        ),
        advice="Refresh it: `tapehouse sync markets --ticker TICKER`; is reference-nightly running?",
    ),
)
