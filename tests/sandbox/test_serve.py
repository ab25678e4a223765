"""Starting, stopping, and the command line."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner

from exchange.errors import BadInput
from sandbox.cli import app
from sandbox.errors import PortTaken
from sandbox.serve import running
from tests.sandbox.places import a_world

ROOT = Path(__file__).resolve().parents[2]
SERVE = [
    sys.executable, "-W", "error", "-c", "from sandbox.cli import app; app()",
    "serve", "--json", "--days", "6", "--scale", "0.02",
]  # fmt: skip


def test_a_running_sandbox_answers_and_leaves_the_port_free() -> None:
    """Bound to loopback only; stopping twice is no error; afterwards nobody answers."""
    with running(a_world()) as server:
        assert server.base_url == f"http://127.0.0.1:{server.port}/trade-api/v2"
        assert httpx.get(f"{server.base_url}/exchange/status").status_code == 200
    server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{server.base_url}/exchange/status")


def test_two_sandboxes_run_side_by_side() -> None:
    """Ports and meters are their own."""
    with running(a_world()) as one, running(a_world()) as two:
        httpx.get(f"{one.base_url}/exchange/status")
        assert (one.meter.requests, two.meter.requests) == (1, 0)


def test_a_taken_port_is_bad_input() -> None:
    """The message names the port and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port}.*--port"), running(a_world(), port=port):
            pass


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_serve_tells_where_it_is_and_ends_well(ending: signal.Signals) -> None:
    """One JSON object on stdout, the address on stderr, exit code 0 on either signal, no warnings."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        SERVE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert httpx.get(f"{told['base_url']}/exchange/status").status_code == 200
        process.send_signal(ending)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    assert told["base_url"] in errors
    assert "Traceback" not in errors
    assert "Warning" not in errors


def test_record_writes_and_tells(tmp_path: Path) -> None:
    """`record FILE --hole 1 --json` tells how many lines, deltas and losses."""
    path = tmp_path / "r.jsonl.gz"
    arguments = ["record", str(path), "--days", "6", "--scale", "0.1", "--hole", "1", "--json"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert told["markets"] == 3
    assert told["lost"] >= 15
    assert path.stat().st_size > 1_000


def test_serving_a_lake_needs_somebody_to_open_it() -> None:
    """The sandbox knows no lakes: without a factory in the context it says which command does."""
    with pytest.raises(BadInput, match="tapehouse sandbox serve --lake DIR"):
        CliRunner().invoke(app, ["serve", "--lake", "x"], catch_exceptions=False)


def test_a_lake_is_opened_by_the_factory_of_the_context() -> None:
    """`ctx.obj["open_lake"]` gets the folder; what it raises is what the user sees."""

    def open_lake(folder: str) -> None:
        raise BadInput(f"{folder}: no lake")

    outer = typer.Typer()
    outer.add_typer(app, name="sandbox")
    with pytest.raises(BadInput, match="here: no lake"):
        CliRunner().invoke(
            outer,
            ["sandbox", "serve", "--lake", "here"],
            obj={"open_lake": open_lake},
            catch_exceptions=False,
        )


@pytest.mark.parametrize("key", ["no-file", "id=/does/not/exist"])
def test_a_key_that_cannot_be_read_is_bad_input(key: str) -> None:
    """--key wants KEY_ID=FILE of a public key."""
    with pytest.raises(BadInput, match="public key"):
        CliRunner().invoke(app, ["serve", "--key", key], catch_exceptions=False)


def test_a_served_world_can_live_be_odd_and_flooded() -> None:
    """`--speed` lets its clock run from `--start-before`; the odd series and the combos are there."""
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    more = ["--speed", "60", "--start-before", "12h", "--oddities", "--combos", "50"]
    with subprocess.Popen(
        [*SERVE, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as process:
        assert process.stdout is not None
        base_url = json.loads(process.stdout.readline())["base_url"]
        times: list[str] = []
        while len(set(times)) < 2:
            times.append(httpx.get(f"{base_url}/exchange/user_data_timestamp").json()["as_of_time"])
        series = [each["ticker"] for each in httpx.get(f"{base_url}/series").json()["series"]]
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert times == sorted(times)
    assert "2026-03-01T12:00:00Z" <= times[0] <= "2026-03-02T00:00:00Z"
    assert {"KXODDPAUSE", "KXMVESIMCROSS", "KXSIMFED"} <= set(series)
    assert process.returncode == 0, errors


@pytest.mark.parametrize("more", [["--speed", "2"], ["--oddities"], ["--combos", "1"]])
def test_a_lake_does_not_live(more: list[str]) -> None:
    """What makes a world odd or alive cannot be asked of a lake; the message says what to leave out."""
    with pytest.raises(BadInput, match="leave out --speed, --oddities and --combos"):
        CliRunner().invoke(app, ["serve", "--lake", "x", *more], catch_exceptions=False)


@pytest.mark.parametrize(
    ("name", "value"), [("--speed", "0"), ("--start-before", "soon"), ("--combos", "-1")]
)
def test_a_world_that_cannot_live_is_bad_input(name: str, value: str) -> None:
    """Refused before anything is served."""
    arguments = ["serve", "--days", "6", "--scale", "0.02", "--speed", "1", name, value]
    with pytest.raises(BadInput):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
