"""Facts of recorded books: time known and unknown, lags of clocks, and what rebuilt books say.

book_time      how long the books of a market were known on a day, and how long not for which cause
book_ends      what sessions recorded of markets, and which gap ended it
book_minutes   by session and minute: how many changes came, and the least lag between the two clocks
book_tops      messages of the ticker channel by what they are to the rebuilt books
book_spells    how long books were crossed, or a level below nothing
book_takings   trades by what they are to the changes of recorded books

The last three need books rebuilt, which SQL does not do: `warehouse.book_quality` does, some markets of one
day at a time.
"""

from typing import Final

from warehouse.macros.book_days import BOOK_DAYS, BOOK_SESSIONS, FOREVER
from warehouse.macros.latency import lags

_ASKED: Final = """asked as (
        select b.ticker, epoch_us(m.open_ts) as open_us, epoch_us(m.close_ts) as close_us
        from (
            select ticker from raw.book_snapshots where depth is null
            union
            select ticker from raw.book_deltas
        ) b
        left join facts.markets m using (ticker)
    )"""

BOOK_FACTS: Final[dict[str, str]] = {
    "book_time": f"""
    with {_ASKED}, {BOOK_DAYS}
    select m.ticker, m.day, 'known' as cause, m.start_us, m.end_us, true as has_book
    from met m where m.kind = 'any'
    union all
    select u.ticker, u.day, u.cause, u.start_us, u.end_us,
           u.ticker in (select w.ticker from watched w where w.whole_us is not null)
    from unknown u""",
    "book_ends": f"""
    with {_ASKED}, {BOOK_SESSIONS}, lasts as (
        select session, max(at_us) as last_us from heard group by session
    )
    select w.ticker, w.session, l.last_us, max(l.last_us) over () as newest_us,
           (select any_value(b.cause) from blind b
            where b.ticker = w.ticker and b.session = w.session and b.until_us = {FOREVER}) as cause
    from watched w join lasts l using (session)
    where coalesce(w.method, '') <> 'rest'""",
    "book_minutes": f"""
    select session, minute, min(lag_ms) as floor_ms, sum(n)::bigint as n,
           bool_or(lag_ms <> 0) as has_lag
    from ({lags("raw.book_deltas")})
    group by session, minute""",
}
