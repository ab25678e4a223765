"""What a sync does when the exchange changes under it, or says what nobody can read."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.client import Client, Settings
from pipelines.ingest.market_data import sync_trades
from pipelines.ingest.sync import sync
from pipelines.ingest.windows import Receipt
from sandbox.serve import running
from sandbox.world import World
from tests.client.loopback import Answer, Asked, Reply, exchange, patient
from warehouse import Lake
from warehouse.ledger import Window
from warehouse.tables import QUARANTINE, TRADES, WINDOWS

DAY_TS = datetime(2026, 2, 1, tzinfo=UTC)
WINDOW = Window("trades", "all", DAY_TS, DAY_TS + timedelta(days=1))


def a_trade(trade_id: str, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 -- any field may be changed
    whole = {
        "trade_id": trade_id,
        "ticker": "KXA-1-Y",
        "count_fp": "3.00",
        "yes_price_dollars": "0.5600",
        "no_price_dollars": "0.4400",
        "taker_outcome_side": "yes",
        "taker_book_side": "bid",
        "created_time": "2026-02-01T12:00:00Z",
        "is_block_trade": False,
    } | changed
    return {name: value for name, value in whole.items() if value is not None}


def answering(trades: Callable[[str], Reply]) -> Answer:
    """Return an exchange whose live tier begins in 2026; `trades` answers a cursor ("" is the first)."""

    def answer(asked: Asked) -> Reply:
        if asked.path == "/historical/cutoff":
            at = "2026-01-01T00:00:00Z"
            return Reply(body={"market_settled_ts": at, "trades_created_ts": at, "orders_updated_ts": at})
        return trades(asked.query.get("cursor", [""])[0])

    return answer


def pulled(answer: Answer, lake: Lake) -> Receipt:
    async def pulling(settings: Settings) -> Receipt:
        async with Client(settings, retry=patient(max_tries=1)) as client:
            return await sync_trades(client, lake, WINDOW)

    with exchange(answer) as served:
        return asyncio.run(pulling(served.settings()))


def test_a_payload_that_cannot_be_understood_is_kept_whole_and_fails_the_window(tmp_path: Path) -> None:
    """The first page is good, in the second a trade has no count: page one stays, the window is open."""
    lake = Lake(tmp_path / "lake")

    def trades(cursor: str) -> Reply:
        if cursor == "":
            return Reply(body={"trades": [a_trade("t-1")], "cursor": "next"})
        return Reply(body={"trades": [a_trade("t-2", count_fp=None)], "cursor": ""})

    receipt = pulled(answering(trades), lake)
    assert (receipt.status, receipt.n_new) == ("failed", 1)
    assert receipt.reason is not None
    assert "count_fp" in receipt.reason
    (kept,) = lake.scan(QUARANTINE).collect().iter_rows(named=True)
    assert kept["table_name"] == "trades"
    assert kept["location"].startswith("/markets/trades?")
    assert '"t-2"' in kept["payload"]
    assert lake.scan(WINDOWS).collect()["status"].to_list() == ["failed"]
    assert not lake.is_complete(*WINDOW)


def test_a_trade_whose_price_is_no_price_is_set_aside_and_the_others_go_in(tmp_path: Path) -> None:
    """Finer than a centicent: it is quarantined by name, and the window says that something is missing."""
    lake = Lake(tmp_path / "lake")
    page = [a_trade("t-1"), a_trade("t-2", yes_price_dollars="0.56001"), a_trade("t-3")]
    receipt = pulled(answering(lambda _cursor: Reply(body={"trades": page, "cursor": ""})), lake)
    assert sorted(lake.scan(TRADES).collect()["trade_id"]) == ["t-1", "t-3"]
    (kept,) = lake.scan(QUARANTINE).collect().iter_rows(named=True)
    assert (kept["field"], kept["value"]) == ("yes_price_dollars", "0.56001")
    assert receipt.status == "failed"


def test_an_exchange_in_trouble_is_told_and_noted_and_the_window_comes_again(tmp_path: Path) -> None:
    """500 after the last try: receipt and ledger say so, what came before is kept, nothing is complete."""
    lake = Lake(tmp_path / "lake")

    def trades(cursor: str) -> Reply:
        if cursor == "":
            return Reply(body={"trades": [a_trade("t-1")], "cursor": "next"})
        return Reply(status=500, body={"code": "internal", "message": "down"})

    failed = pulled(answering(trades), lake)
    assert (failed.status, failed.n_new, "500" in str(failed.reason)) == ("failed", 1, True)
    assert lake.scan(WINDOWS).collect()["status"].to_list() == ["failed"]
    good = answering(lambda _cursor: Reply(body={"trades": [a_trade("t-1"), a_trade("t-2")], "cursor": ""}))
    receipt = pulled(good, lake)
    assert (receipt.status, receipt.n_rows, receipt.n_new) == ("complete", 2, 1)
    assert lake.is_complete(*WINDOW)


def test_a_second_more_is_asked_on_both_sides_and_trimmed(tmp_path: Path) -> None:
    """Start is included, end is not; what lies outside is dropped, what came twice counts once."""
    lake = Lake(tmp_path / "lake")
    page = [
        a_trade("before", created_time="2026-01-31T23:59:59.999999Z"),
        a_trade("first", created_time="2026-02-01T00:00:00Z"),
        a_trade("last", created_time="2026-02-01T23:59:59.999999Z"),
        a_trade("last", created_time="2026-02-01T23:59:59.999999Z"),
        a_trade("after", created_time="2026-02-02T00:00:00Z"),
    ]
    asked_for: list[dict[str, list[str]]] = []

    def answer(asked: Asked) -> Reply:
        if asked.path == "/markets/trades":
            asked_for.append(asked.query)
        return answering(lambda _cursor: Reply(body={"trades": page, "cursor": ""}))(asked)

    receipt = pulled(answer, lake)
    assert sorted(lake.scan(TRADES).collect()["trade_id"]) == ["first", "last"]
    assert receipt.n_rows == 2
    start_s = int(DAY_TS.timestamp())
    assert [int(asked_for[0][name][0]) for name in ("min_ts", "max_ts")] == [start_s - 1, start_s + 86_401]


class MovingBorder:
    """A world whose archive takes over the last days after the first page was served."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.n_tapes = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- everything else is the world's
        return getattr(self.world, name)

    def tape(self, *asked: Any, **more: Any) -> Any:  # noqa: ANN401 -- likewise
        self.n_tapes += 1
        return self.world.tape(*asked, **more)

    @property
    def trade_cutoff_ts(self) -> datetime:
        return self.world.trade_cutoff_ts if self.n_tapes < 2 else self.world.now_ts


@pytest.mark.slow
def test_a_border_that_moves_while_we_read_loses_nothing(tmp_path: Path) -> None:
    """After two pages all trades are archived: the live tier is empty, and the archive is asked after all."""
    world = World(seed=5, days=6, activity=0.1)
    source = MovingBorder(world)
    lake = Lake(tmp_path / "lake")
    start_ts = world.trade_cutoff_ts + timedelta(hours=1)

    async def syncing(base_url: str) -> list[Receipt]:
        async with Client(Settings(base_url=base_url, tier="prestige")) as client:
            return await sync(
                client,
                lake,
                ["trades"],
                start=start_ts,
                end=world.now_ts,
                page_size=50,
                every=timedelta(days=30),
            )

    with running(source, tier="prestige") as served:
        asyncio.run(syncing(served.base_url))
    tape = world.tape(None)
    expected = {each.trade_id for each in tape.rows(*tape.span(0, 2**62)) if each.created_ts >= start_ts}
    assert len(expected) > 200
    assert set(lake.scan(TRADES).collect()["trade_id"]) == expected
    assert set(lake.scan(TRADES).collect()["source"]) == {"rest", "historical"}
