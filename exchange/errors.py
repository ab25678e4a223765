"""The root of everything Tapehouse raises on purpose.

TapehouseError                      exit code 1: the work failed
├── BadInput                        exit code 2: what was given cannot be used; nothing was changed
│   ├── UnitError                   a text is not an exact price, count, amount or time
│   └── UnknownFeeType              a fee type whose formula nobody published
├── pipelines.client.errors.KalshiError
├── warehouse.errors.WarehouseError
├── backtest.errors.BacktestError
└── sandbox.errors.SandboxError
"""

from typing import ClassVar


class TapehouseError(Exception):
    """Work that failed for a reason a person can act on; the message says what, where and what to do."""

    exit_code: ClassVar[int] = 1


class BadInput(TapehouseError):
    """Input that cannot be used as it is; nothing was changed."""

    exit_code: ClassVar[int] = 2


class UnitError(BadInput, ValueError):
    """A text that is not an exact price, count, amount, time or duration."""


class UnknownFeeType(BadInput):
    """A fee type whose formula is not published; guessing would be worse than stopping."""
