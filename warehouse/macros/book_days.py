"""How much of a market's day its book was known, and why not: from snapshots, gaps and ends of sessions.

No book is rebuilt for that. The checks ask the same of all markets at once (warehouse.checks.facts).
"""

from typing import Final

from warehouse.macros.declaring import Macro, given
from warehouse.tables import EVENTS, MARKETS
from warehouse.tape_schemas import PASSING_ENDS
from warehouse.views import latest

NOT_RECORDED: Final = "not_recorded"
"""The cause where no whole book of the market had come yet, and no gap says why; as `Lake.books` says it."""

_DAY_US: Final = 86_400_000_000
FOREVER: Final = 2**62
_BEFORE: Final = "rows between unbounded preceding and 1 preceding"


def _islands(keys: str, spans: str) -> str:
    """Return SQL that merges the spans (start_us, end_us) of each key that overlap or touch."""
    return f"""
        select {keys}, min(n.start_us) as start_us, max(n.end_us) as end_us
        from (
            select r.*, sum(case when r.start_us <= r.reached_us then 0 else 1 end)
                over (partition by {keys} order by r.start_us, r.end_us) as island
            from (
                select s.*, max(s.end_us) over (partition by {keys} order by s.start_us, s.end_us {_BEFORE})
                    as reached_us
                from ({spans}) s
            ) r
        ) n
        group by {keys}, n.island"""


# As `Lake.books` has it: a gap blinds what its session tells of the market, and the end of a recording
# that has grown since is none, or lasts until the stream is heard again.
BOOK_SESSIONS: Final = f"""
    whole as (
        select s.ticker, s.session, s.method, epoch_us(s.captured_ts) as at_us
        from raw.book_snapshots s join asked a on a.ticker = s.ticker
        where s.depth is null
    ), watched as (
        select w.ticker, w.session, max(w.method) as method, min(w.whole_us) as whole_us,
            min(w.at_us) as first_us
        from (
            select b.ticker, b.session, b.method, b.at_us as whole_us, b.at_us from whole b
            union all
            select d.ticker, d.session, null, null, min(epoch_us(greatest(d.event_ts, d.received_ts)))
            from raw.book_deltas d join asked a on a.ticker = d.ticker
            group by d.ticker, d.session
        ) w
        group by w.ticker, w.session
    ), heard as (
        select d.session, d.sid, d.seq, epoch_us(greatest(d.event_ts, d.received_ts)) as at_us
        from raw.book_deltas d where d.session in (select distinct w.session from watched w)
        union all
        select s.session, s.sid, s.seq, epoch_us(s.captured_ts)
        from raw.book_snapshots s where s.session in (select distinct w.session from watched w)
    ), outlived as (
        select g.session, g.sid, g.from_seq, g.cause, min(h.seq) as seq, arg_min(h.at_us, h.seq) as at_us
        from raw.book_gaps g
        join heard h on h.session = g.session and h.sid = g.sid and h.seq >= g.from_seq
        where g.cause in {PASSING_ENDS}
        group by g.session, g.sid, g.from_seq, g.cause
    ), blind as (
        select b.ticker, b.session, b.cause, b.from_us, b.until_us
        from (
            select g.session, unnest(g.tickers) as ticker, g.cause, epoch_us(g.from_ts) as from_us,
                coalesce(epoch_us(g.until_ts), o.at_us, {FOREVER}) as until_us
            from raw.book_gaps g
            left join outlived o on o.session = g.session and o.sid = g.sid and o.from_seq = g.from_seq
                and o.cause = g.cause
            where o.seq is distinct from g.from_seq
        ) b
        join watched w on w.ticker = b.ticker and w.session = b.session
    )"""
"""CTEs that go on from `asked` (ticker, open_us, close_us: null where nobody knows).

watched    sessions that recorded a market: when its first change or whole book came (whole_us: null if never)
heard      all that these sessions told
blind      what of them gaps blind, until_us FOREVER where nothing ended it
"""

_KINDS: Final = "unnest([t.kind, 'any']) as kind"

_PIECES: Final = f"""
    pieces as (
        select p.ticker, p.session, p.method, p.start_us, p.end_us
        from (
            select m.ticker, m.session, m.method, m.end_us,
                greatest(m.whole_us, max(m.until_us) over (partition by m.ticker, m.session
                    order by m.end_us, m.until_us {_BEFORE})) as start_us
            from (
                select w.ticker, w.session, w.method, w.whole_us, b.from_us as end_us, b.until_us
                from watched w join blind b on b.ticker = w.ticker and b.session = w.session
                union all
                select w.ticker, w.session, w.method, w.whole_us, {FOREVER}, {FOREVER} from watched w
            ) m
            where m.whole_us is not null
        ) p
        where p.start_us < p.end_us
    )"""

# Polls speak where no stream does, those that came after the last break of a stream.
_KNOWN: Final = f"""
    streamed as (
        {_islands("ticker", "select p.ticker, p.start_us, p.end_us from pieces p where p.method <> 'rest'")}
    ), silent as (
        select m.ticker, m.end_us as start_us,
            coalesce(lead(m.start_us) over (partition by m.ticker order by m.end_us), {FOREVER}) as end_us
        from (
            select s.ticker, s.start_us, s.end_us from streamed s
            union all
            select distinct w.ticker, 0, 0 from watched w
        ) m
    ), breaks as (
        select distinct b.ticker, b.from_us
        from blind b join watched w on w.ticker = b.ticker and w.session = b.session
        where coalesce(w.method, '') <> 'rest' and b.cause <> 'no_snapshot'
    ), polls as (
        select b.ticker, b.at_us, p.end_us
        from whole b asof join pieces p
            on p.ticker = b.ticker and p.session = b.session and b.at_us >= p.start_us
        where b.method = 'rest' and b.at_us < p.end_us
    ), alone as (
        select p.ticker, p.at_us, least(p.end_us, s.end_us) as end_us
        from polls p asof join silent s on s.ticker = p.ticker and p.at_us > s.start_us
        where p.at_us < s.end_us
    ), told as (
        select p.ticker, p.method as kind, p.start_us, p.end_us from pieces p where p.method <> 'rest'
        union all
        select a.ticker, 'rest', a.at_us, least(a.end_us, k.from_us)
        from alone a asof left join breaks k on k.ticker = a.ticker and a.at_us < k.from_us
    ), known as (
        {_islands("ticker, kind", f"select t.ticker, {_KINDS}, t.start_us, t.end_us from told t")}
    )"""

_DAYS: Final = f"""
    spans as (
        select a.ticker, greatest(min(a.open_us), min(w.first_us)) as from_us,
            least(min(a.close_us), max(l.last_us)) as until_us
        from asked a join watched w on w.ticker = a.ticker
        join (select h.session, max(h.at_us) as last_us from heard h group by h.session) l
            on l.session = w.session
        group by a.ticker
    ), days as (
        select r.ticker, r.day, greatest(r.from_us, r.day * {_DAY_US}) as from_us,
            least(r.until_us, (r.day + 1) * {_DAY_US}) as until_us
        from (
            select s.*, unnest(range(s.from_us // {_DAY_US}, (s.until_us - 1) // {_DAY_US} + 1)) as day
            from spans s where s.from_us < s.until_us
        ) r
    ), met as (
        select d.ticker, d.day, d.from_us, k.kind, greatest(k.start_us, d.from_us) as start_us,
            least(k.end_us, d.until_us) as end_us
        from days d
        join known k on k.ticker = d.ticker and k.start_us < d.until_us and k.end_us > d.from_us
    ), holes as (
        select h.ticker, h.day, h.start_us, h.end_us
        from (
            select m.ticker, m.day, m.start_us as end_us,
                coalesce(max(m.end_us) over (partition by m.ticker, m.day order by m.start_us {_BEFORE}),
                    m.from_us) as start_us
            from (
                select m.ticker, m.day, m.from_us, m.start_us, m.end_us from met m where m.kind = 'any'
                union all
                select d.ticker, d.day, d.from_us, d.until_us, d.until_us from days d
            ) m
        ) h
        where h.start_us < h.end_us
    ), causes as (
        select b.ticker, b.from_us, arg_max(b.cause, b.until_us) as cause from blind b
        group by b.ticker, b.from_us
    ), unknown as (
        select c.ticker, c.day, c.start_us,
            coalesce(lead(c.start_us) over (partition by c.ticker, c.day, c.end_us order by c.start_us),
                c.end_us) as end_us,
            coalesce(w.cause, '{NOT_RECORDED}') as cause
        from (
            select h.ticker, h.day, h.start_us, h.end_us from holes h
            union all
            select h.ticker, h.day, b.from_us, h.end_us
            from holes h join causes b
                on b.ticker = h.ticker and b.from_us > h.start_us and b.from_us < h.end_us
        ) c
        asof left join causes w on w.ticker = c.ticker and c.start_us >= w.from_us
    )"""

BOOK_DAYS: Final = f"{BOOK_SESSIONS}, {_PIECES}, {_KNOWN}, {_DAYS}"
"""BOOK_SESSIONS, and what follows from them:

known      merged spans in which the book is known, by kind: ws, import, rest, and any of them
days       UTC days (since 1970) on which a market was open and recorded: from the first that any of its
           sessions heard of it to the last that any of them heard
unknown    what is not known of the days, in pieces of one cause each
"""


def _share(kind: str) -> str:
    known_us = f"coalesce(sum(m.end_us - m.start_us) filter (where m.kind = '{kind}'), 0)"
    return f"round({known_us} / any_value(d.until_us - d.from_us), 6)"


_COVERAGE: Final = f"""
    with {given("series")}, asked as (
        select m.ticker, epoch_us(m.open_ts) as open_us, epoch_us(m.close_ts) as close_us
        from {latest(MARKETS)} m left join {latest(EVENTS)} e on e.ticker = m.event_ticker
        join given on given._series = coalesce(m.series_ticker, e.series_ticker)
    ), {BOOK_DAYS}, shares as (
        select d.ticker, d.day, any_value(d.from_us) as from_us, any_value(d.until_us) as until_us,
            {_share("any")} as known, {_share("ws")} as known_ws, {_share("import")} as known_import,
            {_share("rest")} as known_rest
        from days d left join met m on m.ticker = d.ticker and m.day = d.day
        group by d.ticker, d.day
    ), reasons as (
        select u.ticker, u.day, count(*) as n, max(u.end_us - u.start_us) as longest_us,
            list(struct_pack(
                start_ts := make_timestamp(u.start_us) at time zone 'UTC',
                end_ts := make_timestamp(u.end_us) at time zone 'UTC',
                cause := u.cause
            ) order by u.start_us) as pieces
        from unknown u
        group by u.ticker, u.day
    )
    select
        s.ticker,
        date '1970-01-01' + cast(s.day as integer) as day,
        make_timestamp(s.from_us) at time zone 'UTC' as from_ts,
        make_timestamp(s.until_us) at time zone 'UTC' as until_ts,
        s.known, s.known_ws, s.known_import, s.known_rest,
        coalesce(r.n, 0) as n_unknown,
        to_microseconds(coalesce(r.longest_us, 0)) as longest_unknown,
        coalesce(r.pieces, []) as unknown
    from shares s left join reasons r on r.ticker = s.ticker and r.day = s.day
    order by s.known, s.day, s.ticker"""

BOOK_COVERAGE: Final = Macro(
    name="book_coverage",
    parameters="series",
    sentence=(
        "How much of each day the books of a series were known, while their markets were open and recorded: "
        "from the first that any session heard of a market to the last thing it heard. The least known "
        "first. Markets that nobody recorded are not here."
    ),
    sql=_COVERAGE,
    comments={
        "ticker": "The market.",
        "day": "The UTC date.",
        "from_ts": "From when on it was open and recorded that day.",
        "until_ts": "Until when.",
        "known": "Share of that time in which its book is known, 0 to 1.",
        "known_ws": "The same from recorded streams alone.",
        "known_import": "From streams that others recorded in forms of their own.",
        "known_rest": "From polls, which speak only where no stream does.",
        "n_unknown": "In how many pieces it is unknown.",
        "longest_unknown": "How long the longest of them is.",
        "unknown": (
            "The pieces, oldest first: from start_ts, included, to end_ts, and the cause as in book_gaps; "
            f"{NOT_RECORDED}: no whole book had come yet."
        ),
    },
)
