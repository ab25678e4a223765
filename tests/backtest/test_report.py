"""The report: one page that parses, fetches nothing and states its assumptions first."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

import backtest as bt
from backtest.metrics import by_event
from backtest.report import PAGE_BYTES_MAX, report_html, write_report
from backtest.report_numbers import MINUS, NONE, dollars
from backtest.results import SCHEMAS, Run
from backtest.strategies.market_making import market_making
from tests.backtest.a_run import T0, a_fill, a_frame, a_run, names
from tests.backtest.worlds import a_lake, a_market, a_quote, replayed

VOID = {"meta", "line", "circle", "rect", "path", "br"}


class Page(HTMLParser):
    """Keeps the visible text, the ids and links, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.fetched: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [told["id"] or ""] if "id" in told else []
        self.targets += [(told["href"] or "").removeprefix("#")] if "href" in told else []
        self.fetched += [tag] if tag in {"script", "link", "img", "iframe", "object"} or "src" in told else []

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self.open.pop() == tag, tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del tag, attrs

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_a_run_without_cash_has_no_share_of_it() -> None:
    """Nothing could be paid for: one order, rejected, and no 0 % of nothing."""
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    page = Page(report_html(replayed(lake, (1, "A", bt.buy_yes(1)), cash=0)))
    assert f"Net P&L $0.00 {NONE} of $0.00" in page.text
    assert "no cash" in page.text


def test_the_page_says_between_which_moments_falls_are_looked_for() -> None:
    """Bought at .50, worth .10 at 20 s, .49 at the end: between two rows of equity nobody looked."""
    quotes = [a_quote(0, 4_900, 5_000), a_quote(20, 1_000, 1_100), a_quote(40, 4_900, 5_000)]
    run = replayed(a_lake(markets=[a_market()], quotes=quotes), (1, "A", bt.buy_yes(1)))
    assert run.equity["marked_micros"].min() == 1_000_000_000 - 10_000 - 17_500
    assert "at midnights and at the end: one in between may have been deeper" in Page(report_html(run)).text


SWEEP = {"min_edge": [0.01, 0.02, 0.03], "minutes": [5.0, 10.0]}


@pytest.mark.parametrize("run", [a_run(30), a_run(1), a_run(12, SWEEP)], ids=["one", "one event", "sweep"])
def test_the_page_is_whole_small_and_alone(run: Run) -> None:
    """It parses, stays below 1 MB, fetches nothing, and every link inside it has its target."""
    html = report_html(run)
    page = Page(html)
    assert page.open == []
    assert len(html.encode()) < PAGE_BYTES_MAX
    assert not re.search(r"https?://|url\((?!#)|@import", html)
    assert page.fetched == []
    assert len(set(page.ids)) == len(page.ids)
    assert set(page.targets) <= set(page.ids)


def test_assumptions_and_coverage_come_before_the_numbers() -> None:
    text = Page(report_html(a_run(30))).text
    order = [
        "What every number below rests on",
        "An order reaches the exchange 250 ms",
        "Time known",
        "Net P&L",
    ]
    order += ["Equity Positions are marked", "P&L by event", "Costs and evidence", "Settlements", "manifest"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_the_verdict_says_when_luck_is_enough() -> None:
    """An edge of nothing gives an interval that includes zero; a large one lies above it."""
    assert (
        "includes zero, so this does not tell skill from luck" in Page(report_html(a_run(60, edge=0.0))).text
    )
    assert "lies above zero" in Page(report_html(a_run(200, edge=0.3))).text


def test_the_verdict_counts_days_besides_events() -> None:
    """Trap 35: with an event an hour, 60 last three days, 480 twenty, which are enough, and 5 one."""
    pages = [report_html(a_run(n, edge=0.3)) for n in (60, 480, 5)]
    assert ['class="verdict gain"' in page for page in pages] == [False, True, False]
    some, many, one = (Page(page).text for page in pages)
    assert "in 60 events on 3 days; the interval" in some
    assert "per event at 95 %, drawn by day)" in some
    assert "lies above zero, but 3 days are few and make it too narrow." in some
    assert "Events traded 60 on 3 days, the effective n;" in some
    assert "in 480 events on 20 days; the interval" in many
    assert "are few" not in many
    assert "in 5 events on 1 day; what moves one event of a day can move all: a single trial" in one
    assert "an interval needs two days" in one


def test_a_sweep_shows_every_setting_and_judges_by_the_median() -> None:
    """Trap 46: the whole surface, the median first, and the interval of the best allows for all tries."""
    run = a_run(30, SWEEP)
    text = Page(report_html(run)).text
    assert "The lower median of 6 settings" in text
    assert "6 settings were tried on the same data" in text
    assert text.count("allowing for 6 tries") == 1
    assert text.index("All settings 6 combinations") < text.index("Median of 6 settings min_edge =")
    assert text.index("Median of 6 settings min_edge =") < text.index("Best of 6 settings min_edge =")
    for micros in run.summary["pnl_micros"]:
        assert f"${abs(micros) / 1e6:,.2f}" in text


def test_the_best_of_settings_that_all_lose_has_lost() -> None:
    run = a_run(30, SWEEP, edge=-0.4)
    best = max(run.summary["pnl_micros"].to_list())
    assert best < 0
    words = f"The best lost {dollars(-best)}, and picking the best of 6 flatters even that."
    assert words in Page(report_html(run)).text


def test_a_sweep_is_walked_forward_where_there_is_time_for_it() -> None:
    """Trap 46: 240 events in ten days are nine choices; thirty in two days are one, which says nothing."""
    run = a_run(240, SWEEP)
    folds = bt.walk_forward(run, every="1d")
    text = Page(report_html(run)).text
    sums = [dollars(int(folds[name].sum()), is_signed=True) for name in ("net_micros", "median_micros")]
    assert folds.height == 9
    assert "Every day the setting is taken that had earned most on the events that were over by then" in text
    assert f"{sums[0]} in all. In the same times the medians of all settings earned {sums[1]}," in text
    for other in (a_run(30, SWEEP), a_run(240, {"from_ts": [1.0, 2.0]})):
        assert "Chosen as it went" not in Page(report_html(other)).text


def test_a_parameter_may_be_called_as_a_unit_that_it_is_not() -> None:
    """A number called a time, a text called a price: printed as they are, where a table has them."""
    run = a_run(3, {"until_ts": [1.5, 2.5], "fee_cc": [3.0, 4.0]})
    worded = pl.when(pl.col("fee_cc") == 3).then(pl.lit("low")).otherwise(pl.lit("high"))
    frames = {
        name: each.with_columns(fee_cc=worded) for name, each in run.frames.items() if name != "coverage"
    }
    text = Page(report_html(replace(run, frames={**run.frames, **frames}))).text
    assert "until_ts = 1.5, fee_cc = low" in text
    assert "2.5 high" in text


def test_what_was_configured_is_told_in_words_without_digests() -> None:
    lake = a_lake(markets=[a_market()], quotes=[a_quote(0, 4_900, 5_000)])
    feed = bt.sample_latency(["80ms"] * 1_999 + ["90ms"])
    fees = bt.assume_fees("quadratic", 0.5)
    quoting = market_making.on(["A"])
    run = bt.run(quoting, lake, fills="touch", feed=feed, fees=fees)
    text = Page(report_html(run)).text
    configured, _, reproduced = text.partition("Coverage How much")
    assert "quadratic x 0.5, where the lake knows none" in configured
    assert "80 to 90 ms (half within 80 ms), drawn from 2,000 measured lengths with seed 0" in configured
    assert "queue not modelled" in configured
    assert "sha256" not in configured
    assert run.manifest["config"]["policy"]["sha256"] in reproduced


def test_a_single_setting_has_no_sweep() -> None:
    assert "All settings" not in Page(report_html(a_run(3))).text


def test_text_of_the_world_is_escaped() -> None:
    """Tickers, assumptions and the manifest come from elsewhere and never become elements."""
    evil = "<script>alert(1)</script>"
    run = a_run(3, assumptions=(evil,), manifest={"strategy": evil, "config": {"note": evil}})
    fills = run.fills.with_columns(event_ticker=pl.lit(evil), series_ticker=pl.lit(evil))
    html = report_html(replace(run, frames={**run.frames, "fills": fills}))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 4


@pytest.mark.parametrize("n_orders", [0, 2])
def test_a_run_without_fills_says_so_and_shows_no_profit_charts(n_orders: int) -> None:
    run = a_run(2)
    empty = {name: getattr(run, name).clear() for name in ("fills", "settlements", "positions", "equity")}
    summary = run.summary.with_columns(
        pl.lit(0, pl.Int64).alias(name) for name in ("pnl_micros", "fees_micros")
    )
    orders = run.orders.head(n_orders)
    page = Page(
        report_html(replace(run, frames={**run.frames, **empty, "summary": summary, "orders": orders}))
    )
    assert "there is nothing to judge" in page.text
    assert "P&L by event" not in page.text


def test_empty_frames_everywhere_still_make_a_page() -> None:
    run = a_run(1)
    frames = {name: getattr(run, name).clear() for name in SCHEMAS if name != "summary"}
    bare = replace(run, frames={**run.frames, **frames}, assumptions=(), manifest={})
    page = Page(report_html(bare))
    assert "The run states no assumptions." in page.text
    assert "Placed no orders" in page.text


def test_costs_of_cheap_contracts_are_told_as_shares_of_the_stake() -> None:
    """Trap 2: a cent of spread at 3 cents is a third of the stake, and fees are 7 % more, each way.

    10 bought at $0.03, fee 0.02037 -> $0.0204 of $0.30; sold at $0.02, fee 0.01372 -> $0.0138 of $0.20.
    """
    quotes = [a_quote(0, 200, 300)]
    run = replayed(
        a_lake(markets=[a_market()], quotes=quotes), (1, "A", bt.buy_yes(10)), (5, "A", bt.close())
    )
    assert run.summary["pnl_micros"].to_list() == [-100_000 - 20_400 - 13_800]
    text = Page(report_html(run)).text
    assert "buy 1 10 $0.30 $0.0204 $0.0020 6.8" in text
    assert "sell 1 10 $0.20 $0.0138 $0.0014 6.9" in text
    event = by_event(run.fills, run.settlements, run.positions)
    assert event.select("stake_micros", "gross_micros").row(0) == (300_000, -100_000)


def test_the_page_says_what_contracts_paid_to_the_spread_and_what_came_after() -> None:
    """Half a cent paid, and two cents lost a minute later; what nobody knows is no number."""
    row = {**a_fill(), "role": "taker", "mid_cc": 4_950.0, "spread_cc": 50.0, "after_60s_cc": -200.0}
    rows = [{name: row.get(name) for name in SCHEMAS["markouts"]}]
    text = Page(report_html(a_run(3, markouts=a_frame("markouts", rows)))).text
    assert f"taker 1 100.0 % $0.0050 {NONE} {MINUS}$0.02 {NONE}" in text


def test_stranded_legs_are_counted_beside_the_sets() -> None:
    """Trap 38: of four baskets one is whole, one left a leg, one two legs without a set, one is empty."""
    shapes = [(1_000, 0, 0), (300, 700, 1), (0, 500, 2), (0, 0, 0)]
    rows = [
        {
            "decision_ts": T0,
            "basket": f"b{number}",
            "n_legs": 3,
            "wanted_centi": 1_000,
            "complete_centi": complete,
            "stranded_centi": stranded,
            "n_stranded": n_stranded,
            "complete_cost_micros": 0,
            "stranded_cost_micros": 0,
            "complete_pnl_micros": 20 * complete,
            "stranded_pnl_micros": -1_000 * stranded,
        }
        for number, (complete, stranded, n_stranded) in enumerate(shapes)
    ]
    text = Page(report_html(a_run(3, baskets=a_frame("baskets", rows)))).text
    assert "Complete sets 13 of 40 wanted, 4 baskets" in text
    assert "Contracts stranded 12 in 50.0" in text
    assert "whole 1 10 0 +$0.0200" in text
    assert "stranded legs alone 1 0 5" in text
    assert "0 legs 2 1 leg 1 2 legs 1" in text
    assert "Stranded" not in Page(report_html(a_run(3))).text


def test_the_events_that_could_have_lost_most_stand_first() -> None:
    """Of 14 events twelve are shown: the worst ones; one could not lose."""
    rows = [
        {
            **{name: value for name, value in names(event).items() if name != "ticker"},
            "is_exclusive": False,
            "n_markets": 2,
            "deepest_ts": T0,
            "cost_micros": 1_000_000 * event,
            "worst_micros": -1_000_000 * event,
            "best_micros": 500_000,
        }
        for event in range(14)
    ]
    text = Page(report_html(a_run(3, exposures=a_frame("exposures", rows)))).text
    assert f"Deepest {MINUS}$13.00 KXTEST-013" in text
    assert "Could not lose 1 of 14 events, at any time" in text
    assert f"KXTEST-002 2026-05-11 00:00:00 2 $2.00 {MINUS}$2.00 +$0.50" in text
    assert "KXTEST-001 2026-05-11 00:00:00 2 $1.00" not in text
    assert "Worst cases" not in Page(report_html(a_run(3))).text


def test_ten_thousand_events_and_two_thousand_settings_stay_below_a_megabyte() -> None:
    """Long tables are cut and say so; charts are thinned to what a screen can show."""
    many = report_html(a_run(10_000))
    wide = report_html(a_run(2, {"a": [float(i) for i in range(50)], "b": [float(i) for i in range(40)]}))
    assert max(len(many.encode()), len(wide.encode())) < PAGE_BYTES_MAX
    assert "more rows are in the Parquet files" in many
    assert "1,000 of 2,000 rows, evenly by rank" in wide


def test_the_file_appears_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = write_report(a_run(3), tmp_path / "deep" / "report.html")
    assert path.read_text(encoding="utf-8").endswith("</html>\n")
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]


def test_the_same_run_gives_the_same_page() -> None:
    assert report_html(a_run(25)) == report_html(a_run(25))


def test_a_run_writes_its_own_report(tmp_path: Path) -> None:
    assert a_run(3).report(tmp_path / "r.html").is_file()
