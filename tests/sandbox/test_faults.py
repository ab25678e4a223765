"""Misfortunes over a real socket: what a client sees of each, and what the exchange had done by then."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Thread

import httpx
import pytest

from sandbox.fault_kinds import fault
from sandbox.faults import Faults
from sandbox.serve import Running, running
from sandbox.world import World
from tests.sandbox.customers import V2, an_order
from tests.sandbox.places import Json, a_standing_world, a_world, every_page, fill_no_more
from tests.sandbox.test_gate import KEYS, signed

TRADES = "/markets/trades"


@contextmanager
def a_bad_day(*faults: Json, seed: int = 1, tier: str = "prestige") -> Iterator[tuple[httpx.Client, Running]]:
    """Serve the small world with a script, to a client of its own."""
    script = Faults(tuple(fault(**each) for each in faults), seed)
    with (
        running(a_world(), tier=tier, keys=KEYS, faults=script) as server,
        httpx.Client(base_url=server.base_url, timeout=20) as client,
    ):
        yield client, server


@pytest.fixture(scope="module")
def calm() -> Iterator[httpx.Client]:
    """The same world on a good day."""
    with a_bad_day() as (client, _):
        yield client


def test_without_a_script_nothing_happens(calm: httpx.Client) -> None:
    """One Date header, in the exchange's own words and about now."""
    answer = calm.get("/exchange/status")
    assert answer.status_code == 200
    assert len(answer.headers.get_list("date")) == 1
    assert abs(parsedate_to_datetime(answer.headers["date"]) - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_error_looks_like_the_documented_one(status: int) -> None:
    with a_bad_day({"kind": "error", "status": status}) as (client, server):
        answer = client.get("/exchange/status")
        assert (answer.status_code, answer.json()["code"]) == (status, "internal_error")
        assert server.meter.requests == 0, "it never reached the exchange and cost nothing"
        assert server.faults.injected == {"error": 1}


def test_an_error_without_a_status_draws_one_of_four() -> None:
    with a_bad_day({"kind": "error", "body": "none"}) as (client, _):
        answers = [client.get("/exchange/status") for _ in range(40)]
        assert {each.status_code for each in answers} == {500, 502, 503, 504}
        assert {each.content for each in answers} == {b""}


def test_an_answer_can_be_lost_after_the_work_was_done() -> None:
    """With `done` the request is metered and paid for, and all the caller sees is a 504."""
    with a_bad_day({"kind": "error", "status": 504, "done": True}) as (client, server):
        assert client.get("/exchange/status").status_code == 504
        assert (server.meter.requests, server.meter.tokens_spent) == (1, 10)


@pytest.mark.parametrize(
    "made",
    [
        {"kind": "error", "status": 504, "done": True},
        {"kind": "reset", "when": "after"},
        {"kind": "reset", "when": "during"},
        {"kind": "truncate", "length": "right"},
        {"kind": "truncate", "length": "wrong"},
    ],
    ids=lambda made: "-".join(str(each) for each in made.values()),
)
def test_an_order_may_be_placed_though_its_sender_cannot_tell(made: Json) -> None:
    """Whatever the sender saw, the order rests; before the fault nothing did."""
    script = Faults((fault(**made, method="POST", route="/portfolio/events/orders"),))
    world = a_standing_world(days=6, activity=0.02)
    with (
        running(world, tier="prestige", keys=KEYS, faults=script) as server,
        httpx.Client(base_url=server.base_url) as client,
    ):
        with suppress(httpx.TransportError):
            headers = signed(method="POST", path=f"/trade-api/v2{V2}")
            answer = client.post(V2, json=an_order("0.0500"), headers=headers)
            assert answer.status_code == 504 or b"}" not in answer.content
        assert server.faults.injected == {made["kind"]: 1}
        told = client.get("/portfolio/orders", headers=signed(path="/trade-api/v2/portfolio/orders"))
        assert [each["status"] for each in told.json()["orders"]] == ["resting"]


def test_an_answer_without_a_body_can_be_slow_too() -> None:
    """A cancel-all says 204 and nothing else; a fault of pages does not apply to it."""
    world = a_standing_world(days=6, activity=0.02)
    script = Faults((fault("slow", delay_s=0.0), fault("truncate")))
    with running(world, keys=KEYS, faults=script) as server:
        headers = signed(method="DELETE", path=f"/trade-api/v2{V2}")
        answer = httpx.delete(f"{server.base_url}{V2}", headers=headers)
        assert (answer.status_code, answer.content) == (204, b"")
        assert "content-length" not in answer.headers
        assert server.faults.injected == {"slow": 1}


def test_a_storm_answers_like_an_empty_bucket() -> None:
    with a_bad_day({"kind": "too_many", "last": 2}) as (client, server):
        answers = [client.get("/exchange/status") for _ in range(3)]
        assert [each.status_code for each in answers] == [429, 429, 200]
        assert answers[0].json() == {"error": "too many requests"}
        assert "retry-after" not in answers[0].headers
        assert server.meter.refused == 0, "the buckets were never asked"


def test_a_proxy_may_answer_in_html() -> None:
    with a_bad_day({"kind": "html", "status": 200}) as (client, _):
        answer = client.get("/exchange/status")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.text.startswith("<html>")


@pytest.mark.parametrize(("when", "n_seen"), [("before", 0), ("after", 1), ("during", 1)])
def test_a_connection_is_reset(when: str, n_seen: int) -> None:
    """Before the exchange heard of it, after it did the work, or with half of the body on the wire."""
    with a_bad_day({"kind": "reset", "when": when, "limit": 1}) as (client, server):
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            client.get(TRADES, params={"limit": 1_000})
        assert server.meter.requests == n_seen
        assert client.get(TRADES).status_code == 200, "the next connection is a good one"


def test_a_request_may_never_be_answered() -> None:
    """The connection closes after for_s seconds, without a byte."""
    with (
        a_bad_day({"kind": "hang", "for_s": 0.1}) as (client, server),
        pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)),
    ):
        client.get("/exchange/status")
    assert server.faults.injected == {"hang": 1}


def test_a_client_that_gives_up_ends_the_hanging() -> None:
    """Otherwise closing the server, which waits for what is being answered, would take minutes."""
    with (
        a_bad_day({"kind": "hang", "for_s": 3_600}) as (client, _),
        pytest.raises(httpx.ReadTimeout),
    ):
        client.get("/exchange/status", timeout=0.1)


@pytest.mark.slow
def test_a_server_that_ends_leaves_nobody_hanging(capfd: pytest.CaptureFixture[str]) -> None:
    """Stopping waits two seconds for answers, then drops the connection, and shows no stack trace."""
    seen: list[Exception] = []

    def ask(url: str) -> None:
        try:
            httpx.get(url, timeout=60)
        except httpx.TransportError as error:
            seen.append(error)

    with a_bad_day({"kind": "hang", "for_s": 3_600}) as (_, server):
        waiting = Thread(target=ask, args=(f"{server.base_url}/exchange/status",))
        waiting.start()
        while not server.faults.injected:
            time.sleep(0.01)
    waiting.join(timeout=30)
    assert [type(each) for each in seen] == [httpx.ReadError]
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "made", [{"kind": "slow", "delay_s": 0.05}, {"kind": "dribble", "pieces": 7, "pause_s": 0.01}]
)
def test_slow_answers_are_whole(made: Json, calm: httpx.Client) -> None:
    with a_bad_day(made) as (client, server):
        answer = client.get(TRADES, params={"limit": 200})
        assert answer.content == calm.get(TRADES, params={"limit": 200}).content
        assert server.faults.injected == {made["kind"]: 1}


def test_half_an_answer_under_a_right_length_is_no_json(calm: httpx.Client) -> None:
    with a_bad_day({"kind": "truncate", "length": "right"}) as (client, _):
        whole = calm.get(TRADES).content
        assert client.get(TRADES).content == whole[: len(whole) // 2]


def test_half_an_answer_under_a_wrong_length_breaks_off() -> None:
    with (
        a_bad_day({"kind": "truncate"}) as (client, _),
        pytest.raises(httpx.RemoteProtocolError, match="without sending complete"),
    ):
        client.get(TRADES)


def test_json_may_come_under_another_name(calm: httpx.Client) -> None:
    with a_bad_day({"kind": "content_type", "value": "application/octet-stream"}) as (client, _):
        answer = client.get(TRADES)
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.json() == calm.get(TRADES).json()


def test_a_cursor_may_come_back() -> None:
    """The first page has none to repeat and is not counted."""
    with a_bad_day({"kind": "repeat_cursor"}) as (client, server):
        first = client.get(TRADES, params={"limit": 10}).json()["cursor"]
        assert server.faults.injected == {}
        assert client.get(TRADES, params={"limit": 10, "cursor": first}).json()["cursor"] == first
        assert server.faults.injected == {"repeat_cursor": 1}


def test_rows_may_come_twice(calm: httpx.Client) -> None:
    """A page begins with the last two rows of the page before it; nothing is lost."""
    asked: dict[str, str | int] = {"limit": 10}
    with a_bad_day({"kind": "duplicate_rows", "rows": 2}) as (client, _):
        one = client.get(TRADES, params=asked).json()
        two = client.get(TRADES, params=asked | {"cursor": one["cursor"]}).json()
        calm_two = calm.get(TRADES, params=asked | {"cursor": one["cursor"]}).json()
        assert two["trades"] == one["trades"][-2:] + calm_two["trades"]
        assert two["cursor"] == calm_two["cursor"]


def test_every_row_may_gain_a_field(calm: httpx.Client) -> None:
    with a_bad_day({"kind": "new_field", "field": "mood"}) as (client, _):
        rows = client.get(TRADES).json()["trades"]
        assert all("mood" in row for row in rows)
        assert [{k: v for k, v in row.items() if k != "mood"} for row in rows] == calm.get(TRADES).json()[
            "trades"
        ]
        alone = client.get("/exchange/user_data_timestamp").json()
        assert "mood" in alone, "an answer without rows is a row itself"


def test_one_label_may_be_a_new_word(calm: httpx.Client) -> None:
    """Of all the labels on a page one is drawn; a page without labels is left alone and not counted."""
    with a_bad_day({"kind": "new_enum", "value": "teleported"}) as (client, server):
        changed, before = client.get("/markets").text, calm.get("/markets").text
        assert changed.count('"teleported"') == 1
        assert len(json.loads(changed)["markets"]) == len(json.loads(before)["markets"])
        assert client.get(TRADES).json() == calm.get(TRADES).json()
        assert server.faults.injected == {"new_enum": 1}
    with a_bad_day({"kind": "new_enum", "field": "taker_side"}) as (client, _):
        assert client.get(TRADES).text.count('"taker_side":"sandbox_novelty"') == 1


def test_trades_may_be_late(calm: httpx.Client) -> None:
    """While the fault lasts, two requests, the same trades are missing; then they are where they belong."""
    whole = every_page(calm, TRADES, "trades", limit=1_000, ticker=_busiest(calm))
    with a_bad_day({"kind": "late_trades", "chance": 0.3, "last": 2}) as (client, server):
        asked: dict[str, str | int] = {"limit": 1_000, "ticker": _busiest(calm)}
        early, again, later = (client.get(TRADES, params=asked).json()["trades"] for _ in range(3))
        assert early == again
        assert 0 < len(early) < len(later)
        assert later == whole[:1_000]
        assert [row for row in later if row in early] == early
        assert server.faults.injected == {"late_trades": 2}


def test_only_young_trades_are_late(calm: httpx.Client) -> None:
    """With chance 1 and late_s an hour, the tape ends an hour before the exchange's clock."""
    now_ts = a_world().now_ts
    with a_bad_day({"kind": "late_trades", "late_s": 3_600}) as (client, _):
        rows = client.get(TRADES, params={"limit": 1_000}).json()["trades"]
        everything = calm.get(TRADES, params={"limit": 1_000}).json()["trades"]
        hour_ago = now_ts - timedelta(hours=1)
        assert rows == [
            each for each in everything if datetime.fromisoformat(each["created_time"]) <= hour_ago
        ]
        assert len(rows) < len(everything)


def _busiest(client: httpx.Client) -> str:
    trades = client.get(TRADES, params={"limit": 1_000}).json()["trades"]
    tickers: list[str] = [each["ticker"] for each in trades]
    return max(sorted(set(tickers)), key=tickers.count)


def test_refusals_are_left_as_they_are() -> None:
    """Faults of pages do not touch a 400, and are not counted; being slow is still possible."""
    made = [{"kind": kind} for kind in ("truncate", "new_field", "content_type")]
    with a_bad_day(*made, {"kind": "slow", "delay_s": 0.0}) as (client, server):
        answer = client.get("/markets", params={"limit": 5_000})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")
        assert server.faults.injected == {"slow": 1}


def test_a_skewed_clock_shows_in_the_date_and_refuses_honest_signatures() -> None:
    """An hour ahead: what was signed now is 401; what was signed for the exchange's clock is 200."""
    path = "/trade-api/v2/exchange/status"
    with a_bad_day({"kind": "skew", "skew_s": 3_600}) as (client, server):
        answer = client.get("/exchange/status")
        ahead = parsedate_to_datetime(answer.headers["date"]) - datetime.now(UTC)
        assert timedelta(minutes=59) < ahead < timedelta(minutes=61)
        assert client.get("/exchange/status", headers=signed(path=path)).status_code == 401
        corrected = signed(path=path, late_ms=-3_600_000)
        assert client.get("/exchange/status", headers=corrected).status_code == 200
        assert server.faults.injected == {"skew": 3}


def test_budgets_may_shrink_without_a_word() -> None:
    """Basic holds 600 tokens: 30 requests instead of 60 pass in one go, and /account/limits says nothing."""
    with a_bad_day({"kind": "budget", "scale": 0.5}, tier="basic") as (client, server):
        fill_no_more(server)
        answers = [client.get("/exchange/status").status_code for _ in range(31)]
        assert answers == [200] * 30 + [429]
        assert server.faults.injected == {"budget": 1}
        headers = signed(path="/trade-api/v2/account/limits")
        limits = client.get("/account/limits", headers=headers).json()
        assert limits["read"] == {"refill_rate": 200, "bucket_capacity": 600}


def test_the_cutoff_may_move_between_two_pages() -> None:
    """The source moves it, by so many hours, on the second request and no more."""

    class Moving(World):
        moved: timedelta = timedelta(0)

        def move_cutoff(self, by: timedelta) -> None:
            self.moved += by

    world = Moving(7, days=6, activity=0.02)
    script = Faults((fault("move_cutoff", hours=24, first=2, last=2),))
    with running(world, faults=script) as server, httpx.Client(base_url=server.base_url) as client:
        for hours in (0, 24, 24):
            assert client.get("/historical/cutoff").status_code == 200
            assert world.moved == timedelta(hours=hours)
        assert server.faults.injected == {"move_cutoff": 1}


def test_faults_add_up_on_one_answer() -> None:
    """A page can be slow, grow a field and go by another name at once."""
    with a_bad_day({"kind": "slow", "delay_s": 0.01}, {"kind": "new_field"}, {"kind": "content_type"}) as (
        client,
        server,
    ):
        answer = client.get(TRADES)
        assert answer.headers["content-type"] == "text/plain"
        assert "sandbox_novelty" in answer.json()["trades"][0]
        assert server.faults.injected == {"slow": 1, "new_field": 1, "content_type": 1}
