"""Arithmetic of half-open intervals `[start, end)`."""

from collections.abc import Iterable
from datetime import datetime

Interval = tuple[datetime, datetime]


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Merge intervals that overlap or touch; the result is disjoint and ascending."""
    merged: list[Interval] = []
    for start_ts, end_ts in sorted(intervals):
        if merged and start_ts <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_ts))
        elif start_ts < end_ts:
            merged.append((start_ts, end_ts))
    return merged


def uncovered(start_ts: datetime, end_ts: datetime, covered: Iterable[Interval]) -> list[Interval]:
    """Return what of `[start_ts, end_ts)` no interval covers, ascending."""
    holes: list[Interval] = []
    cursor_ts = start_ts
    for begin_ts, until_ts in union(covered):
        if until_ts <= cursor_ts:
            continue
        if begin_ts >= end_ts:
            break
        if begin_ts > cursor_ts:
            holes.append((cursor_ts, begin_ts))
        cursor_ts = until_ts
    if cursor_ts < end_ts:
        holes.append((cursor_ts, end_ts))
    return holes
