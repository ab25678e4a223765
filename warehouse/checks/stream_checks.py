"""Checks of quotes and books: that nobody would have sold below what another bid."""

from typing import Final

from warehouse.checks.declaring import Check, dollars, utc

_QUOTES: Final = f"""
    select class, count(*) as n,
           case when class <> 'ok' then ticker end as place, 'a bid that is not above the ask' as expected,
           printf('bid %s, ask %s at %s', {dollars("arg_min(bid_cc, event_ts)")},
                  {dollars("arg_min(ask_cc, event_ts)")}, {utc("min(event_ts)")}) as found
    from (select *, if(coalesce(bid_cc > ask_cc, false), 'flagged', 'ok') as class from raw.quotes)
    group by class, place"""

_BOOKS: Final = f"""
    with looked as (
        select ticker, captured_ts, list_max(yes_prices_cc) as yes_cc, list_max(no_prices_cc) as no_cc,
               least(list_min(yes_counts_centi), list_min(no_counts_centi)) as least_centi
        from raw.book_snapshots
    )
    select class, count(*) as n, case when class <> 'ok' then ticker end as place,
           'bids of YES and NO that make $1 at most, and sizes above 0' as expected,
           printf('yes %s, no %s, least size %d at %s', {dollars("arg_min(yes_cc, captured_ts)")},
                  {dollars("arg_min(no_cc, captured_ts)")}, min(least_centi),
                  {utc("min(captured_ts)")}) as found
    from (
        select *, if(coalesce(yes_cc + no_cc > 10000, false) or coalesce(least_centi <= 0, false),
                     'flagged', 'ok') as class
        from looked
    )
    group by class, place"""

STREAM_CHECKS: Final[tuple[Check, ...]] = (
    Check(
        name="quotes",
        sentence="The best bid is not above the best ask.",
        things="quotes",
        sql=_QUOTES,
        advice="Sides were swapped, or two moments were mixed: see `source` and `session` of these rows.",
    ),
    Check(
        name="books",
        sentence="A snapshot of a book is not crossed, and its levels hold something.",
        things="book snapshots",
        sql=_BOOKS,
        advice="The recorder mixed two moments or markets: leave the session out, or record anew.",
    ),
)
