"""Misfortunes that change what an answer says: done to its JSON, whichever route it came from."""

import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from sandbox.fault_kinds import Fault
from sandbox.faults import Fate, Line, Misfortune

Json = dict[str, Any]
REMEMBERED: Final = 1_000  # pages whose last rows are kept for the page that follows
CURSORS: Final = ("cursor", "next_cursor")
# Fields that label: a reader can keep a word it does not know. Sides are not among them.
LABELS: Final = ("status", "strike_type", "fee_type", "price_level_structure", "collateral_return_type")
PAGE_KINDS: Final = frozenset({"late_trades", "duplicate_rows", "repeat_cursor", "new_field", "new_enum"})

_dump = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Pages:
    """What is done to pages; keeps the last rows of recent ones, so that they can come twice."""

    def __init__(self, misfortune: Misfortune, now_ts: Callable[[], datetime]) -> None:
        self._misfortune = misfortune
        self._now_ts = now_ts
        self._last_rows: OrderedDict[tuple[str, str], list[Json]] = OrderedDict()
        # How many rows of a page may come again; none of them is kept without need.
        self._n_kept = max((made.whole("rows") for made in misfortune.lines("duplicate_rows")), default=0)

    def is_wanted(self, fate: Fate) -> bool:
        """Tell whether the answer of this request has to be read."""
        return self._n_kept > 0 or any(line.fault.kind in PAGE_KINDS for line in fate.others)

    def changed(self, body: bytes, fate: Fate, *, path: str, cursor: str) -> bytes:
        """Return the answer as it is sent; `cursor` is the one that the request came with, or empty."""
        try:
            told = json.loads(body)
        except ValueError:
            told = None
        lines = [line for line in fate.others if line.fault.kind in PAGE_KINDS]
        if not isinstance(told, dict):
            for line in lines:
                line.give_back()
            return body
        kept = self._tail(told)
        after = _cursor_of(told)
        was_changed = False
        for line in lines:
            if self._change(told, line, fate.key, (path, cursor)):
                self._misfortune.done(line)
                was_changed = True
            else:
                line.give_back()
        if kept and after:
            self._last_rows[path, after] = kept
            if len(self._last_rows) > REMEMBERED:
                self._last_rows.popitem(last=False)
        return _dump(told).encode() if was_changed else body

    def _change(self, told: Json, line: Line, key: str, asked: tuple[str, str]) -> bool:
        made = line.fault
        match made.kind:
            case "late_trades":
                return self._withhold(told, line)
            case "duplicate_rows":
                return self._duplicate(told, made, asked)
            case "repeat_cursor":
                return _repeat_cursor(told, asked[1])
            case "new_field":
                for row in _rows(told):
                    row[made.word("field")] = {"since": "today", "why": None}
                return True
            case _:
                return self._new_word(told, line, key)

    def _withhold(self, told: Json, line: Line) -> bool:
        trades = told.get("trades")
        if not isinstance(trades, list):
            return False
        late_s, chance = line.fault.number("late_s"), line.fault.number("chance")
        now_ts = self._now_ts()

        def is_late(trade: Json) -> bool:
            if self._misfortune.draw(line.index, trade["trade_id"]) >= chance:
                return False
            return not late_s or (now_ts - _moment(trade["created_time"])).total_seconds() < late_s

        told["trades"] = [trade for trade in trades if not is_late(trade)]
        return len(told["trades"]) < len(trades)

    def _duplicate(self, told: Json, made: Fault, asked: tuple[str, str]) -> bool:
        before = self._last_rows.get(asked, [])
        name = _list_of(told)
        if not before or name is None:
            return False
        told[name] = before[-made.whole("rows") :] + told[name]
        return True

    def _tail(self, told: Json) -> list[Json]:
        name = _list_of(told)
        # A copy: what follows changes rows where they stand.
        return [dict(row) for row in told[name][-self._n_kept :]] if name and self._n_kept else []

    def _new_word(self, told: Json, line: Line, key: str) -> bool:
        wanted = line.fault.word("field")
        names = LABELS if wanted == "*" else (wanted,)
        found = [(row, name) for row in _rows(told) for name in names if isinstance(row.get(name), str)]
        if not found:
            return False
        row, name = found[int(self._misfortune.draw(line.index, key, "row") * len(found))]
        row[name] = line.fault.word("value")
        return True


def _repeat_cursor(told: Json, cursor: str) -> bool:
    name = next((each for each in CURSORS if each in told), None)
    if name is None or not cursor:
        return False
    told[name] = cursor
    return True


def _cursor_of(told: Json) -> str:
    return next((str(told[name]) for name in CURSORS if told.get(name)), "")


def _list_of(told: Json) -> str | None:
    """Return the name of the first list of objects: the rows of a page."""
    return next((name for name, value in told.items() if _is_rows(value)), None)


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _rows(told: Json) -> Sequence[Json]:
    """Return the objects an answer is about: those of its lists, its single ones, else the answer itself."""
    rows = [row for value in told.values() if _is_rows(value) for row in value]
    rows += [value for value in told.values() if isinstance(value, dict)]
    return rows or [told]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
