"""Trap 46: what a setting was chosen on is no test of it; the rest is looked at once, and that is logged."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import backtest as bt
from backtest.errors import PlanError
from backtest.holdouts import Split, split_of
from tests.backtest.worlds import a_lake, a_market, a_plan, a_quote, at, replayed, settled

SINCE = at(3_000)
# Both strikes of E-HELD are held out, for the later one is paid after SINCE; OPEN is not over at all.
MARKETS = [
    settled("OVER", pays_cc=10_000),
    settled("EARLY", pays_cc=0, event_ticker="E-HELD"),
    settled("LATE", pays_cc=0, event_ticker="E-HELD", settlement_ts=at(3_000)),
    a_market("OPEN", close_ts=None),
]
TICKERS = [each["ticker"] for each in MARKETS]
LAKE = a_lake(markets=MARKETS, quotes=[a_quote(0, 4_000, 5_000, ticker=each) for each in TICKERS])
EVERYWHERE = [(1, each, bt.buy_yes(1)) for each in TICKERS]
SIZES = a_plan(*((1, each, bt.buy_yes(bt.param("size"))) for each in TICKERS))


def held(folder: Path) -> bt.Holdout:
    return bt.holdout(SINCE, log=folder / "holdout.jsonl")


def test_a_run_sees_no_event_that_is_not_over_before_the_holdout(tmp_path: Path) -> None:
    """Not even the strike that was paid earlier: it resolves together with the others of its event."""
    run = replayed(LAKE, *EVERYWHERE, holdout=held(tmp_path))
    assert run.fills["ticker"].to_list() == ["OVER"]
    assert run.attrition["n_universe"].to_list() == [1]
    alone = replayed(LAKE, (1, "OVER", bt.buy_yes(1)))
    assert all(run.frames[name].equals(alone.frames[name]) for name in run.frames)
    assert not held(tmp_path).log.exists()


def test_an_opened_holdout_shows_these_events_and_no_others(tmp_path: Path) -> None:
    run = replayed(LAKE, *EVERYWHERE, holdout=held(tmp_path).open("the only setting"))
    assert sorted(run.fills["ticker"]) == ["EARLY", "LATE", "OPEN"]
    rest = replayed(LAKE, *EVERYWHERE, holdout=held(tmp_path))
    both = pl.concat([run.fills, rest.fills])["ticker"]
    assert sorted(both) == sorted(TICKERS)


def test_both_sides_say_what_was_held_out_and_how_often_it_was_opened(tmp_path: Path) -> None:
    before = replayed(LAKE, *EVERYWHERE, holdout=held(tmp_path))
    what = "the lake's 2 events (3 markets) that are not over before 2026-09-01T12:50:00Z"
    assert before.assumptions[0] == f"held out: {what}; openings so far, by holdout.jsonl: 0"
    look = replayed(LAKE, *EVERYWHERE, holdout=held(tmp_path).open("median of the sweep"))
    assert look.assumptions[0] == f"on a holdout and nothing else: {what}; median of the sweep"
    after = replayed(LAKE, *EVERYWHERE, holdout=held(tmp_path))
    assert after.assumptions[0].endswith("by holdout.jsonl: 1")
    assert [each.manifest["config"]["holdout"] for each in (before, look)] == [
        {"since": "2026-09-01T12:50:00Z", "is_open": is_open, "n_events": 2, "n_openings": 0}
        for is_open in (False, True)
    ]


def test_every_look_is_a_line_of_the_log(tmp_path: Path) -> None:
    """Of which setting, why and when; and the digest tells which orders."""
    run = bt.run(SIZES, LAKE, fills="touch", params={"size": 2}, holdout=held(tmp_path).open(" twice one "))
    (line,) = map(json.loads, held(tmp_path).log.read_text().splitlines())
    opened = datetime.fromisoformat(line.pop("opened_ts"))
    assert abs((datetime.now(UTC) - opened).total_seconds()) < 60
    assert line == {
        "since": "2026-09-01T12:50:00Z",
        "note": "twice one",
        "params": {"size": 2.0},
        "n_events": 2,
        "n_markets": 3,
        "orders": run.manifest["orders"],
    }


def test_a_second_look_is_refused_unless_it_is_meant_and_then_it_says_so(tmp_path: Path) -> None:
    opened = held(tmp_path).open("first idea")
    replayed(LAKE, *EVERYWHERE, holdout=opened)
    with pytest.raises(PlanError, match=r"opened on 20.*Z \(first idea\), and what is chosen after a look"):
        replayed(LAKE, *EVERYWHERE, holdout=opened)
    again = replayed(LAKE, *EVERYWHERE, holdout=held(tmp_path).open("second idea", again=True))
    assert again.assumptions[0].endswith("; second idea; opening number 2 of it: no test any more")
    assert [json.loads(each)["note"] for each in held(tmp_path).log.read_text().splitlines()] == [
        "first idea",
        "second idea",
    ]


def test_a_sweep_cannot_look_and_neither_can_a_ladder(tmp_path: Path) -> None:
    """Both would choose by what they see; nothing is shown, so nothing is logged."""
    opened = held(tmp_path).open("the best of them")
    with pytest.raises(PlanError, match="for one parameter row, and params has 2: choose one on the rest"):
        bt.run(SIZES, LAKE, fills="touch", params={"size": [1, 2]}, holdout=opened)
    with pytest.raises(PlanError, match=r"choose a rung, and give it to bt\.run"):
        bt.ladder(a_plan(*EVERYWHERE), LAKE, rungs=["touch"], holdout=opened)
    assert not opened.log.exists()
    told = bt.ladder(SIZES, LAKE, rungs=["touch"], params={"size": [1, 2]}, holdout=held(tmp_path))
    assert told["n_fills"].to_list() == [1, 1]


def test_a_look_that_cannot_be_logged_shows_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    unwritable = bt.holdout(SINCE, log=tmp_path / "file" / "log.jsonl").open("a look")
    with pytest.raises(PlanError, match=r"log\.jsonl: the opening .* cannot be logged .*, so its result"):
        replayed(LAKE, *EVERYWHERE, holdout=unwritable)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("opened yesterday\n", "the log of the holdout cannot be read"),
        ('{"opened_ts": "2026-05-02T00:00:00Z"}\n', "line 1 is no opening of a holdout: give another log"),
        (
            '{"opened_ts": "2026-05-02T00:00:00Z", "since": "2026-01-01T00:00:00Z", "note": "x"}\n',
            "this is the log of the holdout since 2026-01-01T00:00:00Z: give another log",
        ),
    ],
)
def test_a_log_that_is_none_of_this_holdout_is_refused_and_kept(
    tmp_path: Path, text: str, problem: str
) -> None:
    held(tmp_path).log.write_text(text)
    for each in (held(tmp_path), held(tmp_path).open("a look", again=True)):
        with pytest.raises(PlanError, match=problem):
            replayed(LAKE, *EVERYWHERE, holdout=each)
    assert held(tmp_path).log.read_text() == text


def test_of_a_basket_both_legs_are_seen_or_none(tmp_path: Path) -> None:
    """One of OVER and LATE would be half a bet; rows of no basket stay, each on its side."""
    legs = [(1, "OVER"), (1, "LATE"), (2, "EARLY"), (2, "LATE"), (3, "OVER"), (3, "LATE")]
    plan = a_plan(*((second, ticker, bt.buy_yes(1)) for second, ticker in legs))
    plan = plan.with_columns(basket=pl.Series(["apart", "apart", "together", "together", None, None]))
    seen = {
        is_open: bt.run(plan, LAKE, fills="touch", holdout=each).orders.select("ticker", "basket").rows()
        for is_open, each in ((False, held(tmp_path)), (True, held(tmp_path).open("a look")))
    }
    assert seen[False] == [("OVER", None)]
    assert seen[True] == [("EARLY", "together"), ("LATE", "together"), ("LATE", None)]


def test_a_policy_is_asked_about_what_a_run_sees(tmp_path: Path) -> None:
    @bt.policy(every="1s", post_only=False)
    def buying(at: Any, _params: Any, _memory: Any) -> bt.Quotes:  # noqa: ANN401 -- records, to numba
        return bt.Quotes(at.ask_cc, 100 - at.position_centi, 10_000, 0)

    asked = buying.in_python().on(TICKERS)
    rest = bt.run(asked, LAKE, fills="touch", holdout=held(tmp_path))
    look = bt.run(asked, LAKE, fills="touch", holdout=held(tmp_path).open("a look"))
    assert set(rest.fills["ticker"]) == {"OVER"}
    assert set(look.fills["ticker"]) == {"EARLY", "LATE", "OPEN"}


def test_a_holdout_that_leaves_nothing_to_see_says_so(tmp_path: Path) -> None:
    early, late = bt.holdout(at(0), log=tmp_path / "a"), bt.holdout(at(9_000), log=tmp_path / "b")
    with pytest.raises(PlanError, match="no market of the plan is over before 2026-09-01T12:00:00Z: move"):
        replayed(LAKE, (1, "OVER", bt.buy_yes(1)), holdout=early)
    with pytest.raises(PlanError, match="every market of the plan is over before 2026-09-01T14:30:00Z: move"):
        replayed(LAKE, (1, "OVER", bt.buy_yes(1)), holdout=late.open("a look"))


def test_one_setting_with_a_market_that_is_not_held_out_is_enough(tmp_path: Path) -> None:
    """The first setting asks of LATE alone, the second of OVER too; in either order one order is left."""
    plan = a_plan((1, "OVER", bt.buy_yes(1)), (1, "LATE", bt.buy_yes(1)))
    some = plan.filter((pl.col("ticker") == "LATE") | (bt.param("wide") > 0))
    for wide in ([0, 1], [1, 0]):
        run = bt.run(some, LAKE, fills="touch", params={"wide": wide}, holdout=held(tmp_path))
        assert run.summary["n_orders"].to_list() == wide
    with pytest.raises(PlanError, match="no market of the plan is over before"):
        bt.run(some, LAKE, fills="touch", params={"wide": [0, -1]}, holdout=held(tmp_path))


def test_a_date_is_its_midnight_in_utc() -> None:
    midnight = datetime(2026, 9, 1, tzinfo=UTC)
    for since in ("2026-09-01", "2026-09-01T00:00:00Z", date(2026, 9, 1), midnight):
        assert bt.holdout(since, log="log.jsonl") == bt.Holdout(midnight, Path("log.jsonl"))


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ("yesterday", "'yesterday' is not an RFC 3339 time, such as"),
        (datetime(2026, 9, 1), "2026-09-01T00:00:00 has no time zone: add tzinfo=UTC"),  # noqa: DTZ001 -- what is wrong
        (5, "5 is not a date or time, such as 2026-05-11"),
        (None, "None is not a date or time"),
    ],
)
def test_a_holdout_without_a_moment_is_refused(since: str, said: str) -> None:
    with pytest.raises(PlanError, match=f"holdout since: {said}"):
        bt.holdout(since, log="log.jsonl")


def test_opening_needs_a_reason() -> None:
    with pytest.raises(PlanError, match="needs a note: say which setting was chosen, and why"):
        bt.holdout("2026-09-01", log="log.jsonl").open("  ")


def test_a_payment_that_a_later_observation_leaves_out_still_counts(tmp_path: Path) -> None:
    """Paid at 4,000 s, after the holdout began; the market's last row has no time of payment any more."""
    paid = settled("A", pays_cc=10_000, settlement_ts=at(4_000))
    later = paid | {"observed_ts": at(6_000), "settlement_ts": None}
    lake = a_lake(markets=[paid, later], quotes=[a_quote(0, 4_000, 5_000)])
    with pytest.raises(PlanError, match="no market of the plan is over before"):
        replayed(lake, (1, "A", bt.buy_yes(1)), holdout=held(tmp_path))


def test_a_market_without_a_time_of_payment_is_over_when_a_run_would_pay_it(tmp_path: Path) -> None:
    """Closed at 1,000 s with a result: paid an hour later, after the holdout began, or at once, before."""
    decided = settled("A", pays_cc=10_000, settlement_ts=None)
    lake = a_lake(markets=[decided], quotes=[a_quote(0, 4_000, 5_000)])
    with pytest.raises(PlanError, match="no market of the plan is over before"):
        replayed(lake, (1, "A", bt.buy_yes(1)), holdout=held(tmp_path))
    soon = replayed(lake, (1, "A", bt.buy_yes(1)), holdout=held(tmp_path), payout_delay="1s")
    assert soon.fills.height == 1


def test_of_two_looks_at_once_one_is_shown(tmp_path: Path) -> None:
    """Both found an empty log when they began; the second to end finds the line of the first."""
    opened = held(tmp_path).open("one of two")
    first, second = read_holdout(opened, 2)
    run = replayed(LAKE, *EVERYWHERE)
    assert first.told(run).assumptions[0].startswith("on a holdout and nothing else")
    with pytest.raises(PlanError, match="this holdout was opened on"):
        second.told(run)
    assert len(opened.log.read_text().splitlines()) == 1


def read_holdout(opened: bt.Holdout, times: int) -> list[Split]:
    """Return what so many runs know of a holdout when they begin."""
    found = [split_of(opened, LAKE, 1, timedelta(hours=1)) for _ in range(times)]
    return [each for each in found if each is not None]


def test_what_is_no_holdout_is_refused() -> None:
    wrong: Any = "2026-09-01"
    with pytest.raises(PlanError, match=r"holdout='2026-09-01': give bt\.holdout"):
        replayed(LAKE, *EVERYWHERE, holdout=wrong)
    with pytest.raises(PlanError, match="holdout since: 2026-09-01T00:00:00 has no time zone"):
        bt.Holdout(datetime(2026, 9, 1), Path("log.jsonl"))  # noqa: DTZ001 -- what is wrong
