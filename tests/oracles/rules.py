"""The exchange's rules once more, slow and obvious: payouts, pauses, grids and netting from rows as dicts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from exchange.fees import FeeTerms
from exchange.ticks import STRUCTURES, PriceRange
from exchange.units import from_us, to_us

Row = Mapping[str, Any]
NEVER = 2**63 - 1
DELAY_US = 3_600_000_000


@dataclass
class Value:
    """What a market was seen to pay, as long as it was not seen to pay something else."""

    value_cc: int
    seen_us: int
    last_us: int
    paid_us: int | None
    close_us: int
    open_us: int  # when it was last seen, after the close, without this value


def payouts(states: Sequence[Row]) -> list[tuple[int, int]]:
    """Return when a market pays, and at what value; entries after the first correct the one before."""
    return [(t, each.value_cc) for t, each in paid_values(states)]


def paid_values(states: Sequence[Row]) -> list[tuple[int, Value]]:
    """Return the same with all that was seen of each value."""
    found: list[Value] = []
    open_us = -1
    for row in states:
        seen_us, value = to_us(row["observed_ts"]), decided(row)
        close_us = min(to_us(row["close_ts"]), ended(states))
        if value is None:
            open_us = max(open_us, seen_us) if seen_us >= close_us else open_us
            continue
        if not found or found[-1].value_cc != value:
            was_us = found[-1].last_us if found else -1
            found.append(Value(value, seen_us, seen_us, None, close_us, was_us))
        now = found[-1]
        now.last_us, now.close_us, now.open_us = seen_us, close_us, max(now.open_us, open_us)
        now.paid_us = to_us(row["settlement_ts"]) if row.get("settlement_ts") else now.paid_us
    last_counts = bool(states) and decided(states[-1]) is not None
    moved = [each for each in found if each.paid_us is not None or (each is found[-1] and last_counts)]
    times: list[int] = []
    before = None
    for each in moved:
        if each.paid_us is None:
            t = max(each.close_us, each.open_us) + DELAY_US
        elif before is None or each.paid_us > before:
            t = each.paid_us
        else:
            t = max(each.seen_us, before)
        times.append(max([t, *times]))
        before = each.paid_us
    return list(zip(times, moved, strict=True))


def decided(row: Row) -> int | None:
    """Return what one YES pays by a state of a market, None while nothing is decided."""
    by_result = {"yes": 10_000, "no": 0}.get(row.get("result") or "")
    value: int | None = row.get("settlement_value_cc")
    value = by_result if value is None else value
    is_final = (
        by_result is not None
        or row["status"] in ("determined", "amended", "finalized")
        or row.get("result") == "scalar"
    )
    return value if is_final and row["status"] != "disputed" else None


def pauses(states: Sequence[Row]) -> list[tuple[int, int, bool]]:
    """Return when a market was seen paused, until when, and whether trading then resumed."""
    found = []
    for before, stopped, after in stops(states):
        begin = to_us(stopped[0]["observed_ts"])
        over = [to_us(row["observed_ts"]) for row in stopped if row["status"] != "inactive"]
        until = to_us(after["observed_ts"]) if after else min(over, default=NEVER)
        if after and stopped[0]["status"] != "inactive" and before and stopped[0]["close_ts"]:
            announced = max(to_us(stopped[0]["close_ts"]), to_us(before[0]["observed_ts"]))
            begin = min(begin, announced)
        if begin < until:
            found.append((begin, until, after is not None))
    return found


def ended(states: Sequence[Row]) -> int:
    """Return when a market was seen closed or further, and not trading after it; NEVER if it was not."""
    for _, stopped, after in stops(states):
        over = [to_us(row["observed_ts"]) for row in stopped if row["status"] != "inactive"]
        if over and not after:
            return over[0]
    return NEVER


def stops(states: Sequence[Row]) -> list[tuple[list[Row], list[Row], Row | None]]:
    """Return the stretches without trading, with the sightings of trading before, and the one after."""
    words = ("active", "inactive", "closed", "determined", "disputed", "amended", "finalized")
    told = [row for row in states if row["status"] in words]
    stretches = [list(rows) for _, rows in groupby(told, lambda row: row["status"] == "active")]
    return [
        (
            stretches[number - 1] if number else [],
            rows,
            stretches[number + 1][0] if number + 1 < len(stretches) else None,
        )
        for number, rows in enumerate(stretches)
        if rows[0]["status"] != "active"
    ]


@cache
def is_halted(t: int) -> bool:
    """Tell whether the whole exchange pauses: Thursdays from 03:00 to 05:00 in New York."""
    local = from_us(t).astimezone(ZoneInfo("America/New_York"))
    return local.isoweekday() == 4 and 3 <= local.hour < 5


def grid_at(states: Sequence[Row], t: int) -> tuple[PriceRange, ...]:
    """Return the grid of the last state seen by t, or else of the first."""
    seen = [row for row in states if to_us(row["observed_ts"]) <= t] or states[:1]
    return STRUCTURES[seen[-1]["price_level_structure"]]


def least_payout(positions: Iterable[int], open_cc: int) -> int:
    """Return what the NO among these positions pay at least if their YES values sum to `open_cc` at most.

    The worst value of one member is all of it, or nothing: the sum is linear between.
    """
    held = [max(0, -each) for each in positions]
    outcomes = [[open_cc if i == winner else 0 for i in range(len(held))] for winner in range(-1, len(held))]
    return min(sum(n * (10_000 - v) for n, v in zip(held, values, strict=True)) for values in outcomes)


def terms_of(tables: Mapping[str, Sequence[Row]], market: Row) -> Callable[[int], FeeTerms]:
    """Return a function from times to the fee terms of a market: its event's, where that has its own."""
    names = (("series", market["series_ticker"]), ("event", market["event_ticker"]))
    said = [records(tables, scope, ticker) for scope, ticker in names]

    def at(t: int) -> FeeTerms:
        for when, is_change, what in said[1][:1]:
            assert t >= when or not is_change or what != (None, None), "an override of which the end is known"
        base, over = (last_said(each, t) for each in said)
        fee_type = over[0] if over[0] is not None else base[0]
        ppm = over[1] if over[1] is not None else base[1]
        assert fee_type is not None, market["series_ticker"]
        assert ppm is not None, market["series_ticker"]
        waived = market.get("fee_waiver_expiration_ts")
        return FeeTerms(fee_type, 0 if waived is not None and t < to_us(waived) else ppm)

    return at


Said = tuple[int, bool, tuple[str | None, int | None]]  # when, whether it is a change, and what


def records(tables: Mapping[str, Sequence[Row]], scope: str, ticker: str) -> list[Said]:
    """Return what was seen of the fees of a series or an event, and when they changed, in order."""
    columns = {"series": ("fee_type", "fee_multiplier_ppm")}
    columns["event"] = ("fee_type_override", "fee_multiplier_override_ppm")
    seen = [
        (to_us(row["observed_ts"]), False, (row.get(columns[scope][0]), row.get(columns[scope][1])))
        for row in tables.get("series" if scope == "series" else "events", ())
        if row["ticker"] == ticker
    ]
    changed = [
        (to_us(row["effective_ts"]), True, (row["fee_type"], row["fee_multiplier_ppm"]))
        for row in tables.get("fee_changes", ())
        if (row["scope"], row["ticker"]) == (scope, ticker)
    ]
    return sorted([*seen, *changed], key=lambda each: each[:2])


def last_said(said: Sequence[Said], t: int) -> tuple[str | None, int | None]:
    """Return what was said last by t; before anything was, what was seen first, unless that is a change."""
    before = [what for when, _, what in said if when <= t]
    if before:
        return before[-1]
    return said[0][2] if said and not said[0][1] else (None, None)
