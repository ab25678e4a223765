"""Windows of work: what to ask for next, and the receipt of what came."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from exchange.fees import is_combo
from pipelines.ingest.errors import BadRequest
from warehouse.asking import Moment, interval
from warehouse.lake import Lake
from warehouse.ledger import Window

ALL: Final = "all"
WITH_COMBOS: Final = "all+combos"
SCOPES: Final = ("series", "event", "ticker")
PERIODS_S: Final = (60, 3_600, 86_400)

_DAY: Final = timedelta(days=1)
_LONG: Final = timedelta(days=31)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CANDLES: Final = "candles_"


class Receipt(NamedTuple):
    """What became of a window.

    `n_rows` distinct rows came, `n_new` of them were new to the lake; `digest` says what they were,
    whatever the order and the page size. `status` is complete or failed; `reason` says why it failed.
    `notes` say what a reader of the listing should know: what it omitted, what vanished, what was not asked.
    """

    resource: str
    scope: str
    start_ts: datetime
    end_ts: datetime
    n_rows: int
    n_new: int
    n_requests: int
    digest: str
    status: str
    reason: str | None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return plain values, times as RFC 3339 text."""
        times = {"start_ts": self.start_ts.isoformat(), "end_ts": self.end_ts.isoformat()}
        return self._asdict() | times


def scope_of(
    *, series: str | None = None, event: str | None = None, ticker: str | None = None, combos: bool = False
) -> str:
    """Return the scope that one of the names makes, or the whole exchange, with `combos` or without.

    Raises:
        BadRequest: more than one was given, or combos of something narrower than the exchange.
    """
    named = {"series": series, "event": event, "ticker": ticker}
    given = {kind: name for kind, name in named.items() if name}
    if len(given) > 1:
        raise BadRequest(f"--{' and --'.join(given)} exclude each other: give the narrowest one")
    if combos and given:
        raise BadRequest(
            f"--combos and --{next(iter(given))} exclude each other: combos have series, events and tickers "
            "of their own, which can be asked for by name"
        )
    return next((f"{kind}:{name}" for kind, name in given.items()), WITH_COMBOS if combos else ALL)


def scope_parts(scope: str) -> tuple[str, str]:
    """Return kind and name of a scope; ("all", "") for the whole exchange, with combos or without.

    Raises:
        BadRequest: no scope.
    """
    if scope in (ALL, WITH_COMBOS):
        return ALL, ""
    kind, _, name = scope.partition(":")
    if kind not in SCOPES or not name:
        raise BadRequest(f"{scope!r} is no scope: write all, all+combos, series:X, event:X or ticker:X")
    return kind, name


def has_combos(scope: str) -> bool:
    """Tell whether a scope means combos too: because they were asked for, or because it is one of theirs."""
    return scope == WITH_COMBOS or is_combo(scope_parts(scope)[1])


def candles_resource(period_s: int) -> str:
    """Return the resource name of candles of one length.

    Raises:
        BadRequest: Kalshi has no such candles.
    """
    if period_s not in PERIODS_S:
        raise BadRequest(
            f"{period_s} s is no length of candles: there are candles of 60, 3600 and 86400 seconds"
        )
    return f"{_CANDLES}{period_s}"


def candles_period_s(resource: str) -> int:
    """Return the length that a candles resource names.

    Raises:
        BadRequest: it names none.
    """
    text = resource.removeprefix(_CANDLES)
    if text == resource or not text.isdecimal():
        raise BadRequest(
            f"{resource!r} is no candles resource: write candles_60, candles_3600 or candles_86400"
        )
    return int(text)


def plan_windows(
    lake: Lake,
    resource: str,
    scope: str,
    start: Moment,
    end: Moment,
    *,
    every: timedelta | None = None,
    reread: bool = False,
) -> list[Window]:
    """Return the windows of `[start, end)` that the lake does not cover yet, or with `reread` all, ascending.

    They are cut at multiples of `every` since 1970 in UTC, so that two runs cut alike. By default one
    market is one window; the whole exchange, which trades millions a day, is cut by day, and so are up to 31
    days of anything else; more by 30 days.

    Raises:
        ReversedInterval, NaiveTime: the interval is none.
        BadRequest: `every` is no length of time.
    """
    start_ts, end_ts = interval(start, end)
    if every is not None and every <= timedelta():
        raise BadRequest("--every must be longer than nothing, as in 1d")
    kind = scope_parts(scope)[0]
    if every is None and kind == "ticker":
        every = end_ts - start_ts
        starts_at = start_ts
    else:
        every = every or (_DAY if kind == ALL or end_ts - start_ts <= _LONG else 30 * _DAY)
        starts_at = _EPOCH
    wanted = [(start_ts, end_ts)] if reread else lake.missing(resource, scope, start_ts, end_ts)
    return [
        Window(resource, scope, *piece)
        for begin_ts, until_ts in wanted
        for piece in _cut(begin_ts, until_ts, every, starts_at)
    ]


def _cut(
    start_ts: datetime, end_ts: datetime, every: timedelta, starts_at: datetime
) -> list[tuple[datetime, datetime]]:
    pieces = []
    while start_ts < end_ts:
        next_ts = starts_at + ((start_ts - starts_at) // every + 1) * every
        pieces.append((start_ts, min(next_ts, end_ts)))
        start_ts = next_ts
    return pieces
