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
_PYENV: Final = Path.home() / ".pyenv" / "shims"


class CannotMake(Exception):
    """No environment can be made here: no interpreter that is new enough, or the package index is away."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A client that somebody else wrote: where its pins and its story are, and which Pythons run it."""

    name: str
    version: str
    pythons: tuple[str, ...]
    is_streaming: bool = True
    keys: tuple[str, ...] = ("RSA",)

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
        path = os.pathsep.join([os.environ.get("PATH", ""), str(_PYENV)])
        for each in self.pythons:
            found = shutil.which(each, path=path)
            # A pyenv shim is there for every version that somebody may choose; only running it tells.
            if (
                found
                and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0
            ):
                return found
        raise CannotMake(
            f"{self.name} {self.version} needs one of {', '.join(self.pythons)}; none is on PATH"
        )


CLIENTS: Final = (Foreign("pykalshi", "2.0.0", ("python3.13", "python3.12", "python3.11")),)


def _do(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotMake(f"{command[0]}: {error}") from error
    if done.returncode:
        raise CannotMake(f"{' '.join(command)}: {done.stderr.strip().splitlines()[-1:]}")
