"""What `tapehouse sync` and `tapehouse import` print, and their exit codes."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

import tapehouse
from pipelines.ingest.publishing import publish
from sandbox.serve import Running, running
from sandbox.world import World
from tests.client.loopback import Asked, Reply, exchange
from tests.client.payloads import a_trade as a_wire_trade
from tests.ingest.made_files import Recorder, a_tape, a_trade
from tests.ingest.scripted import DAY_TS, TICKER, Scripted
from warehouse import Lake


class Said:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.out)
        return told


Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Hand out the command line, with the lake of this test."""

    def command(*arguments: object) -> Said:
        with pytest.raises(SystemExit) as stopped:
            tapehouse.main([*map(str, arguments), "--lake", str(tmp_path / "lake")])
        told = capsys.readouterr()
        code = stopped.value.code
        return Said(code if isinstance(code, int) else 0, told.out, told.err)

    return command


def test_import_tells_counts_and_publishes_the_catalog(run: Run, tmp_path: Path) -> None:
    """One JSON object on stdout, nothing else; the trades are there for anybody with DuckDB."""
    said = run("import", "trades", a_tape(tmp_path / "tape.csv", a_trade("t-1"), a_trade("t-2")), "--json")
    assert said.code == 0
    assert (said.json["n_rows"], said.json["n_new"], said.json["n_quarantined"]) == (2, 2, 0)
    with duckdb.connect(str(tmp_path / "lake" / "warehouse.duckdb"), read_only=True) as catalog:
        assert catalog.execute("select count(*) from trades").fetchall() == [(2,)]


def test_a_bad_row_is_named_on_stderr_and_the_exit_code_is_two(run: Run, tmp_path: Path) -> None:
    """File, line, field, value and reason; the good row is in."""
    said = run("import", "trades", a_tape(tmp_path / "tape.csv", a_trade("t-1"), a_trade("t-2", count="x")))
    assert said.code == 2
    assert "tape.csv:3: count='x' is not a positive count with at most 2 decimals" in said.err
    assert "trades: 1 new, 0 known, 1 quarantined" in said.out


def test_many_bad_rows_are_counted_not_listed(run: Run, tmp_path: Path) -> None:
    """Twenty by name, the number of the others, and where they are."""
    rows = [a_trade(f"t-{n}", count="x") for n in range(25)]
    said = run("import", "trades", a_tape(tmp_path / "tape.csv", *rows))
    assert said.err.count("count='x'") == 20
    assert "… and 5 more: all are in the table quarantine" in said.err


def test_a_file_that_cannot_be_read_is_one_line_and_exit_code_two(run: Run, tmp_path: Path) -> None:
    """Nothing is written, not even the lake's folder."""
    path = tmp_path / "tape.csv"
    path.write_bytes(b"\x00garbage")
    for command in (("trades", path), ("ws", path), ("candles", path), ("trades", tmp_path / "gone.csv")):
        said = run("import", *command)
        assert (said.code, said.out) == (2, "")
        assert len(said.err.strip().splitlines()[-1:]) == 1
        assert said.err.strip().splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "lake").exists()


def test_recordings_are_imported_with_their_results(run: Run, tmp_path: Path) -> None:
    """`--markets` adds the results; `--json` counts by table."""
    recorder = Recorder()
    recorder.snapshot(1)
    recorder.delta(2)
    results = tmp_path / "results.csv"
    results.write_text(
        "ticker,close_time,strike,expiration_value,result\nKXA-1-Y,2026-05-13T13:00:00Z,1,2,yes\n"
    )
    path = recorder.write(tmp_path / "rec.jsonl")
    said = run("import", "ws", path, "--markets", results, "--json")
    assert said.code == 0
    assert {name: told["n_new"] for name, told in said.json["tables"].items()} == {
        "book_gaps": 1,
        "book_deltas": 1,
        "book_snapshots": 1,
        "markets": 1,
    }


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[World, Running]]:
    """Serve a small world that nobody changes."""
    made = World(seed=2, days=6, activity=0.05)
    with running(made, tier="prestige") as server:
        yield made, server


@pytest.fixture
def world(served: tuple[World, Running], monkeypatch: pytest.MonkeyPatch) -> World:
    """Say in the environment that Kalshi is where the small world is served."""
    monkeypatch.setenv("KALSHI_BASE_URL", served[1].base_url)
    monkeypatch.setenv("KALSHI_TIER", "prestige")
    return served[0]


@pytest.mark.slow
def test_sync_tells_rows_and_requests_and_publishes_the_catalog(
    run: Run,
    world: World,
    tmp_path: Path,
) -> None:
    """The resource stands before or after its options; the second time nothing is left to do."""
    start = f"{world.now_ts - timedelta(days=2):%Y-%m-%d}"
    end = world.now_ts.isoformat()
    said = run("sync", "trades", "--start", start, "--end", end, "--json")
    assert said.code == 0
    assert said.json["n_new"] == said.json["n_rows"] > 0
    assert said.json["n_failed"] == 0
    assert Lake(tmp_path / "lake").is_complete("trades", "all", start, end)
    assert (tmp_path / "lake" / "warehouse.duckdb").is_file()
    again = run("sync", "--start", start, "--end", end, "trades")
    assert "nothing to do: the lake covers all of it" in again.out


@pytest.mark.slow
def test_a_sync_that_fails_in_part_publishes_the_rest_and_prints_its_json(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One of two days is refused: exit code 1, one object with the failure, a catalog with the other day."""
    scripted = Scripted(trades=[a_wire_trade(ticker=TICKER, created_time="2026-10-02T01:30:00Z")])

    def hook(asked: Asked) -> Reply | None:
        is_first = asked.path == "/markets/trades" and int(asked.query["min_ts"][0]) < DAY_TS.timestamp()
        return Reply(status=400, body={"code": "bad_day", "message": "not today"}) if is_first else None

    scripted.hook = hook
    with exchange(scripted) as served:
        monkeypatch.setenv("KALSHI_BASE_URL", served.base_url)
        said = run(
            "sync", "trades", "--series", "KXS", "--start", "2026-10-01", "--end", "2026-10-03", "--json"
        )
    assert (said.code, said.json["n_failed"], said.json["n_new"]) == (1, 1, 1)
    assert "not today" in said.json["receipts"][0]["reason"]
    assert "failed: trades series:KXS from 2026-10-01" in said.err
    with duckdb.connect(str(tmp_path / "lake" / "warehouse.duckdb"), read_only=True) as catalog:
        assert catalog.execute("select count(*) from trades").fetchall() == [(1,)]


@pytest.mark.slow
def test_a_listing_says_what_it_left_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """First live tier, event, border, archive. Then no archive, and the market has vanished: a line each."""
    scripted = Scripted()
    with exchange(scripted) as served:
        monkeypatch.setenv("KALSHI_BASE_URL", served.base_url)
        first = run("sync", "markets")
        scripted.markets = []
        second = run("sync", "markets")
        third = run("sync", "markets", "--json")
    assert first.out == "markets (all): 1 rows, 1 new, in 1 windows and 4 requests\n"
    assert second.out.splitlines()[1:] == [
        "  the archive was not listed: all it has was seen before",
        "  markets that neither tier knows any more, kept as they were: 1",
    ]
    assert len(third.json["receipts"][0]["notes"]) == 2


@pytest.mark.slow
def test_what_is_covered_is_read_again_on_demand(run: Run, world: World) -> None:
    """`--reread` pulls the same windows once more; nothing is new."""
    span = ("--start", f"{world.now_ts - timedelta(days=1):%Y-%m-%d}", "--end", world.now_ts.isoformat())
    first = run("sync", "trades", *span, "--json")
    again = run("sync", "trades", *span, "--reread", "--json")
    assert (again.code, again.json["n_rows"], again.json["n_new"]) == (0, first.json["n_rows"], 0)
    assert first.json["n_rows"] > 0


def test_a_lake_in_a_bucket_has_no_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishing writes a file beside the lake; for s3:// nothing is done and nothing is raised."""
    monkeypatch.setattr(Lake, "exists", lambda _lake: True)
    monkeypatch.setattr("warehouse.lake.check_format", lambda _place: 1)
    publish(Lake("s3://bucket/lake"))


@pytest.mark.slow
def test_sync_all_brings_every_resource_of_one_series(run: Run, world: World) -> None:
    """Six resources, each with its line."""
    series = world.series()[0].ticker
    said = run("sync", "all", "--series", series, "--end", world.now_ts.isoformat())
    assert said.code == 0, said.err
    assert [line.split(" ")[0] for line in said.out.splitlines()] == [
        "series",
        "events",
        "markets",
        "fees",
        "trades",
        "candles_3600",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("trades", "--start", "2026-02-02T00:00:00"), "has no time zone"),
        (("trades", "--start", "2026-02-02", "--end", "2026-02-01"), "the end must come after the start"),
        (("trades", "--start", "2999-01-01"), "is in the future"),
        (("trades", "--start", "2999-01-01", "--end", "2999-01-02"), "is in the future"),
        (("trades", "--start", "yesterday"), "is not an RFC 3339 time"),
        (("trades", "--ticker", "KXNOPE-1-Y"), "unknown market 'KXNOPE-1-Y'"),
        (("trades",), "need --start"),
        (("weather",), "unknown resource weather"),
        (("trades", "--series", "KXA", "--event", "KXA-1"), "exclude each other"),
        (("trades", "--start", "2026-02-01", "--every", "often"), "is not a duration"),
        (("trades", "--start", "2026-02-01", "--page-size", "0"), "page_size is 0"),
        (("trades", "--start", "2026-02-01", "--trailing", "soon"), "is not a duration"),
        (("all", "--start", "2026-02-01", "--order", "sideways"), "is no order: write oldest or newest"),
        (("trades", "--series", "KXA", "--combos"), "--combos and --series exclude each other"),
        (("candles", "--start", "2026-02-01", "--period", "2h"), "candles of 60, 3600 and 86400 seconds"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(
    run: Run,
    world: World,  # noqa: ARG001 -- the exchange that is asked
    tmp_path: Path,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    """Exit code 2, nothing on stdout, no lake."""
    said = run("sync", *arguments)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert said.err.strip().splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "lake").exists()
