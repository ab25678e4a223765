"""What is asked for: checked before it is sent, said as documented, matched with its reply."""

import asyncio
from typing import Any

import pytest

from pipelines.client import CommandRefused, RequestError
from pipelines.client.errors import StreamError
from pipelines.client.stream import Connected, Disconnected, Feed, Item, Message, Refusal, Stream
from pipelines.client.stream.feeds import Wanted
from tests.client.streams import BOOKS, A, B, C, Exchange, Json, Peer, exchange, of, play, until

TWO_CHANNELS = (BOOKS, Feed("pyth_value", ("Metal.XAU/USD",)))


async def obedient(peer: Peer) -> None:
    """Carry out every command the way the documents say; seq counts per sid."""
    sids: dict[str, int] = {}
    seqs: dict[int, int] = {}
    while True:
        command = await peer.hear()
        params = command.get("params", {})
        if command["cmd"] == "subscribe":
            (channel,) = params["channels"]
            sid = sids.setdefault(channel, len(sids) + 1)
            seqs.setdefault(sid, 0)
            await peer.say("subscribed", id=command["id"], msg={"channel": channel, "sid": sid})
            continue
        if command["cmd"] == "list_subscriptions":
            listed = [{"channel": channel, "sid": sid} for channel, sid in sids.items()]
            await peer.say("ok", id=command["id"], msg=listed)
            continue
        (sid,) = params["sids"]
        seqs[sid] += 1
        if command["cmd"] == "unsubscribe":
            await peer.say("unsubscribed", id=command["id"], sid=sid, seq=seqs[sid])
            sids = {channel: known for channel, known in sids.items() if known != sid}
        elif params["action"] == "underlying_list":
            msg = {"underlying_tickers": ["Metal.XAG/USD", "Metal.XAU/USD"]}
            await peer.say("pyth_value_underlying_list", id=command["id"], sid=sid, seq=seqs[sid], msg=msg)
        elif params["action"] == "get_snapshot":
            await peer.snapshot(seqs[sid], params["market_tickers"][0], sid=sid, id=command["id"])
        else:
            await peer.ok(command, seqs[sid], sid=sid)


async def settled(running: Exchange, n_commands: int) -> None:
    """Wait until the exchange has heard so many commands."""
    while len(running.heard) < n_commands:  # noqa: ASYNC110  play() limits it
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("feed", "params"),
    [
        (BOOKS, {"channels": ["orderbook_delta"], "use_yes_price": True, "market_tickers": [A, B]}),
        (Feed("orderbook_delta", (A,), use_yes_price=False, skip_ticker_ack=True),
         {"channels": ["orderbook_delta"], "use_yes_price": False, "skip_ticker_ack": True,
          "market_tickers": [A]}),
        (Feed("ticker", (A,), send_initial_snapshot=True),
         {"channels": ["ticker"], "send_initial_snapshot": True, "market_tickers": [A]}),
        (Feed("trade"), {"channels": ["trade"]}),
        (Feed("market_lifecycle_v2"), {"channels": ["market_lifecycle_v2"]}),
        (Feed("communications", user_filter="self", shard_factor=4, shard_key=3),
         {"channels": ["communications"], "user_filter": "self", "shard_factor": 4, "shard_key": 3}),
        (Feed("cfbenchmarks_value", ("BRTI",)), {"channels": ["cfbenchmarks_value"], "index_ids": ["BRTI"]}),
        (Feed("pyth_value", ("all",)), {"channels": ["pyth_value"], "underlying_tickers": ["all"]}),
    ],
)  # fmt: skip
def test_a_feed_is_subscribed_as_documented(feed: Feed, params: Json) -> None:
    async def story() -> Exchange:
        async with exchange(obedient) as running, running.stream(feed):
            await settled(running, 1)
            return running

    assert play(story()).commands == [("subscribe", params)]


@pytest.mark.parametrize(
    ("arguments", "options", "why"),
    [
        (("orderbok_delta", (A,)), {}, "did you mean orderbook_delta"),
        (("multivariate_lookup_and_more",), {}, "there are cfbenchmarks_value, "),
        (("orderbook_delta",), {}, "needs market tickers"),
        (("orderbook_delta", A), {}, "give a list"),
        (("orderbook_delta", (A, " ")), {}, "empty or not text"),
        (("market_lifecycle_v2", (A,)), {}, "cannot be narrowed"),
        (("order_group_updates", (A,)), {}, "cannot be narrowed"),
        (("ticker", (A,)), {"use_yes_price": True}, "ticker takes no use_yes_price"),
        (("trade",), {"send_initial_snapshot": True}, "trade takes no send_initial_snapshot"),
        (("trade",), {"shard_factor": 2}, "trade takes no shard_factor"),
        (("communications",), {"shard_key": 0}, "without shard_factor"),
        (("communications",), {"shard_factor": 0}, "1 to 100"),
        (("communications",), {"shard_factor": 101}, "1 to 100"),
        (("communications",), {"shard_factor": 2, "shard_key": 2}, "0 to 1"),
    ],
)
def test_what_would_be_refused_or_ignored_is_not_sent(
    arguments: tuple[Any, ...], options: dict[str, Any], why: str
) -> None:
    with pytest.raises(RequestError, match=why):
        Feed(*arguments, **options)


def test_repeated_names_are_one() -> None:
    assert Feed("trade", (A, B, A)).names == (A, B)


def test_one_connection_has_one_subscription_per_channel() -> None:
    """The exchange merges a second one, so different options would silently be lost."""
    wanted = Wanted([BOOKS])
    with pytest.raises(RequestError, match="open another stream"):
        wanted.subscribe(Feed("orderbook_delta", (C,), use_yes_price=False))
    assert wanted.subscribe(BOOKS) is None
    assert wanted.subscribe(Feed("orderbook_delta", (B, C))) == Feed("orderbook_delta", (C,))
    assert [feed.names for feed in wanted] == [(A, B, C)]


def test_some_markets_and_all_markets_cannot_be_merged() -> None:
    wanted = Wanted([Feed("ticker"), Feed("trade", (A,))])
    for feed in (Feed("ticker", (A,)), Feed("trade")):
        with pytest.raises(RequestError, match="unsubscribe it first"):
            wanted.subscribe(feed)
    with pytest.raises(RequestError, match="subscribed whole"):
        wanted.add("ticker", [A])
    with pytest.raises(RequestError, match="not subscribed"):
        wanted.add("fill", [A])


def test_a_channel_without_its_last_name_is_not_wanted_at_all() -> None:
    """No names would mean every market."""
    wanted = Wanted([Feed("trade", (A, B))])
    assert wanted.remove("trade", [B, C]) == Feed("trade", (B,))
    assert wanted.remove("trade", [C]) is None
    assert wanted.remove("trade", [A]) == Feed("trade", (A,))
    assert not wanted


def test_changes_are_told_to_the_exchange_and_ids_are_unique() -> None:
    async def story() -> Exchange:
        async with exchange(obedient) as running, running.stream(*TWO_CHANNELS) as stream:
            await settled(running, 2)
            await stream.add("orderbook_delta", [B, C])
            await stream.remove("orderbook_delta", [A])
            await stream.subscribe(Feed("orderbook_delta", (B, C)))  # nothing new: nothing is sent
            await stream.add("pyth_value", ["Metal.XPT/USD"])
            await stream.remove("pyth_value", ["Metal.XAU/USD"])
            await stream.remove("orderbook_delta", [B, C])
            await stream.unsubscribe("pyth_value")
            await stream.unsubscribe("trade")
            assert stream.feeds == ()
            return running

    running = play(story())
    assert running.commands[2:] == [
        ("update_subscription", {"sids": [1], "action": "add_markets", "market_tickers": [C]}),
        ("update_subscription", {"sids": [1], "action": "delete_markets", "market_tickers": [A]}),
        ("update_subscription",
         {"sids": [2], "action": "subscribe_underlyings", "underlying_tickers": ["Metal.XPT/USD"]}),
        ("update_subscription",
         {"sids": [2], "action": "unsubscribe_underlyings", "underlying_tickers": ["Metal.XAU/USD"]}),
        ("unsubscribe", {"sids": [1]}),
        ("unsubscribe", {"sids": [2]}),
    ]  # fmt: skip
    assert [one["id"] for one in running.heard] == list(range(1, 9))


def test_long_lists_are_sent_in_parts() -> None:
    """5 names, 2 per command: one subscribe, two updates."""
    feed = Feed("orderbook_delta", tuple(f"KX-{n}" for n in range(5)))

    async def story() -> Exchange:
        async with exchange(obedient) as running, running.stream(feed, n_names=2):
            await settled(running, 3)
            return running

    assert [(cmd, params["market_tickers"]) for cmd, params in play(story()).commands] == [
        ("subscribe", ["KX-0", "KX-1"]),
        ("update_subscription", ["KX-2", "KX-3"]),
        ("update_subscription", ["KX-4"]),
    ]


def test_lists_and_snapshots_can_be_asked_for() -> None:
    async def story() -> tuple[list[tuple[str, int]], list[str], list[Item]]:
        async with exchange(obedient) as running, running.stream(*TWO_CHANNELS) as stream:
            await settled(running, 2)
            listed = await stream.list_subscriptions()
            offered = await stream.offered("pyth_value")
            await stream.get_snapshot([B])
            return listed, offered, await until(stream, Message, n=2)

    listed, offered, items = play(story())
    assert listed == [("orderbook_delta", 1), ("pyth_value", 2)]
    assert offered == ["Metal.XAG/USD", "Metal.XAU/USD"]
    assert [one.type for one in of(Message, items)] == ["pyth_value_underlying_list", "orderbook_snapshot"]


def test_questions_that_make_no_sense_are_not_sent() -> None:
    async def story() -> Exchange:
        async with exchange(obedient) as running, running.stream(Feed("trade")) as stream:
            await settled(running, 1)
            with pytest.raises(RequestError, match="subscribe them first"):
                await stream.get_snapshot([A])
            with pytest.raises(RequestError, match="lists nothing"):
                await stream.offered("trade")
            with pytest.raises(RequestError, match="not subscribed"):
                await stream.offered("pyth_value")
            return running

    assert len(play(story()).heard) == 1


def test_questions_need_a_connection() -> None:
    async def story() -> None:
        async with exchange(obedient) as running:
            stream = running.stream(*TWO_CHANNELS)
            for question in (
                stream.list_subscriptions(),
                stream.get_snapshot([A]),
                stream.offered("pyth_value"),
            ):
                with pytest.raises(StreamError, match="wait for Connected"):
                    await question

    play(story())


@pytest.mark.parametrize(
    ("code", "advice"),
    [(7, "subscribe again"), (8, "changelog"), (9, "scopes"), (11, "tickers"), (26, "several streams"),
     (99, "our mistake")],
)  # fmt: skip
def test_a_refused_command_raises_its_number_with_advice_and_is_not_wanted(code: int, advice: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.refuse(await peer.hear(), code, "it says")
        await peer.stay()

    async def story() -> tuple[CommandRefused, Stream, list[Item]]:
        async with exchange(script) as running, running.stream() as stream:
            await until(stream, Connected)
            with pytest.raises(CommandRefused) as refused:
                await stream.subscribe(BOOKS)
            return refused.value, stream, await until(stream, Refusal)

    error, stream, items = play(story())
    assert error.code == code
    assert f"subscribe orderbook_delta: error {code} (it says)" in str(error)
    assert advice in str(error)
    assert stream.feeds == ()
    assert of(Refusal, items)[0].channel == "orderbook_delta"


@pytest.mark.parametrize(("code", "n_sent"), [(18, 2), (27, 5)])
def test_a_busy_exchange_is_asked_again_a_few_times(code: int, n_sent: int) -> None:
    """18 command timeout: once more. 27 too many requests: after pauses, five times in all."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.refuse(await peer.hear(), code)

    async def story() -> Exchange:
        async with exchange(script) as running, running.stream() as stream:
            with pytest.raises(CommandRefused):
                await stream.subscribe(BOOKS)
            return running

    assert len(play(story()).heard) == n_sent


def test_a_list_that_is_refused_half_way_is_taken_back() -> None:
    """Two markets were subscribed before the third was too many: none stays behind unwanted."""

    async def script(peer: Peer) -> None:
        await peer.subscribed()
        await peer.refuse(await peer.hear(), 26)
        command = await peer.hear()
        await peer.say("unsubscribed", id=command["id"], sid=1, seq=1)
        await peer.stay()

    async def story() -> Exchange:
        async with exchange(script) as running, running.stream(n_names=2) as stream:
            with pytest.raises(CommandRefused):
                await stream.subscribe(Feed("orderbook_delta", (A, B, C)))
            assert stream.feeds == ()
            return running

    assert play(story()).commands[2] == ("unsubscribe", {"sids": [1]})


def test_a_command_without_reply_renews_the_connection_and_the_wish_stays() -> None:
    """Nobody knows what it did; a new session is given exactly what is wanted."""

    async def script(peer: Peer) -> None:
        if peer.number == 1:
            await peer.hear()
            await peer.stay()
        await obedient(peer)

    async def story() -> tuple[list[Item], Exchange]:
        async with exchange(script) as running, running.stream(reply_s=0.2) as stream:
            await stream.subscribe(BOOKS)
            items = await until(stream, Connected, n=2)
            await settled(running, 2)
            return items, running

    items, running = play(story())
    assert "no reply to subscribe orderbook_delta within 0.2 s" in of(Disconnected, items)[0].cause
    assert running.commands[0] == running.commands[1]
