"""Running the command line as a person would, in this process: what it printed, and how it ended."""

from dataclasses import dataclass

import pytest

import tapehouse


@dataclass(frozen=True, slots=True)
class Said:
    """Exit code and both streams of one command."""

    code: int
    out: str
    err: str


def say(capsys: pytest.CaptureFixture[str], *arguments: object) -> Said:
    """Run `tapehouse <arguments>`."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        tapehouse.main([str(each) for each in arguments])
    spoken = capsys.readouterr()
    return Said(int(ended.value.code or 0), spoken.out, spoken.err)
