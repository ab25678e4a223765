"""How late changes of books came, by the recorder's clock against the exchange's: two clocks, so never exact.

What is common to all changes of a minute, the least lag, is taken for the offset of the clocks plus the
shortest way; what a change took longer than that is its delay.
"""

from typing import Final

from warehouse.macros.declaring import Macro, given
from warehouse.tables import EVENTS, MARKETS
from warehouse.views import latest

FLOOR_OF: Final = 10
"""So many changes a minute must have for its least lag to count."""

# Over fewer minutes the waits in the exchange's own queues outweigh any drift.
_DRIFT_OF: Final = 30
_MINUTE_US: Final = 60_000_000
_MS_A_MINUTE_IN_PPM: Final = 1_000_000 / 60_000


def lags(source: str) -> str:
    """Return SQL of how many changes of a session came with which lag in each minute (since 1970).

    A session that recorded one time only has lags of 0 alone.
    """
    return f"""
        select d.session, epoch_us(d.received_ts) // {_MINUTE_US} as minute,
            cast(floor((epoch_us(d.received_ts) - epoch_us(d.event_ts)) / 1000) as bigint) as lag_ms,
            count(*) as n
        from {source} d
        group by all"""


# The smallest value that has a share of all at or below it.
def _at(share: float, value: str, reached: str) -> str:
    return f"min(k.{value}) filter (where k.{reached} >= {share} * k.n_all)"


_LATENCY: Final = f"""
    with {given("series")}, asked as (
        select m.ticker
        from {latest(MARKETS)} m left join {latest(EVENTS)} e on e.ticker = m.event_ticker
        join given on given._series = coalesce(m.series_ticker, e.series_ticker)
    ), lags as (
        {lags("(select c.* from raw.book_deltas c semi join asked a on a.ticker = c.ticker)")}
    ), floors as (
        select l.session, l.minute, min(l.lag_ms) as floor_ms, sum(l.n) as n from lags l
        group by l.session, l.minute
    ), clocks as (
        select f.session, min(f.minute) as first_minute, max(f.minute) as last_minute,
            quantile_disc(f.floor_ms, 0.5) filter (where f.n >= {FLOOR_OF}) as offset_ms,
            case when count(*) filter (where f.n >= {FLOOR_OF}) >= {_DRIFT_OF} then
                regr_slope(f.floor_ms, f.minute) filter (where f.n >= {FLOOR_OF}) * {_MS_A_MINUTE_IN_PPM} end
                as drift_ppm
        from floors f group by f.session
    ), ranked as (
        select l.session, l.lag_ms, l.lag_ms - f.floor_ms as delay_ms, l.n,
            sum(l.n) over (partition by l.session) as n_all,
            sum(l.n) over (partition by l.session order by l.lag_ms) as n_lags,
            sum(l.n) over (partition by l.session order by l.lag_ms - f.floor_ms) as n_delays
        from lags l join floors f on f.session = l.session and f.minute = l.minute
    ), known as (
        select * from ranked r
        where r.session in (select b.session from ranked b where b.lag_ms <> 0)
    )
    select
        k.session,
        any_value(make_timestamp(c.first_minute * {_MINUTE_US}) at time zone 'UTC') as from_ts,
        any_value(make_timestamp((c.last_minute + 1) * {_MINUTE_US}) at time zone 'UTC') as until_ts,
        cast(any_value(k.n_all) as bigint) as n_changes,
        min(k.lag_ms) as least_ms,
        {_at(0.5, "lag_ms", "n_lags")} as median_ms,
        {_at(0.99, "lag_ms", "n_lags")} as p99_ms,
        max(k.lag_ms) as most_ms,
        any_value(c.offset_ms) as offset_ms,
        round(any_value(c.drift_ppm), 3) as drift_ppm,
        {_at(0.5, "delay_ms", "n_delays")} as delay_median_ms,
        {_at(0.9, "delay_ms", "n_delays")} as delay_p90_ms,
        {_at(0.99, "delay_ms", "n_delays")} as delay_p99_ms
    from known k join clocks c on c.session = k.session
    group by k.session
    order by from_ts, k.session"""

BOOK_LATENCY: Final = Macro(
    name="book_latency",
    parameters="series",
    sentence=(
        "How late the changes of a series' books came, by session: lags between two clocks, of which either "
        "may be ahead, and delays over the least lag of the same minute. The oldest session first; sessions "
        "that recorded one time only are not here."
    ),
    sql=_LATENCY,
    comments={
        "session": "The recording.",
        "from_ts": "Start of its first minute with changes, by the recorder's clock.",
        "until_ts": "End of its last such minute.",
        "n_changes": "Number of changes.",
        "least_ms": "The least lag, received minus happened, in milliseconds; either clock may lag.",
        "median_ms": "The lag that half of the changes do not exceed, in milliseconds.",
        "p99_ms": "The lag that 99 of 100 changes do not exceed, in milliseconds.",
        "most_ms": "The greatest lag, in milliseconds.",
        "offset_ms": (
            "How far the recorder's clock is ahead of the exchange's, the shortest way of a change included: "
            f"the median of the least lags of its minutes, in milliseconds. Minutes of {FLOOR_OF} changes or "
            "more count; null without any."
        ),
        "drift_ppm": (
            "How much faster the recorder's clock runs, in microseconds a second; null below "
            f"{_DRIFT_OF} such minutes."
        ),
        "delay_median_ms": "Over the least lag of its minute, what half do not exceed, in milliseconds.",
        "delay_p90_ms": "The same for 9 of 10 changes.",
        "delay_p99_ms": "The same for 99 of 100 changes.",
    },
)
