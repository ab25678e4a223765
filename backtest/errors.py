"""What a backtest raises on purpose.

BacktestError
├── PlanError                the plan is not one: columns, times or intents that cannot be used
├── ParameterError           a parameter that the plan reads and nobody gave, or the other way round
├── FeesUnknown              no fee terms for some series at some time; `series` lists them
├── MarketsUnknown           the lake has none of the plan's markets
└── TooLarge                 numbers beyond what the kernels can count or multiply without overflow
"""

from exchange.errors import BadInput, TapehouseError


class BacktestError(TapehouseError):
    """Anything a backtest refuses or fails to do."""


class PlanError(BacktestError, BadInput):
    """A plan that cannot be executed as it stands."""


class ParameterError(BacktestError, BadInput):
    """A parameter without a value, or a value without a parameter."""


class FeesUnknown(BacktestError, BadInput):
    """No fee schedule covers these series at the time they were traded."""

    def __init__(self, series: tuple[str, ...], message: str) -> None:
        """Keep the series for callers that want to fetch their fees."""
        self.series = series
        super().__init__(message)


class MarketsUnknown(BacktestError, BadInput):
    """The plan names markets that the lake has never heard of, and no other."""


class TooLarge(BacktestError, BadInput):
    """A count, an amount or a multiplier beyond the bounds of the kernels."""


def kind_of(given: object) -> str:
    """Say of a wrong argument what it is: "None", "the class Run", "a DataFrame"."""
    if given is None:
        return "None"
    if isinstance(given, type):
        return f"the class {given.__name__}"
    name = type(given).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
