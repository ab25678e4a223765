"""What carries the bytes: never more or less than one request on the wire."""

import asyncio
import base64

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pipelines.client import Client, Settings
from tests.client.keys import KEY_ID, pem, public_pem
from tests.client.loopback import Reply, exchange, script
from tests.client.payloads import a_market

PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


def test_the_path_on_the_wire_is_the_path_that_was_signed() -> None:
    """Parentheses, which a URL library may or may not spell as %28, and a query that is not signed."""
    good = Reply(body={"market": a_market("KX-1")})

    async def story(settings: Settings) -> None:
        async with Client(settings) as client:
            await client.market("KXCITIES-24DEC05(CHI)(DEN)")
            await client.market("KX-1.5_A")

    private = pem("rsa")
    with exchange(script(good)) as running:
        settings = running.settings(key_id=KEY_ID, private_key=private)
        asyncio.run(story(settings))
        asked = running.asked
    key = load_pem_public_key(public_pem(private).encode())
    assert isinstance(key, rsa.RSAPublicKey)
    assert len(asked) == 2
    for one in asked:
        stamp, path = one.headers["kalshi-access-timestamp"], one.target.partition("?")[0]
        signature = base64.b64decode(one.headers["kalshi-access-signature"])
        key.verify(signature, f"{stamp}GET{path}".encode(), PSS, hashes.SHA256())


def test_a_kept_connection_that_the_exchange_closed_is_replaced() -> None:
    """The first answer ends its connection in the middle of a body; the next try opens another one."""
    body = {"market": a_market("KX-1")}

    async def story(settings: Settings) -> int:
        async with Client(settings) as client:
            for _ in range(3):
                await client.market("KX-1")
            return client.n_requests

    with exchange(script(Reply(body=body), Reply(body=body, fault="half_body"), Reply(body=body))) as running:
        assert asyncio.run(story(running.settings())) == len(running.asked) == 4
