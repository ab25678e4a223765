"""What a recorder has done so far: for the state line, and for the summary at the end."""

from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.client import wire
from pipelines.client.stream import Disconnected, Gap, Item, Message, Refusal, Repeated, Stalled, Unreadable

MS_NS: Final = 1_000_000

_COUNTED: Final[dict[type, str]] = {
    wire.BookDelta: "n_deltas",
    wire.BookSnapshot: "n_snapshots",
    wire.TickerUpdate: "n_quotes",
    wire.TradePrint: "n_trades",
    Gap: "n_holes",
    Repeated: "n_repeats",
    Unreadable: "n_unreadable",
    Stalled: "n_stalls",
    Disconnected: "n_disconnects",
    Refusal: "n_refusals",
}


@dataclass(slots=True)
class Tally:
    """Counts since the start; `lag_ms` is the last delta's receive time less the exchange's, by two clocks.

    Attributes:
        n_frames: everything that came.
        n_holes: numbers that were missing, once per hole.
        n_ended: subscriptions that the exchange ended (overflow among them).
        n_relists_failed: listings that failed, and were tried again later.
        n_commits_failed: visits to the lake that failed; frames waited in the log.
        n_rows: rows that the lake did not have.
    """

    n_frames: int = 0
    n_deltas: int = 0
    n_snapshots: int = 0
    n_quotes: int = 0
    n_trades: int = 0
    n_holes: int = 0
    n_repeats: int = 0
    n_unreadable: int = 0
    n_ended: int = 0
    n_stalls: int = 0
    n_disconnects: int = 0
    n_refusals: int = 0
    n_relists_failed: int = 0
    n_commits_failed: int = 0
    n_rows: int = 0
    lag_ms: int | None = None
    refused: list[str] = field(default_factory=list)

    def hear(self, item: Item) -> None:
        """Count an item of a stream."""
        counted: object = item
        if isinstance(item, Message):
            counted = item.msg
        name = "n_ended" if isinstance(item, Gap) and item.got is None else _COUNTED.get(type(counted))
        if name is not None:
            setattr(self, name, getattr(self, name) + 1)
        if isinstance(counted, wire.BookDelta) and counted.ts_ms is not None:
            self.lag_ms = item.received_ns // MS_NS - counted.ts_ms

    def as_json(self) -> dict[str, Any]:
        """Return the counts as plain values."""
        return {name: getattr(self, name) for name in self.__slots__}
