"""Macros over executions: bars, mean prices, who took what."""

from typing import Final

from exchange.units import DOLLAR_CC
from warehouse.macros.declaring import BLOCKS_OUT, Macro, bar_ts, given, mean_dollars, money
from warehouse.tables import EVENTS, MARKETS
from warehouse.views import contracts, dollars, latest

_FIRST: Final = "(t.event_ts, t.trade_id)"
_BAR: Final = "Start of the bar, UTC; the bar ends `every` later, excluded."
_N_TRADES: Final = "Trades in the bar."

_OHLC: Final = f"""
    with {given("ticker, every")}
    select
        {bar_ts("t.event_ts")} as bar_ts,
        {dollars(f"arg_min(t.yes_price_cc, {_FIRST})")} as open,
        {dollars("max(t.yes_price_cc)")} as high,
        {dollars("min(t.yes_price_cc)")} as low,
        {dollars(f"arg_max(t.yes_price_cc, {_FIRST})")} as close,
        {contracts("sum(t.count_centi)")} as volume,
        count(*) as n_trades
    from raw.trades t join given on given._ticker = t.ticker
    where {BLOCKS_OUT}
    group by bar_ts
    order by bar_ts"""

OHLC: Final = Macro(
    name="ohlc",
    parameters="ticker, every",
    sentence=(
        "Bars of one market's YES trades, every an interval; in dollars and contracts, oldest first. Block "
        "trades are left out; a bar without trades is missing."
    ),
    sql=_OHLC,
    comments={
        "bar_ts": _BAR,
        "open": "Price of the first trade. In dollars.",
        "high": "Highest price. In dollars.",
        "low": "Lowest price. In dollars.",
        "close": "Price of the last trade. In dollars.",
        "volume": "Contracts traded.",
        "n_trades": _N_TRADES,
    },
)

_PAID: Final = "cast(t.yes_price_cc as hugeint) * t.count_centi"

_VWAP: Final = f"""
    with {given("ticker, every")}
    select
        {bar_ts("t.event_ts")} as bar_ts,
        {mean_dollars(f"sum({_PAID}) / sum(t.count_centi)")} as vwap,
        {contracts("sum(t.count_centi)")} as volume,
        {money(f"sum({_PAID})")} as dollars,
        count(*) as n_trades
    from raw.trades t join given on given._ticker = t.ticker
    where {BLOCKS_OUT}
    group by bar_ts
    order by bar_ts"""

VWAP: Final = Macro(
    name="vwap",
    parameters="ticker, every",
    sentence=(
        "Mean YES price of one market's trades, weighted by contracts, by bars of every, an interval; every "
        "null gives one row for its whole life. Oldest first. Block trades are left out; a bar without "
        "trades is missing."
    ),
    sql=_VWAP,
    comments={
        "bar_ts": f"{_BAR} Null where every is.",
        "vwap": "Mean YES price, weighted by contracts, rounded to a millionth. In dollars.",
        "volume": "Contracts traded.",
        "dollars": "YES price times contracts, summed, exactly. In dollars.",
        "n_trades": _N_TRADES,
    },
)

_NO_PAID: Final = f"({DOLLAR_CC} - cast(t.yes_price_cc as hugeint)) * t.count_centi"
_YES, _NO = "filter (where t.taker_side = 'yes')", "filter (where t.taker_side = 'no')"


def _sum(sql: str, condition: str) -> str:
    return f"coalesce(sum({sql}) {condition}, 0)"


_TAKER_FLOW: Final = f"""
    with {given("name, every")}, named as (
        select m.ticker
        from {latest(MARKETS)} m left join {latest(EVENTS)} e on e.ticker = m.event_ticker cross join given
        where given._name in (m.event_ticker, coalesce(m.series_ticker, e.series_ticker))
        union
        select given._name as ticker from given
    )
    select
        {bar_ts("t.event_ts")} as bar_ts,
        {contracts(_sum("t.count_centi", _YES))} as yes_contracts,
        {contracts(_sum("t.count_centi", _NO))} as no_contracts,
        {contracts("sum(case when t.taker_side = 'yes' then t.count_centi else -t.count_centi end)")}
            as net_contracts,
        {money(_sum(_PAID, _YES))} as yes_dollars,
        {money(_sum(_NO_PAID, _NO))} as no_dollars,
        round(sum(case when t.taker_side = 'yes' then t.count_centi else -t.count_centi end)
            / sum(t.count_centi), 6) as imbalance,
        count(*) as n_trades
    from raw.trades t join named n on n.ticker = t.ticker cross join given
    where {BLOCKS_OUT}
    group by bar_ts
    order by bar_ts"""

TAKER_FLOW: Final = Macro(
    name="taker_flow",
    parameters="name, every",
    sentence=(
        "What takers bought, by bars of every, an interval: of one market, or of all markets of an event or "
        "a series, by the name given. Oldest first. Selling YES counts as buying NO. Block trades are left "
        "out; a bar without trades is missing."
    ),
    sql=_TAKER_FLOW,
    comments={
        "bar_ts": f"{_BAR} Null where every is.",
        "yes_contracts": "Contracts of YES that takers bought.",
        "no_contracts": "Contracts of NO that takers bought.",
        "net_contracts": "yes_contracts minus no_contracts.",
        "yes_dollars": "What they paid for YES. In dollars.",
        "no_dollars": "What they paid for NO, at $1 minus the YES price. In dollars.",
        "imbalance": "net_contracts over all contracts: 1 only YES was bought, -1 only NO.",
        "n_trades": _N_TRADES,
    },
)
