"""One bucket in a file: what processes that share it feel of each other, and of each other's deaths."""

import asyncio
import logging
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.client.buckets import SharedKeeper, TokenBucket, budget_folder, shared
from pipelines.client.budget import Budget
from pipelines.client.errors import SettingsError
from pipelines.client.tiers import TIERS, Limits
from tests.client.virtual import SECOND_NS, VirtualLoop, spend

LIMITS = Limits(tokens_per_s=100, capacity_tokens=100)


@dataclass
class Shared:
    """A folder and a clock in it; every bucket made here is what another process would make."""

    folder: Path
    loop: VirtualLoop

    def bucket(self, limits: Limits = LIMITS) -> TokenBucket:
        keeper = SharedKeeper(self.folder, "a key", limits, self.loop.now_ns)
        return TokenBucket(limits, now_ns=self.loop.now_ns, keeper=keeper)

    def file(self) -> Path:
        (found,) = self.folder.iterdir()
        return found

    def passed_s(self, since_ns: int) -> float:
        return (self.loop.now_ns() - since_ns) / SECOND_NS


@pytest.fixture
def here(tmp_path: Path) -> Shared:
    return Shared(tmp_path / "budgets", VirtualLoop())


def test_what_one_process_takes_another_does_not_have(here: Shared) -> None:
    """100 tokens at once; 60 and 40 are gone, so 10 more come after 0.1 s."""

    async def story() -> float:
        one, other = here.bucket(), here.bucket()
        began_ns = here.loop.now_ns()
        await spend(one, 60)
        await spend(other, 40)
        await spend(one, 10)
        assert (one.usage().spent_tokens, one.usage().everyones_tokens) == (70, 110)
        return here.passed_s(began_ns)

    assert here.loop.play(story()) == 0.1


def test_processes_take_turns_however_many_callers_each_has(here: Shared) -> None:
    """Twenty callers in one process, one in another: after the burst that one waits for one turn at most."""

    async def story() -> list[str]:
        many, single = here.bucket(), here.bucket()
        served: list[str] = []

        async def call(name: str, bucket: TokenBucket) -> None:
            await spend(bucket, 50)
            served.append(name)

        crowd = [asyncio.ensure_future(call("many", many)) for _ in range(20)]
        await asyncio.sleep(0.1)
        await call("single", single)
        for one in crowd:
            one.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        return served

    assert here.loop.play(story()) == ["many", "many", "many", "single"]


def test_a_refusal_in_one_process_holds_up_who_waits_in_another(here: Shared) -> None:
    """Refused at 0.25 s, when half of its 50 tokens had come: 25 and half a second's 47.5 more, at 95/s."""

    async def story() -> float:
        one, other = here.bucket(), here.bucket()
        for _ in range(10):
            one.landed(await one.acquire(10), is_accepted=True)
        began_ns = here.loop.now_ns()
        waiting = asyncio.ensure_future(spend(other, 50))
        await asyncio.sleep(0.25)
        one.drain()
        await waiting
        return here.passed_s(began_ns)

    assert here.loop.play(story()) == pytest.approx(0.25 + 72.5 / 95, abs=1e-8)


def test_a_cancelled_waiter_gives_his_tokens_to_those_behind_him(here: Shared) -> None:
    """40 and 10 wait at 100/s and the first leaves: the third goes with the second, not at 0.9 s."""

    async def story() -> tuple[float, int]:
        one, other, third = here.bucket(), here.bucket(), here.bucket()
        await spend(one, 100)
        began_ns = here.loop.now_ns()
        first = asyncio.ensure_future(spend(one, 40))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(spend(other, 10))
        await asyncio.sleep(0.1)
        first.cancel()
        await second
        await spend(third, 40)
        return here.passed_s(began_ns), one.usage().spent_tokens

    # The first would have gone after 0.4 s, so the second goes after 0.5 still; the third takes the free 40.
    assert here.loop.play(story()) == (0.5, 100)


def test_an_exchanges_own_limits_beat_the_tier_of_whoever_comes_later(here: Shared) -> None:
    """They hold for an hour of silence; a tier beats a tier, as an operator who changes it expects."""
    basic, premier = Limits(tokens_per_s=200, capacity_tokens=600), TIERS["premier"].read

    async def story() -> list[int]:
        rates = [here.bucket(basic).limits.tokens_per_s, here.bucket(premier).limits.tokens_per_s]
        here.bucket(premier).adopt(Limits(tokens_per_s=300, capacity_tokens=900))
        rates.append(here.bucket(basic).limits.tokens_per_s)
        await asyncio.sleep(3_601)
        return [*rates, here.bucket(basic).limits.tokens_per_s]

    assert here.loop.play(story()) == [200, 1_200, 300, 200]


def test_a_process_that_is_killed_while_it_holds_the_lock_holds_up_nobody(tmp_path: Path) -> None:
    """The kernel lets go of it, and the state is that of before."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from pipelines.client.buckets import SharedKeeper\n"
        "from pipelines.client.tiers import Limits\n"
        "limits = Limits(tokens_per_s=1, capacity_tokens=100)\n"
        "keeper = SharedKeeper(Path(sys.argv[1]), 'a key', limits, time.monotonic_ns)\n"
        "with keeper.held() as ledger:\n"
        "    ledger.reserve(100, time.monotonic_ns())\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holder.send_signal(signal.SIGKILL)
    budget = TokenBucket(
        LIMITS,
        keeper=SharedKeeper(tmp_path, "a key", LIMITS, lambda: 0),
        now_ns=lambda: 0,
    )
    asyncio.run(spend(budget, 100))
    assert budget.usage().everyones_tokens == 100


def test_a_process_that_is_killed_while_it_waits_costs_its_own_reservation_only(here: Shared) -> None:
    """100 taken, 30 reserved by the dead: the next 10 come after 0.4 s, and the bucket fills up again."""

    async def story() -> tuple[float, float]:
        one = here.bucket()
        await spend(one, 100)
        began_ns = here.loop.now_ns()
        with SharedKeeper(here.folder, "a key", LIMITS, here.loop.now_ns).held() as ledger:
            ledger.reserve(30, began_ns)
        await spend(one, 10)
        after_s = here.passed_s(began_ns)
        await asyncio.sleep(12)
        began_ns = here.loop.now_ns()
        one.usage()  # the room of the dead is free from here on
        await asyncio.sleep(1)
        await spend(one, 100)
        return after_s, here.passed_s(began_ns)

    assert here.loop.play(story()) == (0.4, 1.0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record[:50],
        lambda record: record + b"x",
        lambda record: b"\0" * len(record),
        lambda record: record[:60] + bytes([record[60] ^ 1]) + record[61:],
    ],
    ids=["torn", "longer", "zeros", "one bit"],
)
def test_a_spoilt_record_is_not_believed_and_the_bucket_begins_empty(
    spoil: Callable[[bytes], bytes], here: Shared, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> float:
        here.bucket()
        here.file().write_bytes(spoil(here.file().read_bytes()))
        began_ns = here.loop.now_ns()
        await spend(here.bucket(), 10)
        return here.passed_s(began_ns)

    with caplog.at_level(logging.WARNING):
        assert here.loop.play(story()) == 0.1
    assert "beginning again with an empty bucket" in caplog.text


@pytest.mark.parametrize(
    ("lose", "found_tokens"),
    [(lambda file: file.write_bytes(b"spoilt"), 0), (lambda file: file.unlink(), 100)],
    ids=["spoilt", "deleted"],
)
def test_who_waits_while_the_file_is_lost_stands_in_line_anew(
    lose: Callable[[Path], object], found_tokens: int, here: Shared
) -> None:
    """A place 1,000,000 tokens on means nothing in a new line: empty at 0.1 s, 50 came until 0.6 s."""

    async def story() -> float:
        one, other = here.bucket(), here.bucket()
        with SharedKeeper(here.folder, "a key", LIMITS, here.loop.now_ns).held() as ledger:
            ledger.reserved_tokens += 1_000_000
        await spend(one, 100)
        began_ns = here.loop.now_ns()
        waiting = asyncio.ensure_future(spend(one, 50))
        await asyncio.sleep(0.1)
        lose(here.file())
        await spend(other, found_tokens)
        await waiting
        return here.passed_s(began_ns)

    assert here.loop.play(story()) == 0.6


def test_a_clock_that_begins_anew_leaves_an_empty_bucket_and_what_was_learned(tmp_path: Path) -> None:
    """The machine was started again: CLOCK_MONOTONIC is small, the moments in the file lie in its future."""
    before = Shared(tmp_path, VirtualLoop(start_s=90_000))

    async def use() -> None:
        bucket = before.bucket()
        await spend(bucket, 10)
        await asyncio.sleep(5)
        bucket.drain()

    before.loop.play(use())
    after = Shared(tmp_path, VirtualLoop(start_s=30))

    async def use_again() -> tuple[float, int]:
        bucket = after.bucket()
        began_ns = after.loop.now_ns()
        pace_per_s = bucket.usage().pace_tokens_per_s
        await spend(bucket, 5)
        return after.passed_s(began_ns), pace_per_s

    assert after.loop.play(use_again()) == (0.1, 50)


def test_a_file_that_is_deleted_is_made_anew_for_everybody(here: Shared) -> None:
    """Nobody knows what was in it, so it is full: 60 and 40 go at once, from one bucket."""

    async def story() -> tuple[int, float]:
        one, other = here.bucket(), here.bucket()
        await spend(one, 100)
        began_ns = here.loop.now_ns()
        here.file().unlink()
        here.folder.rmdir()
        await spend(other, 60)
        await spend(one, 40)
        return other.usage().everyones_tokens, here.passed_s(began_ns)

    assert here.loop.play(story()) == (100, 0.0)


def test_a_forked_child_does_not_share_its_parents_lock(tmp_path: Path) -> None:
    """A lock of the parent's keeps the child out, although both have the same file open.

    In a process of its own: whatever other tests started in this one (Prefect's threads) would be forked too.
    """
    story = "from tests.client.test_budget_shared import fork; fork(Path(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", f"import sys; from pathlib import Path; {story}", tmp_path], check=True
    )
    with SharedKeeper(tmp_path, "a key", LIMITS, lambda: 0).held() as ledger:
        assert ledger.n_refused == 1


def fork(folder: Path) -> None:
    """Fork while the ledger is held; the child changes it as soon as it may."""
    keeper = SharedKeeper(folder, "a key", LIMITS, lambda: 0)
    with keeper.held():
        child = multiprocessing.get_context("fork").Process(target=_add_one, args=(keeper,))
        child.start()
        child.join(0.2)
        assert child.is_alive()
    child.join(30)
    assert child.exitcode == 0


def _add_one(keeper: SharedKeeper) -> None:
    with keeper.held() as ledger:
        ledger.n_refused += 1


def test_a_lock_that_is_never_let_go_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "LOCK_S", 0.05)
    one, other = (SharedKeeper(tmp_path, "a key", LIMITS, lambda: 0) for _ in range(2))
    with one.held(), pytest.raises(SettingsError, match="continue or end it"), other.held():
        pass


def test_the_file_is_private_and_names_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "budgets"
    Budget.shared("basic", "host secret-key-id", folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = sorted(folder.iterdir())
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600, 0o600]
    assert not any("secret" in path.name or b"secret" in path.read_bytes() for path in files)


def test_other_keys_have_other_budgets(tmp_path: Path) -> None:
    budgets = [Budget.shared("basic", name, tmp_path) for name in ("one key", "another key")]
    asyncio.run(budgets[0].acquire("GET", "/markets"))
    assert [each.read.usage().everyones_tokens for each in budgets] == [10, 0]


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    with pytest.raises(SettingsError, match=f"chmod 700 {tmp_path}"):
        Budget.shared("basic", "a key", tmp_path)


def test_a_folder_that_is_none_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="set TAPEHOUSE_BUDGET_DIR to a folder on a local disk"):
        Budget.shared("basic", "a key", tmp_path / "file" / "budgets")


def test_the_folder_is_the_same_for_a_login_and_for_a_job_without_one(tmp_path: Path) -> None:
    """Only a login has XDG_RUNTIME_DIR, so it counts only where there is no home."""
    home, runtime = {"HOME": str(tmp_path)}, {"XDG_RUNTIME_DIR": str(tmp_path / "run")}
    assert budget_folder(home) == budget_folder(home | runtime) == tmp_path / ".cache/tapehouse/budgets"
    assert budget_folder(runtime) == tmp_path / "run/tapehouse"
    assert budget_folder(home | {"XDG_CACHE_HOME": str(tmp_path / "c")}) == tmp_path / "c/tapehouse/budgets"
    assert budget_folder(home | {"TAPEHOUSE_BUDGET_DIR": str(tmp_path / "x")}) == tmp_path / "x"
    with pytest.raises(SettingsError, match="set TAPEHOUSE_BUDGET_DIR"):
        budget_folder({})


def test_files_that_nobody_used_for_a_week_are_swept_when_a_new_one_is_made(tmp_path: Path) -> None:
    Budget.shared("basic", "an old sandbox", tmp_path)
    Budget.shared("basic", "a key in use", tmp_path)
    old = SharedKeeper(tmp_path, "an old sandbox\nread", LIMITS, lambda: 0).path
    of_an_older_layout = old.with_suffix(".bucket1")
    of_an_older_layout.write_bytes(b"")
    for each in (old, of_an_older_layout):
        os.utime(each, (0, 0))
    Budget.shared("basic", "a new key", tmp_path)
    assert (old.exists(), of_an_older_layout.exists()) == (False, False)
    assert len(list(tmp_path.iterdir())) == 5


def test_without_file_locks_the_budget_is_private_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(shared, "fcntl", None)
    budget = Budget.shared("basic", "a key", tmp_path)
    asyncio.run(budget.acquire("GET", "/markets"))
    assert "do not share its budget" in caplog.text
    assert list(tmp_path.iterdir()) == []
