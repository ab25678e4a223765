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
    CursorLoop,
    Forbidden,
    HttpError,
    KalshiError,
    NaiveTime,
    NotFound,
    PagingError,
    RateLimited,
    RequestError,
    ServerFault,
    SettingsError,
    TooManyPages,
    Unauthorized,
    Unreachable,
    WireError,
)
from pipelines.client.retry import Retry
from pipelines.client.settings import Settings

__all__ = [
    "BlockingClient",
    "BreakerOpen",
    "Budget",
    "Client",
    "CursorLoop",
    "Forbidden",
    "HttpError",
    "KalshiError",
    "NaiveTime",
    "NotFound",
    "PagingError",
    "RateLimited",
    "RequestError",
    "Retry",
    "ServerFault",
    "Settings",
    "SettingsError",
    "TooManyPages",
    "Unauthorized",
    "Unreachable",
    "WireError",
    "errors",
    "wire",
]
