"""How old a key is: by declaration, by its source, or unknown, and what follows at 75 and at 90 days."""

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.client import Settings, SettingsError
from pipelines.client.keys.age import KeyAge, key_age
from tests.client.keys import KEY_ID, NEXT_ID, key_file, pem
from tests.client.vaults import TOKEN, vault

NOW_TS = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("KALSHI_", "VAULT_")):
            monkeypatch.delenv(name)


def age_of(**settings: object) -> KeyAge:
    one_key = {"key_id": KEY_ID, "private_key": pem("ed25519")}
    found = key_age(Settings(**(one_key | settings)), NOW_TS)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("created", "days", "verdict"),
    [
        ("2026-11-01", 0, "ok"),
        ("2026-08-19", 74, "ok"),
        ("2026-08-18", 75, "warn"),
        ("2026-08-04", 89, "warn"),
        ("2026-08-03", 90, "expired"),
        ("2024-11-01", 730, "expired"),
    ],
)
def test_a_key_is_to_be_replaced_from_75_days_on_and_lives_90(created: str, days: int, verdict: str) -> None:
    """November 1st less 75 days is August 18th: 31 of October, 30 of September, 14 of August."""
    found = age_of(key_created=created)
    assert (found.days, found.verdict, found.source) == (days, verdict, "KALSHI_KEY_CREATED")


def test_the_sentence_says_how_old_since_when_by_whom_and_what_to_do() -> None:
    assert age_of(key_created="2026-10-31").sentence == (
        "the key is 1 day old (since 2026-10-31, KALSHI_KEY_CREATED)"
    )
    assert age_of(key_created="2026-08-13").sentence == (
        "the key is 80 days old (since 2026-08-13, KALSHI_KEY_CREATED): rotate it within 10 days: make a "
        "new one in Kalshi's web interface and set it as the next key (docs/operate.md, Keys)"
    )
    assert "a key lives 90 days at most; rotate it now" in age_of(key_created="2026-07-01").sentence


def test_with_the_next_key_at_hand_the_advice_is_to_finish_the_rotation() -> None:
    following = {"next_key_id": NEXT_ID, "next_private_key": pem("rsa"), "next_key_created": "2026-10-30"}
    old = {"key_id": KEY_ID, "private_key": pem("ed25519"), "key_created": "2026-08-10"}
    found = key_age(Settings(**old, **following), NOW_TS)
    assert found is not None
    assert "make the next key, which is set already, the current one" in found.sentence
    found = key_age(Settings(**old, **following), NOW_TS, is_next=True)
    assert found is not None
    assert (found.days, found.verdict, found.source) == (2, "ok", "KALSHI_NEXT_KEY_CREATED")


def test_a_key_from_the_environment_has_an_unknown_age_unless_it_is_declared() -> None:
    found = age_of()
    assert (found.days, found.since_ts, found.verdict) == (None, None, "unknown")
    assert found.sentence == (
        "the age of the key is unknown: its source keeps no date; "
        "write KALSHI_KEY_CREATED=YYYY-MM-DD, the day it was made"
    )


def test_a_key_file_is_as_old_as_its_last_change_unless_a_date_is_declared(tmp_path: Path) -> None:
    path = key_file(tmp_path, pem("ed25519"))
    written_ts = NOW_TS - timedelta(days=80, hours=5)
    os.utime(path, (written_ts.timestamp(), written_ts.timestamp()))
    one_key: dict[str, object] = {"private_key": None, "private_key_path": path}
    found = age_of(**one_key)
    assert (found.days, found.since_ts, found.source) == (80, written_ts, "date of the file")
    assert age_of(**one_key, key_created=date(2026, 10, 30)).days == 2


def test_vaults_version_dates_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made on August 1st at 10:20, asked on November 1st at 12:00: 92 days."""
    monkeypatch.setenv("VAULT_TOKEN", TOKEN)
    with vault(secrets={"secret/data/kalshi": {"private_key": pem("ed25519")}}) as running:
        monkeypatch.setenv("VAULT_ADDR", running.address)
        found = age_of(private_key=None, vault_secret="secret/kalshi")  # noqa: S106  a path
    assert (found.days, found.verdict, found.source) == (92, "expired", "Vault's date of this version")


def test_a_declared_date_spares_the_question_to_the_source() -> None:
    """The path leads nowhere, and nobody looks."""
    found = age_of(private_key=None, private_key_path="/nowhere/kalshi.pem", key_created="2026-10-30")
    assert found.days == 2
    with pytest.raises(SettingsError, match="no such file"):
        age_of(private_key=None, private_key_path="/nowhere/kalshi.pem")


def test_a_date_that_is_to_come_is_a_mistake_but_tomorrow_is_another_time_zone() -> None:
    assert age_of(key_created="2026-11-02").days == 0
    found = age_of(key_created="2027-08-01")
    assert found.verdict == "unknown"
    assert "it is dated 2027-08-01 (KALSHI_KEY_CREATED), which is to come" in found.sentence


def test_without_a_key_there_is_no_age() -> None:
    assert key_age(Settings(), NOW_TS) is None
    assert key_age(Settings(key_id=KEY_ID, private_key=pem("rsa")), NOW_TS, is_next=True) is None
