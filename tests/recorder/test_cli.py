"""`tapehouse books record`, as somebody types it and as a supervisor ends it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGTERM

import pytest

import tapehouse
from tests.client.keys import KEY_ID
from tests.recorder.rooms import Room, a_room
from warehouse import Lake
from warehouse.tables import BOOK_GAPS, BOOK_SNAPSHOTS

ROOT = Path(__file__).resolve().parents[2]


def environment(base_url: str, key: Path) -> dict[str, str]:
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("KALSHI_", "TAPEHOUSE_L"))
    }
    return clean | {
        "KALSHI_BASE_URL": base_url,
        "KALSHI_KEY_ID": KEY_ID,
        "KALSHI_PRIVATE_KEY_PATH": str(key),
    }


@pytest.mark.slow
def test_sigterm_ends_a_recording_in_order(tmp_path: Path) -> None:
    """It flushes, makes rows, publishes, and tells what came; the last word of the log is its end."""
    with a_room(speed=60) as room:
        secret = room.settings.private_key
        assert secret is not None
        key = tmp_path / "key.pem"
        key.write_text(secret.get_secret_value())
        key.chmod(0o600)
        ticker, lake = room.active()[0], tmp_path / "lake"
        command = [sys.executable, "-m", "tapehouse", "books", "record", "--ticker", ticker, "--json"]
        recording = subprocess.Popen(
            [*command, "--lake", str(lake), "--state", "200ms"],
            cwd=ROOT,
            env=environment(room.server.base_url, key),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert recording.stderr is not None
        deadline_s, said = time.monotonic() + 60, ""
        while "1 markets, 1 connections" not in said:
            assert time.monotonic() < deadline_s, said
            said = recording.stderr.readline()
        time.sleep(0.2)
        recording.send_signal(SIGTERM)
        out, _ = recording.communicate(timeout=60)
    told = json.loads(out)
    assert recording.returncode == 0
    assert told["n_snapshots"] >= 1
    assert told["tables"]["book_snapshots"]["n_new"] == told["n_snapshots"]
    into = Lake(lake)
    assert into.scan(BOOK_SNAPSHOTS).collect()["ticker"].unique().to_list() == [ticker]
    assert into.scan(BOOK_GAPS).collect()["cause"].to_list() == ["session_end"]
    assert (lake / "warehouse.duckdb").is_file()
    assert Path(told["frames"]).parent == lake / "frames"


@pytest.fixture(scope="module")
def still_room() -> Iterator[Room]:
    """A room for those who do not get far."""
    with a_room(speed=0.001, hours=7) as room:
        yield room


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to watch"),
        (["--ticker", "A", "--channels", "ticker"], "orderbook_delta must be among them"),
        (["--ticker", "A", "--channels", "books"], "there are orderbook_delta, ticker, trade"),
        (["--ticker", "A", "--per-connection", "0"], "give 1 or more"),
        (["--ticker", "KXNOBODY-1"], "no market of KXNOBODY-1 is open"),
        (["--ticker", "KXSIMHIGHNY-26MAR02-T41"], "needs a key"),
    ],
)
def test_what_cannot_be_recorded_is_refused_with_what_to_do(
    arguments: list[str],
    said: str,
    still_room: Room,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [each for each in os.environ if each.startswith("KALSHI_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KALSHI_BASE_URL", still_room.server.base_url)
    monkeypatch.setenv("TAPEHOUSE_LAKE", str(tmp_path / "lake"))
    with pytest.raises(SystemExit) as ended:
        tapehouse.main(["books", "record", *arguments, "--for", "20s"])
    assert ended.value.code != 0
    assert said in capsys.readouterr().err
