"""Macros over listings: which markets there were, and what was known of them."""

import re
from typing import Final

from warehouse.asof import ASSUMED, MASKS, OBSERVED, SQL_CONDITIONS
from warehouse.macros.declaring import Macro, given, utc_date
from warehouse.macros.quotes import IMPLIED_RULE
from warehouse.macros.tops import IMPLIED
from warehouse.tables import EVENTS, MARKETS
from warehouse.views import contracts, dollars, latest, market_columns

_BASIS: Final = "observed: we had seen this state by then. assumed: first seen later, though it existed."


def _known(where: str = "true") -> str:
    """Return CTEs that end in `known`: markets as of `given._ts`, one row each, with basis."""
    truths = {name: re.sub(r"\bts\b", "given._ts", each) for name, each in SQL_CONDITIONS.items()}
    masked = ", ".join(
        f"case when {truths[MASKS[column]]} then {column} end as {column}" if column in MASKS else column
        for column in MARKETS.columns
    )
    newest = "row_number() over (partition by s.ticker order by s.observed_ts desc) = 1"
    oldest = "row_number() over (partition by s.ticker order by s.observed_ts) = 1"
    return f"""
        states as (
            select s.* from raw.markets s cross join given where {where}
        ), observed as (
            select s.*, '{OBSERVED}' as basis from states s cross join given
            where s.observed_ts <= given._ts qualify {newest}
        ), assumed as (
            select {masked}, '{ASSUMED}' as basis
            from (select s.* from states s qualify {oldest}) cross join given
            where observed_ts > given._ts and least(created_ts, open_ts) <= given._ts
        ), known as (
            select * from observed union all select * from assumed
        )"""


def _markets_asof() -> str:
    columns = ", ".join(f"{each.sql} as {each.name}" for each in market_columns())
    return f"""
        with {given("ts")}, {_known()}
        select {columns}, t.basis
        from known t left join {latest(EVENTS)} e on e.ticker = t.event_ticker
        order by t.ticker"""


MARKETS_ASOF: Final = Macro(
    name="markets_asof",
    parameters="ts",
    sentence=(
        "Markets as a live trader could know them at ts, a timestamptz, by ticker. Of a market that we saw "
        "later, though it existed, what could have differed is null."
    ),
    sql=_markets_asof(),
    comments={each.name: each.sentence for each in market_columns()} | {"basis": _BASIS},
)


def _whole(column: str) -> str:
    """Return SQL of the sum over all rows, null if one has none."""
    total = f"case when count({column}) over () = count(*) over () then sum({column}) over () end"
    return dollars(total, "decimal(12,4)")


_EVENT_BOARD: Final = f"""
    with {given("event, ts")}, {_known("s.event_ticker = given._event")}, asked as (
        select k.ticker, given._ts as at_ts from known k cross join given
    ), {IMPLIED}, traded as (
        select t.ticker, sum(t.count_centi) as volume_centi
        from raw.trades t join asked a on a.ticker = t.ticker
        where t.event_ts <= a.at_ts and t.date <= {utc_date("a.at_ts")}
        group by t.ticker
    )
    select k.ticker, k.yes_sub_title, k.status, {dollars("i.bid_cc")} as bid, {dollars("i.ask_cc")} as ask,
        {dollars("i.last_cc")} as last, i.prob, i.basis, {contracts("coalesce(t.volume_centi, 0)")} as volume,
        i.known_ts, k.result, {dollars("k.settlement_value_cc", "decimal(12,4)")} as settlement_value,
        round(sum(i.prob) over (), 6) as sum_prob,
        {_whole("i.bid_cc")} as sum_bid, {_whole("i.ask_cc")} as sum_ask
    from known k join implied i on i.ticker = k.ticker left join traded t on t.ticker = k.ticker
    order by coalesce(k.floor_strike, k.cap_strike), k.ticker"""

EVENT_BOARD: Final = Macro(
    name="event_board",
    parameters="event, ts",
    sentence=(
        "All markets of an event as known at ts, a timestamptz, by strike and ticker; prob as in "
        f"implied_probability: {IMPLIED_RULE}. The sums are over the whole event and stand in every row."
    ),
    sql=_EVENT_BOARD,
    comments={
        "ticker": "The market.",
        "yes_sub_title": "What YES stands for, if it was known.",
        "status": "Its status, if it was known.",
        "bid": "Best YES bid; null when there was none, or nobody knew. In dollars.",
        "ask": "Best YES ask; null when there was none, or nobody knew. In dollars.",
        "last": "Price of the last trade that was no block. In dollars.",
        "prob": "Implied probability of YES, 0 to 1.",
        "basis": "mid: middle of bid and ask. last: the last trade. Null when nothing was known.",
        "volume": "Contracts traded by then, blocks included, as far as trades were pulled.",
        "known_ts": "Since when prob was known; an old one may be stale.",
        "result": "Its result, if it was known.",
        "settlement_value": "What one YES contract pays, if it was known. In dollars.",
        "sum_prob": "Sum of prob over the markets that have one.",
        "sum_bid": "What selling one YES of every market brings; null if one has no bid. In dollars.",
        "sum_ask": "What buying one YES of every market costs; null if one has no ask. In dollars.",
    },
)
