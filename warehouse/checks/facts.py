"""Facts that several checks read, each made once for a run and only where a check needs it.

markets    every market once: its latest state, its series, and the widest hours it ever had
spans      what complete windows cover together, by resource and scope
covered    the same by market: trades and candles of this ticker are complete in these spans
whole      markets whose trades are complete from their first opening to a minute after their last close
listings   when the exchange was last asked for a listing, by resource and scope
clock      how late it is on the exchange, as far as the lake knows: its newest fact
"""

from typing import Final

from warehouse.checks.book_facts import BOOK_FACTS

_ISLANDS: Final = """
    select {group}, min(start_ts) as start_ts, max(end_ts) as end_ts
    from (
        select *, sum(is_new) over (
            partition by {group} order by start_ts, end_ts rows unbounded preceding
        ) as island
        from (
            select *, coalesce(start_ts > max(end_ts) over (
                partition by {group} order by start_ts, end_ts
                rows between unbounded preceding and 1 preceding
            ), true)::int as is_new
            from ({spans})
        )
    )
    group by {group}, island"""

_MARKETS: Final = """
    with latest as (
        select ticker, observed_ts, event_ticker, series_ticker, open_ts, close_ts, status, result,
               settlement_value_cc, settlement_ts, notional_value_cc, market_type, volume_centi, source,
               coalesce(has_vanished, false) as has_vanished
        from raw.markets qualify row_number() over (partition by ticker order by observed_ts desc) = 1
    ), events as (
        select ticker, series_ticker, mutually_exclusive
        from raw.events qualify row_number() over (partition by ticker order by observed_ts desc) = 1
    ), ever as (
        select ticker, min(open_ts) as first_open_ts, max(close_ts) as last_close_ts,
               min(observed_ts) as first_observed_ts
        from raw.markets group by ticker
    )
    select m.* exclude (series_ticker), coalesce(m.series_ticker, e.series_ticker) as series_ticker,
           e.ticker is not null as has_event, coalesce(e.mutually_exclusive, false) as is_exclusive,
           v.first_open_ts, v.last_close_ts, v.first_observed_ts,
           starts_with(m.ticker, 'KXMVE') as is_combo
    from latest m join ever v using (ticker) left join events e on e.ticker = m.event_ticker"""

_COVERED: Final = _ISLANDS.format(
    group="resource, ticker",
    spans="""
        select s.resource, m.ticker, s.start_ts, s.end_ts
        from (
            select ticker, first_open_ts, last_close_ts, unnest([
                if(is_combo, null, 'all'), 'all+combos',
                'series:' || series_ticker, 'event:' || event_ticker, 'ticker:' || ticker
            ]) as scope
            from facts.markets
        ) m join facts.spans s using (scope)
        where s.resource in ('trades', 'candles_60', 'candles_3600', 'candles_86400')
          and s.end_ts > m.first_open_ts - interval 1 day and s.start_ts < m.last_close_ts + interval 2 days
    """,
)

# Books empty, and the last trades print, within seconds of the close (KALSHI.md §18, measured 2026).
_WHOLE: Final = """
    select m.ticker
    from facts.markets m join facts.covered c using (ticker)
    where c.resource = 'trades' and c.start_ts <= m.first_open_ts
      and c.end_ts >= m.last_close_ts + interval 1 minute"""

# In the order in which they can be made.
FACTS: Final[dict[str, str]] = {
    "markets": _MARKETS,
    "spans": _ISLANDS.format(
        group="resource, scope",
        spans="select resource, scope, start_ts, end_ts from raw.windows where status = 'complete'",
    ),
    "covered": _COVERED,
    "whole": _WHOLE,
    "listings": """
        select resource, scope, max(asked_ts) as asked_ts from raw.windows
        where status = 'complete' and resource in ('series', 'events', 'markets', 'fees') group by all""",
    "clock": """
        select greatest(
            (select max(event_ts) from raw.trades), (select max(end_ts) from raw.candles),
            (select max(greatest(created_ts, updated_ts, settlement_ts)) from raw.markets)
        ) as exchange_ts""",
    **BOOK_FACTS,
}

_MADE_FROM: Final = {
    "covered": ("markets", "spans"),
    "whole": ("markets", "spans", "covered"),
    "book_time": ("markets",),
    "book_ends": ("markets",),
}


def needed(names: frozenset[str]) -> list[str]:
    """Return these facts and those they are made from, in the order in which they can be made."""
    wanted = set(names).union(*(_MADE_FROM.get(name, ()) for name in names))
    return [name for name in FACTS if name in wanted]
