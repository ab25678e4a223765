"""Changes at the sandbox's desk whose answers get lost: made once, and told as the account has it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from exchange.units import to_us
from pipelines.client import Client, NotDone, NotPlaced, Settings
from pipelines.client.trading import Patience, Trading, buy_yes
from pipelines.client.wire import Order
from sandbox.clock import Stepped
from sandbox.fault_kinds import Fault, fault
from sandbox.faults import Faults
from sandbox.serve import running
from sandbox.world import World
from tests.client.keys import KEY_ID, pem, public_pem
from tests.client.loopback import patient

pytestmark = pytest.mark.slow

V2: Final = "/portfolio/events/orders"
FED: Final = "KXSIMFED-MAR-H0"  # open for weeks, and never near $0.10 two days before the end
KEY: Final = pem("ed25519")
ROUTES: Final = {
    "amend": ("POST", f"{V2}/{{order_id}}/amend"),
    "decrease": ("POST", f"{V2}/{{order_id}}/decrease"),
    "cancel": ("DELETE", f"{V2}/{{order_id}}"),
}
LOST: Final = [{"kind": "error", "status": 504, "done": True}, {"kind": "reset", "when": "after"}]
NEVER: Final = [{"kind": "error", "status": 503}, {"kind": "reset", "when": "before"}]


async def no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture(scope="module")
def world() -> World:
    """A world of today whose clock stands a minute ahead: its records reach beyond whatever we ask."""
    now_ts = datetime.now(UTC)
    clock = Stepped(to_us(now_ts + timedelta(minutes=1)))
    return World(7, activity=0.02, end_ts=now_ts + timedelta(days=2), clock=clock)


def lived(world: World, act: Callable[[Client, Trading], Awaitable[None]], *faults: Fault) -> None:
    """Trade under a script of misfortunes, each of which must have struck, with no pauses."""

    async def story(settings: Settings) -> None:
        async with Client(settings, retry=patient()) as client:
            await act(client, Trading(client, client.trading._session, patience=Patience(sleep=no_time)))  # noqa: SLF001  quick looks

    keys = {KEY_ID: public_pem(KEY)}
    with running(world, tier="prestige", keys=keys, faults=Faults(faults)) as server:
        asked = Settings(
            base_url=server.base_url, tier="prestige", key_id=KEY_ID, private_key=KEY, trading="demo"
        )
        asyncio.run(story(asked))
        assert server.faults.injected.total() == len(faults)


def struck(made: dict[str, object], method: str, route: str) -> Fault:
    given = dict(made)
    return fault(str(given.pop("kind")), method=method, route=route, limit=1, **given)


async def changed(trading: Trading, order: Order, change: str) -> int | None:
    if change == "amend":
        return (await trading.amend(order, yes_price_cc=1_100, count_centi=700)).remaining_centi
    if change == "decrease":
        return (await trading.decrease(order.order_id, to_centi=400)).remaining_centi
    return (await trading.cancel(order.order_id)).remaining_centi


async def placed(client: Client, trading: Trading) -> Order:
    outcome = await trading.create(buy_yes(FED, count_centi=1_000, price_cc=1_000))
    assert outcome.order_id is not None
    return await client.order(outcome.order_id)


@pytest.mark.parametrize("made", LOST, ids=lambda made: made["kind"])
@pytest.mark.parametrize(("change", "left_centi"), [("amend", 700), ("decrease", 400), ("cancel", 0)])
def test_a_change_that_was_made_is_told_as_the_account_has_it(
    world: World, change: str, left_centi: int, made: dict[str, object]
) -> None:
    async def story(client: Client, trading: Trading) -> None:
        order = await placed(client, trading)
        assert await changed(trading, order, change) == left_centi
        assert (await client.order(order.order_id)).remaining_centi == left_centi

    lived(world, story, struck(made, *ROUTES[change]))


@pytest.mark.parametrize("made", NEVER, ids=lambda made: made["kind"])
@pytest.mark.parametrize("change", sorted(ROUTES))
def test_a_change_that_was_not_made_may_be_asked_again(
    world: World, change: str, made: dict[str, object]
) -> None:
    async def story(client: Client, trading: Trading) -> None:
        order = await placed(client, trading)
        with pytest.raises(NotDone, match="surely was not changed"):
            await changed(trading, order, change)
        assert await client.order(order.order_id) == order
        await changed(trading, order, change)
        assert await client.order(order.order_id) != order

    lived(world, story, struck(made, *ROUTES[change]))


@pytest.mark.parametrize("made", NEVER, ids=lambda made: made["kind"])
def test_an_order_that_was_not_placed_may_be_sent_again(world: World, made: dict[str, object]) -> None:
    """Of two sendings one arrived, and the account has one order."""

    async def story(client: Client, trading: Trading) -> None:
        with pytest.raises(NotPlaced):
            await placed(client, trading)
        order = await placed(client, trading)
        assert [each.order_id async for page in client.orders() for each in page] == [order.order_id]

    lived(world, story, struck(made, "POST", V2))
