"""Everything the client raises.

KalshiError (TapehouseError)             exit code 1
├── SettingsError        (BadInput)      key, URL, tier or environment cannot be used
├── RequestError         (BadInput)      arguments that Kalshi would refuse or ignore; nothing was sent
│   ├── NaiveTime                        a datetime without time zone
│   └── TradingOff                       an order without leave to trade
├── Unreachable                          no usable answer after every try: connection, timeout, broken body
│   └── BreakerOpen                      not even tried: the host failed again and again a moment ago
├── UnknownOutcome                       a change was sent and nobody knows whether it was made
├── NotDone                              a change got no answer, and surely was not made
│   └── NotPlaced                        of a new order: the exchange has none of that name
├── HttpError                            an answer, and it is an error: .status .code .path
│   ├── Unauthorized                     401: key, signature, path or clock
│   ├── Forbidden                        403: the key may not do this
│   ├── NotFound                         404: unknown, archived, or on the other tier
│   ├── Conflict                         409: it is there already
│   ├── RateLimited                      429 after every try
│   └── ServerFault                      500, 502, 503, 504 after every try
├── WireError                            an answer that cannot be understood: .path .field .ticker .payload
├── PagingError                          .path .n_pages
│   ├── CursorLoop                       the exchange repeated a cursor
│   └── TooManyPages                     more pages than the client was told to expect
└── StreamError                          the WebSocket
    ├── StreamRefused                    the handshake was refused: key, path or clock
    ├── CommandRefused                   an error frame in answer to a command: .code
    └── StreamLost                       no connection after every try
"""

from typing import ClassVar

from exchange.errors import BadInput, TapehouseError

_QUOTED_CHARACTERS = 200


class KalshiError(TapehouseError):
    """The root of everything that goes wrong between us and the exchange."""


class SettingsError(KalshiError, BadInput):
    """A setting that cannot be used: a key, a URL, a tier, an environment. Never quotes the key."""


class RequestError(KalshiError, BadInput):
    """Arguments that Kalshi would refuse or, worse, silently ignore. Nothing was sent."""


class NaiveTime(RequestError):
    """A datetime without time zone: nobody can tell which moment it means."""


class TradingOff(RequestError):
    """An order was asked for, and nobody gave leave to trade here. Nothing was sent."""


class Unreachable(KalshiError):
    """No usable answer after every allowed try."""

    def __init__(self, message: str, *, path: str, n_tries: int) -> None:
        super().__init__(message)
        self.path = path
        self.n_tries = n_tries


class BreakerOpen(Unreachable):
    """The host failed so often that requests are held back for a while; nothing was sent."""

    def __init__(self, message: str, *, path: str, retry_after_s: float) -> None:
        super().__init__(message, path=path, n_tries=0)
        self.retry_after_s = retry_after_s


class UnknownOutcome(KalshiError):
    """A change was sent and no answer told whether it was made; sending it again could make it twice.

    Attributes:
        method: POST or DELETE.
        path: path of the request, without host.
        n_tries: how often it was sent; only tries that surely changed nothing are followed by another.
    """

    def __init__(self, message: str, *, method: str, path: str, n_tries: int) -> None:
        super().__init__(message)
        self.method = method
        self.path = path
        self.n_tries = n_tries


class NotDone(KalshiError):
    """A change got no answer, and what the exchange has shows that it was not made: it may be asked again."""

    def __init__(self, message: str, *, order_id: str) -> None:
        super().__init__(message)
        self.order_id = order_id


class NotPlaced(NotDone):
    """An order got no answer, and the exchange has none of that name: it may be sent again, as a new one."""

    def __init__(self, message: str, *, client_order_id: str) -> None:
        super().__init__(message, order_id="")
        self.client_order_id = client_order_id


class HttpError(KalshiError):
    """The exchange answered with an error.

    Attributes:
        status: HTTP status.
        method: GET, POST or DELETE.
        code: Kalshi's machine-readable code (`not_found`, `invalid_parameters`, …), empty if there was none.
        path: path and query of the request, without host.
        detail: Kalshi's own words.
        n_tries: how often it was sent.
        date_s: the answer's `Date` header in Unix seconds, None if it had none.
    """

    advice: ClassVar[str] = "see what the exchange said; nothing was changed"

    def __init__(
        self,
        *,
        status: int,
        path: str,
        method: str = "GET",
        code: str = "",
        detail: str = "",
        advice: str = "",
        n_tries: int = 1,
        date_s: int | None = None,
    ) -> None:
        said = ": ".join(part for part in (code, detail[:_QUOTED_CHARACTERS]) if part) or "no explanation"
        after = f" after {n_tries} tries" if n_tries > 1 else ""
        super().__init__(f"{method} {path}: {status}{after} ({said}); {advice or self.advice}")
        self.status = status
        self.method = method
        self.path = path
        self.code = code
        self.detail = detail
        self.n_tries = n_tries
        self.date_s = date_s


class Unauthorized(HttpError):
    """401. The exchange does not say whether key, signature, path or clock is wrong."""

    advice = (
        "check KALSHI_KEY_ID and its private key, and that both belong to this KALSHI_ENV "
        "(demo and prod share no keys); `tapehouse doctor` shows the clock"
    )


class Forbidden(HttpError):
    """403. The key lacks the scope, or the caller's region is refused."""

    advice = "give the key the `read` scope in Kalshi's web interface, or use another key"


class NotFound(HttpError):
    """404. Unknown, or on the other side of the historical cutoff, or listed a moment ago."""

    advice = (
        "check the ticker; archived markets answer only under /historical, live ones only outside it "
        "(historical_cutoff() tells the border)"
    )


class Conflict(HttpError):
    """409. It exists already, or two requests met: the second was not carried out."""

    advice = "it is there already: look it up instead of sending it again"


class RateLimited(HttpError):
    """429 after every try."""

    advice = (
        "others spend this budget too: set KALSHI_TIER to the real tier, or run fewer programs on one key"
    )


class ServerFault(HttpError):
    """5xx after every try."""

    advice = "the exchange is in trouble or in maintenance (Thursdays 03:00-05:00 ET); try again later"


class WireError(KalshiError):
    """A payload whose meaning is not certain, so nothing of it is used.

    Attributes:
        path: path and query of the request.
        field: where in the payload, such as `markets[3].volume_fp`.
        ticker: the market, event or series it belongs to, empty if unknown.
        payload: the whole body as received, for quarantine.
        reason: one sentence.
    """

    def __init__(
        self,
        *,
        path: str,
        field: str,
        reason: str,
        ticker: str = "",
        payload: bytes = b"",
        method: str = "GET",
    ) -> None:
        of_whom = f" of {ticker}" if ticker else ""
        super().__init__(
            f"{method} {path}: `{field}`{of_whom}: {reason}; nothing of this answer was used "
            "(the API changed: compare the changelog at docs.kalshi.com, then pipelines/client/wire)"
        )
        self.path = path
        self.field = field
        self.ticker = ticker
        self.payload = payload
        self.reason = reason


class PagingError(KalshiError):
    """Paging that would not end."""

    def __init__(self, message: str, *, path: str, n_pages: int) -> None:
        super().__init__(message)
        self.path = path
        self.n_pages = n_pages


class CursorLoop(PagingError):
    """The exchange handed out a cursor for the second time."""


class TooManyPages(PagingError):
    """More pages than the caller allowed."""


class StreamError(KalshiError):
    """Something between us and the exchange's WebSocket."""


class StreamRefused(StreamError):
    """The handshake was refused; `status` is its HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class CommandRefused(StreamError):
    """The exchange answered a command with an error frame; `code` is its number (KALSHI.md §10.6)."""

    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code


class StreamLost(StreamError):
    """No connection after every try; what was subscribed is not received any more."""
