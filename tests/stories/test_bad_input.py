"""Bad input is one line that says what, where and what to do; exit code 2; and nothing half-written."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.serve import Running, running
from sandbox.world import World
from tests.stories.commands import Said, say

Say = Callable[..., Said]
TAPE = "trade_id,ticker,count,created_time,yes_price,no_price,taker_side\n"
GOOD_ROW = "t1,KXA-1,10,2026-01-02T03:04:05.5Z,56,44,yes\n"


@pytest.fixture(scope="module")
def exchange() -> Iterator[Running]:
    with running(World(7, days=6, activity=0.2), tier="prestige") as server:
        yield server


@pytest.fixture
def tapehouse(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, exchange: Running, tmp_path: Path
) -> Say:
    for name in [each for each in os.environ if each.startswith(("KALSHI_", "TAPEHOUSE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KALSHI_BASE_URL", exchange.base_url)
    monkeypatch.setenv("TAPEHOUSE_LAKE", str(tmp_path / "lake"))
    return lambda *arguments: say(capsys, *arguments)


def refused(said: Said, *words: str) -> None:
    """One line on stderr, with these words; exit code 2."""
    lines = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert (said.code, len(lines)) == (2, 1), said
    assert "Traceback" not in said.err
    for word in words:
        assert word in lines[0], lines[0]


def a_key_file(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def pem(encryption: serialization.KeySerializationEncryption) -> bytes:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, encryption
    )


def test_a_key_file_that_is_not_there(
    tapehouse: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KALSHI_KEY_ID", "k")
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PATH", str(tmp_path / "missing.pem"))
    refused(tapehouse("sync", "series"), "missing.pem", "KALSHI_PRIVATE_KEY_PATH")


def test_a_key_file_that_others_can_read(
    tapehouse: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = a_key_file(tmp_path / "open.pem", pem(serialization.NoEncryption()))
    path.chmod(0o644)
    monkeypatch.setenv("KALSHI_KEY_ID", "k")
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PATH", str(path))
    refused(tapehouse("sync", "series"), "chmod 600")


def test_a_key_that_is_encrypted(tapehouse: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = a_key_file(tmp_path / "locked.pem", pem(serialization.BestAvailableEncryption(b"secret")))
    monkeypatch.setenv("KALSHI_KEY_ID", "k")
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PATH", str(path))
    refused(tapehouse("sync", "series"), "encrypted")


def test_a_key_that_is_no_pem(tapehouse: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = a_key_file(tmp_path / "bad.pem", b"-----BEGIN RSA " + b"PRIVATE KEY-----\nnonsense\n")
    monkeypatch.setenv("KALSHI_KEY_ID", "k")
    monkeypatch.setenv("KALSHI_PRIVATE_KEY_PATH", str(path))
    refused(tapehouse("sync", "series"), "PEM")


def test_plain_http_to_another_host(tapehouse: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KALSHI_BASE_URL", "http://example.com/trade-api/v2")
    refused(tapehouse("sync", "series"), "http://", "https")


def test_an_unknown_ticker(tapehouse: Say, tmp_path: Path) -> None:
    refused(tapehouse("sync", "trades", "--ticker", "KXNOSUCH-1"), "KXNOSUCH-1")
    assert not (tmp_path / "lake" / "trades").exists()


def test_a_reversed_interval(tapehouse: Say) -> None:
    refused(
        tapehouse("sync", "trades", "--start", "2026-02-20", "--end", "2026-02-19"),
        "2026-02-20",
        "2026-02-19",
    )


def test_a_time_without_a_zone(tapehouse: Say) -> None:
    refused(tapehouse("sync", "trades", "--start", "2026-02-20T10:00:00"), "2026-02-20T10:00:00Z")


def test_a_lake_that_cannot_be_written(tapehouse: Say, tmp_path: Path) -> None:
    """A file stands where the folder should be, which stops even the administrator."""
    (tmp_path / "file").write_text("in the way")
    tape = tmp_path / "tape.csv"
    tape.write_text(TAPE + GOOD_ROW)
    refused(tapehouse("import", "trades", tape, "--lake", tmp_path / "file" / "lake"), "file")


def test_a_lake_of_a_newer_version(tapehouse: Say, tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    tape.write_text(TAPE + GOOD_ROW)
    assert tapehouse("import", "trades", tape).code == 0
    mark = tmp_path / "lake" / "tapehouse.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"format": 99}))
    refused(tapehouse("warehouse", "status"), "99", "newer")


@pytest.mark.parametrize("damage", [b"", b"not parquet at all", None])
def test_a_corrupted_parquet_file(tapehouse: Say, tmp_path: Path, damage: bytes | None) -> None:
    """Empty, replaced by something else, or cut short: the file is named."""
    tape = tmp_path / "tape.csv"
    tape.write_text(TAPE + GOOD_ROW)
    assert tapehouse("import", "trades", tape).code == 0
    (part,) = (tmp_path / "lake" / "trades").rglob("*.parquet")
    part.write_bytes(part.read_bytes()[:-20] if damage is None else damage)
    refused(tapehouse("import", "trades", tape), part.name)


def test_garbage_in_a_csv_is_named_and_the_rest_goes_in(tapehouse: Say, tmp_path: Path) -> None:
    """What was good is in, what was not is in quarantine, with its place and reason."""
    tape = tmp_path / "tape.csv"
    tape.write_text(TAPE + GOOD_ROW + "t2,KXA-1,ten,2026-01-02T03:04:05.5Z,56,44,yes\n<<<<<<< HEAD\n")
    said = tapehouse("import", "trades", tape)
    refused(said, "2 rows", "quarantine", "import the files again")
    assert "tape.csv:3" in said.err
    assert "count='ten'" in said.err
    assert "tape.csv:4" in said.err
    counted = tapehouse("warehouse", "sql", "select count(*) as n from trades", "--json")
    assert json.loads(counted.out)["rows"] == [{"n": 1}]


def test_a_csv_that_is_no_tape(tapehouse: Say, tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    tape.write_text("a,b\n1,2\n")
    refused(tapehouse("import", "trades", tape), "tape.csv", "trade_id")


def test_garbage_in_a_recording_is_named_and_the_rest_goes_in(tapehouse: Say, tmp_path: Path) -> None:
    recording = tmp_path / "frames.jsonl"
    recording.write_text(
        '{"recv_ns": 1, "conn": "c", "recorder_event": "ws_connected", "data": {}}\n{"recv_ns\n'
    )
    said = tapehouse("import", "ws", recording)
    refused(said, "1 rows", "quarantine")
    assert "frames.jsonl:2" in said.err


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('strategy = "mean_reverson"\nfills = "touch"\n', "mean_reversion"),
        ('strategy = "mean_reversion"\nfills = "touch"\n[params]\njmp = 1\n', "jump"),
        ('strategy = "mean_reversion"\nfills = "tuoch"\n', "touch"),
        ('strategy = "mean_reversion"\nfills = "touch"\nlatncy = "1s"\n', "latency"),
        ('strategy = "mean_reversion"\nfills = "touch"\nstart = 2026-01-01T00:00:00\n', "zone"),
        ("strategy = \n", "line 1"),
    ],
)
def test_a_configuration_that_is_not_understood(tapehouse: Say, tmp_path: Path, line: str, word: str) -> None:
    config = tmp_path / "run.toml"
    config.write_text(line)
    refused(tapehouse("backtest", "run", config), "run.toml", word)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["run.toml"]


def test_a_query_that_is_no_sql(tapehouse: Say, tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    tape.write_text(TAPE + GOOD_ROW)
    assert tapehouse("import", "trades", tape).code == 0
    refused(tapehouse("warehouse", "sql", "selec 1"), "selec")


def test_a_folder_that_the_demo_did_not_make(tapehouse: Say, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    refused(tapehouse("demo", "--out", tmp_path / "mine"), "mine", "--out")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
