"""Questions with parameters, as DuckDB table macros. Call them in the catalog: open it, or `use` it."""

from dataclasses import dataclass
from typing import Final

from warehouse.asof import ASSUMED, MASKS, OBSERVED, SQL_CONDITIONS
from warehouse.tables import EVENTS, MARKETS
from warehouse.views import contracts, dollars, latest, market_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """One table macro: its parameters as SQL, its query, a sentence."""

    name: str
    parameters: str
    sentence: str
    sql: str


def _markets_asof() -> str:
    masked = ", ".join(
        f"case when {SQL_CONDITIONS[MASKS[column]]} then {column} end as {column}"
        if column in MASKS
        else column
        for column in MARKETS.columns
    )
    columns = ", ".join(f"{each.sql} as {each.name}" for each in market_columns())
    newest = "row_number() over (partition by ticker order by observed_ts desc) = 1"
    oldest = "row_number() over (partition by ticker order by observed_ts) = 1"
    return f"""
        with observed as (
            select *, '{OBSERVED}' as basis from raw.markets where observed_ts <= ts qualify {newest}
        ), assumed as (
            select {masked}, '{ASSUMED}' as basis from (select * from raw.markets qualify {oldest})
            where observed_ts > ts and least(created_ts, open_ts) <= ts
        )
        select {columns}, t.basis
        from (select * from observed union all select * from assumed) t
        left join {latest(EVENTS)} e on e.ticker = t.event_ticker
        order by t.ticker"""


_OHLC: Final = f"""
    select
        time_bucket(every, make_timestamp(epoch_us(t.event_ts))) at time zone 'UTC' as bar_ts,
        {dollars("arg_min(t.yes_price_cc, (t.event_ts, t.trade_id))")} as open,
        {dollars("max(t.yes_price_cc)")} as high,
        {dollars("min(t.yes_price_cc)")} as low,
        {dollars("arg_max(t.yes_price_cc, (t.event_ts, t.trade_id))")} as close,
        {contracts("sum(t.count_centi)")} as volume,
        count(*) as n_trades
    from raw.trades t
    where t.ticker = ticker and t.is_block_trade is distinct from true
    group by bar_ts
    order by bar_ts"""

_BOOK_AT: Final = f"""
    with stream as (
        select d.session, d.sid, d.seq, greatest(d.event_ts, d.received_ts) as known_ts from raw.book_deltas d
        union all
        select s.session, s.sid, s.seq, s.captured_ts from raw.book_snapshots s
    ), blind as (
        select g.session from raw.book_gaps g
        where list_contains(g.tickers, ticker) and g.from_ts < ts and (g.until_ts is null or g.until_ts > ts)
          and not (g.cause = 'session_end' and exists (
            from stream r where r.session = g.session and r.sid = g.sid
              and (r.seq = g.from_seq or (r.seq > g.from_seq and r.known_ts <= ts))
        ))
    ), base as (
        select s.*
        from raw.book_snapshots s
        where s.ticker = ticker and s.captured_ts <= ts and s.session not in (select b.session from blind b)
        order by s.captured_ts desc limit 1
    ), changes as (
        select d.side, d.price_cc, d.delta_centi as count_centi
        from raw.book_deltas d join base b on d.session = b.session and d.sid = b.sid and d.seq > b.seq
        where d.ticker = ticker and greatest(d.event_ts, d.received_ts) <= ts
    ), resting as (
        select 'yes' as side, unnest(yes_prices_cc) as price_cc, unnest(yes_counts_centi) as count_centi
        from base
        union all
        select 'no', unnest(no_prices_cc), unnest(no_counts_centi) from base
        union all
        select * from changes
    ), levels as (
        select side, price_cc, sum(count_centi) as count_centi from resting
        group by all having count_centi > 0
    )
    select
        l.side,
        {dollars("l.price_cc")} as price,
        {dollars("if(l.side = 'yes', l.price_cc, 10000 - l.price_cc)")} as yes_price,
        {contracts("l.count_centi")} as contracts,
        b.session,
        b.captured_ts
    from levels l cross join base b
    order by l.side desc, l.price_cc desc"""

MACROS: Final[tuple[Macro, ...]] = (
    Macro(
        name="markets_asof",
        parameters="ts",
        sentence=(
            "Markets as a live trader could know them at ts, a timestamptz. basis 'observed': we saw this "
            "state by then. basis 'assumed': first seen later though it existed; what could have differed is "
            "null."
        ),
        sql=_markets_asof(),
    ),
    Macro(
        name="ohlc",
        parameters="ticker, every",
        sentence=(
            "Bars of one market's YES trades, every an interval: bar_ts (start, UTC), open, high, low, close "
            "in dollars, volume in contracts, n_trades. Block trades are left out; a bar without trades is "
            "missing."
        ),
        sql=_OHLC,
    ),
    Macro(
        name="book_at",
        parameters="ticker, ts",
        sentence=(
            "One market's book as known at ts, a timestamptz: side, price (the side's own), yes_price, "
            "contracts; best bids first. No rows: the book was empty, or unknown (no snapshot yet, or inside "
            "book_gaps)."
        ),
        sql=_BOOK_AT,
    ),
)
