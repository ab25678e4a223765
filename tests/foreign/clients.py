"""The foreign clients, each pinned with all it needs, and the environments that are made for them.

An environment is whole once it holds a copy of the pins it was made from: one that was interrupted, or made
from other pins, is made anew.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
BUILD: Final = ROOT / "build" / "foreign"
INSTALL_S: Final = 300.0
_PYENV: Final = Path.home() / ".pyenv" / "versions"


class CannotMake(Exception):
    """No environment can be made here: no interpreter that is new enough, or the package index is away."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A client that somebody else wrote: where its pins and its story are, and which Pythons run it.

    `keys` are the kinds it signs with; `refuses` are fields that the exchange removed and it still requires.
    """

    name: str
    version: str
    pythons: tuple[str, ...]
    is_streaming: bool = True
    keys: tuple[str, ...] = ("RSA",)
    refuses: tuple[str, ...] = ()

    @property
    def pins(self) -> Path:
        """Its requirements, every version pinned."""
        return HERE / "pins" / f"{self.name}.txt"

    @property
    def story(self) -> str:
        """The module that its interpreter runs."""
        return f"tests.foreign.story_{self.name}"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return BUILD / self.name / "bin" / "python"

    @property
    def is_made(self) -> bool:
        """Whether its environment is whole and of today's pins."""
        made_of = BUILD / self.name / "pins.txt"
        return made_of.is_file() and made_of.read_text() == self.pins.read_text()

    def make(self) -> None:
        """Make its environment from the package index, unless it is made.

        Raises:
            CannotMake: why not.
        """
        if self.is_made:
            return
        shutil.rmtree(BUILD / self.name, ignore_errors=True)
        _do([self._interpreter(), "-m", "venv", str(BUILD / self.name)])
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _do([*pip, "--no-deps", "-r", str(self.pins)])
        shutil.copy(self.pins, BUILD / self.name / "pins.txt")

    def _interpreter(self) -> str:
        folders = [*os.get_exec_path(), *map(str, sorted(_PYENV.glob("*/bin")))]
        for each in self.pythons:
            for folder in folders:
                found = shutil.which(each, path=folder)
                # pyenv puts a shim on PATH for versions that are not chosen too; only running it tells.
                if found and not subprocess.run([found, "-V"], capture_output=True, check=False).returncode:
                    return found
        raise CannotMake(
            f"{self.name} {self.version} needs {' or '.join(self.pythons)}: none is on PATH or in {_PYENV}"
        )


CLIENTS: Final = (
    Foreign("pykalshi", "2.0.0", ("python3.13", "python3.12", "python3.11")),
    # liquidity_dollars left the API on 2026-10-01 (KALSHI.md §5.4; not in OpenAPI 3.34.0).
    Foreign("kalshi_sdk", "22.4.0", ("python3.13", "python3.12"), refuses=("liquidity_dollars",)),
    Foreign("kalshi_python_sync", "3.34.0", ("python3.13",), is_streaming=False, keys=("RSA", "Ed25519")),
)


def _do(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotMake(f"{command[0]}: {error}") from error
    if done.returncode:
        raise CannotMake(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}")
