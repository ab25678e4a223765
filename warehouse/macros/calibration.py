"""Was what prices said before the close what came to pass?"""

from typing import Final

from warehouse.macros.declaring import Macro, given
from warehouse.macros.quotes import IMPLIED_RULE
from warehouse.macros.tops import IMPLIED
from warehouse.tables import EVENTS, MARKETS
from warehouse.views import latest

N_BUCKETS: Final = 10


def _tenth(sql: str) -> str:
    return f"cast({sql} / {N_BUCKETS}.0 as decimal(2,1))"


_CALIBRATION: Final = f"""
    with {given("series, horizon")}, family as (
        select m.ticker, m.status, m.result, m.settlement_value_cc,
            m.close_ts - given._horizon as at_ts
        from {latest(MARKETS)} m left join {latest(EVENTS)} e on e.ticker = m.event_ticker
        join given on given._series = coalesce(m.series_ticker, e.series_ticker)
    ), settled as (
        select f.ticker, f.at_ts, case when f.result = 'yes' then 1 when f.result = 'no' then 0 end as came,
            coalesce(f.result = 'yes' and coalesce(f.settlement_value_cc, 10000) = 10000
                or f.result = 'no' and coalesce(f.settlement_value_cc, 0) = 0, false) as is_plain
        from family f
        where f.status = 'finalized' or f.settlement_value_cc is not null or coalesce(f.result, '') <> ''
    ), asked as (
        select s.ticker, s.at_ts from settled s where s.is_plain and s.at_ts is not null
    ), {IMPLIED}, told as (
        select cast(s.came as decimal(9,8)) as came, cast(i.prob as decimal(9,8)) as prob,
            least(cast(floor(i.prob * {N_BUCKETS}) as integer), {N_BUCKETS - 1}) as place
        from settled s join implied i on i.ticker = s.ticker
        where i.prob is not null
    ), bucketed as (
        select t.place, grouping(t.place) = 1 as is_all, count(*) as n, avg(t.prob) as mean_prob,
            avg(t.came) as share_yes, avg((t.prob - t.came) * (t.prob - t.came)) as brier
        from told t
        group by grouping sets ((t.place), ())
    ), left_out as (
        select count(*) filter (where not s.is_plain) as n_void,
            count(*) filter (where s.is_plain) - (select count(*) from told) as n_unpriced
        from settled s
    )
    select
        case when b.is_all then 'all' else concat({_tenth("b.place")}, ' to ', {_tenth("(b.place + 1)")}) end
            as bucket,
        b.n, round(b.mean_prob, 6) as mean_prob, round(b.share_yes, 6) as share_yes,
        round(b.brier, 6) as brier, case when b.is_all then l.n_void end as n_void,
        case when b.is_all then l.n_unpriced end as n_unpriced
    from bucketed b cross join left_out l
    order by b.is_all, b.place"""

CALIBRATION: Final = Macro(
    name="calibration",
    parameters="series, horizon",
    sentence=(
        "Implied probability against what came to pass, for the settled markets of a series: at horizon, an "
        f"interval, before each market's close, as known then: {IMPLIED_RULE}. By tenths of probability, "
        "the last row is all of them. Markets that paid anything but $1 or $0 (void, scalar) are counted "
        "and left out. The close is the one that came: for markets that can close early nobody knew it."
    ),
    sql=_CALIBRATION,
    comments={
        "bucket": "Implied probabilities from (included) to (excluded; 1 is in the last), or all.",
        "n": "Markets in the bucket.",
        "mean_prob": "Mean implied probability.",
        "share_yes": "Share of the markets that resolved yes; near mean_prob where prices were right.",
        "brier": "Mean square of probability minus outcome: 0 is perfect, 0.25 is a coin's.",
        "n_void": "Settled markets left out because they paid neither $1 nor $0; in the row all.",
        "n_unpriced": "Settled markets left out because nothing was known of their price; in the row all.",
    },
)
