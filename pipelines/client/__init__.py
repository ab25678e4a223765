"""The exchange's API as Python: signed, budgeted, retried, decoded. Stores nothing.

`Client` is asynchronous; `BlockingClient` is its synchronous face. Payloads are structs of
`pipelines.client.wire`, with text as Kalshi spells it; `exchange.units` reads that text exactly.
"""

from pipelines.client import errors, wire
from pipelines.client.blocking import BlockingClient
from pipelines.client.budget import Budget
from pipelines.client.client import Client
from pipelines.client.errors import (
    BreakerOpen,
    CommandRefused,
    Conflict,
    CursorLoop,
    Forbidden,
    HttpError,
    KalshiError,
    NaiveTime,
    NotDone,
    NotFound,
    NotPlaced,
    PagingError,
    RateLimited,
    RequestError,
    ServerFault,
    SettingsError,
    StreamError,
    StreamLost,
    StreamRefused,
    TooManyPages,
    TradingOff,
    Unauthorized,
    UnknownOutcome,
    Unreachable,
    WireError,
)
from pipelines.client.retry import Retry
from pipelines.client.settings import Settings
from pipelines.client.telemetry import Telemetry

__all__ = [
    "BlockingClient",
    "BreakerOpen",
    "Budget",
    "Client",
    "CommandRefused",
    "Conflict",
    "CursorLoop",
    "Forbidden",
    "HttpError",
    "KalshiError",
    "NaiveTime",
    "NotDone",
    "NotFound",
    "NotPlaced",
    "PagingError",
    "RateLimited",
    "RequestError",
    "Retry",
    "ServerFault",
    "Settings",
    "SettingsError",
    "StreamError",
    "StreamLost",
    "StreamRefused",
    "Telemetry",
    "TooManyPages",
    "TradingOff",
    "Unauthorized",
    "UnknownOutcome",
    "Unreachable",
    "WireError",
    "errors",
    "wire",
]
