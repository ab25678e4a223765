"""Where misfortune strikes: a layer around everything else, also around the gate.

What happens *instead* of an answer happens before the gate: the request costs no tokens, is not metered and
is not carried out, unless the script says `done = true`; then it is carried out, and only its answer is lost.
What happens *on* an answer happens to the answer of a request that paid and was carried out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import timedelta
from email.utils import formatdate
from typing import Any, Final, Protocol

from starlette.datastructures import QueryParams
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.connections import cut, end
from sandbox.fault_pages import Pages
from sandbox.faults import Fate, Line, Misfortune
from sandbox.replies import reply, too_many
from sandbox.source import Source

OK: Final = 200
REDIRECTED: Final = 300
STATUSES: Final = (500, 502, 503, 504)
SECOND_MS: Final = 1_000
GONE_S: Final = 5.0
CALM: Final = Fate(None, (), "")
PAGE: Final = (
    "<html>\r\n<head><title>{status} {name}</title></head>\r\n<body>\r\n"
    "<center><h1>{status} {name}</h1></center>\r\n<hr><center>cloudfront</center>\r\n</body>\r\n</html>\r\n"
)
NAMES: Final = {
    OK: "OK",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


class Scaled(Protocol):
    """Token buckets whose size can be changed without telling anybody."""

    def scale(self, factor: float) -> None:
        """Make them a share of what the tier says."""
        ...


class FaultLayer:
    """Lets requests through, most of them unharmed; stamps every answer with the exchange's `Date`."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        misfortune: Misfortune,
        source: Source,
        buckets: Scaled,
        clock_ms: Callable[[], int],
        prefix: str,
        sleep_s: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._app = app
        self._misfortune = misfortune
        self._source = source
        self._buckets = buckets
        self._clock_ms = clock_ms
        self._prefix = prefix
        self._sleep_s = sleep_s
        self._pages = Pages(misfortune, lambda: source.now_ts)
        self._scale = 1.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let something happen to it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if not self._misfortune:
            await self._app(scope, receive, self._dated(scope, send, CALM))
            return
        path = scope["path"].removeprefix(self._prefix)
        query = scope.get("query_string", b"").decode("latin-1")
        fate = self._misfortune.request(scope["method"], path, query)
        dated = self._dated(scope, send, fate)
        self._disturb_exchange(fate)
        if fate.instead is not None:
            self._misfortune.done(fate.instead)
            await _unless_cancelled(self._instead(fate, fate.instead, scope, receive, dated), scope, receive)
        elif fate.others or self._pages.is_wanted(fate):
            await _unless_cancelled(self._on_answer(fate, scope, receive, dated), scope, receive)
        else:
            await self._app(scope, receive, dated)

    def _dated(self, scope: Scope, send: Send, fate: Fate) -> Send:
        """Return a `send` that adds the Date header, and let the gate know how wrong the clock is."""
        skew = fate.of("skew")
        skew_ms = 0 if skew is None else round(skew.fault.number("skew_s") * SECOND_MS)
        if skew is not None:
            self._misfortune.done(skew)
            scope.setdefault("state", {})["skew_ms"] = skew_ms

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate((self._clock_ms() + skew_ms) // SECOND_MS, usegmt=True)
                message["headers"] = [(b"date", date.encode()), *message.get("headers", [])]
            await send(message)

        return dated

    def _disturb_exchange(self, fate: Fate) -> None:
        scale = 1.0
        for line in fate.others:
            if line.fault.kind == "budget":
                scale = min(scale, line.fault.number("scale"))
            elif line.fault.kind == "move_cutoff":
                # A lake's cutoff stands still: it has no such hook.
                move = getattr(self._source, "move_cutoff", None)
                if move is None:
                    line.give_back()
                else:
                    move(timedelta(hours=line.fault.number("hours")))
                    self._misfortune.done(line)
        if scale != self._scale:
            self._buckets.scale(scale)
            self._scale = scale
            self._misfortune.injected["budget"] += scale < 1.0

    async def _instead(self, fate: Fate, line: Line, scope: Scope, receive: Receive, send: Send) -> None:
        made = line.fault
        when = made.word("when") if made.kind == "reset" else ""
        if when == "during":
            await _cut_during(scope, receive, send, await self._answer(scope, receive))
            return
        if made.is_set("done") or when == "after":
            await self._answer(scope, receive)
        match made.kind:
            case "too_many":
                await too_many()(scope, receive, send)
            case "error":
                status = made.whole("status") or self._one_of(STATUSES, line, fate)
                await _error(status, made.word("body"))(scope, receive, send)
            case "html":
                status = made.whole("status")
                text = PAGE.format(status=status, name=NAMES[status])
                await Response(text, status, media_type="text/html")(scope, receive, send)
            case "hang":
                await _gone(receive, made.number("for_s"))
                await _leave(scope, receive, cut)
            case _:
                await _leave(scope, receive, cut)

    def _one_of(self, statuses: Sequence[int], line: Line, fate: Fate) -> int:
        return statuses[int(self._misfortune.draw("which", line.index, fate.key) * len(statuses))]

    async def _answer(self, scope: Scope, receive: Receive) -> "Answer":
        """Let the request be carried out, and keep its answer."""
        answer = Answer()
        await self._app(scope, receive, answer.hear)
        return answer

    async def _on_answer(self, fate: Fate, scope: Scope, receive: Receive, send: Send) -> None:
        slow, dribble = fate.of("slow"), fate.of("dribble")
        if slow is not None:
            self._misfortune.done(slow)
            await self._sleep_s(slow.fault.number("delay_s"))
        answer = await self._answer(scope, receive)
        if answer.is_success and answer.is_json:
            path, cursor = scope["path"], QueryParams(scope["query_string"]).get("cursor", "")
            if self._pages.is_wanted(fate):
                answer.body = self._pages.changed(answer.body, fate, path=path, cursor=cursor)
        else:
            _spare(fate, but=("slow", "dribble", "skew", "move_cutoff", "budget"))
            fate = Fate(None, tuple(line for line in (slow, dribble) if line), fate.key)
        relabel, short = fate.of("content_type"), fate.of("truncate")
        if relabel is not None:
            self._misfortune.done(relabel)
            answer.content_type = relabel.fault.word("value").encode("latin-1", "replace")
        n_sent = len(answer.body)
        if short is not None:
            self._misfortune.done(short)
            n_sent //= 2
        is_right = short is None or short.fault.word("length") == "right"
        await send(answer.start(n_sent if is_right else len(answer.body)))
        await self._send_body(answer.body[:n_sent], dribble, send, is_whole=is_right)
        if not is_right:
            await _leave(scope, receive, end)

    async def _send_body(self, body: bytes, dribble: Line | None, send: Send, *, is_whole: bool) -> None:
        if dribble is not None:
            self._misfortune.done(dribble)
            size = max(1, -(-len(body) // dribble.fault.whole("pieces")))
            while len(body) > size:
                await send({"type": "http.response.body", "body": body[:size], "more_body": True})
                await self._sleep_s(dribble.fault.number("pause_s"))
                body = body[size:]
        await send({"type": "http.response.body", "body": body, "more_body": not is_whole})


class Answer:
    """What a route wanted to say."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""
        self.content_type = b""
        self._headers: list[tuple[bytes, bytes]] = []

    @property
    def is_success(self) -> bool:
        """Tell whether the route did what was asked."""
        return OK <= self.status < REDIRECTED

    @property
    def is_json(self) -> bool:
        """Tell whether there is JSON in it."""
        return self.content_type.startswith(b"application/json")

    async def hear(self, message: Message) -> None:
        """Take what would have been sent."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = {b"content-length", b"content-type"}
            self._headers = [each for each in message["headers"] if each[0] not in own]
            self.content_type = dict(message["headers"]).get(b"content-type", b"")
        else:
            self.body += message.get("body", b"")

    def start(self, n_bytes: int) -> Message:
        """Return the head of the answer, announcing so many bytes."""
        told: list[Any] = [*self._headers]
        if self.content_type:  # a 204 has neither
            told += [(b"content-length", str(n_bytes).encode()), (b"content-type", self.content_type)]
        return {"type": "http.response.start", "status": self.status, "headers": told}


def _error(status: int, body: str) -> Response:
    if body == "none":
        return Response(b"", status)
    return reply({"code": "internal_error", "message": "internal server error"}, status)


def _spare(fate: Fate, *, but: tuple[str, ...]) -> None:
    """Give back what was drawn for a page, when the answer is none."""
    for line in fate.others:
        if line.fault.kind not in but:
            line.give_back()


async def _cut_during(scope: Scope, receive: Receive, send: Send, answer: Answer) -> None:
    """Send half of an answer and reset the connection."""
    await send(answer.start(len(answer.body)))
    half = answer.body[: len(answer.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    await _leave(scope, receive, cut)


async def _unless_cancelled(answering: Coroutine[Any, Any, None], scope: Scope, receive: Receive) -> None:
    """Answer; when the server ends meanwhile, which cancels what takes too long, drop the connection."""
    try:
        await answering
    except asyncio.CancelledError:
        with suppress(asyncio.CancelledError):  # once by the server, once by the loop that closes
            await _leave(scope, receive, cut)


async def _leave(scope: Scope, receive: Receive, close: Callable[[Scope], None]) -> None:
    """Close the connection and wait until the server knows, so that it answers nothing itself."""
    close(scope)
    await _gone(receive, GONE_S)


async def _gone(receive: Receive, for_s: float) -> None:
    """Wait until the client has gone, but not longer than `for_s`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(for_s):
            while (await receive())["type"] != "http.disconnect":
                pass
