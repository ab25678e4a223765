"""A real Prefect server on a free loopback port, and programs that talk to it; all end with the test."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
START_S: Final = 150  # a server is up in 7-20 s on an idle machine; this one may be busy
STOP_S: Final = 10
_OURS: Final = ("PREFECT_", "KALSHI_", "TAPEHOUSE_")
_SETTINGS: Final = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "pipelines,warehouse",
}
T = TypeVar("T")

leftover_sockets = pytest.mark.filterwarnings(
    # Prefect's client leaves a socket to its server for the collector when a flow's event loop ends.
    "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"
)


@dataclass(frozen=True, slots=True)
class Orchestra:
    """A running server: its API, and the environment that points programs at it."""

    api: str
    env: Mapping[str, str]

    def prefect(self, *arguments: str, timeout_s: float = 150) -> str:
        """Run one `prefect …` command from the repository's root; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            cwd=ROOT,
            env=dict(self.env),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"prefect {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def find(self, kind: str, **body: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - JSON filters
        """Return the server's objects of a kind (`flow_runs`, `artifacts`, …) that match the filters."""
        found: list[dict[str, Any]] = self._post(f"{kind}/filter", body)
        return found

    def create(self, kind: str, **body: Any) -> None:  # noqa: ANN401 - JSON
        """Create one object of a kind."""
        self._post(f"{kind}/", body)

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        answer = httpx.post(f"{self.api}/{path}", json=body, timeout=30, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    @contextmanager
    def worker(self, log: Path, **env: str) -> Iterator[None]:
        """Let a worker poll `local-pool` while the block runs."""
        command = ("worker", "start", "--pool", "local-pool", "--name", "tests", "--limit", "1")
        with _program(command, env={**self.env, **env}, log=log, cwd=log.parent):
            yield


@contextmanager
def playing(home: Path) -> Iterator[Orchestra]:
    """Start a server whose database lies in `home`; at the end stop it and all that it started."""
    port = _free_port()
    api = f"http://127.0.0.1:{port}/api"
    env = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    env |= _SETTINGS | {"PREFECT_HOME": str(home), "PREFECT_API_URL": api}
    log = home / "server.log"
    command = ("server", "start", "--host", "127.0.0.1", "--port", str(port))
    with _program(command, env=env, log=log, cwd=home) as server:
        until(lambda: _is_healthy(api, server, log), within_s=START_S, what=f"a healthy server; see {log}")
        yield Orchestra(api, env)


def until(ask: Callable[[], T], *, within_s: float, what: str) -> T:
    """Ask again every half second until the answer is true; fail after `within_s`."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        if answer := ask():
            return answer
        time.sleep(0.5)
    raise AssertionError(f"waited {within_s:.0f} s for {what}")


@contextmanager
def _program(
    arguments: Sequence[str], *, env: Mapping[str, str], log: Path, cwd: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `prefect …` in a session of its own; end it kindly, then whatever is left of what it started."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", *arguments],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            # A worker starts runs in sessions of their own, so its group alone is not all of it.
            started = _started_by(process.pid)
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(STOP_S)
            for pid in started:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _started_by(pid: int) -> list[int]:
    """Return the processes that a process started, and those that they started."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = (line.split() for line in listing.stdout.splitlines())
    parents = {int(child): int(parent) for child, parent in pairs}
    found = [pid]
    for ancestor in found:
        found += [child for child, parent in parents.items() if parent == ancestor]
    return found[1:]


def _is_healthy(api: str, server: subprocess.Popen[bytes], log: Path) -> bool:
    assert server.poll() is None, f"the server ended at once:\n{log.read_text(errors='replace')[-2_000:]}"
    try:
        return httpx.get(f"{api}/health", timeout=5, trust_env=False).is_success
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
