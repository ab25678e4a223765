"""Scripts of misfortunes: what may stand in them, whom they strike, and that chance is reproducible."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sandbox.cli import app
from sandbox.errors import BadFaults
from sandbox.fault_kinds import KINDS, fault
from sandbox.fault_script import parse_faults, read_faults
from sandbox.faults import Faults, Misfortune

ROOT = Path(__file__).resolve().parents[2]
STORM = ROOT / "docs" / "examples" / "storm.toml"


class Watch:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def at_work(text: str, watch: Watch | None = None) -> Misfortune:
    """Return a script that has just begun."""
    return Misfortune(parse_faults(text, name="test"), watch or Watch())


def struck(misfortune: Misfortune, path: str = "/markets", query: str = "", method: str = "GET") -> str:
    """Ask once and return the kind that stands instead of the answer."""
    line = misfortune.request(method, path, query).instead
    return "" if line is None else line.fault.kind


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[[fault]]\nkind = "tuncate"', r"t\.toml, line 2: fault 1: .*mean 'truncate'.*too_many, error"),
        ('[[fault]]\nkind = "error"\n\n[[fault]]\nkind = "slow"\ndelay = 1', r"line 6: fault 2: .*'delay_s'"),
        ('[[fault]]\nkind = "error"\nstatus = 501', r"line 3: .*status = 501 must be one of 0, 500, 502"),
        ('[[fault]]\nkind = "error"\nchance = 1.5', r"line 3: .*chance = 1\.5 must be between 0 and 1"),
        ('[[fault]]\nkind = "error"\nchance = "5 %"', r"line 3: .*chance = '5 %' must be a number"),
        ('[[fault]]\nkind = "error"\ndone = 1', r"line 3: .*done = 1 must be true or false"),
        ('[[fault]]\nkind = "dribble"\npieces = true', r"pieces = True must be a whole number"),
        ('[[fault]]\nkind = "reset"\nwhen = "later"', r"must be one of 'before', 'after', 'during'"),
        ('[[fault]]\nkind = "skew"', r"line 1: fault 1: skew_s is missing: 'skew' needs it"),
        ('[[fault]]\nkind = "slow"\nfirst = 9\nlast = 3', r"line 3: .*first = 9 lies after last = 3"),
        ("[[fault]]\nchance = 1", r"line 1: fault 1 needs a kind"),
        ('[fault]\nkind = "slow"', r"\[\[fault\]\], with two brackets"),
        ("fault = [1]", r"line 1: fault 1 must be a table"),
        ("speed = 3\n", r"line 1: speed is not known here; known are seed, chance"),
        ("seed = 1.5\n", r"line 1: seed = 1\.5 must be a whole number"),
        ('tries = 0\n[[fault]]\nkind = "slow"', r"line 1: fault 1: tries = 0 must be between 1"),
        ("[[fault]\n", r"t\.toml: .*line 1"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BadFaults, match=message):
        parse_faults(text, name="t.toml")


def test_a_script_that_cannot_be_read_is_bad_input(tmp_path: Path) -> None:
    """Missing, a folder, not text: exit code 2 and the path in the message, before anything is served."""
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none.toml", tmp_path, tmp_path / "binary.toml"):
        with pytest.raises(BadFaults, match=str(path)) as caught:
            CliRunner().invoke(app, ["serve", "--faults", str(path)], catch_exceptions=False)
        assert caught.value.exit_code == 2


def test_faults_of_a_program_are_checked_the_same_way() -> None:
    with pytest.raises(BadFaults, match="delay is no key of 'slow'"):
        fault("slow", delay=3)
    with pytest.raises(BadFaults, match="is no fault"):
        Faults(({"kind": "slow"},))  # type: ignore[arg-type]


def test_an_empty_script_is_calm() -> None:
    misfortune = at_work("")
    assert not misfortune
    assert struck(misfortune) == ""
    assert misfortune.frame("trade", "1") is None


def test_the_storm_of_the_documentation_has_five_percent_of_every_kind() -> None:
    """`docs/examples/storm.toml`; what is not drawn per request (a budget, a clock) is not in it."""
    storm = read_faults(STORM)
    left_out = {"budget", "skew"}
    assert {line.kind for line in storm.lines} == set(KINDS) - left_out
    assert {line.number("chance") for line in storm.lines} == {0.05}


def test_a_script_strikes_as_often_as_it_says() -> None:
    """Three kinds at 5 % exclude each other and keep their whole share: 500 of 10,000, within 4 sigma."""
    misfortune = at_work(
        "seed = 3\nchance = 0.05\n"
        '[[fault]]\nkind = "error"\n[[fault]]\nkind = "html"\n[[fault]]\nkind = "hang"'
    )
    met = [struck(misfortune, query=f"cursor={n}") for n in range(10_000)]
    for kind in ("error", "html", "hang"):
        assert abs(met.count(kind) - 500) < 4 * (10_000 * 0.05 * 0.95) ** 0.5


@settings(max_examples=50)
@given(seed=st.integers(), order=st.randoms(use_true_random=False))
def test_the_order_of_requests_decides_nothing(seed: int, order: random.Random) -> None:
    """The same requests, shuffled, meet the same fates, request by request."""
    text = f'seed = {seed}\nchance = 0.3\n[[fault]]\nkind = "error"\n[[fault]]\nkind = "slow"'
    wanted = [f"cursor={n}" for n in range(30)]
    straight = at_work(text)
    fates = {query: _told(straight, query) for query in wanted}
    order.shuffle(wanted)
    shuffled = at_work(text)
    assert {query: _told(shuffled, query) for query in wanted} == fates


def _told(misfortune: Misfortune, query: str) -> tuple[str, int]:
    fate = misfortune.request("GET", "/markets", query)
    return ("" if fate.instead is None else fate.instead.fault.kind), len(fate.others)


def test_a_seed_decides() -> None:
    text = '[[fault]]\nkind = "error"\nchance = 0.5'
    one, same, other = (at_work(f"seed = {seed}\n{text}") for seed in (1, 1, 2))
    first = [struck(one) for _ in range(64)]
    assert [struck(same) for _ in range(64)] == first
    assert [struck(other) for _ in range(64)] != first


def test_routes_are_patterns_and_methods_are_words() -> None:
    """`*` is any text, `{ticker}` one part of a path."""
    misfortune = at_work('[[fault]]\nkind = "error"\nroute = "/markets/{ticker}"\nmethod = "get"')
    assert struck(misfortune, "/markets/KXA-1") == "error"
    assert struck(misfortune, "/markets/KXA-1/orderbook") == ""
    assert struck(misfortune, "/markets/") == ""
    assert struck(misfortune, "/markets/KXA-1", method="POST") == ""
    anywhere = at_work('[[fault]]\nkind = "error"\nroute = "/markets/*"')
    assert struck(anywhere, "/markets/KXA-1/orderbook") == "error"
    assert struck(anywhere, "/events") == ""


def test_first_last_and_limit_count_the_requests_of_the_route() -> None:
    misfortune = at_work('[[fault]]\nkind = "error"\nfirst = 2\nlast = 4\nlimit = 2\nroute = "/events"')
    struck(misfortune, "/markets")
    assert [struck(misfortune, "/events") for _ in range(5)] == ["", "error", "error", "", ""]


def test_tries_spare_a_request_that_was_made_often_enough() -> None:
    """With tries = 2 the third try of one page goes through, while another page has its own two."""
    misfortune = at_work('tries = 2\n[[fault]]\nkind = "error"')
    assert [struck(misfortune, query="cursor=a") for _ in range(3)] == ["error", "error", ""]
    assert struck(misfortune, query="cursor=b") == "error"


def test_a_window_opens_and_closes_by_the_clock() -> None:
    """Half-open, in seconds since the script began."""
    watch = Watch()
    misfortune = at_work('[[fault]]\nkind = "error"\nafter_s = 5\nbefore_s = 7', watch)
    seen = []
    for now_s in (100, 104.9, 105, 106.9, 107):
        watch.now_s = now_s
        seen.append(struck(misfortune))
    assert seen == ["", "", "error", "error", ""]


def test_a_storm_of_429_goes_on_for_a_burst() -> None:
    """The first strike brings the next two requests down with it; then the draw decides again."""
    misfortune = at_work('[[fault]]\nkind = "too_many"\nburst = 3\ntries = 1')
    assert [struck(misfortune) for _ in range(4)] == ["too_many"] * 3 + [""]


def test_a_storm_of_429_goes_on_for_seconds() -> None:
    watch = Watch()
    misfortune = at_work('[[fault]]\nkind = "too_many"\nburst_s = 2.0\ntries = 1', watch)
    seen = []
    for now_s in (100, 101, 101.9, 102):
        watch.now_s = now_s
        seen.append(struck(misfortune))
    assert seen == ["too_many"] * 3 + [""]


def test_a_shrunken_budget_stays_until_its_window_ends() -> None:
    """Once begun it is in force for every request, not drawn again."""
    watch = Watch()
    misfortune = at_work('[[fault]]\nkind = "budget"\nchance = 1\nfirst = 2\nbefore_s = 9', watch)
    assert misfortune.request("GET", "/markets", "").of("budget") is None
    assert all(misfortune.request("GET", "/markets", "").of("budget") for _ in range(3))
    watch.now_s = 109.0
    assert misfortune.request("GET", "/markets", "").of("budget") is None


def test_frames_have_draws_of_their_own() -> None:
    """The route of a frame's fault is a channel; the n-th frame of a stream always meets the same fate."""
    text = 'seed = 5\n[[fault]]\nkind = "ws_hole"\nroute = "orderbook_delta"\nchance = 0.2'
    one, same = at_work(text), at_work(text)
    met = [one.frame("orderbook_delta", "1/1") is not None for _ in range(500)]
    interleaved = []
    for _ in range(500):
        same.frame("orderbook_delta", "2/1")
        interleaved.append(same.frame("orderbook_delta", "1/1") is not None)
    assert interleaved == met
    assert 60 < sum(met) < 140
    assert one.injected["ws_hole"] == sum(met)
    assert one.frame("trade", "1/1") is None
    assert struck(one) == ""
