"""The numbers of a connection: one counter per sid, over every kind of frame.

Source: KALSHI.md §10.5 and §17: `ok`, `unsubscribed` and snapshots inside the stream consume numbers; a
market has no numbers of its own; a new connection begins with 1. All 33 recordings of May 2026 begin so.
"""

FIRST = 1


class Sequences:
    """Which number comes next, per sid."""

    __slots__ = ("_next",)

    def __init__(self) -> None:
        self._next: dict[int, int] = {}

    def begin(self, sid: int) -> None:
        """Expect number 1 of a new sid; of a known one, go on counting."""
        self._next.setdefault(sid, FIRST)

    def end(self, sid: int) -> None:
        """Count a sid no more; what still comes of it is wanted by nobody."""
        self._next.pop(sid, None)

    def expected(self, sid: int) -> int:
        """Return the number that comes next."""
        return self._next.get(sid, FIRST)

    def take(self, sid: int, seq: int) -> int:
        """Return the number that was due when `seq` came; one that came before does not set the count back.

        Smaller than `seq`: those from it to `seq` - 1 are missing, told this once. Greater: `seq` came again.
        """
        due = self._next.get(sid)
        if due is None:
            return seq
        if seq >= due:
            self._next[sid] = seq + 1
        return due
