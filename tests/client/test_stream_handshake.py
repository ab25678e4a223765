"""The way in: signed like any request, and what a refusal says."""

import base64
import logging

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from websockets.http11 import Request

from pipelines.client import StreamLost, StreamRefused
from pipelines.client.stream import Connected, Disconnected, Message
from tests.client.keys import KEY_ID, pem, public_pem
from tests.client.loopback import patient
from tests.client.streams import BOOKS, PATH, A, Denial, Exchange, Peer, exchange, of, play, until


async def quiet(peer: Peer) -> None:
    await peer.subscribed()
    await peer.snapshot(1, A)
    await peer.stay()


def verify(request: Request) -> int:
    """Check a handshake's signature with code of our own; returns its milliseconds."""
    headers = request.headers
    public = load_pem_public_key(public_pem(pem("ed25519")).encode())
    assert isinstance(public, Ed25519PublicKey)
    stamp = headers["KALSHI-ACCESS-TIMESTAMP"]
    signature = base64.b64decode(headers["KALSHI-ACCESS-SIGNATURE"])
    public.verify(signature, f"{stamp}GET{PATH}".encode())
    with pytest.raises(InvalidSignature):
        public.verify(signature, f"{stamp}GET/".encode())
    assert headers["KALSHI-ACCESS-KEY"] == KEY_ID
    return int(stamp)


def test_every_handshake_is_signed_anew_over_get_and_the_path() -> None:
    """Two connections, two signatures; path as in KALSHI.md §2."""

    async def script(peer: Peer) -> None:
        await peer.subscribed()
        await peer.socket.close(1001)

    async def story() -> Exchange:
        async with exchange(script) as running, running.stream(BOOKS) as stream:
            await until(stream, Disconnected, n=2)
            return running

    first, second = play(story()).handshakes[:2]
    assert verify(first) <= verify(second)
    assert first.path == PATH
    assert first.headers["User-Agent"] == "tapehouse"
    assert "Sec-WebSocket-Extensions" not in first.headers


def test_a_wrong_clock_is_corrected_once_by_the_date_of_the_refusal() -> None:
    """Our clock is an hour behind the exchange's: the second signature is an hour later."""

    async def story() -> Exchange:
        denials = [Denial(401, clock_ahead_s=3_600)]
        async with exchange(quiet, denials=denials) as running, running.stream(BOOKS) as stream:
            await until(stream, Message)
            return running

    first, second = play(story()).handshakes
    assert 3_598_000 <= verify(second) - verify(first) <= 3_660_000


@pytest.mark.parametrize(
    ("denials", "status", "advice"),
    [
        ([Denial(401), Denial(401)], 401, "KALSHI_KEY_ID"),
        ([Denial(403)], 403, "`read` scope"),
        ([Denial(404)], 404, "KALSHI_WS_URL"),
        ([Denial(302, headers={"Location": "/elsewhere"})], 302, "redirects are not followed"),
    ],
)
def test_a_refusal_is_final_and_says_what_to_do(denials: list[Denial], status: int, advice: str) -> None:
    n_denials = len(denials)

    async def story() -> tuple[StreamRefused, Exchange]:
        async with exchange(quiet, denials=denials) as running:
            stream = running.stream(BOOKS)
            with pytest.raises(StreamRefused) as refused:
                await stream.start()
            assert [item async for item in stream] == []
            await stream.aclose()
            return refused.value, running

    error, running = play(story())
    assert error.status == status
    assert advice in str(error)
    assert PATH in str(error)
    assert len(running.handshakes) == n_denials


def test_without_a_key_the_refusal_asks_for_one() -> None:
    """The connection needs one even for public channels: KALSHI.md §1."""

    async def story() -> Exchange:
        async with exchange(quiet, denials=[Denial(401)]) as running:
            with pytest.raises(StreamRefused, match="needs a key even for public channels"):
                await running.stream(BOOKS, has_key=False).start()
            return running

    assert "KALSHI-ACCESS-KEY" not in play(story()).handshakes[0].headers


def test_a_refusal_in_the_middle_ends_the_iteration_with_the_error() -> None:
    """The key was revoked while we were away."""
    denials: list[Denial] = []

    async def script(peer: Peer) -> None:
        await peer.subscribed()
        denials.extend([Denial(401), Denial(401)])
        await peer.socket.close(1001)

    async def story() -> None:
        async with exchange(script, denials=denials) as running, running.stream(BOOKS) as stream:
            with pytest.raises(StreamRefused):
                await until(stream, Connected, n=2)

    play(story())


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_trouble_on_the_other_side_is_waited_for(status: int) -> None:
    async def story() -> int:
        denials = [Denial(status), Denial(status)]
        async with exchange(quiet, denials=denials) as running, running.stream(BOOKS) as stream:
            return of(Connected, await until(stream, Message))[0].n_tries

    assert play(story()) == 3


def test_nobody_there_is_told_after_the_last_try() -> None:
    async def story() -> None:
        async with exchange(quiet) as running:
            stream = running.stream(BOOKS, retry=patient(max_tries=3))
        with pytest.raises(StreamLost, match=r"after 3 tries.*ConnectionRefusedError"):
            await stream.start()

    play(story())


def test_compression_is_an_option() -> None:
    async def story() -> Exchange:
        async with exchange(quiet) as running, running.stream(BOOKS, is_compressed=True) as stream:
            await until(stream, Message)
            return running

    assert "permessage-deflate" in play(story()).handshakes[0].headers["Sec-WebSocket-Extensions"]


def test_a_message_beyond_64_mib_ends_the_connection() -> None:
    """The exchange sends none [KALSHI.md §10.1]; nothing of it is kept."""

    async def script(peer: Peer) -> None:
        await peer.subscribed()
        if peer.number == 1:
            await peer.socket.send(b"x" * (64 * 2**20 + 1))
        await peer.stay()

    async def story() -> Disconnected:
        async with exchange(script) as running, running.stream(BOOKS) as stream:
            return of(Disconnected, await until(stream, Disconnected))[0]

    assert "1009" in play(story()).cause


def test_no_log_line_holds_a_signature(caplog: pytest.LogCaptureFixture) -> None:
    """The library prints every header at DEBUG."""

    async def story() -> Exchange:
        async with exchange(quiet, denials=[Denial(503)]) as running, running.stream(BOOKS) as stream:
            await until(stream, Message)
            return running

    with caplog.at_level(logging.DEBUG):
        running = play(story())
    lines = [line.getMessage() for line in caplog.records if line.name.startswith("pipelines")]
    signature = running.handshakes[-1].headers["KALSHI-ACCESS-SIGNATURE"]
    assert lines
    assert not [line for line in lines if signature in line or KEY_ID in line]
