"""Drift: counted, dated, exemplified, bounded, and put together across clients and runs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from exchange.errors import BadInput
from pipelines.client import wire
from pipelines.client.decode import decode
from pipelines.client.drift import Drift, Sighting
from tests.client.payloads import a_market

AT = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def clock(*times: datetime) -> Callable[[], datetime]:
    """Return a clock that shows one time after the other."""
    left = list(times)
    return lambda: left.pop(0)


def seen(drift: Drift) -> list[tuple[str, str, int, datetime]]:
    return [(one.where, one.example, one.n_seen, one.first_seen_ts) for one in drift.report()]


def test_a_sighting_keeps_the_time_and_the_example_of_the_first() -> None:
    drift = Drift(now=clock(AT, AT + HOUR))
    drift.note_field("Trade", "venue", "first")
    drift.note_field("Trade", "venue", "second")
    drift.note_field("Trade", "leg", 2)
    assert seen(drift) == [("Trade.venue", '"first"', 2, AT), ("Trade.leg", "2", 1, AT + HOUR)]


def test_two_new_words_of_one_field_are_two_sightings() -> None:
    drift = Drift(now=lambda: AT)
    markets = [a_market("A", status="odd"), a_market("B", status="odd"), a_market("C", status="new")]
    decode(json.dumps({"markets": markets}).encode(), wire.MarketsPage, path="/", drift=drift)
    assert [(one.where, one.word, one.n_seen) for one in drift.report()] == [
        ("Market.status", "odd", 2),
        ("Market.status", "new", 1),
    ]


def test_drift_is_bounded_in_kinds_and_in_length_and_says_what_it_left_out() -> None:
    drift = Drift()
    for number in range(1_200):
        drift.note_field("Market", f"field_{number}" + "y" * 1_000, "x" * 500)
    assert len(drift.report()) == 1_000
    assert drift.n_unlisted == 200
    assert max(len(one.example) for one in drift.report()) == 80
    assert max(len(one.where) for one in drift.report()) == len("Market.") + 80


def test_a_long_word_is_cut() -> None:
    drift = Drift()
    body = {"markets": [a_market(status="x" * 1_000_000)]}
    decode(json.dumps(body).encode(), wire.MarketsPage, path="/", drift=drift)
    assert [len(one.word) for one in drift.report()] == [80]


def test_merging_adds_counts_and_keeps_the_earlier_sighting() -> None:
    late, early = Drift(now=lambda: AT + HOUR), Drift(now=lambda: AT)
    late.note_field("Trade", "venue", "late")
    early.note_field("Trade", "venue", "early")
    early.note_field("Trade", "venue", "early")
    early.note_field("Trade", "leg", 1)
    late.merge(early)
    assert seen(late) == [("Trade.venue", '"early"', 3, AT), ("Trade.leg", "1", 1, AT)]
    early.note_field("Trade", "leg", 1)
    assert seen(late)[1][2] == 1, "the other one lives on without us"


def test_merging_is_bounded_too() -> None:
    ours, theirs = Drift(), Drift()
    for number in range(800):
        ours.note_field("A", f"a{number}", 1)
        theirs.note_field("B", f"b{number}", 1)
    ours.merge(theirs)
    assert (len(ours.report()), ours.n_unlisted) == (1_000, 600)


def test_a_report_survives_a_file() -> None:
    drift = Drift(now=lambda: AT)
    drift.note_field("Trade", "venue", {"a": "ä"})
    read = Drift.from_json(drift.to_json(), now=lambda: AT + HOUR)
    assert read.report() == drift.report()
    read.note_field("Trade", "leg", None)
    assert [one.first_seen_ts for one in read.report()] == [AT + HOUR, AT]
    (row,) = json.loads(drift.to_json())["sightings"]
    assert (row["where"], row["first_seen_ts"]) == ("Trade.venue", "2026-10-01T12:00:00Z")


NAIVE = (
    b'{"sightings": [{"kind": "field", "where": "A.b", "example": "1",'
    b' "first_seen_ts": "2026-10-01T12:00:00"}],'
    b' "n_unlisted": 0}'
)


@pytest.mark.parametrize(
    "text", [b"", b"[]", b'{"sightings": 1}', b"\xff", b"[" * 100_000, NAIVE], ids=range(6)
)
def test_a_file_that_is_no_report_is_refused(text: bytes) -> None:
    with pytest.raises(BadInput, match="this is no drift report"):
        Drift.from_json(text)


def test_a_report_of_nothing_is_empty() -> None:
    assert not Drift()
    assert Drift.from_json(Drift().to_json()).report() == []


def test_an_example_nested_without_end_is_no_trouble() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    drift = Drift(now=lambda: AT)
    drift.note_field("Trade", "deep", deep)
    assert drift.report() == [
        Sighting(
            kind="field",
            where="Trade.deep",
            example="(nested too deeply to show)",
            first_seen_ts=AT,
            n_seen=1,
        )
    ]
    while deep:  # CPython frees it level by level here, not all at once
        deep = deep[0]  # type: ignore[assignment]
