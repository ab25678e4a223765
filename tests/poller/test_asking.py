"""How one round is asked: many books a request, and what is left when requests fail."""

import asyncio
import json
from collections.abc import Sequence

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pipelines.client import Client, NotFound, ServerFault, Unreachable, WireError
from pipelines.client.endpoints.tape import BOOKS_PATH
from pipelines.poller.asking import Asker, Round
from sandbox.encoding import book_json
from tests.poller.exchanges import House, refusing


def heard_of(
    house: House, tickers: Sequence[str], asker: Asker | None = None, *, base_url: str | None = None
) -> tuple[Round, int, Asker]:
    """Ask once; return what came, how many requests that took, and who asked."""

    async def story() -> tuple[Round, int, Asker]:
        async with house.client(base_url) as client:
            asking = Asker(client) if asker is None else _taken_over(asker, client)
            heard = Round()
            await asking.ask(tickers, heard)
            return heard, client.n_requests, asking

    return asyncio.run(story())


def _taken_over(asker: Asker, client: Client) -> Asker:
    asker._client = client  # noqa: SLF001  a client lives in one event loop
    return asker


def but(house: House, ticker: str, levels: object) -> None:
    """Answer for many books with something else for one of them; None leaves it out."""

    def answer(request: Request) -> Response:
        books = []
        for each in request.query_params.getlist("tickers"):
            told = book_json(house.world.book(each), depth=0)
            if each == ticker:
                told = {"orderbook_fp": levels}
            if each != ticker or levels is not None:
                books.append({"ticker": each} | told)
        return JSONResponse({"orderbooks": books})

    house.answers[BOOKS_PATH] = answer


def test_all_books_come_with_one_request_and_tell_when_and_how_long_it_took(house: House) -> None:
    tickers = house.staying(5)
    heard, n_requests, _ = heard_of(house, tickers)
    assert [book.ticker for book in heard.books] == tickers
    assert (heard.missed, n_requests) == ({}, 1)
    assert all(0 < book.latency_us < 60_000_000 for book in heard.books)
    assert len({book.captured_ts for book in heard.books}) == 1


def test_one_market_that_cannot_be_read_costs_only_itself_its_poll(house: House) -> None:
    """Of five, the third: halves are asked until it is alone, and its own endpoint has it after all."""
    tickers = house.staying(5)
    but(house, tickers[2], {"yes_dollars": "none"})
    heard, n_requests, asker = heard_of(house, tickers)
    assert sorted(book.ticker for book in heard.books) == tickers
    assert (heard.missed, asker.has_batch) == ({}, True)
    assert n_requests < 10
    house.answers[f"/markets/{tickers[2]}/orderbook"] = lambda _: Response('{"orderbook_fp": 1}')
    heard, _, _ = heard_of(house, tickers)
    assert sorted(book.ticker for book in heard.books) == [*tickers[:2], *tickers[3:]]
    (error,) = heard.missed.values()
    assert isinstance(error, WireError)
    assert json.loads(error.payload) == {"orderbook_fp": 1}


def test_a_market_that_the_answer_leaves_out_is_missed(house: House) -> None:
    tickers = house.staying(3)
    but(house, tickers[1], None)
    heard, _, _ = heard_of(house, tickers)
    assert [book.ticker for book in heard.books] == [tickers[0], tickers[2]]
    assert heard.missed == {tickers[1]: None}


def test_an_exchange_in_trouble_is_not_asked_again_in_the_same_round(house: House) -> None:
    """The client tries twice, as it was told; all markets of the request are missed."""
    tickers = house.staying(3)
    house.answers[BOOKS_PATH] = refusing(503)
    heard, n_requests, asker = heard_of(house, tickers)
    assert {type(error) for error in heard.missed.values()} == {ServerFault}
    assert (list(heard.missed), n_requests, asker.has_batch) == (tickers, 2, True)


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_without_the_endpoint_of_many_books_are_asked_for_one_by_one(
    house: House, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """One try a run; a market that is unknown then is missed alone."""
    tickers = house.staying(2)
    house.answers[BOOKS_PATH] = refusing(status)
    heard, n_requests, asker = heard_of(house, [*tickers, "KXNOBODY-1"])
    assert sorted(book.ticker for book in heard.books) == tickers
    assert isinstance(heard.missed["KXNOBODY-1"], NotFound)
    assert (asker.has_batch, n_requests) == (False, 4)
    assert "one by one" in caplog.text
    _, n_requests, _ = heard_of(house, tickers, asker)
    assert n_requests == 2


def test_a_refusal_after_answers_is_narrowed_down_and_the_endpoint_kept(house: House) -> None:
    """A 400 about one name: the others are had; a 401 is about the key, and nobody is."""
    tickers = house.staying(4)
    _, _, asker = heard_of(house, tickers)

    def picky(request: Request) -> Response:
        asked = request.query_params.getlist("tickers")
        if tickers[0] in asked:
            return refusing(400)(request)
        return JSONResponse(
            {"orderbooks": [{"ticker": each} | book_json(house.world.book(each), depth=0) for each in asked]}
        )

    house.answers[BOOKS_PATH] = picky
    house.answers[f"/markets/{tickers[0]}/orderbook"] = refusing(404)
    heard, _, _ = heard_of(house, tickers, asker)
    assert sorted(book.ticker for book in heard.books) == tickers[1:]
    assert (list(heard.missed), asker.has_batch) == ([tickers[0]], True)
    house.answers[BOOKS_PATH] = refusing(401)
    heard, n_requests, _ = heard_of(house, tickers, asker)
    assert (list(heard.missed), n_requests) == (tickers, 1)


def test_an_exchange_out_of_reach_is_a_missed_poll(house: House) -> None:
    """Nobody listens on port 1."""
    heard, _, asker = heard_of(house, ["KXA-1", "KXA-2"], base_url="http://127.0.0.1:1/trade-api/v2")
    assert {type(error) for error in heard.missed.values()} == {Unreachable}
    assert (list(heard.missed), heard.books, asker.has_batch) == (["KXA-1", "KXA-2"], [], True)


def test_nobody_is_asked_for_nothing(house: House) -> None:
    heard, n_requests, _ = heard_of(house, [])
    assert (heard.books, heard.missed, n_requests) == ([], {}, 0)
