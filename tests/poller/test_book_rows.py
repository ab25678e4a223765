"""Polled books as rows: exact, empty ones kept, unreadable ones named."""

import json
from typing import Any

import polars as pl

from pipelines.client import WireError
from pipelines.client.wire import OrderBook
from pipelines.poller.book_rows import book_rows, unread
from tests.warehouse.rows import at


def a_book(ticker: str = "KXA-1", **changes: Any) -> OrderBook:  # noqa: ANN401  the struct's own
    """Return a book: 20 YES at $0.40, 10.50 YES at $0.455; nobody bids NO."""
    told = {"yes_dollars": (("0.4000", "20.00"), ("0.4550", "10.50")), "no_dollars": ()}
    return OrderBook(**{"ticker": ticker, "captured_ts": at(1), "latency_us": 1_500, **told, **changes})


def test_texts_become_integers_and_an_empty_book_is_a_row() -> None:
    good, refused = book_rows([a_book(), a_book("KXA-2", yes_dollars=())])
    assert refused.is_empty()
    assert good.rows() == [
        ("KXA-1", at(1), 1_500, [4_000, 4_550], [2_000, 1_050], [], []),
        ("KXA-2", at(1), 1_500, [], [], [], []),
    ]


def test_no_books_are_no_rows() -> None:
    good, refused = book_rows([])
    assert (good.height, refused.height) == (0, 0)
    assert good.schema["yes_prices_cc"] == pl.List(pl.Int32)


def test_a_book_of_which_one_level_cannot_be_read_is_refused_whole() -> None:
    """Half a centicent; a price twice; a price of $1; a count below zero; no number at all."""
    wrong = [
        (("0.40005", "1.00"),),
        (("0.4000", "1.00"), ("0.40", "2.00")),
        (("1.0000", "1.00"),),
        (("0.4000", "-1.00"),),
        (("0.4000", "many"),),
    ]
    books = [a_book(f"KXA-{nth}", no_dollars=levels) for nth, levels in enumerate(wrong)]
    good, refused = book_rows([*books[:2], a_book(), *books[2:]])
    assert good["ticker"].to_list() == ["KXA-1"]
    assert refused["location"].to_list() == [f"/markets/KXA-{nth}/orderbook" for nth in range(5)]
    assert refused["field"].unique().to_list() == ["no_dollars_fp"]
    assert refused["value"][0] == "[0.40005, 1.00]"
    assert json.loads(refused["payload"][0])["no_dollars"] == [["0.40005", "1.00"]]


def test_an_answer_that_could_not_be_decoded_is_kept_as_it_came() -> None:
    error = WireError(path="/markets/KXA-1/orderbook", field="orderbook_fp", reason="is gone", payload=b"{}")
    assert unread("KXA-1", error).row(0) == (
        "/markets/KXA-1/orderbook", "orderbook_fp", None, "is gone", "{}",
    )  # fmt: skip
