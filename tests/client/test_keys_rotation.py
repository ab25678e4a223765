"""Two keys that overlap: the next one takes over when the exchange refuses the current one, once, loudly."""

import asyncio
import logging

import pytest
from pydantic import SecretStr

from pipelines.client import Client, Settings, SettingsError, Unauthorized
from pipelines.client.signing import Signers, load_key, signers_of
from tests.client.keys import KEY_ID, NEXT_ID, pem
from tests.client.loopback import Answer, Asked, Reply, exchange, patient

GOOD = Reply(body={"orderbook_fp": {}})


def signers(*ids: str) -> Signers:
    made = [load_key(SecretStr(pem("ed25519")), key_id=key_id) for key_id in ids]
    return Signers(*made)


def two_keys() -> dict[str, object]:
    return {
        "key_id": KEY_ID,
        "private_key": pem("rsa"),
        "next_key_id": NEXT_ID,
        "next_private_key": pem("ed25519"),
    }


def accepts(*key_ids: str, dated: bool = True) -> Answer:
    """Return an answer that takes these keys and refuses all others."""

    def answer(asked: Asked) -> Reply:
        if asked.headers["kalshi-access-key"] in key_ids:
            return GOOD
        return Reply(status=401, body={"code": "unauthorized"}, headers={} if dated else {"Date": ""})

    return answer


def used(asked: list[Asked]) -> list[str]:
    return [one.headers["kalshi-access-key"] for one in asked]


def test_the_next_key_signs_after_the_current_one_was_refused_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first 401 corrects the clock; the second, with the right time, means the key."""

    async def story(settings: Settings) -> str:
        async with Client(settings, retry=patient()) as client:
            await client.order_book("KX-1")
            await client.order_book("KX-1")
            return client.key_kind or ""

    caplog.set_level(logging.WARNING)
    with exchange(accepts(NEXT_ID)) as running:
        kind = asyncio.run(story(running.settings(**two_keys())))
        assert used(running.asked) == [KEY_ID, KEY_ID, NEXT_ID, NEXT_ID]
    assert kind == "Ed25519"
    told = [one.message for one in caplog.records if "refuses key" in one.message]
    (line,) = told
    assert line.startswith(
        f"the exchange refuses key {KEY_ID[:8]}… (401): from now on key {NEXT_ID[:8]}… signs"
    )
    assert line.endswith("make it the current one (docs/operate.md, Keys)")


def test_a_key_that_is_taken_is_not_changed() -> None:
    async def story(settings: Settings) -> None:
        async with Client(settings, retry=patient()) as client:
            await client.order_book("KX-1")

    with exchange(accepts(KEY_ID, NEXT_ID)) as running:
        asyncio.run(story(running.settings(**two_keys())))
        assert used(running.asked) == [KEY_ID]


@pytest.mark.parametrize(("dated", "sent"), [(True, [KEY_ID, KEY_ID, NEXT_ID]), (False, [KEY_ID, NEXT_ID])])
def test_two_refused_keys_are_an_error(sent: list[str], *, dated: bool) -> None:
    """Without a Date the clock cannot be corrected, so the first 401 already means the key."""

    async def story(settings: Settings) -> None:
        async with Client(settings, retry=patient()) as client:
            with pytest.raises(Unauthorized):
                await client.order_book("KX-1")

    with exchange(accepts(dated=dated)) as running:
        asyncio.run(story(running.settings(**two_keys())))
        assert used(running.asked) == sent


def test_many_requests_under_way_with_the_refused_key_move_on_once_and_all_succeed() -> None:
    async def story(settings: Settings) -> str:
        async with Client(settings, retry=patient()) as client:
            await asyncio.gather(*(client.order_book("KX-1") for _ in range(10)))
            return client.key_kind or ""

    with exchange(accepts(NEXT_ID)) as running:
        assert asyncio.run(story(running.settings(**two_keys()))) == "Ed25519"
        assert used(running.asked).count(NEXT_ID) == 10


def test_only_the_first_refusal_of_a_key_moves_on() -> None:
    both = signers("one", "two")
    first = both.current
    assert both.advance(first)
    assert both.key_id == "two"
    assert both.advance(first), "it was signed with the old key: try again with the new one"
    assert both.key_id == "two"
    assert not both.advance(both.current)
    assert not both.advance()
    assert [one.key_id for one in both.refused] == ["one"]


def test_one_key_has_nowhere_to_go() -> None:
    alone = signers("one")
    assert not alone.advance()
    assert (alone.key_id, alone.kind, alone.refused) == ("one", "Ed25519", [])


def test_the_repr_says_which_key_is_refused_and_which_is_next() -> None:
    both = signers(KEY_ID, NEXT_ID)
    assert repr(both) == f"Signers(Ed25519 {KEY_ID[:8]}…, {NEXT_ID[:8]}… next)"
    both.advance()
    assert repr(both) == f"Signers(Ed25519 {NEXT_ID[:8]}…, {KEY_ID[:8]}… refused)"


def test_a_next_key_that_is_the_current_one_is_refused_before_it_is_needed() -> None:
    same = Settings(**(two_keys() | {"next_key_id": KEY_ID.upper()}))
    with pytest.raises(SettingsError, match="KALSHI_NEXT_PRIVATE_KEY: this is the current key already"):
        signers_of(same)


def test_a_next_key_that_cannot_be_used_is_refused_before_it_is_needed() -> None:
    broken = Settings(**(two_keys() | {"next_private_key": "hello"}))
    with pytest.raises(SettingsError, match="KALSHI_NEXT_PRIVATE_KEY: the private key is not a PEM"):
        signers_of(broken)


def test_settings_without_a_key_have_no_signer() -> None:
    assert signers_of(Settings(base_url="http://localhost:1/trade-api/v2")) is None
