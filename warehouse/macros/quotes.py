"""Macros over best quotes: what they cost to cross, and what probability they imply."""

from typing import Final

from warehouse.macros.declaring import Macro, given, mean_dollars
from warehouse.macros.tops import IMPLIED, TOPS
from warehouse.tables import MARKETS
from warehouse.views import dollars, latest

# A moment after all others, for macros that look at a market's whole life.
_EVER: Final = "cast('9999-12-31 00:00:00+00' as timestamptz)"

IMPLIED_RULE: Final = (
    "the middle of the best bid and ask, where both were known and bid < ask; else the price of the last "
    "trade; else null"
)

IMPLIED_PROBABILITY: Final = Macro(
    name="implied_probability",
    parameters="ticker, ts",
    sentence=(
        f"What one market's prices said of YES at ts, as known then: {IMPLIED_RULE}. One row. Quotes are "
        "recorded ones, or closes of candles where nobody recorded, as known then (a recording lasts from "
        "its first quote to its end in book_gaps, else to its last quote), the shorter of those that end "
        "within one another; a quote holds until the next one, or until nobody records the market any more. "
        "Block trades do not count."
    ),
    sql=f"""
    with {given("ticker, ts")}, asked as (
        select given._ticker as ticker, given._ts as at_ts from given
    ), {IMPLIED}
    select i.ticker, i.prob, i.basis, {dollars("i.bid_cc")} as bid, {dollars("i.ask_cc")} as ask,
        {dollars("i.last_cc")} as last, i.known_ts
    from implied i""",
    comments={
        "ticker": "The market asked for.",
        "prob": "Implied probability of YES, 0 to 1; null when nothing was known.",
        "basis": "mid: middle of bid and ask. last: the last trade. Null when nothing was known.",
        "bid": "Best YES bid; null when there was none, or nobody knew. In dollars.",
        "ask": "Best YES ask; null when there was none, or nobody knew. In dollars.",
        "last": "Price of the last trade; where no trades were pulled, as quotes told it. In dollars.",
        "known_ts": "Since when prob was known; an old one may be stale.",
    },
)

_STEP: Final = "time_bucket(given._every, make_timestamp(w.from_us))"

_QUOTED_US: Final = "sum(m.for_us) filter (where m.spread_cc is not null)"


def _mean_over_time(column: str) -> str:
    return f"sum(cast({column} as hugeint) * m.for_us) / nullif({_QUOTED_US}, 0)"


# Every quote stands until the next one; the bars' own starts cut what stands across them. A quote that was
# told after one that happened later is counted and shows nothing: of two recorders one may be late.
_SPREAD: Final = f"""
    with {given("ticker, every")}, asked as (
        select given._ticker as ticker, {_EVER} as at_ts from given
    ), {TOPS}, closing as (
        select epoch_us(m.close_ts) as close_us
        from {latest(MARKETS)} m join given on given._ticker = m.ticker
    ), told as (
        select t.*, coalesce(t.event_ts >= max(t.event_ts) over (order by t.known_ts
            range between unbounded preceding and interval 1 microsecond preceding), true) as is_news
        from tops t
    ), quoted as (
        select epoch_us(t.known_ts) as at_us,
            arg_max(struct_pack(bid_cc := t.bid_cc, ask_cc := t.ask_cc), (t.event_ts, t.session))
                filter (where t.is_news) as quote,
            count(*) filter (where t.source <> 'session_end') as n_quotes
        from told t
        where epoch_us(t.known_ts) < coalesce((select c.close_us from closing c), 9000000000000000000)
        group by t.known_ts
    ), whole as (
        select min(q.at_us) as from_us, coalesce((select c.close_us from closing c), max(q.at_us)) as until_us
        from quoted q
    ), cuts as (
        select epoch_us(unnest(generate_series({_STEP}, make_timestamp(w.until_us), given._every))) as at_us
        from whole w cross join given where w.from_us is not null
    ), placed as (
        select q.at_us, q.quote, q.n_quotes from quoted q
        union all
        select c.at_us, null, 0 from cuts c cross join whole w
        where c.at_us > w.from_us and c.at_us < w.until_us and c.at_us not in (select q.at_us from quoted q)
    ), standing as (
        select p.at_us, p.n_quotes,
            last_value(p.quote ignore nulls) over (order by p.at_us rows unbounded preceding) as quote,
            coalesce(lead(p.at_us) over (order by p.at_us), w.until_us) - p.at_us as for_us
        from placed p cross join whole w
    ), measured as (
        select s.at_us, s.n_quotes, s.for_us,
            case when s.quote.bid_cc < s.quote.ask_cc then s.quote.ask_cc - s.quote.bid_cc end as spread_cc,
            case when s.quote.bid_cc < s.quote.ask_cc then s.quote.ask_cc + s.quote.bid_cc end as twice_mid_cc
        from standing s
    )
    select
        time_bucket(given._every, make_timestamp(m.at_us)) at time zone 'UTC' as bar_ts,
        {mean_dollars(_mean_over_time("m.spread_cc"))} as mean_spread,
        {dollars("min(m.spread_cc)")} as min_spread,
        {dollars("max(m.spread_cc)")} as max_spread,
        {mean_dollars(_mean_over_time("m.twice_mid_cc") + " / 2")} as mean_mid,
        round(coalesce({_QUOTED_US}, 0) / nullif(sum(m.for_us), 0), 6) as quoted_share,
        cast(sum(m.n_quotes) as bigint) as n_quotes
    from measured m cross join given
    group by bar_ts
    order by bar_ts"""

SPREAD: Final = Macro(
    name="spread",
    parameters="ticker, every",
    sentence=(
        "What stood between one market's best bid and ask, by bars of every, an interval; each quote counts "
        "for as long as it stood, until the close. Oldest first. Quotes as in implied_probability; a bar in "
        "which a side was missing throughout has nulls."
    ),
    sql=_SPREAD,
    comments={
        "bar_ts": "Start of the bar, UTC; the bar ends `every` later, excluded.",
        "mean_spread": "Mean of ask minus bid over the time that both were known. In dollars.",
        "min_spread": "Narrowest spread. In dollars.",
        "max_spread": "Widest spread. In dollars.",
        "mean_mid": "Mean of the middle over the same time. In dollars.",
        "quoted_share": "Share of the bar's time with both sides known, 0 to 1, from the first quote on.",
        "n_quotes": "Quotes that became known in the bar.",
    },
)
