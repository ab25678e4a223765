"""Paging: every row once, constant filters, an end, and no circles."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.client import Client, CursorLoop, Settings, TooManyPages, paging
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


async def gather(pages: list[list[int]], cursors: list[str | None], *, max_pages: int) -> list[list[int]]:
    """Walk pages that come from a list; the last cursor stays."""
    n_fetched = 0

    async def fetch(cursor: str | None) -> tuple[list[int], str | None]:
        nonlocal n_fetched
        assert cursor == (cursors[n_fetched - 1] if n_fetched else None), "each page leads to the next"
        n_fetched += 1
        assert n_fetched <= max_pages
        return pages[n_fetched - 1], cursors[n_fetched - 1]

    return [page async for page in paging.walk(fetch, path="/x", max_pages=max_pages)]


@given(pages=st.lists(st.lists(st.integers(), max_size=3), min_size=1, max_size=9))
def test_every_row_comes_once_and_in_order_whatever_the_pages(pages: list[list[int]]) -> None:
    cursors = [*(f"c{number}" for number in range(1, len(pages))), None]
    assert asyncio.run(gather(pages, cursors, max_pages=9)) == [page for page in pages if page]


@given(cursors=st.lists(st.sampled_from("abcd"), min_size=1, max_size=12))
def test_cursors_of_any_order_end_at_the_first_repetition_or_at_the_bound(cursors: list[str]) -> None:
    """Four cursors that never end: a repetition at the fifth page at the latest, or the bound before it."""
    max_pages = len(cursors)
    error = CursorLoop if len(set(cursors)) < len(cursors) else TooManyPages
    with pytest.raises(error):
        asyncio.run(gather([[1]] * max_pages, list(cursors), max_pages=max_pages))
