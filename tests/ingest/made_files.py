"""Small files as others write them, made for one test: tapes, recordings, captures."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TAPE_HEADER = "trade_id,ticker,count,created_time,yes_price,no_price,taker_side"


def a_trade(
    trade_id: str = "t-1",
    ticker: str = "KXA-1-Y",
    count: str = "3",
    created_time: str = "2025-07-19T14:22:42.193311Z",
    yes_price: str = "14",
    no_price: str = "86",
    taker_side: str = "yes",
) -> str:
    """Return one row of a tape."""
    return f"{trade_id},{ticker},{count},{created_time},{yes_price},{no_price},{taker_side}"


def a_tape(path: Path, *rows: str, header: str = TAPE_HEADER) -> Path:
    """Write a tape; gzipped if the name says so."""
    text = "\n".join((header, *rows)) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


class Recorder:
    """Writes JSON lines like a recorder: one connection's frames, a millisecond apart."""

    def __init__(self, conn: str = "rec") -> None:
        self.conn = conn
        self.at_ms = 1_778_677_183_000
        self.lines: list[str] = []

    def note(self, event: str, **data: Any) -> None:  # noqa: ANN401 -- a recorder may note anything
        """Write a note of the recorder's own."""
        self._line(recorder_event=event, data=data)

    def frame(self, kind: str, seq: int | None = None, *, sid: int | None = 2, **msg: Any) -> None:  # noqa: ANN401 -- a frame may hold anything
        """Write any frame."""
        numbers = {name: value for name, value in (("sid", sid), ("seq", seq)) if value is not None}
        self._line(frame={"type": kind, **numbers, "msg": msg})

    def subscribed(self, sid: int = 2, channel: str = "orderbook_delta") -> None:
        """Write the confirmation of a subscription."""
        self._line(frame={"type": "subscribed", "id": 1, "msg": {"channel": channel, "sid": sid}})

    def snapshot(
        self,
        seq: int,
        ticker: str = "KXA-1-Y",
        *,
        yes: Sequence[tuple[str, str]] = (),
        no: Sequence[tuple[str, str]] = (),
        sid: int = 2,
    ) -> None:
        """Write a snapshot; a side without levels is left out, as Kalshi does."""
        sides: dict[str, Any] = {
            f"{side}_dollars_fp": [*levels] for side, levels in (("yes", yes), ("no", no)) if levels
        }
        self.frame("orderbook_snapshot", seq, sid=sid, market_ticker=ticker, **sides)

    def delta(
        self,
        seq: int,
        ticker: str = "KXA-1-Y",
        *,
        price: str = "0.4000",
        size: str = "1.00",
        side: str = "yes",
        sid: int = 2,
    ) -> None:
        """Write a delta that happened when it was received."""
        self.frame(
            "orderbook_delta",
            seq,
            sid=sid,
            market_ticker=ticker,
            price_dollars=price,
            delta_fp=size,
            side=side,
            ts_ms=self.at_ms,
        )

    def ticker(self, ticker: str = "KXA-1-Y", **changed: Any) -> None:  # noqa: ANN401 -- any field may be changed
        """Write a ticker frame: bid 0.40 x 5, ask 0.45 x 7, last 0.42."""
        told: dict[str, Any] = {
            "market_ticker": ticker,
            "price_dollars": "0.4200",
            "yes_bid_dollars": "0.4000",
            "yes_ask_dollars": "0.4500",
            "yes_bid_size_fp": "5.00",
            "yes_ask_size_fp": "7.00",
            "volume_fp": "100.00",
            "open_interest_fp": "60.00",
            "ts_ms": self.at_ms,
        }
        self.frame("ticker", sid=1, **told | changed)

    def garbage(self, text: str) -> None:
        """Write a line as it is."""
        self.lines.append(text)

    def write(self, path: Path) -> Path:
        """Write all lines; gzipped if the name says so."""
        text = "\n".join(self.lines) + "\n"
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
        return path

    def write_capture(self, path: Path) -> Path:
        """Write the frames as one pretty-printed JSON document, as a capture is."""
        frames = [
            {"received_ms": line["recv_ns"] // 1_000_000, "frame": line["frame"]}
            for line in map(json.loads, self.lines)
        ]
        path.write_text(json.dumps({"captured_ms": self.at_ms, "frames": frames}, indent=1))
        return path

    def _line(self, **what: Any) -> None:  # noqa: ANN401 -- one JSON line
        self.at_ms += 1
        self.lines.append(json.dumps({"recv_ns": self.at_ms * 1_000_000, "conn": self.conn, **what}))
