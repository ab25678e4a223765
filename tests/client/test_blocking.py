"""The synchronous face: the same methods, the same answers, also inside a running loop."""

import asyncio
import inspect
import threading

import pytest

from pipelines.client import BlockingClient, Client, NotFound, TradingOff
from pipelines.client.trading import buy_yes
from tests.client.keys import KEY_ID, pem
from tests.client.loopback import Asked, Reply, exchange
from tests.client.payloads import a_market, a_trade


def answer(asked: Asked) -> Reply:
    if asked.path == "/markets/trades":
        cursor = asked.query.get("cursor", ["0"])[0]
        return Reply(body={"trades": [a_trade(int(cursor))], "cursor": {"0": "1", "1": ""}[cursor]})
    if asked.path == "/markets/KX-1":
        return Reply(body={"market": a_market("KX-1")})
    return Reply(status=404, body={"code": "not_found"})


def test_awaited_methods_return_and_iterated_ones_iterate() -> None:
    with exchange(answer) as running, BlockingClient(running.settings()) as client:
        assert client.market("KX-1").ticker == "KX-1"
        assert [[trade.trade_id for trade in page] for page in client.trades()] == [["trade-0"], ["trade-1"]]
        with pytest.raises(NotFound):
            client.market("KX-2")
        assert client.n_requests == 4
        assert not client.drift


def test_orders_are_sent_and_answered_without_a_loop() -> None:
    made = {"order_id": "1", "fill_count": "0.00", "remaining_count": "1.00", "ts_ms": 1}

    def desk(asked: Asked) -> Reply:
        return Reply(status=201, body=made) if asked.method == "POST" else Reply(status=204, body=b"")

    with exchange(desk) as running:
        settings = running.settings(key_id=KEY_ID, private_key=pem("ed25519"), trading="demo")
        with BlockingClient(settings) as client:
            outcome = client.trading.create(buy_yes("KX-1", count_centi=100, price_cc=5_600))
            assert (outcome.order_id, outcome.remaining_centi) == ("1", 100)
            assert client.trading.cancel_all() is None
            assert {"create", "cancel_all"} <= set(dir(client.trading))
        assert [one.method for one in running.asked] == ["POST", "DELETE"]
        with BlockingClient(running.settings()) as client, pytest.raises(TradingOff):
            _ = client.trading


def test_it_works_where_a_loop_is_already_running() -> None:
    """A notebook's own loop is busy; asyncio.run would refuse."""

    async def notebook_cell(client: BlockingClient) -> str:
        ticker: str = client.market("KX-1").ticker
        return ticker

    with exchange(answer) as running, BlockingClient(running.settings()) as client:
        assert asyncio.run(notebook_cell(client)) == "KX-1"


def test_every_public_method_is_there_with_its_signature_and_help() -> None:
    with BlockingClient() as client:
        for name in (name for name in dir(Client) if not name.startswith("_")):
            assert name in dir(client)
        assert client.trades.__doc__ == Client.trades.__doc__
        assert list(inspect.signature(client.trades).parameters)[:2] == ["ticker", "min_ts"]
        with pytest.raises(AttributeError, match="tradez"):
            _ = client.tradez


def test_closing_ends_the_thread_and_further_calls_say_so() -> None:
    with exchange(answer) as running:
        client = BlockingClient(running.settings())
        pages = client.trades()
        next(pages)
        client.close()
        client.close()
        assert "tapehouse-client" not in {thread.name for thread in threading.enumerate()}
        with pytest.raises(RuntimeError, match="this client is closed"):
            client.market("KX-1")
        del pages
