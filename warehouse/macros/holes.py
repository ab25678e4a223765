"""What of the markets' lives the lake covers, by the ledger of windows."""

from typing import Final

from warehouse.macros.declaring import Macro, given
from warehouse.tables import EVENTS, MARKETS
from warehouse.views import latest

# A window counts for a market if its scope is the market, its event, its series, or everything; "all" is
# everything but combos. Windows are merged within each scope before they meet the markets: a year of hours is
# one piece, not 8,760.
_COVERAGE: Final = f"""
    with {given("series")}, family as (
        select m.ticker, m.event_ticker, m.open_ts,
            least(m.close_ts, (select max(s.published_ts) from _snapshot s)) as until_ts
        from {latest(MARKETS)} m left join {latest(EVENTS)} e on e.ticker = m.event_ticker
        join given on given._series = coalesce(m.series_ticker, e.series_ticker)
    ), scopes as (
        select f.ticker, f.open_ts, f.until_ts, unnest([
            case when not starts_with(f.ticker, 'KXMVE') then 'all' end, 'all+combos',
            concat('series:', given._series),
            concat('event:', f.event_ticker), concat('ticker:', f.ticker)]) as scope
        from family f cross join given
    ), asked as (
        select w.resource, w.scope, w.start_ts, w.end_ts,
            max(w.end_ts) over (partition by w.resource, w.scope order by w.start_ts, w.end_ts
                rows between unbounded preceding and 1 preceding) as reached_ts
        from raw.windows w
        where w.status = 'complete' and (w.resource = 'trades' or starts_with(w.resource, 'candles_'))
            and w.scope in (select distinct s.scope from scopes s)
    ), numbered as (
        select a.*, sum(case when a.start_ts <= a.reached_ts then 0 else 1 end)
            over (partition by a.resource, a.scope order by a.start_ts, a.end_ts) as piece
        from asked a
    ), pieces as (
        select n.resource, n.scope, min(n.start_ts) as start_ts, max(n.end_ts) as end_ts
        from numbered n group by n.resource, n.scope, n.piece
    ), resources as (
        select distinct p.resource from pieces p union select 'trades'
    ), met as (
        select s.ticker, p.resource, s.open_ts, s.until_ts,
            greatest(p.start_ts, s.open_ts) as start_ts, least(p.end_ts, s.until_ts) as end_ts
        from scopes s join pieces p on p.scope = s.scope and p.start_ts < s.until_ts and p.end_ts > s.open_ts
    ), marks as (
        select f.ticker, r.resource, f.open_ts, f.until_ts, f.until_ts as start_ts, f.until_ts as end_ts
        from family f cross join resources r
        where f.open_ts < f.until_ts
        union all
        select m.ticker, m.resource, m.open_ts, m.until_ts, m.start_ts, m.end_ts from met m
    ), ordered as (
        select m.*, coalesce(max(m.end_ts) over (partition by m.ticker, m.resource
            order by m.start_ts, m.end_ts rows between unbounded preceding and 1 preceding), m.open_ts)
            as reached_ts
        from marks m
    )
    select o.ticker, o.resource, o.open_ts, o.until_ts,
        round(1 - sum(greatest(epoch_us(o.start_ts) - epoch_us(o.reached_ts), 0))
            / (epoch_us(o.until_ts) - epoch_us(o.open_ts)), 6) as covered,
        count(*) filter (where o.start_ts > o.reached_ts) as n_holes,
        coalesce(list(struct_pack(start_ts := o.reached_ts, end_ts := o.start_ts) order by o.start_ts)
            filter (where o.start_ts > o.reached_ts), []) as holes
    from ordered o
    group by o.ticker, o.resource, o.open_ts, o.until_ts
    order by covered, o.resource desc, o.open_ts, o.ticker"""

COVERAGE: Final = Macro(
    name="coverage",
    parameters="series",
    sentence=(
        "How much of the life of each market of a series was pulled, by what was pulled: trades, candles of "
        "each length. Complete windows of the market, its event, its series, or of everything count. A life "
        "is from the open to the close, or until this catalog was published. The least covered first. What "
        "was never asked for is not here, except trades."
    ),
    sql=_COVERAGE,
    comments={
        "ticker": "The market.",
        "resource": "What was pulled: trades, candles_60, candles_3600 or candles_86400.",
        "open_ts": "When its life starts.",
        "until_ts": "When its life ends, or this catalog was published.",
        "covered": "Share of its life that complete windows cover, 0 to 1.",
        "n_holes": "Number of holes.",
        "holes": "What no complete window covers, oldest first: from start_ts, included, to end_ts.",
    },
)
