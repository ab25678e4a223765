"""Checks of our own books: what the ledger says came, and what is there; what shrank since the last check."""

from typing import Final

from warehouse.checks.declaring import LATE, Check, Class, utc

_WINDOW: Final = f"printf('%s %s [%s, %s)', resource, scope, {utc('start_ts')}, {utc('end_ts')})"

_HELD: Final = f"""
    select class, 1 as n, {_WINDOW} as place, printf('%d rows, digest %s', n_rows, digest[:12]) as expected,
           printf('%d rows, digest %s', n_found, coalesce(found_digest[:12], 'not taken')) as found
    from facts.held"""

_AGREE: Final = f"""
    with asked as (
        select * from raw.windows
        where status = 'complete' and (resource = 'trades' or starts_with(resource, 'candles_'))
    ), pairs as (
        select i.*, o.start_ts as wide_start_ts, o.end_ts as wide_end_ts, o.n_rows as wide_n_rows,
               o.digest as wide_digest, o.asked_ts as wide_asked_ts,
               i.start_ts = o.start_ts and i.end_ts = o.end_ts as is_same_span
        from asked i join asked o
          on o.resource = i.resource and o.scope = i.scope
         and o.start_ts <= i.start_ts and i.end_ts <= o.end_ts
         and (i.start_ts, i.end_ts, i.digest) <> (o.start_ts, o.end_ts, o.digest)
         and i.asked_ts <= o.asked_ts
    )
    select case
             when n_rows > wide_n_rows then 'flagged'
             when not is_same_span then 'ok'
             when n_rows < wide_n_rows then 'late'
             else 'flagged'
           end as class,
           1 as n, {_WINDOW} as place,
           printf('at least %d rows, as on %s', n_rows, {utc("asked_ts")}) as expected,
           printf('%d rows in [%s, %s) on %s', wide_n_rows, {utc("wide_start_ts")}, {utc("wide_end_ts")},
                  {utc("wide_asked_ts")}) as found
    from pairs"""

# On Thursdays the exchange rests between 07:00 and 10:00 UTC (KALSHI.md §18: gaps in recorded candles, 2026).
_BUSY: Final = f"""
    with asked as (
        select *, row_number() over (partition by start_ts, end_ts order by n_rows desc) as place_in_span
        from raw.windows where status = 'complete' and resource = 'trades' and scope = 'all'
    ), row_of as (
        select * exclude (place_in_span),
               lag(n_rows / epoch(end_ts - start_ts)) over neighbours as rate_before,
               lead(n_rows / epoch(end_ts - start_ts)) over neighbours as rate_after,
               lag(end_ts) over neighbours as before_ts, lead(start_ts) over neighbours as after_ts
        from asked where place_in_span = 1 window neighbours as (order by start_ts, end_ts)
    ), judged as (
        select *, least(rate_before, rate_after) * epoch(end_ts - start_ts) as n_likely,
               coalesce(before_ts >= start_ts and after_ts <= end_ts, false) as is_between
        from row_of
    )
    select case
             when n_rows > 0 or not is_between or coalesce(n_likely, 0) < 100 then 'ok'
             when isodow(start_ts) = 4 and hour(start_ts) >= 7 and end_ts <= date_trunc('day', start_ts)
                  + interval 10 hours then 'maintenance'
             else 'flagged'
           end as class,
           1 as n, {_WINDOW} as place,
           printf('some %d trades, as before and after', n_likely::bigint) as expected,
           'none' as found
    from judged"""

_FAILED: Final = f"""
    with failed as (
        select * from raw.windows where status = 'failed'
    ), cover as (
        select f.resource, f.scope, f.start_ts, f.end_ts, f.asked_ts, f.reason,
               bool_or(coalesce(s.start_ts <= f.start_ts and s.end_ts >= f.end_ts, false)) as is_covered,
               bool_or(coalesce(l.asked_ts >= f.asked_ts, false)) as is_asked_again
        from failed f
        left join facts.spans s on s.resource = f.resource and s.scope in (f.scope, 'all', 'all+combos')
        left join facts.listings l on l.resource = f.resource and l.scope in (f.scope, 'all', 'all+combos')
        group by all
    )
    select case when is_covered then 'pulled_since' when is_asked_again then 'pulled_since'
                else 'flagged' end as class,
           1 as n, {_WINDOW} as place, 'a complete window' as expected,
           printf('failed %s: %s', {utc("asked_ts")}, reason) as found
    from cover
    union all
    select 'ok', count(*), null, null, null from raw.windows where status = 'complete'"""

_DAYS: Final = """
    select class, 1 as n, printf('%s %s', table_name, strftime(day_ts, '%Y-%m-%d')) as place,
           printf('%d rows, digest %s', was_n_rows, was_digest[:12]) as expected,
           printf('%d rows, digest %s', n_rows, digest[:12]) as found
    from facts.days"""

_QUARANTINE: Final = f"""
    select class, count(*) as n,
           printf('%s: %s', table_name, coalesce(field, 'the whole payload')) as place,
           'rows that can be read' as expected,
           printf('%s, for example %s, seen %s', any_value(reason), any_value(location),
                  {utc("min(seen_ts)")}) as found
    from (
        select *, if(digest in (select digest from facts.told_quarantine), 'told_before', 'flagged') as class
        from raw.quarantine
    )
    group by all"""

_DRIFT: Final = f"""
    with words as (
        select kind, place, word, min(first_seen_ts) as seen_ts, sum(n_seen)::bigint as n_seen,
               any_value(example) as example
        from raw.drift group by kind, place, word
    )
    select if(t.word is null, 'flagged', 'told_before') as class, 1 as n,
           printf('%s %s %s', w.kind, w.place, w.word) as place, 'only what is documented' as expected,
           printf('%d times since %s, for example %s', n_seen, {utc("seen_ts")}, example) as found
    from words w left join (select distinct kind, place, word from facts.told_drift) t
      on t.kind = w.kind and t.place = w.place and t.word = w.word"""

_TOLD_BEFORE: Final = Class(name="told_before", sentence="The last check that was kept told of it already.")

LEDGER_CHECKS: Final[tuple[Check, ...]] = (
    Check(
        name="window_rows",
        sentence="What a complete window brought is in the lake: as many rows, and the same.",
        things="complete windows",
        sql=_HELD,
        needs=("held",),
        explained=(
            Class(name="late", sentence="More rows are there, which came after it was asked."),
            Class(
                name="unchanged",
                sentence="Found in order by an earlier check, and no file of its days has changed since.",
            ),
            Class(
                name="untestable",
                sentence="As many rows are there, but its digest was made another way, or others told some.",
                is_undecided=True,
            ),
        ),
        advice=(
            "Rows were lost or changed after the window was entered: pull it again with --reread and the "
            "window's --start and --end."
        ),
    ),
    Check(
        name="window_answers",
        sentence="Who asks again is told at least as much as before.",
        things="pairs of windows, one inside of the other",
        sql=_AGREE,
        explained=(Class(name=LATE.name, sentence="Trades appeared between the two answers."),),
        advice="One of the answers was cut short: pull the span again with --reread, then check again.",
    ),
    Check(
        name="window_silence",
        sentence="No window of the whole exchange is empty between busy ones.",
        things="windows of trades of the whole exchange",
        sql=_BUSY,
        explained=(
            Class(name="maintenance", sentence="The exchange rests on Thursdays, 07:00 to 10:00 UTC."),
        ),
        advice="The exchange answered nothing where there must be trades: pull the window with --reread.",
    ),
    Check(
        name="failed_windows",
        sentence="What failed to be pulled was pulled since.",
        things="windows",
        sql=_FAILED,
        needs=("spans", "listings"),
        explained=(
            Class(name="pulled_since", sentence="Complete windows cover it, or it was listed again."),
        ),
        advice="Run the sync again with --start and --end of the window; the reason says what else to do.",
    ),
    Check(
        name="days",
        sentence="A day never loses a row, and an old row never changes: see day_digests.",
        things="days of tables that were checked before",
        sql=_DAYS,
        needs=("days",),
        explained=(
            Class(name="grown", sentence="Rows came since the last check."),
            Class(name="rewritten", sentence="The same rows lie in other files: somebody compacted them."),
            Class(name="first_seen", sentence="No check has looked at that day before.", is_undecided=True),
        ),
        advice=(
            "Somebody removed or changed rows. Read an earlier version with Lake.at and commit what is "
            "missing; if it was meant, `tapehouse warehouse check --only days --accept`."
        ),
    ),
    Check(
        name="quarantine",
        sentence="No payload came since the last check that could not be read.",
        things="payloads in quarantine",
        sql=_QUARANTINE,
        needs=("told_quarantine",),
        explained=(_TOLD_BEFORE,),
        is_warning=True,
        advice='Look at them, `tapehouse warehouse sql "from quarantine"`; a newer Tapehouse may read them.',
    ),
    Check(
        name="drift",
        sentence="The exchange said nothing since the last check that no document lists.",
        things="unknown fields and values",
        sql=_DRIFT,
        needs=("told_drift",),
        explained=(_TOLD_BEFORE,),
        is_warning=True,
        advice="The exchange grew: read its changelog. What a field says is kept once it has a column.",
    ),
)
