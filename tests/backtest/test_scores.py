"""A forecast against what came and against the market: by hand, and as slow plain Python says."""

import json
import math
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import backtest as bt
from backtest.cli import app
from backtest.errors import PlanError
from exchange.errors import BadInput
from tests.backtest.lakes import a_lake, a_market, a_quote, at, committed
from tests.oracles import scores as oracle
from warehouse import Lake
from warehouse.tables import BOOK_GAPS

A, B, C = "KXT-1-A", "KXT-1-B", "KXT-2-C"
DAY = 1_440  # minutes


def paid(ticker: str, cents: int, *, minutes: float = 130) -> dict[str, Any]:
    """Return a market that paid so many cents per YES, by default ten minutes after its close."""
    result = {100: "yes", 0: "no"}.get(cents, "scalar")
    told: dict[str, Any] = {"settlement_value_cc": 100 * cents, "settlement_ts": at(minutes)}
    return a_market(ticker, seen=minutes + 10, status="finalized", result=result, **told)


def a_forecast(*rows: tuple[str, float, float]) -> pl.DataFrame:
    """Return (ticker, minute from which it was known, probability of YES) rows."""
    frame = pl.DataFrame(rows, schema=["ticker", "minutes", "prob"], orient="row")
    known = pl.Series("known_ts", [at(minutes) for _, minutes, _ in rows], pl.Datetime("us", "UTC"))
    return frame.select("ticker", known, pl.col("prob").cast(pl.Float64))


MARKETS = [paid(A, 100), paid(B, 0), paid(C, 25, minutes=130 + DAY)]
QUOTES = [
    *(a_quote(0, 4_900, 5_100, A), a_quote(15, 6_900, 7_100, A)),
    *(a_quote(0, 3_900, 4_100, B), a_quote(0, 4_400, 4_600, C)),
]
FORECAST = a_forecast((A, 10, 0.8), (A, 20, 0.6), (B, 10, 0.3), (C, 10, 0.5))


def the_lake(folder: Path, *quotes: dict[str, Any], markets: list[dict[str, Any]] | None = None) -> Lake:
    return a_lake(folder, [*QUOTES, *quotes], markets or MARKETS)


def reasons(lake: Lake, forecast: pl.DataFrame, **arguments: Any) -> dict[str, tuple[int, int]]:  # noqa: ANN401 -- of score_forecast
    """Return by reason how many rows of how many markets were left out."""
    told = bt.score_forecast(forecast, lake, **arguments).left_out
    return {reason: (n_forecasts, n_markets) for reason, n_forecasts, n_markets in told.iter_rows()}


def test_scores_are_means_over_events_of_means_over_markets(tmp_path: Path) -> None:
    """Trap 35. A pays 1: (.2^2 + .4^2) / 2 = .10, the middle (.5^2 + .3^2) / 2 = .17. B pays 0: .09 and .16.

    Event 1: .095 and .165. C pays .25, in event 2: .0625 and .04. The means: .07875 and .1025.
    The draws of two days are between twice event 2 (.04 - .0625) and twice event 1 (.165 - .095).
    """
    scores = bt.score_forecast(FORECAST, the_lake(tmp_path))
    brier, log_loss = scores.summary.to_dicts()
    assert (brier["score"], log_loss["score"]) == ("brier", "log_loss")
    assert [brier[name] for name in ("forecast", "market", "skill")] == pytest.approx(
        [0.07875, 0.1025, 0.02375]
    )
    assert [brier[side] for side in ("low", "high")] == pytest.approx([-0.0225, 0.07])
    counts = {"n_events": 2, "n_days": 2, "n_markets": 3, "n_forecasts": 4, "n_scalar": 1}
    assert brier.items() >= counts.items()
    assert log_loss.items() >= counts.items()
    first = (-(math.log(0.8) + math.log(0.6)) / 2 - math.log(0.7)) / 2
    second = -0.25 * math.log(0.5) - 0.75 * math.log(0.5)
    assert log_loss["forecast"] == pytest.approx((first + second) / 2)
    assert scores.by_event.drop("log_loss_forecast", "log_loss_market").rows() == [
        ("KXT-1", "KXT", at(0).date(), 2, 3, pytest.approx(0.095), pytest.approx(0.165)),
        ("KXT-2", "KXT", at(DAY).date(), 1, 1, pytest.approx(0.0625), pytest.approx(0.04)),
    ]
    assert scores.left_out.is_empty()


def test_reliability_says_how_often_it_came_to_pass(tmp_path: Path) -> None:
    """The market said .40 of B, which paid 0, and .45 of C, which paid .25: .425, and .125 came."""
    told = bt.score_forecast(FORECAST, the_lake(tmp_path)).reliability
    assert told.select("who", "from_prob", "to_prob", "n_forecasts").rows() == [
        *(("forecast", low, high, 1) for low, high in ((0.3, 0.4), (0.5, 0.6), (0.6, 0.7), (0.8, 0.9))),
        *(("market", low, high, n) for low, high, n in ((0.4, 0.5, 2), (0.5, 0.6, 1), (0.7, 0.8, 1))),
    ]
    (row,) = told.filter(who="market", from_prob=0.4).to_dicts()
    assert [row[name] for name in ("mean_prob", "share_yes", "low", "high")] == pytest.approx(
        [0.425, 0.125, 0, 0.25]
    )
    assert (row["n_events"], row["n_days"], row["n_markets"]) == (2, 2, 2)
    (alone,) = told.filter(who="market", from_prob=0.7).to_dicts()
    assert (alone["share_yes"], alone["low"], alone["high"]) == (1, None, None)


def test_every_tenth_begins_with_its_lower_end_and_the_last_has_both(tmp_path: Path) -> None:
    rows = [(A, minute, minute / 10) for minute in range(11)]
    told = bt.score_forecast(a_forecast(*rows), the_lake(tmp_path)).reliability.filter(who="forecast")
    assert told["from_prob"].to_list() == [number / 10 for number in range(10)]
    assert told["n_forecasts"].to_list() == [1] * 9 + [2]


def test_a_market_asked_a_hundred_times_is_no_hundred_trials(tmp_path: Path) -> None:
    """Nor are twenty strikes of one event twenty: what else there is weighs the same."""
    strikes = [f"KXT-1-S{number}" for number in range(20)]
    markets = [*MARKETS, *(paid(each, 0) for each in strikes)]
    lake = the_lake(tmp_path, *(a_quote(0, 3_900, 4_100, each) for each in strikes), markets=markets)
    once = bt.score_forecast(a_forecast((B, 10, 0.3), (C, 10, 0.5)), lake).summary
    often = a_forecast(*((B, 10 + n / 10, 0.3) for n in range(100)), *((each, 9, 0.3) for each in strikes))
    again = bt.score_forecast(pl.concat([often, a_forecast((C, 10, 0.5))]), lake).summary
    for name in ("forecast", "market", "skill", "low", "high"):
        assert again[name].to_list() == pytest.approx(once[name].to_list())
    assert again["n_markets"].to_list() == [22, 22]


def test_certainty_that_was_wrong_costs_what_the_finest_price_says(tmp_path: Path) -> None:
    scores = bt.score_forecast(a_forecast((A, 10, 0), (C, 10, 1)), the_lake(tmp_path))
    told = dict(scores.by_event.select("event_ticker", "log_loss_forecast").iter_rows())
    assert told["KXT-1"] == pytest.approx(-math.log(0.0001))
    assert told["KXT-2"] == pytest.approx(-0.25 * math.log(0.9999) - 0.75 * math.log(0.0001))


def test_only_what_was_known_counts(tmp_path: Path) -> None:
    """A quote that came after the probability changes nothing, whatever moment it is of."""
    one = bt.score_forecast(a_forecast((A, 10, 0.8)), the_lake(tmp_path / "one"))
    late = a_quote(9, 8_900, 9_100, A) | {"received_ts": at(10.001)}
    two = bt.score_forecast(
        a_forecast((A, 10, 0.8)), the_lake(tmp_path / "two", late, a_quote(11, 100, 300, A))
    )
    assert two.summary.equals(one.summary)
    now = bt.score_forecast(a_forecast((A, 15, 0.8)), the_lake(tmp_path / "now"))
    assert now.summary["market"][0] == pytest.approx(0.3**2)


def test_an_older_quote_that_arrives_later_replaces_no_newer_one(tmp_path: Path) -> None:
    """Of minute 3 the quick recorder says .60/.62; what the slow one tells of minute 0, at minute 5, is over.

    Until minute 3 there is a quote of minute 0 alone. A paid 1: the market's middle of .61 misses by .39.
    """
    quick, slow = ({"session": session} for session in ("quick", "slow"))
    lake = a_lake(
        tmp_path,
        [
            *(a_quote(0, 4_000, 4_200, A) | quick, a_quote(3, 6_000, 6_200, A) | quick),
            a_quote(0, 4_000, 4_200, A) | slow | {"received_ts": at(5)},
        ],
        MARKETS,
    )
    early, late = (bt.score_forecast(a_forecast((A, minute, 0.61)), lake).summary for minute in (2, 6))
    assert early["market"][0] == pytest.approx(0.59**2)
    assert late["market"][0] == pytest.approx(0.39**2)


def test_what_cannot_be_scored_is_counted_and_left_out_of_both(tmp_path: Path) -> None:
    """Each for its first reason; of E the lake has no listing, F is open, G was decided at no known value."""
    names = [f"KXT-3-{letter}" for letter in "EFGHIJKLM"]
    e, f, g, h, i, j, k, l, m = names  # noqa: E741 -- letters in a row
    markets = [
        *MARKETS,
        *(a_market(f), a_market(g, status="finalized", result="scalar")),
        *(paid(each, 0) for each in (h, i, j, k, l, m)),
    ]
    quotes = [
        *(a_quote(0, 3_900, 4_100, each) for each in (e, f, g, h)),
        *(a_quote(20, 3_900, 4_100, i), a_quote(0, None, 4_100, j), a_quote(0, 0, 4_100, k)),
        *(a_quote(0, 9_900, 10_000, l), a_quote(0, 5_000, 5_000, m)),
        a_quote(1, 3_900, 4_100, m) | {"bid_size_centi": 0, "event_ts": at(30), "received_ts": at(30)},
    ]
    rows = [(name, 10.0, 0.5) for name in (*names, A, "KXT-9-Z")]
    rows += [(h, 120.0, 0.5), (h, 500.0, 0.5), (m, 30.0, 0.5)]
    lake = the_lake(tmp_path, *quotes, markets=markets)
    assert reasons(lake, a_forecast(*rows)) == {
        "no bid or no ask": (4, 4),
        "after the close": (2, 1),
        "undecided": (2, 2),
        "unknown market": (2, 2),
        "bid not below ask": (1, 1),
        "no quote": (1, 1),
    }
    scores = bt.score_forecast(a_forecast(*rows), lake)
    assert scores.by_event.select("event_ticker", "n_forecasts").rows() == [("KXT-1", 1), ("KXT-3", 1)]


def test_a_quote_counts_until_it_is_too_old_or_its_recording_ended(tmp_path: Path) -> None:
    """The quote of minute 0 at minutes 10 and 20; in the other lake the recording ended at minute 12."""
    rows = a_forecast((B, 10, 0.3), (B, 20, 0.3))
    lake = the_lake(tmp_path / "on")
    assert reasons(lake, rows) == {}
    assert reasons(lake, rows, max_age="11m") == {"no quote": (1, 1)}
    assert reasons(lake, rows, max_age="20m") == {"no quote": (1, 1)}
    ended = the_lake(tmp_path / "ended")
    end = {"session": "s", "sid": 1, "from_seq": 2, "to_seq": 2, "tickers": [B], "from_ts": at(12)}
    committed(ended, BOOK_GAPS, [end | {"cause": "killed", "is_recovered": False}])
    assert reasons(ended, rows) == {"no quote": (1, 1)}


def test_a_correction_moves_the_outcome_and_not_the_day(tmp_path: Path) -> None:
    """Paid as YES and two days later as NO: it counts as NO, on the first day."""
    history = [paid(A, 100), paid(A, 0, minutes=130 + 2 * DAY)]
    scores = bt.score_forecast(a_forecast((A, 10, 0.8)), the_lake(tmp_path, markets=history))
    assert scores.by_event.select("day", "brier_forecast").row(0) == (at(0).date(), pytest.approx(0.64))


@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_plain_python_says(tmp_path: Path, seed: int) -> None:
    """Worlds of a few events on a few days; quotes with empty, crossed and missing sides, received late."""
    chance = random.Random(seed)
    states, quotes, rows = dict[str, list[dict[str, Any]]](), list[dict[str, Any]](), []
    for event in range(chance.randint(2, 6)):
        day = chance.randint(0, 3) * DAY
        for market in range(chance.randint(1, 4)):
            ticker = f"KXT-{event}-{market}"
            cents, again = chance.choice([0, 0, 100, 37]), chance.choice([0, 100])
            states[ticker] = chance.choice(
                [
                    [a_market(ticker, status="active")],
                    [paid(ticker, cents, minutes=day + 130)],
                    [a_market(ticker, status="active"), paid(ticker, cents, minutes=day + 130)],
                    [paid(ticker, cents, minutes=day + 130), paid(ticker, again, minutes=day + 3_000)],
                ]
            )
            for _ in range(chance.randint(0, 12)):
                bid_cc, ask_cc = (
                    chance.choice([None, 0, *range(100, 10_000, 100), 10_000]) for _ in range(2)
                )
                if chance.random() < 0.6:
                    bid_cc = chance.randrange(100, 9_900, 100)
                    ask_cc = min(10_000, bid_cc + chance.choice([50, 200, 1_000]))
                quote = a_quote(chance.randint(0, 125), bid_cc, ask_cc, ticker)
                late = chance.choice([0, 0.5, 3])
                quote["received_ts"] = at((quote["event_ts"] - at(0)).total_seconds() / 60 + late)
                quote["session"] = f"s{len(quotes)}"
                quotes.append(quote)
            asked = chance.sample(range(140), chance.randint(0, 8))
            rows += [(ticker, float(minute), chance.choice([0, 1, chance.random()])) for minute in asked]
    rows.append(("KXT-99-X", 3.0, 0.5))
    distinct = list(
        {(each["ticker"], each["received_ts"], each["event_ts"]): each for each in quotes}.values()
    )
    lake = a_lake(tmp_path, distinct, [state for each in states.values() for state in each])
    forecast = a_forecast(*rows)
    max_age = chance.choice([None, "30m"])
    told = oracle.joined(forecast.to_dicts(), states, distinct, None if max_age is None else 1_800_000_000)
    used = [row for row in told if row["reason"] is None]
    assert used
    scores = bt.score_forecast(forecast, lake, max_age=max_age)

    left = [row["reason"] for row in told if row["reason"] is not None]
    assert dict(scores.left_out.select("reason", "n_forecasts").iter_rows()) == {
        reason: left.count(reason) for reason in left
    }
    for row, score in zip(scores.summary.to_dicts(), (oracle.brier, oracle.log_loss), strict=True):
        mine, middle = oracle.by_event(used, "forecast", score), oracle.by_event(used, "market", score)
        skill = {event: (day, middle[event][1] - value) for event, (day, value) in mine.items()}
        expected = [*(oracle.mean_of(each) for each in (mine, middle, skill)), *oracle.interval(skill)]
        found = [row[name] for name in ("forecast", "market", "skill", "low", "high")]
        assert found == [None if each is None else pytest.approx(each, abs=1e-12) for each in expected]
    for row in scores.reliability.to_dicts():
        inside = [each for each in used if oracle.tenth(each[row["who"]]) == round(10 * row["from_prob"])]
        said = oracle.by_event(inside, row["who"], lambda prob, _: prob)
        came = oracle.by_event(inside, row["who"], lambda _, outcome: outcome)
        expected = [oracle.mean_of(said), oracle.mean_of(came), *oracle.interval(came)]
        found = [row[name] for name in ("mean_prob", "share_yes", "low", "high")]
        assert found == [None if each is None else pytest.approx(each, abs=1e-12) for each in expected]
    assert scores.reliability["n_forecasts"].sum() == 2 * len(used)


def test_scores_print_as_sentences(tmp_path: Path) -> None:
    """Both scores of the first test, and what was left out; the frames are named."""
    told = repr(bt.score_forecast(pl.concat([FORECAST, a_forecast((A, 125, 0.9))]), the_lake(tmp_path)))
    assert told.splitlines()[0] == (
        "Brier: 0.0788, and the market's 0.1025, of 2 events on 2 days; less is better: skill +0.0238 "
        "(95 % interval \N{MINUS SIGN}0.0225 to +0.0700)."
    )
    assert told.splitlines()[2:] == [
        "Left out: 1 (after the close).",
        "Frames: summary, reliability, by_event, left_out.",
    ]


def test_nothing_to_score_says_why(tmp_path: Path) -> None:
    lake = the_lake(tmp_path)
    with pytest.raises(
        PlanError, match="none of the forecast's 2 rows can be scored: after the close 1, unknown"
    ):
        bt.score_forecast(a_forecast((A, 120, 0.5), ("KXT-9-Z", 1, 0.5)), lake)
    with pytest.raises(PlanError, match="the forecast has no rows"):
        bt.score_forecast(FORECAST.clear(), lake)
    with pytest.raises(PlanError, match="max_age='0s' must be more than 0"):
        bt.score_forecast(FORECAST, lake, max_age="0s")
    with pytest.raises(PlanError, match=r"give it Lake\('lake'\)"):
        bt.score_forecast(FORECAST, "lake")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(BadInput, match="forecast: no column prob: a forecast has ticker, known_ts, prob"):
        bt.score_forecast(FORECAST.drop("prob"), lake)


def test_the_command_prints_both_tables_and_what_was_left_out(tmp_path: Path) -> None:
    lake, path = the_lake(tmp_path), tmp_path / "mine.csv"
    FORECAST.write_csv(path, datetime_format="%+")
    with path.open("a") as more:
        more.write(f"KXT-9-Z,{at(5).isoformat()},0.5\n")
    command = ["forecast", str(path), "--lake", lake.uri]
    printed = [line.split() for line in CliRunner().invoke(app, command).stdout.splitlines()]
    assert " ".join(printed[0]) == "Score Forecast Market Skill 95 % interval Events Days Markets Rows"
    interval = ["\N{MINUS SIGN}0.0225", "to", "+0.0700"]
    assert printed[1] == ["brier", "0.0788", "0.1025", "+0.0238", *interval, "2", "2", "3", "4"]
    assert " ".join(printed[4]) == "Who Said Mean Came 95 % interval Events Days Markets Rows"
    assert printed[5] == [
        "forecast",
        "0.3",
        "to",
        "0.4",
        "0.3000",
        "0.0000",
        "\N{EN DASH}",
        "1",
        "1",
        "1",
        "1",
    ]
    said = [" ".join(line) for line in printed[-3:]]
    assert said[0] == "Left out: 1 row of 1 market: unknown market."
    assert said[1] == "1 market paid neither $0 nor $1, and count as that."
    assert said[2] == "Of fewer than 20 days, intervals are too narrow."
    told = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert {name: len(rows) for name, rows in told.items()} == {
        "summary": 2,
        "reliability": 7,
        "by_event": 2,
        "left_out": 1,
    }
    nowhere = CliRunner().invoke(app, ["forecast", str(path), "--lake", str(tmp_path / "none")])
    assert isinstance(nowhere.exception, BadInput)
