"""`tapehouse books poll`, as somebody types it, as a kill ends it, and as the next one makes that good."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from signal import SIGKILL, SIGTERM

import polars as pl
import pytest

import tapehouse
from tests.poller.exchanges import House
from warehouse import Lake
from warehouse.tables import BOOK_GAPS, BOOK_SNAPSHOTS

ROOT = Path(__file__).resolve().parents[2]


def polling(base_url: str, lake: Path, *arguments: str) -> "subprocess.Popen[str]":
    clean = {
        name: each for name, each in os.environ.items() if not name.startswith(("KALSHI_", "TAPEHOUSE_L"))
    }
    command = [sys.executable, "-m", "tapehouse", "books", "poll", "--lake", str(lake), *arguments]
    return subprocess.Popen(
        [*command, "--every", "300ms", "--commit", "300ms", "--state", "1s"],
        cwd=ROOT,
        env=clean | {"KALSHI_BASE_URL": base_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def has_rows(lake: Path, n_rows: int, *, within_s: float = 60.0) -> pl.DataFrame:
    """Wait until so many books are in the lake; return them."""
    deadline_s = time.monotonic() + within_s
    while True:
        rows = Lake(lake).scan(BOOK_SNAPSHOTS).sort("session", "sid", "seq").collect()
        if rows.height >= n_rows:
            return rows
        assert time.monotonic() < deadline_s, rows
        time.sleep(0.3)


@pytest.mark.long
def test_a_run_that_was_killed_ends_with_its_last_polls_and_the_next_one_in_order(
    house: House, tmp_path: Path
) -> None:
    """Two markets; of the killed run nothing is known after its last polls that are in the lake."""
    lake = tmp_path / "lake"
    tickers = house.staying(2)
    named = [word for ticker in tickers for word in ("--ticker", ticker)]
    first = polling(house.server.base_url, lake, *named)
    has_rows(lake, 4)
    first.send_signal(SIGKILL)
    first.communicate(timeout=60)
    before = has_rows(lake, 4)
    assert Lake(lake).scan(BOOK_GAPS).collect().is_empty()
    second = polling(house.server.base_url, lake, *named, "--json")
    after = has_rows(lake, before.height + 4)
    second.send_signal(SIGTERM)
    out, said = second.communicate(timeout=60)
    assert second.returncode == 0, said
    told = json.loads(out)
    killed_run = before["session"][0]
    assert f"{killed_run} was killed" in said
    assert "a round of 2 books is 1 requests and 10 tokens" in said
    assert (told["fits_budget"], told["n_missed"], told["tables"]["book_gaps"]["n_new"]) == (True, 0, 2)
    ends = Lake(lake).scan(BOOK_GAPS).sort("cause", "sid").collect()
    assert ends["cause"].to_list() == ["killed", "killed", "session_end", "session_end"]
    last = (
        after.filter(pl.col("session") == killed_run).group_by("sid").agg(pl.col("seq", "captured_ts").max())
    )
    assert ends.filter(pl.col("cause") == "killed").select(
        "session", "sid", "from_seq", "from_ts"
    ).rows() == [
        (killed_run, sid, seq + 1, captured_ts) for sid, seq, captured_ts in last.sort("sid").iter_rows()
    ]
    assert {*ends["session"]} == {killed_run, told["run"]}
    assert list((lake / "polls").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to watch"),
        (["--ticker", "A", "--every", "0s"], "--every 0s: give more than 0"),
        (["--most-active", "-1"], "--most-active -1: give 0 or more"),
    ],
)
def test_what_cannot_be_polled_is_refused_with_what_to_do(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAPEHOUSE_LAKE", str(tmp_path / "lake"))
    with pytest.raises(SystemExit) as ended:
        tapehouse.main(["books", "poll", *arguments])
    assert ended.value.code != 0
    assert said in capsys.readouterr().err
