"""One request, as data: what is asked, what it costs in items, and whether it may be sent twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar
from urllib.parse import urlencode

import msgspec

from pipelines.client.routes import endpoint_of

T = TypeVar("T", bound=msgspec.Struct)
Params = Mapping[str, str | int | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Generic[T]):
    """One request to the exchange.

    Attributes:
        method: GET, POST, PUT or DELETE.
        path: relative to the base URL, such as `/markets`.
        shape: the struct to decode the answer into.
        params: the query; a list repeats its key.
        body: JSON text, None for none.
        answers: error statuses whose body may be `shape` as well.
        n_items: orders in a batch; each costs what a single one does.
        is_repeatable: sending it twice does no more than sending it once.
    """

    method: str = "GET"
    path: str
    shape: type[T]
    params: Params = field(default_factory=dict)
    body: bytes | None = None
    answers: frozenset[int] = frozenset()
    n_items: int = 1
    is_repeatable: bool = True

    @property
    def where(self) -> str:
        """Path and query, for messages."""
        return f"{self.path}?{urlencode(self.params, doseq=True)}" if self.params else self.path

    @property
    def route(self) -> str:
        """The endpoint without tickers, for counting."""
        return endpoint_of(self.path)


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """An answer and when it came.

    Attributes:
        found: the answer, decoded.
        answered_ts: our clock when all of it was there.
        latency_us: from sending the try that was answered until then; neither earlier tries nor waiting for
            the budget are in it.
    """

    found: T
    answered_ts: datetime
    latency_us: int
