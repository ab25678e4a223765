"""What `print(run)` says: what it came to, what orders lacked, what was assumed."""

import polars as pl

import backtest as bt
from backtest.results import Run
from tests.backtest.worlds import a_lake, a_market, a_quote, at, replayed, settled

LAKE = a_lake(
    markets=[settled("A", pays_cc=10_000), a_market("B")],
    quotes=[a_quote(0, 4_900, 5_000), a_quote(0, 4_900, 5_000, ticker="B")],
)


def told(run: Run) -> list[str]:
    return repr(run).splitlines()


def test_a_run_prints_what_it_came_to_and_what_orders_lacked() -> None:
    """A: $1 - $0.50 - $0.0175 of fee. A limit in dollars is 0.5 centicents, which is on no grid."""
    lines = told(
        replayed(
            LAKE,
            (1, "A", bt.buy_yes(1, limit=5_000)),
            (2, "A", bt.buy_yes(1, limit=4_000)),
            (3, "A", bt.buy_yes(2, limit=pl.lit(0.5))),
            *((second, "B", bt.close()) for second in (4, 5)),
        )
    )
    assert lines[0].startswith("Made $0.48 (0.0 % of cash) after $0.02 of fees in 1 event on 1 day;")
    assert lines[1] == (
        "Of 5 orders these got less than they asked for: 2 rejected, nothing held; "
        "1 rejected, off-grid limit; 1 unfilled, beyond limit."
    )
    assert lines[2].startswith("off-grid limit: limits are whole centicents, 5600 for $0.56,")
    assert lines[3] == "Assumed:"
    assert "- orders arrive 1000 ms after the row they were decided on was known" in lines
    assert lines[-1].startswith("Frames: summary, orders, fills, ")


def test_a_run_prints_what_stayed_open() -> None:
    """Nobody told a result of B."""
    lines = told(replayed(LAKE, (1, "B", bt.buy_yes(1))))
    assert lines[1] == "1 position stayed open: marked at the last known bid."
    assert lines[2] == "Assumed:"


def test_a_run_prints_where_most_orders_found_nothing_on_record() -> None:
    """The lake has quotes and no books."""
    lines = told(replayed(LAKE, (1, "A", bt.buy_yes(1)), fills="book"))
    assert lines[1:3] == [
        "Of 1 order these got less than they asked for: 1 rejected, book unknown.",
        "book unknown: nothing is on record then to fill against; coverage says where, bt.ladder what is.",
    ]


def test_a_sweep_prints_its_median_and_its_best_without_making_other_frames() -> None:
    """A pays $1: each contract makes $0.4825; of three settings the one in the middle is the median."""
    run = replayed(LAKE, (1, "A", bt.buy_yes(bt.param("n"))), params={"n": [1, 2, 4]})
    made = Run(param_names=run.param_names, frames={"summary": run.summary})
    assert told(made)[0] == (
        "3 settings of n: the median made $0.96 after $0.04 of fees (1 order, 0 rejected; 1 fill); the best, "
        "n = 4, made $1.93 after $0.07 of fees (1 order, 0 rejected; 1 fill), but picking the best of 3 "
        "flatters it."
    )


def test_a_sweep_that_wants_nothing_says_that_nothing_did_better() -> None:
    run = replayed(LAKE, (1, "A", bt.buy_yes(1).when(bt.param("n") > 5)), params={"n": [1, 2]})
    assert told(run)[0] == (
        "2 settings of n: the lower median came to nothing after $0.00 of fees "
        "(0 orders, 0 rejected; 0 fills), and none did better."
    )


def test_a_sweep_says_when_its_best_is_to_do_nothing() -> None:
    """Bought at .50, A pays $0: whoever buys loses."""
    lake = a_lake(markets=[settled("A", pays_cc=0)], quotes=[a_quote(0, 4_900, 5_000)])
    run = replayed(lake, (1, "A", bt.buy_yes(bt.param("n")).when(bt.param("n") > 1)), params={"n": [1, 2, 3]})
    assert told(run)[0].endswith("; the best, n = 1, placed no order: all that the others did was lose.")


def test_a_purse_that_ran_dry_is_said_to_have() -> None:
    """$10 pays for two of ten orders of 10 at .50, and of one contract for each."""
    wanted = [(second, "A", bt.buy_yes(bt.param("n"))) for second in range(1, 11)]
    lines = told(replayed(LAKE, *wanted, cash=10, params={"n": [1, 10]}))
    assert (
        "- in 1 of 2 settings, the purse ran dry: it paid for 9 of 10 orders in part or not at all; "
        "give it more cash=, or want less"
    ) in lines
    assert not any("ran dry" in line for line in told(replayed(LAKE, *wanted, params={"n": [1]})))


def test_polars_prints_what_a_run_came_to() -> None:
    """Of many columns it prints four of each end: after one parameter, those that are asked first."""
    plan = pl.LazyFrame({"ticker": ["A"], "known_ts": [at(1)]}).with_columns(intent=bt.buy_yes(bt.param("n")))
    run = bt.run(plan, LAKE, fills="touch", params={"n": [1, 2]})
    assert run.summary.columns[:4] == ["n", "pnl_micros", "fees_micros", "n_fills"]
    assert bt.ladder(plan, LAKE, rungs=["touch"], params={"n": 1}).columns[3] == "pnl_micros"
    assert bt.sensitivity(plan, LAKE, fills="touch", params={"n": 1}).columns[3] == "change_micros"


def quoting(bid_cc: int, count: int) -> Run:
    """Run a policy that always wants the same bid."""
    policy = bt.policy(every="1s")(lambda at, _, __: bt.Quotes(bid_cc, count, at.ask_cc, 0))
    return bt.run(policy.in_python().on(["A"]), LAKE, fills="touch", latency="1s")


def test_a_policy_that_takes_cents_for_centicents_or_contracts_for_hundredths_is_told() -> None:
    """At $0.0045 no order may stand; ten hundredths are no contract; one contract at $0.45 is meant."""
    hint = "No quote of a whole contract was sent: a policy's prices are in centicents"
    for bid_cc, count, is_told in ((45, 100, True), (4_500, 10, True), (4_500, 100, False)):
        assert any(line.startswith(hint) for line in told(quoting(bid_cc, count))) == is_told
