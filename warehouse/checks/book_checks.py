"""Checks of recorded books: that they are known, that they end, that they are right, and on time."""

from typing import Final

from warehouse.book_quality_tops import AGREEMENTS, WRONG_TOPS
from warehouse.book_quality_trades import TAKINGS, WRONG_TAKINGS
from warehouse.checks.declaring import Check, Class, contracts, dollars, utc
from warehouse.macros.book_days import NOT_RECORDED
from warehouse.macros.latency import FLOOR_OF
from warehouse.tape_schemas import BREAKS

_PATIENCE_S: Final = 60
_BREAKS: Final = tuple(each for each in BREAKS if each != "missed_poll")
_SHARE: Final = 0.005
_FEW: Final = 2
_CROSSED_MS: Final = 1_000
_JUMP_MS: Final = 1_000


def _moment(us: str) -> str:
    return utc(f"make_timestamp({us})")


_COVERAGE: Final = f"""
    with pieces as (
        select *, (end_us - start_us) / 1e6 as length_s,
               case
                 when cause = 'known' then 'ok'
                 when not has_book then 'no_book'
                 when cause not in {_BREAKS} then cause
                 when end_us - start_us > {_PATIENCE_S * 1_000_000} then 'flagged'
                 else 'broken'
               end as class
        from facts.book_time
    )
    select class, round(sum(length_s))::bigint as n,
           case when class = 'flagged' then ticker || ' ' || (date '1970-01-01' + day::integer)::varchar end
               as place,
           'a known book, or a new snapshot within {_PATIENCE_S} s' as expected,
           printf('unknown for %.0f s, the longest from %s on (%s)', sum(length_s),
                  {_moment("arg_max(start_us, length_s)")}, arg_max(cause, length_s)) as found
    from pieces group by class, place"""

_ENDS: Final = f"""
    select case
             when cause is not null then 'ok'
             when last_us > newest_us - 3600000000 then 'running'
             else 'flagged'
           end as class,
           1 as n, ticker || ', session ' || session as place,
           'a row of book_gaps that says how it ended' as expected,
           printf('last heard at %s; since then its books count as known', {_moment("last_us")}) as found
    from facts.book_ends"""


_TOP: Final = (
    f"printf('bid %s x %s, ask %s x %s at %s', {dollars('bid_cc')}, {contracts('bid_centi')}, "
    f"{dollars('ask_cc')}, {contracts('ask_centi')}, {utc('known_ts')})"
)
_TAKING: Final = (
    f"printf('%s of the %s bids at %s, at %s', {contracts('count_centi')}, side, {dollars('price_cc')}, "
    f"{utc('event_ts')})"
)


def _agreement(fact: str, column: str, wrong: tuple[str, ...], example: str, things: str) -> str:
    """Return SQL that flags what is not right of a market's stream where it is more than a few."""
    return f"""
    with judged as (
        select *, {column} in {wrong} as is_wrong,
               sum(n) filter (where {column} in {wrong}) over stream as n_wrong,
               sum(n) filter (where {column} not in ('unknown', 'edge')) over stream as n_all
        from facts.{fact} window stream as (partition by ticker, session)
    ), classes as (
        select *, is_wrong and n_wrong > greatest({_FEW}, {_SHARE} * n_all) as is_flagged from judged
    )
    select if(is_flagged, 'flagged', {column}) as class, sum(n)::bigint as n,
           case when is_flagged then ticker || ', session ' || session end as place,
           printf('{things} for at least 99.5 %% of %d', any_value(n_all)::bigint) as expected,
           printf('%s; for example %s', string_agg(n || ' ' || {column}, ', ' order by n desc),
                  arg_max({example}, n)) as found
    from classes group by if(is_flagged, 'flagged', {column}), place"""


_SPELLS: Final = f"""
    select case
             when anomaly is null then 'ok'
             when anomaly = 'unchanged' then anomaly
             when anomaly = 'crossed' and length_ms < {_CROSSED_MS} then 'crossed_briefly'
             else 'flagged'
           end as class,
           sum(n)::bigint as n, case when anomaly is not null then ticker end as place,
           'bids of YES and NO that make less than $1, and no level below 0' as expected,
           printf('%s for %d ms from %s on', arg_max(anomaly, length_ms), max(length_ms)::bigint,
                  {utc("arg_max(from_ts, length_ms)")}) as found
    from facts.book_spells group by class, place"""

_CLOCKS: Final = f"""
    with minutes as (
        select *, lag(floor_ms) over (partition by session order by minute) as before_ms,
               bool_or(has_lag) over (partition by session) as has_two
        from facts.book_minutes where n >= {FLOOR_OF}
    ), judged as (
        select *, case
                 when not has_two then 'one_clock'
                 when abs(floor_ms - before_ms) >= {_JUMP_MS} then 'flagged'
                 else 'ok'
               end as class
        from minutes
    )
    select class, count(*) as n, case when class = 'flagged' then 'session ' || session end as place,
           'lags whose least changes by less than {_JUMP_MS} ms a minute' as expected,
           printf('least lag of %d ms, then of %d ms, at %s', arg_max(before_ms, abs(floor_ms - before_ms)),
                  arg_max(floor_ms, abs(floor_ms - before_ms)),
                  {_moment("60000000 * arg_max(minute, abs(floor_ms - before_ms))")}) as found
    from judged group by class, place
    union all
    select 'too_few', count(*), null, null, null from facts.book_minutes where n < {FLOOR_OF}"""

_ENDED: Final = {
    "session_end": "The only recorder closed its connection, or lost it.",
    "killed": "The only recorder was killed.",
    "stalled": "The only recorder gave up a connection that had fallen silent.",
    "overflow": "The exchange ended the subscription, for it was read too slowly.",
    "channel_error": "The exchange ended the subscription.",
    "unsubscribed": "The only recorder had let go of the market.",
    "missed_poll": "A poll failed, or nobody asked, and no stream was recorded.",
    NOT_RECORDED: "No whole book had come yet.",
}


def _classes(told: dict[str, str], *undecided: str) -> tuple[Class, ...]:
    return tuple(
        Class(name=name, sentence=sentence, is_undecided=name in undecided)
        for name, sentence in told.items()
        if name != "ok"
    )


_UNCHANGED: Final = Class(
    name="unchanged",
    sentence="Found in order by an earlier check, and no file of its day has changed since.",
)

BOOK_CHECKS: Final[tuple[Check, ...]] = (
    Check(
        name="book_coverage",
        sentence=f"While a market is open and recorded, its book is not lost for more than {_PATIENCE_S} s.",
        things="seconds of open markets",
        sql=_COVERAGE,
        needs=("book_time",),
        explained=(
            Class(
                name="broken",
                sentence=f"Frames were missing or bad; a new snapshot came within {_PATIENCE_S} s.",
            ),
            *_classes(_ENDED),
            Class(
                name="no_book",
                sentence="Only changes of the market were recorded, never a whole book.",
                is_undecided=True,
            ),
        ),
        is_warning=True,
        advice=(
            "Frames are missing and no snapshot came, so the books are unknown there, not wrong; "
            "`from book_coverage(series)` has every piece. Record over a second connection."
        ),
    ),
    Check(
        name="book_ends",
        sentence="What a session recorded of a market ends with a gap that says so.",
        things="recorded markets",
        sql=_ENDS,
        needs=("book_ends",),
        explained=(
            Class(
                name="running",
                sentence="It was heard within an hour of the newest that was recorded of any book.",
                is_undecided=True,
            ),
        ),
        advice=(
            "The recorder was killed: `tapehouse import ws` its log once more, or start it again. Until "
            "then, do not trust these books after the time that is named."
        ),
    ),
    Check(
        name="book_quotes",
        sentence=(
            "Within 300 ms of a message of the ticker channel the rebuilt book has its bid, its ask and both "
            f"sizes; of a market's stream, {_FEW} messages or one of 200 may differ."
        ),
        things="messages of the ticker channel",
        sql=_agreement("book_tops", "agreement", WRONG_TOPS, _TOP, "the top that the exchange told"),
        needs=("book_tops",),
        explained=(*_classes(AGREEMENTS, "unknown", "edge"), _UNCHANGED),
        advice=(
            "Changes are missing where no number is: leave the session out. "
            "`warehouse.book_quality.quotes_agreement` has every message."
        ),
    ),
    Check(
        name="book_trades",
        sentence=(
            "A trade takes exactly its size off the level it hits, in each stream that recorded its market; "
            f"of a stream, {_FEW} trades or one of 200 may not."
        ),
        things="trades, by stream",
        sql=_agreement("book_takings", "taking", WRONG_TAKINGS, _TAKING, "a change of exactly its size"),
        needs=("book_takings",),
        explained=(*_classes(TAKINGS, "unknown"), _UNCHANGED),
        advice=(
            "Changes are missing where no number is, or trades were told otherwise: "
            "`warehouse.book_quality.trades_agreement` has every trade."
        ),
    ),
    Check(
        name="book_states",
        sentence=(
            f"A rebuilt book is crossed for less than {_CROSSED_MS} ms, and no level of it is below 0."
        ),
        things="states of books",
        sql=_SPELLS,
        needs=("book_spells",),
        explained=(
            Class(
                name="crossed_briefly",
                sentence=f"Bid and ask crossed or met for less than {_CROSSED_MS} ms, as a trade makes them.",
            ),
            _UNCHANGED,
        ),
        advice="A change is missing or came twice: leave the session out, or record anew.",
    ),
    Check(
        name="book_clocks",
        sentence=(
            "The least lag of a minute, received minus happened, is less than "
            f"{_JUMP_MS} ms from that of the minute before."
        ),
        things="recorded minutes",
        sql=_CLOCKS,
        needs=("book_minutes",),
        explained=(
            Class(name="one_clock", sentence="The recording has one time only.", is_undecided=True),
            Class(
                name="too_few",
                sentence=f"Fewer than {FLOOR_OF} changes in the minute.",
                is_undecided=True,
            ),
        ),
        is_warning=True,
        advice=(
            "The recorder's clock was set, or frames waited for a whole minute: `from book_latency(series)`. "
            "What was known when is uncertain there."
        ),
    ),
)
