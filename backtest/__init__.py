"""Questions: replay a plan of intents against the tape, with fees, latency, depth and settlement.

    plan = quotes.select("ticker", "known_ts", intent=bt.buy_yes(10, limit=pl.col("ask_cc")).when(edge))
    run = bt.run(plan, lake, fills="book", latency="250ms", cash=5_000)

Names load on first use, so `import backtest` is cheap; numba is imported by `run` alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backtest.accruals import interest
    from backtest.auditing import Audit, audit
    from backtest.breakdown import profits
    from backtest.comparing import Comparison, compare
    from backtest.dollars import in_dollars
    from backtest.edges import net_edge_cc
    from backtest.engine import run
    from backtest.errors import BacktestError
    from backtest.fees import assume_fees
    from backtest.holdouts import Holdout, holdout
    from backtest.incentives import reward_programs
    from backtest.intents import Intent, buy_no, buy_yes, cancel, close, sell_no, sell_yes
    from backtest.latency import sample_latency
    from backtest.liquidity import liquidity_rewards
    from backtest.narrowing import where
    from backtest.parameters import param
    from backtest.placebos import Placebo, placebo
    from backtest.policies import Policy, Quotes, Quoting, policy
    from backtest.results import Run
    from backtest.rewards import volume_rewards
    from backtest.rungs import ladder
    from backtest.scores import ForecastScores, score_forecast
    from backtest.sensitivities import sensitivity
    from backtest.slippage import Slippage
    from backtest.slippage_measured import calibrate_slippage
    from backtest.walking import walk_forward

_HOMES = {
    "Audit": "auditing",
    "BacktestError": "errors",
    "Comparison": "comparing",
    "ForecastScores": "scores",
    "Holdout": "holdouts",
    "Intent": "intents",
    "Placebo": "placebos",
    "Policy": "policies",
    "Quotes": "policies",
    "Quoting": "policies",
    "Run": "results",
    "Slippage": "slippage",
    "assume_fees": "fees",
    "audit": "auditing",
    "buy_no": "intents",
    "buy_yes": "intents",
    "calibrate_slippage": "slippage_measured",
    "cancel": "intents",
    "close": "intents",
    "compare": "comparing",
    "holdout": "holdouts",
    "in_dollars": "dollars",
    "interest": "accruals",
    "ladder": "rungs",
    "liquidity_rewards": "liquidity",
    "net_edge_cc": "edges",
    "param": "parameters",
    "placebo": "placebos",
    "policy": "policies",
    "profits": "breakdown",
    "reward_programs": "incentives",
    "run": "engine",
    "sample_latency": "latency",
    "score_forecast": "scores",
    "sell_no": "intents",
    "sell_yes": "intents",
    "sensitivity": "sensitivities",
    "volume_rewards": "rewards",
    "walk_forward": "walking",
    "where": "narrowing",
}

__all__ = [
    "Audit",
    "BacktestError",
    "Comparison",
    "ForecastScores",
    "Holdout",
    "Intent",
    "Placebo",
    "Policy",
    "Quotes",
    "Quoting",
    "Run",
    "Slippage",
    "assume_fees",
    "audit",
    "buy_no",
    "buy_yes",
    "calibrate_slippage",
    "cancel",
    "close",
    "compare",
    "holdout",
    "in_dollars",
    "interest",
    "ladder",
    "liquidity_rewards",
    "net_edge_cc",
    "param",
    "placebo",
    "policy",
    "profits",
    "reward_programs",
    "run",
    "sample_latency",
    "score_forecast",
    "sell_no",
    "sell_yes",
    "sensitivity",
    "volume_rewards",
    "walk_forward",
    "where",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module the first time somebody asks for it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'backtest' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"backtest.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return __all__
