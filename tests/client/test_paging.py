"""Paging: every row once, constant filters, an end, and no circles."""

import asyncio
from collections.abc import Callable

import pytest

from pipelines.client import Client, CursorLoop, Settings, TooManyPages
from tests.client.loopback import Asked, Reply, exchange
from tests.client.payloads import Json, a_trade


def trade_pages(pages: list[list[int]], *, end: object = "") -> Callable[[Asked], Reply]:
    """Return an exchange that serves these trade numbers page by page."""

    def answer(asked: Asked) -> Reply:
        number = int(asked.query.get("cursor", ["0"])[0])
        cursor = str(number + 1) if number + 1 < len(pages) else end
        body: Json = {"trades": [a_trade(one) for one in pages[number]]}
        return Reply(body=body if cursor is ... else body | {"cursor": cursor})

    return answer


async def walk(client: Client, page_size: int = 1_000) -> list[list[str]]:
    return [[trade.trade_id for trade in page] async for page in client.trades("KX-1", page_size=page_size)]


@pytest.mark.parametrize("end", ["", None, ...], ids=["empty", "null", "missing"])
def test_pages_come_in_order_until_the_cursor_ends(end: object) -> None:
    """KALSHI.md §4: missing, null and "" all mean the end. Empty pages in between are passed over."""

    async def story(settings: Settings) -> list[list[str]]:
        async with Client(settings) as client:
            return await walk(client, page_size=2)

    with exchange(trade_pages([[1, 2], [], [3]], end=end)) as running:
        assert asyncio.run(story(running.settings())) == [["trade-1", "trade-2"], ["trade-3"]]
    assert [one.query.get("cursor", [""])[0] for one in running.asked] == ["", "1", "2"]
    assert all(one.query["ticker"] == ["KX-1"] and one.query["limit"] == ["2"] for one in running.asked)


@pytest.mark.parametrize(("cursors", "n_sent"), [(["a", "a"], 2), (["a", "b", "c", "a"], 4)])
def test_a_cursor_that_comes_twice_is_an_error(cursors: list[str], n_sent: int) -> None:
    left = list(cursors)

    def answer(_asked: Asked) -> Reply:
        return Reply(body={"trades": [a_trade()], "cursor": left.pop(0)})

    async def story(settings: Settings) -> None:
        async with Client(settings) as client:
            await walk(client)

    with exchange(answer) as running:
        with pytest.raises(CursorLoop, match="ends with a cursor that came before \\(a\\)") as caught:
            asyncio.run(story(running.settings()))
        assert (len(running.asked), caught.value.n_pages, caught.value.path) == (
            n_sent,
            n_sent,
            "/markets/trades",
        )


def test_pages_have_a_bound() -> None:
    async def story(settings: Settings) -> None:
        async with Client(settings, max_pages=3) as client:
            await walk(client)

    with exchange(trade_pages([[number] for number in range(9)])) as running:
        with pytest.raises(TooManyPages, match="more than 3 pages; ask for a smaller window"):
            asyncio.run(story(running.settings()))
        assert len(running.asked) == 3


def test_nothing_is_asked_before_the_first_page_is_wanted_nor_after_the_last() -> None:
    async def story(settings: Settings) -> int:
        async with Client(settings) as client:
            pages = client.trades("KX-1")
            n_before = client.n_requests
            await anext(pages)
            await pages.aclose()
            return n_before

    with exchange(trade_pages([[1], [2], [3]])) as running:
        assert asyncio.run(story(running.settings())) == 0
        assert len(running.asked) == 1
