"""Signatures: ours verify elsewhere, others' verify here, and each attempt is signed anew."""

import asyncio
import base64
import json
import pickle
import shutil
import subprocess
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import SecretStr

from pipelines.client import Client, Settings, Unauthorized
from pipelines.client.signing import ExchangeClock, KalshiAuth, Signer, load_key
from tests.client.keys import KEY_ID, pem, public_pem
from tests.client.loopback import Asked, Reply, exchange, patient

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")

PATH = "/trade-api/v2/portfolio/balance"
TEXT = f"1700000000123GET{PATH}"

NODE_VERIFIES = """
const crypto = require('crypto'), fs = require('fs');
const {pem, text, signature, kind} = JSON.parse(fs.readFileSync(0));
const key = crypto.createPublicKey(pem), bytes = Buffer.from(signature, 'base64');
const c = crypto.constants;
const options = {key, padding: c.RSA_PKCS1_PSS_PADDING, saltLength: c.RSA_PSS_SALTLEN_DIGEST};
const isGood = kind === 'rsa' ? crypto.verify('sha256', Buffer.from(text), options, bytes)
                              : crypto.verify(null, Buffer.from(text), key, bytes);
process.stdout.write(String(isGood));
"""

NODE_SIGNS = """
const crypto = require('crypto'), fs = require('fs');
const {pem, text, kind} = JSON.parse(fs.readFileSync(0));
const key = crypto.createPrivateKey(pem);
const c = crypto.constants;
const options = {key, padding: c.RSA_PKCS1_PSS_PADDING, saltLength: c.RSA_PSS_SALTLEN_DIGEST};
const made = kind === 'rsa' ? crypto.sign('sha256', Buffer.from(text), options)
                            : crypto.sign(null, Buffer.from(text), key);
process.stdout.write(made.toString('base64'));
"""


def signer(kind: str) -> Signer:
    return load_key(SecretStr(pem(kind)), key_id=KEY_ID)


def node(program: str, **question: str) -> str:
    """Return what a Node program prints when it reads `question` as JSON."""
    done = subprocess.run(
        ["node", "-e", program], input=json.dumps(question), capture_output=True, text=True, check=True
    )
    return done.stdout


def verify(kind: str, signature: str, text: str) -> None:
    """Check a signature with the public half of our key.

    Raises:
        InvalidSignature: it is not good.
    """
    public: Any = load_pem_public_key(public_pem(pem(kind)).encode())
    given = base64.b64decode(signature)
    if isinstance(public, RSAPublicKey):
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        public.verify(given, text.encode(), pss, hashes.SHA256())
    else:
        public.verify(given, text.encode())


@needs_node
@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_our_signature_verifies_in_another_implementation(kind: str) -> None:
    """RSA-PSS with SHA-256 and a salt as long as the digest; Ed25519 over the text itself."""
    made = signer(kind).headers("get", f"{PATH}?limit=5", timestamp_ms=1_700_000_000_123)
    signature = made["KALSHI-ACCESS-SIGNATURE"]
    about = {"pem": public_pem(pem(kind)), "signature": signature, "kind": kind}
    assert node(NODE_VERIFIES, text=TEXT, **about) == "true"
    assert node(NODE_VERIFIES, text=TEXT + "?limit=5", **about) == "false"


@needs_node
@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_signature_of_another_implementation_verifies_here(kind: str) -> None:
    made = node(NODE_SIGNS, pem=pem(kind), text=TEXT, kind=kind)
    verify(kind, made, TEXT)
    with pytest.raises(InvalidSignature):
        verify(kind, made, TEXT.replace("GET", "PUT"))


def test_the_headers_are_the_three_that_kalshi_documents() -> None:
    made = signer("ed25519").headers("GET", PATH, timestamp_ms=1_700_000_000_123)
    assert made["KALSHI-ACCESS-KEY"] == KEY_ID
    assert made["KALSHI-ACCESS-TIMESTAMP"] == "1700000000123"
    verify("ed25519", made["KALSHI-ACCESS-SIGNATURE"], TEXT)
    assert len(made) == 3


def test_the_websocket_handshake_is_signed_the_same_way() -> None:
    """KALSHI.md §2: timestamp + "GET" + "/trade-api/ws/v2"."""
    made = signer("rsa").headers("GET", "/trade-api/ws/v2", timestamp_ms=5)
    verify("rsa", made["KALSHI-ACCESS-SIGNATURE"], "5GET/trade-api/ws/v2")


def test_a_signer_is_not_pickled_into_another_process() -> None:
    with pytest.raises(TypeError, match="holds a private key and is not pickled"):
        pickle.dumps(signer("ed25519"))


def test_the_path_is_signed_as_it_stands_on_the_wire() -> None:
    """Real tickers hold parentheses; they travel unescaped, and so they are signed."""
    auth = KalshiAuth(signer("ed25519"), ExchangeClock(lambda: 7))
    request = httpx.Request("GET", "https://host/trade-api/v2/events/KX-24DEC05(CHI)(DEN)?a=1")
    signed = next(auth.auth_flow(request))
    verify(
        "ed25519",
        signed.headers["KALSHI-ACCESS-SIGNATURE"],
        "7GET/trade-api/v2/events/KX-24DEC05(CHI)(DEN)",
    )


def checks_signatures(asked: Asked) -> Reply:
    """Answer like an exchange whose clock runs an hour ahead and that tolerates five seconds."""
    headers, ahead_s = asked.headers, 3_600
    if "kalshi-access-signature" not in headers:
        return Reply(status=401, body={"code": "unauthorized", "message": "no key"}, clock_ahead_s=ahead_s)
    stamp = headers["kalshi-access-timestamp"]
    text = f"{stamp}{asked.method}{asked.target.partition('?')[0]}"
    verify("ed25519", headers["kalshi-access-signature"], text)
    now_ms = ExchangeClock().now_ms() + ahead_s * 1_000
    if abs(int(stamp) - now_ms) > 5_000:
        return Reply(status=401, body={"code": "unauthorized", "message": "stale"}, clock_ahead_s=ahead_s)
    bucket = {"refill_rate": 200, "bucket_capacity": 600}
    return Reply(
        body={"usage_tier": "basic", "read": bucket, "write": bucket, "grants": []}, clock_ahead_s=ahead_s
    )


def test_a_wrong_clock_is_corrected_once_from_the_date_of_the_401() -> None:
    async def ask(settings: Settings) -> tuple[str, int]:
        async with Client(settings, retry=patient()) as client:
            limits = await client.account_limits()
            await client.account_limits()
            return limits.usage_tier, client.clock_skew_ms or 0

    with exchange(checks_signatures) as running:
        tier, skew_ms = asyncio.run(ask(running.settings(key_id=KEY_ID, private_key=pem("ed25519"))))
        assert tier == "basic"
        assert abs(skew_ms - 3_600_000) < 2_000
        assert len(running.asked) == 3, "one 401, one corrected try, and then the clock stays right"


@pytest.mark.parametrize(("headers", "n_sent"), [({}, 2), ({"Date": ""}, 1)])
def test_a_401_that_stays_is_an_error_after_one_more_try(headers: dict[str, str], n_sent: int) -> None:
    """Without a Date there is nothing to correct, hence no second try."""

    async def ask(settings: Settings) -> None:
        async with Client(settings, retry=patient()) as client:
            await client.exchange_schedule()

    with exchange(lambda _asked: Reply(status=401, body={"code": "bad_key"}, headers=headers)) as running:
        with pytest.raises(Unauthorized, match="check KALSHI_KEY_ID") as caught:
            asyncio.run(ask(running.settings(key_id=KEY_ID, private_key=pem("rsa"))))
        assert (len(running.asked), caught.value.status, caught.value.code) == (n_sent, 401, "bad_key")


def test_a_401_without_a_key_says_that_a_key_is_needed() -> None:
    async def ask(settings: Settings) -> None:
        async with Client(settings, retry=patient()) as client:
            await client.exchange_schedule()

    with exchange(checks_signatures) as running:
        with pytest.raises(Unauthorized, match="this needs a key: set KALSHI_KEY_ID"):
            asyncio.run(ask(running.settings()))
        assert len(running.asked) == 1


def test_every_try_carries_a_fresh_time_and_signature() -> None:
    clock = iter(range(1_000, 9_000, 1_000))

    async def ask(settings: Settings) -> None:
        async with Client(settings, retry=patient(), clock=ExchangeClock(lambda: next(clock))) as client:
            await client.order_book("KX-1")

    def answer(asked: Asked) -> Reply:
        stamp = asked.headers["kalshi-access-timestamp"]
        verify("rsa", asked.headers["kalshi-access-signature"], f"{stamp}GET{asked.target.partition('?')[0]}")
        good = Reply(body={"orderbook_fp": {}}, headers={"Date": ""})
        stamps.append(stamp)
        return good if len(stamps) == 3 else Reply(status=503, headers={"Date": ""})

    stamps: list[str] = []
    with exchange(answer) as running:
        asyncio.run(ask(running.settings(key_id=KEY_ID, private_key=pem("rsa"))))
    assert stamps == ["1000", "2000", "3000"]


def test_public_requests_go_unsigned_without_a_key() -> None:
    async def ask(settings: Settings) -> None:
        async with Client(settings) as client:
            await client.order_book("KX-1")

    with exchange(lambda _asked: Reply(body={"orderbook_fp": {}})) as running:
        asyncio.run(ask(running.settings()))
    assert not [name for name in running.asked[0].headers if name.startswith("kalshi-")]
    assert running.asked[0].headers["accept-language"] == "en"


def a_clock(*, behind_ms: int) -> tuple[ExchangeClock, list[int]]:
    """Return a clock that is wrong, and the true time in milliseconds, which a test may move."""
    true_ms = [1_700_000_000_000]
    return ExchangeClock(lambda: true_ms[0] - behind_ms), true_ms


def answers(clock: ExchangeClock, true_ms: list[int], *, n: int, step_ms: int = 370) -> set[int]:
    """Let `n` answers come in, each with a Date of whole seconds; return the corrections seen."""
    seen = set()
    for _ in range(n):
        true_ms[0] += step_ms
        clock.observe(true_ms[0] // 1_000)
        seen.add(clock.offset_ms)
    return seen


@pytest.mark.parametrize("behind_ms", [3_000, -3_000, 90_000, -90_000])
def test_a_clock_that_is_wrong_by_seconds_is_corrected_before_anything_is_refused(behind_ms: int) -> None:
    """A Date is good to half a second, and so is the correction."""
    clock, true_ms = a_clock(behind_ms=behind_ms)
    answers(clock, true_ms, n=4)
    assert clock.offset_ms == 0, "four answers prove nothing yet"
    answers(clock, true_ms, n=20)
    assert abs(clock.now_ms() - true_ms[0]) <= 500
    assert abs((clock.seen_skew_ms or 0) - behind_ms) <= 500


@pytest.mark.parametrize("behind_ms", [0, 300, -300, 490, -490])
def test_jitter_within_a_date_headers_resolution_corrects_nothing(behind_ms: int) -> None:
    clock, true_ms = a_clock(behind_ms=behind_ms)
    assert answers(clock, true_ms, n=200) == {0}


def test_one_odd_header_is_not_believed() -> None:
    clock, true_ms = a_clock(behind_ms=0)
    answers(clock, true_ms, n=9)
    clock.observe(true_ms[0] // 1_000 + 3_600)
    assert clock.offset_ms == 0


def test_a_correction_ends_when_the_clock_is_set_right() -> None:
    behind_ms = [5_000]
    true_ms = [1_700_000_000_000]
    clock = ExchangeClock(lambda: true_ms[0] - behind_ms[0])
    answers(clock, true_ms, n=10)
    assert clock.offset_ms >= 4_500
    behind_ms[0] = 0
    answers(clock, true_ms, n=10)
    assert clock.offset_ms == 0


def test_a_skew_around_a_second_does_not_switch_back_and_forth() -> None:
    """Once corrected it stays so until the clock is within half a second again."""
    clock, true_ms = a_clock(behind_ms=1_000)
    answers(clock, true_ms, n=100)
    assert len(answers(clock, true_ms, n=500)) == 1


def test_a_401_is_believed_at_once_and_forgets_older_answers() -> None:
    behind_ms = [0]
    true_ms = [1_700_000_000_000]
    clock = ExchangeClock(lambda: true_ms[0] - behind_ms[0])
    answers(clock, true_ms, n=9)
    behind_ms[0] = 60_000
    clock.correct(true_ms[0] // 1_000)
    assert abs(clock.offset_ms - 60_000) <= 500
    answers(clock, true_ms, n=3)
    assert abs(clock.offset_ms - 60_000) <= 500


def test_before_any_answer_nothing_is_known_of_the_skew() -> None:
    assert ExchangeClock().seen_skew_ms is None
