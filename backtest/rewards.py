"""The exchange's reward for volume: a line of its own beside a run, never part of its result."""

from typing import TYPE_CHECKING, Final

import polars as pl

from backtest import incentives
from backtest.by_setting import SETTING, numbered, refuse_taken, settings_of, with_settings
from backtest.engine import opened
from backtest.incentives import PROGRAM_ROW
from backtest.results import Run
from backtest.saved import run_of
from exchange.units import CONTRACT_CENTI
from warehouse.tables import TRADES

if TYPE_CHECKING:
    from backtest.engine import LakeReader

LEAST_CC: Final = 300  # prices at which volume counts
MOST_CC: Final = 9_700
CAP_CC: Final = 50  # for each contract of a participant
_MICROS_PER_CC: Final = 100
_KEY: Final = ("ticker", "start_ts", "end_ts")


def volume_rewards(run: Run, lake: "LakeReader", programs: pl.DataFrame) -> pl.DataFrame:
    """Return what a run's fills would have been rewarded with, program by program.

    At the end of a period the exchange divides a market's reward among participants by their share of what
    counts: trades in the order book from $0.03 to $0.97, both sides of each, at most $0.005 a contract.
    Source: Kalshi's volume incentive program as filed on 2025-08-31 and launched on 2025-09-18, by
    predictionnews.com (read 2026-11-26); the exchange may change or end it at any time.

    The tape goes on as if we had not traded, so our contracts are added to it, with whoever was on the other
    side. Who is left out (market makers under contract, introducing brokers) nobody can tell from a tape:
    their volume counts here, and the reward is the less for it.

    Args:
        run: what happened; its frames stay as they are.
        lake: where the trades of the markets are.
        programs: ticker, start_ts, end_ts (excluded), period_reward_cc, as `bt.reward_programs` makes them;
            of a column incentive_type, "volume" alone counts.

    Returns:
        The parameters, then ticker, start_ts, end_ts, count_centi (our contracts that count), eligible_centi
        (everybody's, both sides, ours among them) and reward_micros, rounded down; a row for each program in
        whose time and market something of ours counts, by parameters, then as given.

    Raises:
        PlanError: no run or lake; or programs lack a column, have it in another kind, or end before they
            start.
    """
    run = run_of(run)
    refuse_taken(run.param_names, ("start_ts", "end_ts", "eligible_centi", "reward_micros"), "rewards")
    settings, traded_in = settings_of(run), run.fills["ticker"].unique()
    known = incentives.program_rows(programs, "volume", incentives.PROGRAM, among=traded_in).with_row_index(
        PROGRAM_ROW
    )
    counts = pl.col("yes_price_cc").is_between(LEAST_CC, MOST_CC)
    ours = (
        numbered(run.fills, settings)
        .lazy()
        .filter(counts)
        .join(known.lazy(), on="ticker")
        .filter(pl.col("fill_ts") >= pl.col("start_ts"), pl.col("fill_ts") < pl.col("end_ts"))
        .group_by(SETTING, PROGRAM_ROW)
        .agg(pl.col("count_centi").sum())
        .collect()
    )
    is_block = pl.col("is_block_trade").fill_null(value=False)
    traded = (
        opened(lake)
        .scan(TRADES)
        .filter(pl.col("ticker").is_in(known["ticker"].unique().implode()), counts, ~is_block)
        .join(known.lazy(), on="ticker")
        .filter(pl.col("event_ts") >= pl.col("start_ts"), pl.col("event_ts") < pl.col("end_ts"))
        .group_by(PROGRAM_ROW)
        .agg(traded_centi=pl.col("count_centi").sum())
        .collect()
    )
    own, eligible = pl.col("count_centi"), pl.col("eligible_centi")
    shared = (pl.col("period_reward_cc").cast(pl.Int128) * _MICROS_PER_CC * own // eligible).cast(pl.Int64)
    capped = own * CAP_CC * _MICROS_PER_CC // CONTRACT_CENTI
    rows = (
        ours.join(known, on=PROGRAM_ROW)
        .join(traded, on=PROGRAM_ROW, how="left")
        .sort(SETTING, PROGRAM_ROW)
        .with_columns(eligible_centi=2 * (pl.col("traded_centi").fill_null(0) + own))
    )
    told = rows.select(*_KEY, own, eligible, reward_micros=pl.min_horizontal(shared, capped))
    return with_settings(told, rows[SETTING], settings)
