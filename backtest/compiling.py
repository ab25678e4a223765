"""Say on stderr that the clock is being compiled, which looks like a standstill: once on a machine."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from numba.core import event

from backtest.kernels.clock import drive, simulate

SAID: Final = "backtest: compiling the clock for this machine, once; it takes up to a minute\n"
_EVENT: Final = "numba:compile"  # what numba found in its cache is no such event
_events: Any = event  # which is untyped
_CLOCKS: Final[Any] = (simulate, drive)


class _Announcing(event.Listener):
    def on_start(self, event: Any) -> None:  # noqa: ANN401 -- numba's protocol, as below
        if event.data["dispatcher"] in _CLOCKS:
            sys.stderr.write(SAID)

    def on_end(self, event: Any) -> None:  # noqa: ANN401
        """Say nothing."""


@contextmanager
def announced() -> Iterator[None]:
    """Say so where the clock is compiled meanwhile."""
    listener = _Announcing()
    _events.register(_EVENT, listener)
    try:
        yield
    finally:
        _events.unregister(_EVENT, listener)
