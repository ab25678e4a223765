"""Checks of series, events and fees among each other."""

from typing import Final

from warehouse.checks.declaring import COMBO, NOT_LISTED, Check, Class, utc

_FAMILY: Final = """
    with listed as (
        select resource, max(asked_ts) filter (where scope in ('all', 'all+combos')) as asked_ts
        from facts.listings group by resource
    ), members as (
        select 'market ' || ticker as place, 'event ' || event_ticker as expected, has_event as is_there,
               is_combo, first_observed_ts as seen_ts, 'events' as resource, false as is_unlisted
        from facts.markets
        union all
        select 'event ' || e.ticker, 'series ' || e.series_ticker, s.ticker is not null,
               starts_with(e.ticker, 'KXMVE'), e.seen_ts, 'series',
               exists(select 1 from raw.windows w where w.resource = 'series' and w.status = 'complete'
                      and w.scope = 'series:' || e.series_ticker and w.n_rows = 0)
        from (select ticker, arg_max(series_ticker, observed_ts) as series_ticker, min(observed_ts) as seen_ts
              from raw.events group by ticker) e
        left join (select distinct ticker from raw.series) s on s.ticker = e.series_ticker
    )
    select case
             when is_there then 'ok'
             when is_combo then 'combo'
             when is_unlisted then 'unlisted_series'
             when l.asked_ts is null or l.asked_ts < seen_ts then 'not_listed'
             else 'flagged'
           end as class,
           1 as n, place, expected, 'none of this name' as found
    from members left join listed l using (resource)"""

_FEES: Final = f"""
    with terms as (
        select ticker, 'series' as scope, observed_ts, fee_type, fee_multiplier_ppm
        from raw.series qualify row_number() over (partition by ticker order by observed_ts desc) = 1
        union all
        select ticker, 'event', observed_ts, fee_type_override, fee_multiplier_override_ppm
        from raw.events qualify row_number() over (partition by ticker order by observed_ts desc) = 1
    ), asked as (
        select case resource when 'events' then 'event' else 'series' end as scope, max(asked_ts) as asked_ts
        from facts.listings
        where scope in ('all', 'all+combos') and resource in ('series', 'events', 'fees') group by all
    ), seen as (
        select t.*, greatest(t.observed_ts, a.asked_ts) as seen_ts
        from terms t left join asked a using (scope)
    ), compared as (
        select s.*, arg_max({{'fee_type': c.fee_type, 'ppm': c.fee_multiplier_ppm}}, c.effective_ts) as told,
               max(c.effective_ts) as effective_ts
        from seen s join raw.fee_changes c using (scope, ticker)
        where c.effective_ts <= s.seen_ts
        group by all
    )
    select case
             when fee_type is not distinct from told.fee_type
              and fee_multiplier_ppm is not distinct from told.ppm then 'ok'
             when effective_ts > seen_ts - interval 1 hour then 'just_changed'
             else 'flagged'
           end as class,
           1 as n, scope || ' ' || ticker as place,
           printf('%s x %s, in force since %s', coalesce(told.fee_type, 'none'),
                  coalesce((told.ppm / 1e6)::varchar, 'none'), {utc("effective_ts")}) as expected,
           printf('%s x %s', coalesce(fee_type, 'none'),
                  coalesce((fee_multiplier_ppm / 1e6)::varchar, 'none')) as found
    from compared"""

REFERENCE_CHECKS: Final[tuple[Check, ...]] = (
    Check(
        name="families",
        sentence="Every market has its event, and every event its series.",
        things="markets and events",
        sql=_FAMILY,
        needs=("markets", "listings"),
        explained=(
            COMBO,
            NOT_LISTED,
            Class(
                name="unlisted_series",
                sentence="The exchange was asked for the series by name and has none, which happens.",
            ),
        ),
        advice="Ask for it by name: `tapehouse sync series --series SERIES`, `sync events --event EVENT`.",
    ),
    Check(
        name="fees",
        sentence="A series or event has the terms that its last fee change in force gave it.",
        things="series and events with fee changes",
        sql=_FEES,
        needs=("listings",),
        explained=(
            Class(
                name="just_changed",
                sentence="Changed within an hour of when the terms were read.",
                is_undecided=True,
            ),
        ),
        advice="Read both again, `tapehouse sync series` and `sync fees`; if they still differ, ask Kalshi.",
    ),
)
