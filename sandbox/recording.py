"""Writes down what a recorder on the WebSocket would have seen of a market: one JSON object a line.

Lines are `{recv_ns, conn, frame}` in order of arrival; lines with `recorder_event` are the recorder's notes.
NO prices stand in NO terms, a side without bids is left out of its snapshot, and the recorder's clock is
behind the exchange's, all as in real recordings.
Source: KALSHI.md §10.4 and §18 (websocket pages, 2026-10-01).
"""

import gzip
import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, groupby
from operator import itemgetter
from pathlib import Path
from random import Random
from typing import Final

from exchange.books import OrderBook
from exchange.markets import Market
from exchange.trades import Side
from exchange.units import DOLLAR_CC, from_us, to_us
from sandbox.chance import between, stream, uuid_text
from sandbox.encoding import Json, contracts, dollars, moment
from sandbox.errors import UnknownTicker
from sandbox.history import SECOND_US, Print
from sandbox.world import World

TICKER_SID: Final = 1
BOOK_SID: Final = 2
CLOCK_BEHIND_US: Final = 127_000
MS_US: Final = 1_000
NEVER: Final = Print(0, 0, 0, "yes", False, 0)  # noqa: FBT003 - a row of the tape
HALF: Final = 2  # a contract is worth half a dollar in Kalshi's dollar_volume, so it seems
AS_LINE: Final = json.JSONEncoder(separators=(",", ":")).encode
Change = tuple[int, Side, int, int]  # time_us, side, price_cc, delta_centi


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a recording holds: deltas written, and deltas lost in its holes."""

    path: Path
    n_markets: int
    n_lines: int
    n_deltas: int
    n_lost: int


def write_recording(
    world: World,
    path: Path,
    tickers: Sequence[str],
    *,
    join_after: timedelta = timedelta(seconds=30),
    hole_seed: int | None = None,
) -> Recorded:
    """Record markets one after the other, each on a connection of its own, as JSON lines (gzip by suffix).

    The recorder joins `join_after` the opening. With `hole_seed` every market loses deltas in the middle,
    and a snapshot asked for a little later repairs its book. The file appears whole or not at all.

    Raises:
        UnknownTicker: a market that the world does not have, or that never opened.
    """
    listed = {market.ticker: market for market in world.markets()}
    for ticker in tickers:
        if ticker not in listed:
            raise UnknownTicker(f"{ticker}: this world has no such market; `GET /markets` lists them")
    scenes = [
        _Scene(world, listed[each], join_after // timedelta(microseconds=1), hole_seed) for each in tickers
    ]
    partial = path.with_name(f".{path.name}.part")
    lines = [
        AS_LINE(line).encode() + b"\n"
        for scene, following in zip(scenes, [*scenes[1:], None], strict=True)
        for line in scene.lines(following.market if following else None)
    ]
    written = b"".join(lines)
    partial.write_bytes(gzip.compress(written, mtime=0) if path.suffix == ".gz" else written)
    partial.replace(path)
    return Recorded(
        path=path,
        n_markets=len(scenes),
        n_lines=len(lines),
        n_deltas=sum(scene.n_deltas for scene in scenes),
        n_lost=sum(scene.n_lost for scene in scenes),
    )


class _Scene:
    """One market in front of one recorder."""

    def __init__(self, world: World, market: Market, join_after_us: int, hole_seed: int | None) -> None:
        self.market = market
        self.n_deltas = self.n_lost = 0
        self._changes: list[Change] = []
        history = world.listen(market.ticker, lambda *change: self._changes.append(change))
        self._prints = history.prints
        self._print_times_us = [each.time_us for each in history.prints]
        self._volumes_centi = [0, *accumulate(each.count_centi for each in history.prints)]
        self._is_over = market.status not in {"active", "inactive"}
        self._join_us = to_us(market.open_ts) + join_after_us if market.open_ts else join_after_us
        self._rng = stream("recorder", market.ticker, hole_seed)
        self._market_id = uuid_text(stream("market", market.ticker))
        self._conn = f"sandbox-{moment(from_us(self._join_us))}-{self._rng.getrandbits(32):08x}"
        self._recv_us = 0
        self._seq = 0
        self._book = OrderBook(market.ticker)
        self._hole = range(0) if hole_seed is None else self._place_hole(self._rng)

    def _place_hole(self, rng: Random) -> range:
        """Choose which of the deltas after joining are lost: 5 to 25 of them, not at the edges."""
        first = next((at for at, change in enumerate(self._changes) if change[0] > self._join_us), 0)
        heard = len(self._changes) - first
        start = first + heard // 4 + between(rng, 0, heard // 4)
        return range(start, min(start + between(rng, 5, 25), len(self._changes) - 1))

    def lines(self, following: Market | None) -> Iterator[Json]:
        """Yield the lines of this market; `following` is what the recorder turns to."""
        market = self.market
        watched = {
            "close_time": moment(market.close_ts) if market.close_ts else None,
            "market_ticker": market.ticker,
            "status": "active",
            "strike": market.floor_strike,
        }
        yield self._note(self._join_us, "watch_market", watched)
        yield self._note(self._join_us, "ws_connected", {"market_ticker": market.ticker})
        for channel, sid in (("ticker", TICKER_SID), ("orderbook_delta", BOOK_SID)):
            message = {"type": "subscribed", "id": 1, "msg": {"channel": channel, "sid": sid}}
            yield self._line(self._join_us, message)
        yield from self._stream()
        if following is not None:
            turned = {
                "active_market_ticker": following.ticker,
                "previous_market_ticker": market.ticker,
                "market_ticker": market.ticker,
            }
            yield self._note(self._recv_us + CLOCK_BEHIND_US + SECOND_US, "market_rotated", turned)

    def _stream(self) -> Iterator[Json]:
        """Yield snapshot, deltas and tickers; a hole skips sequence numbers until a snapshot repairs it."""
        is_joined, ticker_us, shown = False, 0, None
        repair_at = self._hole.stop + 40 if self._hole else -1
        at = 0
        for time_us, changes in groupby(self._changes, key=itemgetter(0)):
            if not is_joined and time_us > self._join_us:
                is_joined = True
                yield self._snapshot(self._join_us)
            for change in changes:
                self._book.apply_delta(*change[1:])
                if is_joined:
                    yield from self._delta(change, is_lost=at in self._hole)
                    if at == repair_at:
                        yield self._snapshot(time_us)
                at += 1
            top = (self._book.best_bid(), self._book.best_ask())
            if is_joined and time_us - ticker_us >= SECOND_US and top != shown:
                ticker_us, shown = time_us, top
                yield self._ticker(time_us)
        if not is_joined:
            yield self._snapshot(self._join_us)
        elif self._is_over:
            yield self._snapshot(self._changes[-1][0] + 5 * SECOND_US)

    def _delta(self, change: Change, *, is_lost: bool) -> Iterator[Json]:
        self._seq += 1
        if is_lost:
            self.n_lost += 1
            return
        self.n_deltas += 1
        time_us, side, price_cc, delta_centi = change
        sign = "-" if delta_centi < 0 else ""
        message = {
            **self._named(),
            "price_dollars": dollars(price_cc),
            "delta_fp": f"{sign}{contracts(abs(delta_centi))}",
            "side": side,
            "ts": moment(from_us(time_us)),
            "ts_ms": time_us // MS_US,
        }
        yield self._framed(time_us, "orderbook_delta", message)

    def _snapshot(self, time_us: int) -> Json:
        self._seq += 1
        message: Json = self._named()
        for side in ("yes", "no"):
            levels = self._book.levels(side)
            if levels:
                message[f"{side}_dollars_fp"] = [
                    [dollars(price), contracts(count)] for price, count in levels
                ]
        return self._framed(time_us, "orderbook_snapshot", message)

    def _ticker(self, time_us: int) -> Json:
        n_past = bisect_right(self._print_times_us, time_us)
        last = self._prints[n_past - 1] if n_past else NEVER
        volume_centi = self._volumes_centi[n_past]
        bid, ask = self._book.best_bid(), self._book.best_ask()
        message = {
            **self._named(),
            "price_dollars": dollars(last.yes_price_cc),
            "yes_bid_dollars": dollars(bid.price_cc if bid else 0),
            "yes_ask_dollars": dollars(ask.price_cc if ask else DOLLAR_CC),
            "yes_bid_size_fp": contracts(bid.count_centi if bid else 0),
            "yes_ask_size_fp": contracts(ask.count_centi if ask else 0),
            "last_trade_size_fp": contracts(last.count_centi),
            "volume_fp": contracts(volume_centi),
            "open_interest_fp": contracts(last.open_interest_centi),
            "dollar_volume": volume_centi // 100 // HALF,
            "dollar_open_interest": last.open_interest_centi // 100 // HALF,
            "ts": time_us // SECOND_US,
            "ts_ms": time_us // MS_US,
            "time": moment(from_us(time_us)),
        }
        return self._line(time_us, {"type": "ticker", "sid": TICKER_SID, "msg": message})

    def _named(self) -> Json:
        return {"market_ticker": self.market.ticker, "market_id": self._market_id}

    def _framed(self, time_us: int, kind: str, message: Json) -> Json:
        return self._line(time_us, {"type": kind, "sid": BOOK_SID, "seq": self._seq, "msg": message})

    def _line(self, time_us: int, frame: Json) -> Json:
        return {"recv_ns": self._received_ns(time_us), "conn": self._conn, "frame": frame}

    def _note(self, time_us: int, event: str, data: Json) -> Json:
        return {
            "recv_ns": self._received_ns(time_us),
            "conn": self._conn,
            "recorder_event": event,
            "data": data,
        }

    def _received_ns(self, time_us: int) -> int:
        """Stamp an arrival with the recorder's clock, which is slow but never runs backwards."""
        arrived_us = time_us + between(self._rng, 2_000, 30_000) - CLOCK_BEHIND_US
        self._recv_us = max(self._recv_us, arrived_us)
        return self._recv_us * 1_000
