"""A scripted exchange with one order, whose answers get lost and whose records lag."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from exchange.units import format_cc, format_centi, format_ts, parse_cc, parse_centi
from pipelines.client import Client, Settings
from pipelines.client.trading import Patience, Trading
from tests.client.keys import KEY_ID, pem
from tests.client.loopback import Asked, Reply, exchange, patient

T = TypeVar("T")
ORDERS = "/portfolio/events/orders"
LOST = Reply(status=504)


async def no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


class Desk:
    """A scripted exchange with one order, `id-1`, and records that may lag.

    `fates` says of each change what happens: good, lost (done, no answer), never (not done, no answer). After
    each change the records show what was before for `n_stale` looks, and say so; None is for ever.
    """

    def __init__(self, *fates: str, n_stale: int | None = 0, remaining_centi: int = 1_000) -> None:
        self.fates = list(fates)
        self.n_stale = n_stale
        self.changes: list[Asked] = []
        self.price_cc, self.filled_centi, self.remaining_centi = 3_000, 0, remaining_centi
        self.status = "resting"
        self.shown = self.order()
        self.n_looks = 0

    def answer(self, asked: Asked) -> Reply:
        if asked.method != "GET":
            return self.changed(asked)
        is_stale = self.n_stale is None or self.n_looks < self.n_stale
        if asked.path == "/exchange/user_data_timestamp":
            behind = timedelta(minutes=1 if is_stale else -1)
            return Reply(body={"as_of_time": format_ts(datetime.now(UTC) - behind)})
        if asked.path != "/portfolio/orders/id-1":
            return Reply(status=404, body={"code": "not_found"})
        self.n_looks += 1
        if not is_stale:
            self.shown = self.order()
        return Reply(body={"order": self.shown})

    def order(self) -> dict[str, Any]:
        return an_order(
            status=self.status,
            yes_price_dollars=format_cc(self.price_cc),
            fill_count_fp=format_centi(self.filled_centi),
            remaining_count_fp=format_centi(self.remaining_centi),
        )

    def changed(self, asked: Asked) -> Reply:
        self.changes.append(asked)
        self.shown, self.n_looks = self.order(), 0
        fate = self.fates.pop(0) if self.fates else "good"
        if fate == "never":
            return LOST
        if self.status != "resting":
            return Reply(status=404, body={"error": {"code": "not_found", "message": "order id-1"}})
        told = self.done(asked)
        return LOST if fate == "lost" else told

    def done(self, asked: Asked) -> Reply:
        body = json.loads(asked.body or b"{}")
        before_centi = self.remaining_centi
        if asked.path.endswith("/amend"):
            self.price_cc = parse_cc(body["price"])
            self.remaining_centi = parse_centi(body["count"]) - self.filled_centi
            counts = {"fill_count": format_centi(self.filled_centi)}
        elif asked.path.endswith("/decrease"):
            if parse_centi(body["reduce_to"]) >= before_centi:
                return Reply(status=400, body={"code": "invalid_order_size"})
            self.remaining_centi = parse_centi(body["reduce_to"])
            counts = {}
        else:
            self.remaining_centi, self.status = 0, "canceled"
            return Reply(body={"order_id": "id-1", "reduced_by": format_centi(before_centi), "ts_ms": 1})
        counts["remaining_count"] = format_centi(self.remaining_centi)
        return Reply(body={"order_id": "id-1", "ts_ms": 1} | counts)


def an_order(**more: Any) -> dict[str, Any]:  # noqa: ANN401  fields of an order
    return {
        "order_id": "id-1",
        "client_order_id": "mine",
        "ticker": "KX-1",
        "status": "resting",
        "yes_price_dollars": "0.3000",
        "no_price_dollars": "0.7000",
        "fill_count_fp": "0.00",
        "remaining_count_fp": "10.00",
        "initial_count_fp": "10.00",
        "outcome_side": "yes",
        "book_side": "bid",
    } | more


def traded(
    answer: Callable[[Asked], Reply],
    act: Callable[[Client, Trading], Awaitable[T]],
    **more: Any,  # noqa: ANN401
) -> T:
    """Do something at an exchange, with no pauses."""

    async def story(asked: Settings) -> T:
        async with Client(asked, retry=patient()) as client:
            return await act(client, Trading(client, client._session, patience=Patience(sleep=no_time)))  # noqa: SLF001  quick looks

    with exchange(answer) as running:
        wanted = {"key_id": KEY_ID, "private_key": pem("ed25519"), "trading": "demo"} | more
        return asyncio.run(story(running.settings(**wanted)))
