"""Checks of candles: by themselves, against the trades, and against candles of another length.

A bar covers `(end - period, end]`; daily bars end at midnight US Eastern (KALSHI.md §5.6, seen 2026-08).
"""

from typing import Final

from warehouse.checks.declaring import BLOCK, LATE, NOT_COVERED, Check, Class, contracts, dollars, utc
from warehouse.tables import CANDLES

_SIDES: Final = ("yes_bid", "yes_ask", "price")
_EMPTY_CC: Final = {"yes_bid": 0, "yes_ask": 10_000}


def end_of_bar(at_ts: str, period_s: str) -> str:
    """Return SQL of the end of the bar of this length that a moment belongs to."""
    day = (
        f"date_trunc('day', timezone('America/New_York', {at_ts} - interval 1 microsecond)) + interval 1 day"
    )
    length_us = f"({period_s}::bigint * 1000000)"
    return (
        f"if({period_s} = 86400, timezone('America/New_York', {day}), "
        f"make_timestamptz(((epoch_us({at_ts}) + {length_us} - 1) // {length_us}) * {length_us}))"
    )


_ENDS: Final = f"""
    select class, count(*) as n,
           case when class <> 'ok' then printf('%s, %d s', ticker, period_s) end as place,
           case when min(period_s) = 86400 then 'an end at midnight in New York'
                else 'an end at a multiple of the period' end as expected,
           {utc("min(end_ts)")} as found
    from (
        select *, if(end_ts = {end_of_bar("end_ts", "period_s")}, 'ok', 'flagged') as class from raw.candles
    )
    group by class, place"""


def _disordered(side: str) -> str:
    """Return SQL that is true where a side's four prices cannot be those of one bar."""
    names = [f"{side}_{name}_cc" for name in ("open", "high", "low", "close")]
    first, high, low, last = names
    wrong = [f"{low} > {high}", *(f"{each} not between {low} and {high}" for each in (first, last))]
    if side in _EMPTY_CC:
        wrong += [f"{each} = {_EMPTY_CC[side]}" for each in names]
    return f"coalesce({' or '.join(f'coalesce({each}, false)' for each in wrong)}, false)"


_SANE: Final = f"""
    with looked as (
        select ticker, period_s, end_ts, case
                 when {_disordered("yes_bid")} then 'bid prices out of order or at $0'
                 when {_disordered("yes_ask")} then 'ask prices out of order or at $1'
                 when {_disordered("price")} then 'trade prices out of order'
                 when yes_bid_close_cc > yes_ask_close_cc then 'closing bid above closing ask'
                 when (volume_centi > 0) <> (price_close_cc is not null) then 'volume and prices disagree'
                 when price_mean_cc not between price_low_cc - 1 and price_high_cc + 1 then 'mean outside'
               end as fault
        from raw.candles
    )
    select if(fault is null, 'ok', 'flagged') as class, count(*) as n,
           case when fault is not null then printf('%s, %d s', ticker, period_s) end as place,
           'low <= open, close <= high; bid <= ask; an empty side is null' as expected,
           printf('%s at %s', fault, {utc("min(end_ts)")}) as found
    from looked group by fault, place"""

_AGAINST_TRADES: Final = f"""
    with bars as (
        select ticker, period_s, end_ts, volume_centi, price_open_cc, price_high_cc, price_low_cc,
               price_close_cc, fetched_ts
        from raw.candles
        where date between getvariable('first') and getvariable('last')
    ), periods as (
        select distinct period_s from raw.candles
    ), trades as (
        select p.period_s, t.ticker, {end_of_bar("t.event_ts", "p.period_s")} as end_ts, t.event_ts,
               t.yes_price_cc, t.count_centi, coalesce(t.is_block_trade, false) as is_block, t.fetched_ts
        from raw.trades t, periods p
        where t.date between getvariable('first') - 2 and getvariable('last')
    ), sums as (
        select ticker, period_s, end_ts, sum(count_centi)::bigint as sum_centi, max(yes_price_cc) as high_cc,
               min(yes_price_cc) as low_cc, arg_min(yes_price_cc, event_ts) as open_cc,
               arg_max(yes_price_cc, event_ts) as close_cc
        from trades
        where end_ts >= getvariable('first')::timestamp at time zone 'UTC'
          and end_ts < (getvariable('last') + 1)::timestamp at time zone 'UTC'
        group by ticker, period_s, end_ts
    ), plain as materialized (
        select coalesce(b.ticker, s.ticker) as ticker, coalesce(b.period_s, s.period_s) as period_s,
               coalesce(b.end_ts, s.end_ts) as end_ts,
               coalesce(b.volume_centi = 0 and s.ticker is null, false)
               or coalesce(b.volume_centi = s.sum_centi and b.price_high_cc = s.high_cc
                   and b.price_low_cc = s.low_cc and b.price_open_cc = s.open_cc
                   and b.price_close_cc = s.close_cc, false) as is_same
        from bars b full join sums s
          on s.ticker = b.ticker and s.period_s = b.period_s and s.end_ts = b.end_ts
    ), doubtful as (
        select ticker, period_s, end_ts from plain where not is_same
    ), instants as (
        select ticker, period_s, end_ts, event_ts, sum(count_centi)::bigint as all_centi,
               coalesce(sum(count_centi) filter (where not is_block), 0)::bigint as book_centi,
               list(distinct yes_price_cc) as all_cc,
               list(distinct yes_price_cc) filter (where not is_block) as book_cc
        from trades semi join doubtful using (ticker, period_s, end_ts)
        group by all
    ), traded as (
        select ticker, period_s, end_ts,
               sum(all_centi)::bigint as all_centi, sum(book_centi)::bigint as book_centi,
               max(list_max(all_cc)) as high_cc, min(list_min(all_cc)) as low_cc,
               max(list_max(book_cc)) as book_high_cc, min(list_min(book_cc)) as book_low_cc,
               arg_min(all_cc, event_ts) as open_cc, arg_max(all_cc, event_ts) as close_cc,
               arg_min(book_cc, event_ts) filter (where book_cc is not null) as book_open_cc,
               arg_max(book_cc, event_ts) filter (where book_cc is not null) as book_close_cc
        from instants group by ticker, period_s, end_ts
    ), late as (
        select ticker, period_s, end_ts
        from trades t join (from bars semi join doubtful using (ticker, period_s, end_ts)) b
          using (ticker, period_s, end_ts)
        group by all
        having bool_or(t.fetched_ts > b.fetched_ts)
           and any_value(b.volume_centi) = coalesce(
                   sum(count_centi) filter (where t.fetched_ts <= b.fetched_ts), 0)
           and any_value(b.price_high_cc) is not distinct from
                   max(yes_price_cc) filter (where t.fetched_ts <= b.fetched_ts)
           and any_value(b.price_low_cc) is not distinct from
                   min(yes_price_cc) filter (where t.fetched_ts <= b.fetched_ts)
    ), pairs as (
        select coalesce(b.ticker, t.ticker) as ticker, coalesce(b.period_s, t.period_s) as period_s,
               coalesce(b.end_ts, t.end_ts) as end_ts, b.ticker is null as is_missing,
               l.ticker is not null as is_late,
               b.volume_centi, t.all_centi,
               printf('%s, close %s', {contracts("coalesce(t.all_centi, 0)")},
                      coalesce({dollars("t.close_cc[1]")}, 'none')) as expected,
               coalesce(printf('%s, close %s', {contracts("b.volume_centi")},
                      coalesce({dollars("b.price_close_cc")}, 'none')), 'no candle') as found,
               coalesce(b.volume_centi = 0 and t.ticker is null, false)
               or coalesce(b.volume_centi = t.all_centi and b.price_high_cc = t.high_cc
                   and b.price_low_cc = t.low_cc and list_contains(t.open_cc, b.price_open_cc)
                   and list_contains(t.close_cc, b.price_close_cc), false) as is_same,
               coalesce(b.volume_centi in (t.all_centi, t.book_centi)
                   and (t.book_centi = 0 and b.price_high_cc is null
                        or b.price_high_cc in (t.high_cc, t.book_high_cc)
                       and b.price_low_cc in (t.low_cc, t.book_low_cc)
                       and (list_contains(t.open_cc, b.price_open_cc)
                            or list_contains(t.book_open_cc, b.price_open_cc))
                       and (list_contains(t.close_cc, b.price_close_cc)
                            or list_contains(t.book_close_cc, b.price_close_cc))), false) as is_but_for_blocks
        from (from bars semi join doubtful using (ticker, period_s, end_ts)) b full join traded t
          on t.ticker = b.ticker and t.period_s = b.period_s and t.end_ts = b.end_ts
        left join late l on l.ticker = b.ticker and l.period_s = b.period_s and l.end_ts = b.end_ts
    ), starts as (
        select *, least(end_ts - period_s * interval 1 second,
                   end_ts - if(period_s = 86400, interval 25 hours, interval 0 hours)) as start_ts
        from pairs
    ), judged as (
        select s.*,
               bool_or(coalesce(c.resource = 'trades' and c.start_ts <= greatest(s.start_ts, m.first_open_ts)
                   and c.end_ts > s.end_ts, false)) as has_trades,
               bool_or(coalesce(c.resource <> 'trades' and c.start_ts <= s.end_ts and c.end_ts > s.end_ts,
                   false)) as has_candles
        from (from starts where not is_same and not is_but_for_blocks and not is_late) s
        left join facts.markets m on m.ticker = s.ticker
        left join facts.covered c on c.ticker = s.ticker
         and c.resource in ('trades', 'candles_' || s.period_s) and c.end_ts > s.end_ts
         and c.start_ts <= s.end_ts
        group by all
    )
    select 'ok' as class, count(*) as n, null as place, null as expected, null as found
    from plain where is_same
    union all
    select case when is_same then 'ok' when is_but_for_blocks then 'block' else 'late' end as class, count(*),
           null, null, null
    from starts where is_same or is_but_for_blocks or is_late group by class
    union all
    select if(has_trades and (has_candles or not is_missing), 'flagged', 'not_covered'), count(*),
           printf('%s, %d s', ticker, period_s),
           printf('%s to %s', any_value(expected order by end_ts), {utc("min(end_ts)")}),
           any_value(found order by end_ts)
    from judged group by all"""

_ACROSS: Final = f"""
    with pairs as (
        from (values (60, 3600), (3600, 86400)) p(fine_s, coarse_s)
    ), fine as (
        select p.coarse_s, p.fine_s, c.ticker, {end_of_bar("c.end_ts", "p.coarse_s")} as bar_ts,
               sum(c.volume_centi)::bigint as volume_centi, max(c.price_high_cc) as high_cc,
               min(c.price_low_cc) as low_cc,
               arg_min(c.price_open_cc, c.end_ts) filter (where c.price_open_cc is not null) as open_cc,
               arg_max(c.price_close_cc, c.end_ts) filter (where c.price_close_cc is not null) as close_cc
        from pairs p join raw.candles c on c.period_s = p.fine_s
        where c.date between getvariable('first') - 2 and getvariable('last')
        group by all
    ), compared as (
        select f.*, c.ticker is null as is_missing,
               coalesce(c.volume_centi = f.volume_centi and c.price_high_cc is not distinct from f.high_cc
                   and c.price_low_cc is not distinct from f.low_cc
                   and c.price_open_cc is not distinct from f.open_cc
                   and c.price_close_cc is not distinct from f.close_cc, false) as is_same,
               coalesce(printf('%s, %s to %s', {contracts("c.volume_centi")}, c.price_low_cc::varchar,
                   c.price_high_cc::varchar), 'no candle') as found,
               printf('%s, %s to %s', {contracts("f.volume_centi")}, f.low_cc::varchar,
                   f.high_cc::varchar) as expected
        from fine f left join raw.candles c
          on c.ticker = f.ticker and c.period_s = f.coarse_s and c.end_ts = f.bar_ts
         and c.date between getvariable('first') - 1 and getvariable('last') + 1
        where f.bar_ts >= getvariable('first')::timestamp at time zone 'UTC'
          and f.bar_ts < (getvariable('last') + 1)::timestamp at time zone 'UTC'
    ), judged as (
        select c.*, count(distinct v.resource) = 2 as is_covered
        from compared c left join facts.covered v
          on not c.is_same and v.ticker = c.ticker
         and v.resource in ('candles_' || c.fine_s, 'candles_' || c.coarse_s)
         and v.start_ts <= c.bar_ts - interval 25 hours and v.end_ts > c.bar_ts
        group by all
    )
    select class, count(*) as n,
           case when class <> 'ok' then printf('%s, %d s', ticker, coarse_s) end as place,
           printf('%s to %s', any_value(expected order by bar_ts), {utc("min(bar_ts)")}) as expected,
           any_value(found order by bar_ts) as found
    from (
        select *, case when is_same then 'ok' when is_covered then 'flagged' else 'not_covered' end as class
        from judged
    )
    group by class, place"""

CANDLE_CHECKS: Final[tuple[Check, ...]] = (
    Check(
        name="candle_ends",
        sentence="Bars of a minute and an hour end on one, daily bars at midnight US Eastern.",
        things="candles",
        sql=_ENDS,
        advice="Times were shifted or days cut in UTC: pull or import them again as the exchange has them.",
    ),
    Check(
        name="candle_prices",
        sentence="A candle's prices can be those of one bar, and an empty side of the book is no price.",
        things="candles",
        sql=_SANE,
        advice="Read or written wrong: pull the market's candles again.",
    ),
    Check(
        name="candle_trades",
        sentence="A candle has the volume and the first, highest, lowest and last price of its trades.",
        things="candles and bars with trades",
        sql=_AGAINST_TRADES,
        needs=("markets", "covered"),
        by_date_of=CANDLES,
        explained=(
            BLOCK,
            Class(name=LATE.name, sentence="A trade appeared after the bar was read, which had the others."),
            NOT_COVERED,
        ),
        advice="Trades or candles of that time are missing or shifted: pull both again with --reread.",
    ),
    Check(
        name="candle_lengths",
        sentence="Hours add up from their minutes, and days from their hours.",
        things="bars that shorter ones make up",
        sql=_ACROSS,
        needs=("markets", "covered"),
        by_date_of=CANDLES,
        explained=(
            Class(
                name=NOT_COVERED.name,
                sentence="Candles of one of the two lengths were not pulled for all of that time.",
                is_undecided=True,
            ),
        ),
        advice="One of the two lengths is wrong or has holes: pull both again with --reread.",
    ),
)
