"""`coverage(series)`: holes by hand, and against the arithmetic of intervals on made-up ledgers."""

from datetime import datetime
from pathlib import Path
from random import Random

from tests.warehouse.catalogs import asked, opened
from tests.warehouse.rows import a_market, an_event, at, frame
from warehouse import Lake
from warehouse.intervals import uncovered
from warehouse.tables import EVENTS, MARKETS, WINDOWS


def a_lake(folder: Path, *, now: datetime) -> Lake:
    """Return a lake of events KXA and KXB of series KX, and KXZ of another; markets live for 100 s."""
    lake = Lake(folder, now=lambda: now)
    events = (an_event("KXA"), an_event("KXB"), an_event("KXZ", series_ticker="KXZ"))
    lake.commit(EVENTS, frame(EVENTS, *events))
    homes = {"KXA-1": "KXA", "KXA-2": "KXA", "KXB-1": "KXB", "KXZ-1": "KXZ"}
    markets = [
        a_market(ticker, event_ticker=event, series_ticker=None, open_ts=at(0), close_ts=at(100))
        for ticker, event in homes.items()
    ]
    lake.commit(MARKETS, frame(MARKETS, *markets))
    return lake


def record(lake: Lake, scope: str, start_s: float, end_s: float, resource: str = "trades") -> None:
    lake.record_window(resource, scope, at(start_s), at(end_s), n_rows=0, digest=f"{start_s}")


def test_windows_of_every_scope_count_and_holes_are_told(tmp_path: Path) -> None:
    """KXB-1 has 30 of 100 s, KXA-1 and KXA-2 10 more; failed, foreign and listing windows do not count."""
    lake = a_lake(tmp_path, now=at(1_000))
    record(lake, "all", -50, 10)
    record(lake, "series:KX", 5, 20)
    record(lake, "series:KX", 20, 30)
    record(lake, "event:KXA", 50, 60)
    record(lake, "ticker:KXA-2", 90, 200)
    record(lake, "series:KXZ", 0, 100)
    record(lake, "all", 0, 100, resource="markets")
    lake.record_window(
        "trades", "all", at(0), at(100), n_rows=0, digest="", status="failed", reason="HTTP 500"
    )
    with opened(lake) as connection:
        rows = asked(connection, "from coverage('KX')")
    holes = [[(hole["start_ts"], hole["end_ts"]) for hole in row["holes"]] for row in rows]
    assert [(row["ticker"], row["covered"], row["n_holes"]) for row in rows] == [
        ("KXB-1", 0.3, 1),
        ("KXA-1", 0.4, 2),
        ("KXA-2", 0.5, 2),
    ]
    assert holes == [
        [(at(30), at(100))],
        [(at(30), at(50)), (at(60), at(100))],
        [(at(30), at(50)), (at(60), at(90))],
    ]
    assert {row["resource"] for row in rows} == {"trades"}


def test_a_life_that_goes_on_is_covered_until_the_catalog_was_published(tmp_path: Path) -> None:
    """At 50 s, half the life is over, and all of it is there; bars of an hour were asked for only to 25 s."""
    lake = a_lake(tmp_path, now=at(50))
    record(lake, "all", 0, 50)
    record(lake, "series:KX", 0, 25, resource="candles_3600")
    with opened(lake) as connection:
        rows = asked(connection, "select ticker, resource, until_ts, covered from coverage('KX')")
        assert asked(connection, "from coverage('nothing')") == []
    assert {(row["resource"], row["covered"]) for row in rows} == {("trades", 1.0), ("candles_3600", 0.5)}
    assert {row["until_ts"] for row in rows} == {at(50)}
    assert [row["resource"] for row in rows] == ["candles_3600"] * 3 + ["trades"] * 3


def test_a_market_that_has_not_opened_has_no_life_to_cover(tmp_path: Path) -> None:
    with opened(a_lake(tmp_path, now=at(0))) as connection:
        assert asked(connection, "from coverage('KX')") == []


def test_it_is_the_arithmetic_of_intervals(tmp_path: Path) -> None:
    """Sixty windows of any scope, overlapping, touching, nested, twice: the holes of `uncovered`."""
    chance = Random(5)
    lake = a_lake(tmp_path, now=at(1_000))
    scopes = ["all", "series:KX", "event:KXA", "event:KXB", "ticker:KXA-1", "ticker:KXB-1", "series:KXZ"]
    windows = []
    for _ in range(60):
        start_s = chance.randint(-10, 105)
        windows.append((chance.choice(scopes), start_s, start_s + chance.choice([1, 1, 1, 2, 4])))
    told = {"resource": "trades", "status": "complete", "n_rows": 0, "asked_ts": at(1_000)}
    rows = [
        told | {"scope": scope, "start_ts": at(start_s), "end_ts": at(end_s), "digest": f"{place}"}
        for place, (scope, start_s, end_s) in enumerate(windows)
    ]
    lake.commit(WINDOWS, frame(WINDOWS, *rows))
    counted = {
        "KXA-1": {"all", "series:KX", "event:KXA", "ticker:KXA-1"},
        "KXA-2": {"all", "series:KX", "event:KXA", "ticker:KXA-2"},
        "KXB-1": {"all", "series:KX", "event:KXB", "ticker:KXB-1"},
    }
    with opened(lake) as connection:
        found = {row["ticker"]: row for row in asked(connection, "from coverage('KX')")}
    assert found.keys() == counted.keys()
    for ticker, of in counted.items():
        own = [(at(start_s), at(end_s)) for scope, start_s, end_s in windows if scope in of]
        holes = uncovered(at(0), at(100), own)
        assert len(holes) > 3
        assert [(hole["start_ts"], hole["end_ts"]) for hole in found[ticker]["holes"]] == holes
        missing_s = sum((end - start).total_seconds() for start, end in holes)
        assert abs(found[ticker]["covered"] - (1 - missing_s / 100)) < 1e-6
        assert found[ticker]["n_holes"] == len(holes)
