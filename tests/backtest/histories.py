"""Random pasts for small worlds: pauses, changed grids, corrections, exclusive events, Thursdays."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final

from tests.backtest.worlds import T0, MemoryLake, at

Row = Mapping[str, Any]
# Before 2026-05-28 balances had whole cents, and from then to 2026-07-07 nothing was given back.
OTHER_ROUNDINGS: Final = (timedelta(days=-150), timedelta(days=-80))
OPEN: Final = {"result": "", "settlement_value_cc": None, "settlement_ts": None}
# What to add to every time so that twenty seconds after T0 the weekly pause begins or ends: 03:00 and 05:00
# in New York on Thursday, 3 September 2026, when summer time is four hours behind UTC.
THURSDAYS: Final = tuple(
    datetime(2026, 9, 3, hour, tzinfo=UTC) - T0 - timedelta(seconds=20) for hour in (7, 9)
)


def with_a_past(rng: Random, lake: MemoryLake, *, has_one_grid: bool) -> MemoryLake:
    """Give markets earlier states, and events that say whether their markets exclude each other.

    In some worlds all markets are of one event.
    """
    if rng.random() < 0.4:
        lake = MemoryLake(
            {**lake.rows, "markets": [{**row, "event_ticker": "E-AB"} for row in lake.rows["markets"]]}
        )
    states, last_s = list[dict[str, Any]](), rng.choice([32, 5_000, 5_000])
    for row in lake.rows["markets"]:
        before = earlier(rng, row, has_one_grid=has_one_grid)
        seen_ts = max([at(last_s), *(each["observed_ts"] + timedelta(seconds=1) for each in before)])
        states += [*before, {**row, "observed_ts": seen_ts}]
    events = [
        an_exclusive_event(ticker)
        | {
            "mutually_exclusive": rng.random() < 0.7,
            "collateral_return_type": rng.choice(["MECNET", "MECNET", None, "DIRECNET"]),
        }
        for ticker in sorted({row["event_ticker"] for row in lake.rows["markets"]})
    ]
    return MemoryLake({**lake.rows, "markets": states, "events": events})


def an_exclusive_event(ticker: str) -> dict[str, Any]:
    """Return an event of which at most one market resolves YES, and which returns collateral."""
    row = {"ticker": ticker, "observed_ts": at(0), "series_ticker": "KXTEST"}
    return row | {"mutually_exclusive": True, "collateral_return_type": "MECNET"}


def hedges(rng: Random) -> list[tuple[float, str, dict[str, Any]]]:
    """Return purchases of NO in several markets, and now and then a sale, as `wishes` are."""
    return [
        (
            rng.randint(0, 25),
            rng.choice("ABC"),
            {
                "action": rng.choice(["buy", "buy", "buy", "sell"]),
                "side": "no",
                "count": rng.choice([0.5, 1, 2, 4]),
                "limit": limit,
                "tif": "gtc" if limit else "ioc",
                "ttl": None,
                "post_only": False,
            },
        )
        for limit in rng.choices([None, None, 5_500, 6_000], k=rng.randint(4, 10))
    ]


def earlier(rng: Random, last: Row, *, has_one_grid: bool) -> list[dict[str, Any]]:
    """Return states of a market before its last one, in order, each seen at a whole second of its own."""
    grid = "linear_cent" if has_one_grid else rng.choice(["linear_cent", "linear_cent", "deci_cent"])
    close_s = int((last["close_ts"] - T0).total_seconds())
    told: dict[int, dict[str, Any]] = {}
    if rng.random() < 0.25:
        begin = rng.randint(-4, 25)
        told |= {begin - 1: {"status": "active"}, begin: {"status": "inactive"}}
        then = rng.choice(["active", "active", "closed", "determined", "initialized", None])
        told[begin + rng.randint(1, 12)] = {"status": then}
        if rng.random() < 0.4:
            told[begin + rng.randint(8, 18)] = {"status": rng.choice(["active", "inactive", "closed"])}
    if rng.random() < 0.3:
        told.setdefault(rng.randint(-3, 30), {"status": "active"})
    if rng.random() < 0.5:
        after = close_s + rng.randint(1, 10)
        value = rng.choice([0, 3_300, 5_000, 10_000])
        paid = at(after - 1) if rng.random() < 0.6 else None
        decided = {"result": "scalar", "settlement_value_cc": value, "settlement_ts": paid}
        told[after] = {"status": "determined" if paid is None else "finalized", **decided}
        if rng.random() < 0.4:
            told[after + rng.randint(1, 5)] = {"status": "disputed", **decided}
    return [
        {**last, **OPEN, "price_level_structure": grid if seen < 10 else last["price_level_structure"]}
        | {"observed_ts": at(seen), **told[seen]}
        for seen in sorted(told)
    ]


def later(rows: Mapping[str, Any], by: timedelta) -> MemoryLake:
    """Return the same world at another time."""
    moved = {
        name: [
            {key: value + by if isinstance(value, datetime) else value for key, value in row.items()}
            for row in table
        ]
        for name, table in rows.items()
    }
    return MemoryLake(moved)
