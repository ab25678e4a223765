"""Progress: lines in a log, bars on a terminal."""

import io

from warehouse.progress import silent, terminal_progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_log_gets_the_first_and_the_last_step() -> None:
    """What lies between comes every few seconds only, so that a log stays short."""
    log = io.StringIO()
    with terminal_progress(log) as progress:
        for done in range(1, 101):
            progress("import", done, 100)
        progress("search", 3, None)
    assert log.getvalue().splitlines() == ["import: 1 of 100", "import: 100 of 100", "search: 3"]


def test_a_terminal_gets_a_bar() -> None:
    screen = Terminal()
    with terminal_progress(screen) as progress:
        progress("import", 1, 2)
        progress("import", 2, 2)
    assert "import" in screen.getvalue()
    assert "2/2" in screen.getvalue()


def test_silence_says_nothing() -> None:
    silent("import", 1, 2)
