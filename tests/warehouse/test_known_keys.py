"""A commit looks for its keys only where they may lie, and finds them there."""

from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from tests.warehouse.rows import a_quote, at, frame
from warehouse import Lake
from warehouse.errors import CorruptFile
from warehouse.tables import BOOK_DELTAS, QUOTES


def a_delta(seq: int, **changes: object) -> dict[str, Any]:
    """Return one change, a millisecond after the one of the number before."""
    return {
        "session": "c-1#1",
        "sid": 1,
        "seq": seq,
        "ticker": f"KX-{seq % 3}",
        "side": "yes",
        "price_cc": 5_600,
        "delta_centi": 100,
        "event_ts": at(seq / 1_000),
        "received_ts": at(seq / 1_000 + 0.02),
        "source": "test",
    } | changes


def deltas(*seqs: int) -> pl.DataFrame:
    return frame(BOOK_DELTAS, *map(a_delta, seqs))


def test_files_that_cannot_hold_a_key_are_not_read(tmp_path: Path) -> None:
    """Numbers 1 to 3 lie in a file that is lost; 7 is none of them, 3 may be."""
    lake = Lake(tmp_path)
    lake.commit(BOOK_DELTAS, deltas(1, 2, 3))
    (lost,) = (tmp_path / "book_deltas").glob("*/*.parquet")
    lost.unlink()
    assert lake.commit(BOOK_DELTAS, deltas(7, 8)).n_new == 2
    with pytest.raises(CorruptFile):
        lake.commit(BOOK_DELTAS, deltas(3, 4))


@pytest.mark.parametrize("is_compacted", [False, True])
def test_whatever_comes_again_is_known_in_whatever_order(tmp_path: Path, *, is_compacted: bool) -> None:
    """Parts of a stream that overlap, forwards and backwards: every number once, as told first."""
    lake, rng = Lake(tmp_path), Random(3)
    told: dict[int, int] = {}
    for number in range(8):
        first = rng.randrange(60)
        seqs = range(first, first + rng.randrange(1, 25))
        done = lake.commit(BOOK_DELTAS, deltas(*seqs).with_columns(delta_centi=pl.lit(number + 1, pl.Int64)))
        assert done.n_new == len(set(seqs) - told.keys())
        told = dict.fromkeys(seqs, number + 1) | told
        if is_compacted and number == 4:
            lake.compact([BOOK_DELTAS])
    stored = lake.scan(BOOK_DELTAS).select("seq", "delta_centi").collect()
    assert dict(stored.iter_rows()) == told


@pytest.mark.parametrize("micros", [0, 1, 499, 500, 999])
def test_times_between_milliseconds_are_found_again(tmp_path: Path, micros: int) -> None:
    """The log tells bounds of times in milliseconds, which are not quite those of the rows."""
    lake = Lake(tmp_path)
    rows = frame(QUOTES, a_quote(event_ts=at(micros / 1e6), received_ts=at(1 + micros / 1e6)))
    assert (lake.commit(QUOTES, rows).n_new, lake.commit(QUOTES, rows).n_new) == (1, 0)


def test_a_key_without_a_time_is_found_among_those_that_have_one(tmp_path: Path) -> None:
    """received_ts is part of a quote's key, and empty where only one time was recorded."""
    lake = Lake(tmp_path)
    timed, untimed = a_quote(received_ts=at(1)), a_quote(received_ts=None)
    assert lake.commit(QUOTES, frame(QUOTES, timed)).n_new == 1
    assert lake.commit(QUOTES, frame(QUOTES, untimed, timed)).n_new == 1
    assert lake.commit(QUOTES, frame(QUOTES, untimed)).n_new == 0
