"""Arguments on their way into a query, checked here because Kalshi silently ignores what it does not know.

Source: KALSHI.md §5 and gotcha 11 of §12 (2026): unknown and obsolete parameters are silently ignored.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from pipelines.client.errors import NaiveTime, RequestError

PERIODS_MIN: Final = {60: 1, 3_600: 60, 86_400: 1_440}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND: Final = timedelta(seconds=1)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FORBIDDEN_IN_TICKERS: Final = frozenset("/?#%,\\ ")

Query = dict[str, str | int | list[str]]


def query(**values: str | int | list[str] | None) -> Query:
    """Return the parameters that are set; booleans as Kalshi spells them."""
    sent: Query = {}
    for name, value in values.items():
        if isinstance(value, bool):
            sent[name] = "true" if value else "false"
        elif value is not None:
            sent[name] = value
    return sent


def seconds(name: str, at_ts: datetime | None) -> int | None:
    """Return Unix seconds, rounded down: a bound that is asked from.

    Raises:
        NaiveTime: `at_ts` has no time zone.
    """
    return None if at_ts is None else (_aware(name, at_ts) - _EPOCH) // _SECOND


def seconds_up(name: str, at_ts: datetime | None) -> int | None:
    """Return Unix seconds, rounded up: a bound that is asked until.

    Raises:
        NaiveTime: `at_ts` has no time zone.
    """
    return None if at_ts is None else -((_EPOCH - _aware(name, at_ts)) // _SECOND)


def in_order(min_name: str, min_ts: datetime | None, max_name: str, max_ts: datetime | None) -> None:
    """Check that an interval does not run backwards.

    Raises:
        RequestError: it does.
        NaiveTime: a bound has no time zone.
    """
    if min_ts is not None and max_ts is not None and _aware(min_name, min_ts) > _aware(max_name, max_ts):
        raise RequestError(
            f"{min_name} {min_ts.isoformat()} is after {max_name} {max_ts.isoformat()}: swap them"
        )


def milliseconds(name: str, at_ts: datetime | None) -> int | None:
    """Return Unix milliseconds, rounded up: the first moment of a window that includes its bounds.

    Raises:
        NaiveTime: `at_ts` has no time zone.
    """
    return None if at_ts is None else -((_EPOCH - _aware(name, at_ts)) // _MILLISECOND)


def milliseconds_down(name: str, at_ts: datetime | None) -> int | None:
    """Return Unix milliseconds, rounded down: the last moment of a window that includes its bounds.

    Raises:
        NaiveTime: `at_ts` has no time zone.
    """
    return None if at_ts is None else (_aware(name, at_ts) - _EPOCH) // _MILLISECOND


def rfc3339(name: str, at_ts: datetime | None) -> str | None:
    """Return RFC 3339 text in UTC, such as `2026-10-01T12:00:00.500000Z`.

    Raises:
        NaiveTime: `at_ts` has no time zone.
    """
    if at_ts is None:
        return None
    return _aware(name, at_ts).astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def segment(ticker: str, what: str = "ticker") -> str:
    """Return a ticker or id as one segment of a path; parentheses stay, they occur in real tickers.

    Raises:
        RequestError: empty, "." or "..", or with characters that no ticker has.
    """
    if not ticker or ticker in {".", ".."} or not _FORBIDDEN_IN_TICKERS.isdisjoint(ticker):
        raise RequestError(f"{ticker!r} is no {what}: it is empty or holds a blank, comma, slash, ?, # or %")
    return quote(ticker, safe="()")


def single(name: str, ticker: str | None) -> str | None:
    """Check a filter that takes one ticker: an empty one would be ignored, and everything would come.

    Raises:
        RequestError: empty, or with characters that no ticker has, such as the comma of a list.
    """
    if ticker is not None:
        segment(ticker, f"{name} (this filter takes one ticker)")
    return ticker


def words(name: str, text: str | None) -> str | None:
    """Check a filter of free text: an empty one would be ignored, and everything would come.

    Raises:
        RequestError: empty or blank.
    """
    if text is not None and not text.strip():
        raise RequestError(f"{name} is {text!r}: leave it out, or write what it shall match")
    return text


def repeated(name: str, ids: Sequence[str], *, at_most: int) -> list[str]:
    """Return ids for a parameter that is repeated, each once, in their order.

    Raises:
        RequestError: none, too many, one text instead of a list, or an empty id.
    """
    if isinstance(ids, str):
        raise RequestError(f"{name} is the text {ids!r}: give a list of ids")
    if not 1 <= len(ids) <= at_most:
        raise RequestError(f"{name} has {len(ids)} ids: give 1 to {at_most} a call")
    for one in ids:
        segment(one, f"id for {name}")
    return list(dict.fromkeys(ids))


def joined(name: str, tickers: Sequence[str] | None, *, at_most: int | None) -> str | None:
    """Return tickers as a comma list, None for None; `at_most` None is no limit.

    Raises:
        RequestError: none, too many, one text instead of a list, or a ticker with a comma or the like.
    """
    if tickers is None:
        return None
    if isinstance(tickers, str):
        raise RequestError(f"{name} is the text {tickers!r}: give a list of tickers")
    if not tickers or (at_most is not None and len(tickers) > at_most):
        wanted = "1 or more" if at_most is None else f"1 to {at_most} a call"
        raise RequestError(f"{name} has {len(tickers)} tickers: give {wanted}")
    for ticker in tickers:
        segment(ticker)
    return ",".join(tickers)


def limit(page_size: int, *, at_most: int) -> int:
    """Check a page size.

    Raises:
        RequestError: not 1 to `at_most`.
    """
    if not 1 <= page_size <= at_most:
        raise RequestError(f"page_size is {page_size}: this endpoint takes 1 to {at_most}")
    return page_size


def one_of(name: str, value: str | None, words: Collection[str], hint: str = "") -> str | None:
    """Check a word against the documented ones.

    Raises:
        RequestError: another word.
    """
    if value is not None and value not in words:
        raise RequestError(f"{name} is {value!r}: write one of {', '.join(sorted(words))}{hint}")
    return value


def period_minutes(period_s: int) -> int:
    """Return a candle length in minutes.

    Raises:
        RequestError: Kalshi has no such candles.
    """
    if period_s not in PERIODS_MIN:
        raise RequestError(f"period_s is {period_s}: Kalshi has candles of 60, 3600 and 86400 seconds")
    return PERIODS_MIN[period_s]


def candle_bounds(start_ts: datetime, end_ts: datetime) -> tuple[int, int]:
    """Return the first and the last Unix second of an interval, both included; it may hold none.

    Raises:
        NaiveTime: a bound has no time zone.
        RequestError: the interval runs backwards.
    """
    in_order("start_ts", start_ts, "end_ts", end_ts)
    start_s = -((_EPOCH - _aware("start_ts", start_ts)) // _SECOND)
    return start_s, (_aware("end_ts", end_ts) - _EPOCH) // _SECOND


def candle_windows(
    start_ts: datetime, end_ts: datetime, *, period_s: int, n_candles: int
) -> list[tuple[int, int]]:
    """Return (start_s, end_s), both inclusive, that cover the interval once; `n_candles` each at most.

    Raises:
        NaiveTime: a bound has no time zone.
        RequestError: the interval runs backwards.
    """
    start_s, last_s = candle_bounds(start_ts, end_ts)
    # One day a year has 23 hours, so a window of n days can hold the ends of n + 1 daily candles.
    span_s = max(n_candles - 1, 1) * period_s
    return [(from_s, min(from_s + span_s - 1, last_s)) for from_s in range(start_s, last_s + 1, span_s)]


def _aware(name: str, at_ts: datetime) -> datetime:
    if at_ts.tzinfo is None:
        raise NaiveTime(f"{name} {at_ts.isoformat()} has no time zone: add tzinfo=UTC")
    return at_ts
