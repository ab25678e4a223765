"""Scores of a forecast once more, slow and obvious: row by row, then by market, event and day."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from exchange.units import from_us, to_us
from tests.oracles.rules import payouts

Row = Mapping[str, Any]
SEED, N_DRAWS = 20_260_101, 2_000


def joined(
    forecast: Sequence[Row],
    markets: Mapping[str, Sequence[Row]],
    quotes: Sequence[Row],
    max_age_us: int | None,
) -> list[dict[str, Any]]:
    """Return each row with event, day, outcome and market (the middle), or why it is left out."""
    told = []
    for row in forecast:
        states, at_us = markets.get(row["ticker"], []), to_us(row["known_ts"])
        paid = payouts(states)
        # A quote is known when it was received; of those known, the latest counts, whoever was last to tell.
        shown = [each for each in quotes if each["ticker"] == row["ticker"]]
        shown = [each for each in shown if to_us(each["received_ts"]) <= at_us]
        last = max(shown, key=lambda each: (each["event_ts"], each["received_ts"]), default=None)
        has_bid = last is not None and bool(last["bid_cc"]) and last["bid_size_centi"] != 0
        has_ask = last is not None and last["ask_cc"] not in (None, 10_000) and last["ask_size_centi"] != 0
        reason = None
        if not states:
            reason = "unknown market"
        elif not paid:
            reason = "undecided"
        elif at_us >= min(to_us(states[-1]["close_ts"]), paid[0][0]):
            reason = "after the close"
        elif last is None or (max_age_us is not None and at_us - to_us(last["event_ts"]) >= max_age_us):
            reason = "no quote"
        elif not has_bid or not has_ask:
            reason = "no bid or no ask"
        elif last["bid_cc"] >= last["ask_cc"]:
            reason = "bid not below ask"
        if reason is not None:
            told.append({**row, "reason": reason})
            continue
        assert last is not None
        day, event = from_us(paid[0][0]).date(), states[-1]["event_ticker"]
        middle = (last["bid_cc"] + last["ask_cc"]) / 20_000
        told.append(
            {**row, "reason": None, "event": event, "day": day, "outcome": paid[-1][1] / 10_000}
            | {"forecast": row["prob"], "market": middle}
        )
    return told


def brier(prob: float, outcome: float) -> float:
    """Return the square of what is missed."""
    return (prob - outcome) ** 2


def log_loss(prob: float, outcome: float) -> float:
    """Return how surprising the outcome was, no chance being taken for less than 0.0001."""
    prob = min(max(prob, 0.0001), 0.9999)
    return -outcome * math.log(prob) - (1 - outcome) * math.log(1 - prob)


def by_event(
    rows: Sequence[Row], who: str, score: Callable[[float, float], float]
) -> dict[str, tuple[date, float]]:
    """Return of each event its day and the mean over its markets of the mean over a market's rows.

    Of each row, `score` gets what `who` said and the outcome.
    """
    answer = {}
    for event in sorted({row["event"] for row in rows}):
        mine = [row for row in rows if row["event"] == event]
        means = []
        for ticker in sorted({row["ticker"] for row in mine}):
            values = [score(row[who], row["outcome"]) for row in mine if row["ticker"] == ticker]
            means.append(sum(values) / len(values))
        answer[event] = (max(row["day"] for row in mine), sum(means) / len(means))
    return answer


def mean_of(events: Mapping[str, tuple[date, float]]) -> float:
    """Return the mean over events."""
    return sum(value for _, value in events.values()) / len(events)


def interval(events: Mapping[str, tuple[date, float]]) -> tuple[float | None, float | None]:
    """Return between what the mean lies in 95 of 100 draws of whole days."""
    days = list(dict.fromkeys(day for day, _ in events.values()))
    if len(days) < 2:
        return None, None
    of_day = [[value for day, value in events.values() if day == each] for each in days]
    means = []
    for drawn in np.random.default_rng(SEED).integers(0, len(days), (N_DRAWS, len(days))).tolist():
        values = [value for number in drawn for value in of_day[number]]
        means.append(sum(values) / len(values))
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def tenth(prob: float) -> int:
    """Return the tenth of probability, from 0 to 9."""
    return max(number for number in range(10) if prob >= number / 10)
