"""How others lay out recordings of books: the layouts that are known by their columns, and declared ones.

A declared layout is a TOML file; docs/books.md shows one of each kind.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipelines.ingest.errors import BadRequest

CHANGES: Final = "changes"
TOPS: Final = "tops"
DEPTH: Final = "depth"
PRICE_UNITS: Final = ("dollars", "cents", "centicents")
SIZE_UNITS: Final = ("contracts", "hundredths")
TIME_UNITS: Final = ("text", "s", "ms", "us", "ns")

_LEVEL: Final = "{k}"
_TOP_COLUMNS: Final = (
    *("bid", "ask", "no_bid", "no_ask", "bid_size", "ask_size"),
    *("last", "volume", "open_interest"),
)
_WIDE_COLUMNS: Final = ("bid_price", "bid_size", "ask_price", "ask_size", "no_price", "no_size")
_LONG_COLUMNS: Final = ("side", "price", "size")
_TAKEN: Final = (
    "line",
    "payload",
    "n_missing",
    "is_torn",
    "at_ts",
    "ticker",
    "field",
    "value",
    "reason",
    "run",
)
_SIDES: Final = ("bid", "ask", "no")
_KNOWN: Final = {
    "": ("name", "kind", "prices", "sizes", "depth", "levels", "time", "ticker", "columns", "sides"),
    "time": ("column", "unit", "zone"),
    "ticker": ("column", "file"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to write books down.

    Attributes:
        name: begins the names of sessions.
        kind: CHANGES, TOPS or DEPTH.
        time, time_unit, zone: the column of times; the zone of those that name none, None if all must.
        ticker: the column of tickers; None: the file's name tells, as `ticker_file` says, or the caller.
        ticker_file: a pattern with a group `ticker`, searched in the file's name without its endings.
        columns: which column holds what: for TOPS bid, ask, no_bid, ... in YES prices but for no_...; for
            DEPTH with `levels`, bid_price and so on with "{k}" for the level, without them side, price, size.
        levels: what "{k}" stands for, level by level.
        sides: for one row a level, the words for bid (YES bids), ask (YES asks), no (NO bids, NO prices).
        depth: levels a side that were recorded; None: all.
    """

    name: str
    kind: str
    time: str
    columns: Mapping[str, str]
    time_unit: str = "text"
    zone: str | None = None
    ticker: str | None = None
    ticker_file: str | None = None
    prices: str = "dollars"
    sizes: str = "contracts"
    levels: tuple[str, ...] = ()
    sides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    depth: int | None = None

    @property
    def needed(self) -> list[str]:
        """Every column that a file of this layout must have."""
        named = [self.time, *([self.ticker] if self.ticker else [])]
        for column in self.columns.values():
            named += [column.replace(_LEVEL, each) for each in self.levels] if self.levels else [column]
        return list(dict.fromkeys(named))

    def level(self, what: str, k: str) -> str:
        """Return the column that holds `what` of level `k`."""
        return self.columns[what].replace(_LEVEL, k)


_BUILT_IN: Final = (
    Layout(
        name="price_changes",
        kind=CHANGES,
        time="timestamp",
        columns={each: each for each in ("event_type", "price", "side", "size", "best_bid", "best_ask")},
    ),
    Layout(
        name="top_of_book",
        kind=TOPS,
        time="timestamp",
        ticker="ticker",
        columns={
            "bid": "best_bid_price",
            "bid_size": "best_bid_size",
            "ask": "best_ask_price",
            "ask_size": "best_ask_size",
        },
    ),
    Layout(
        name="top_of_book_cents",
        kind=TOPS,
        time="timestamp",
        ticker="market_ticker",
        prices="cents",
        columns={
            "bid": "best_yes_bid",
            "ask": "implied_yes_ask",
            "no_bid": "best_no_bid",
            "no_ask": "implied_no_ask",
        },
    ),
    Layout(
        name="polls",
        kind=TOPS,
        time="timestamp",
        ticker="ticker",
        prices="cents",
        columns={
            "bid": "yes_bid",
            "ask": "yes_ask",
            "no_bid": "no_bid",
            "no_ask": "no_ask",
            "last": "last_price",
            "volume": "volume",
            "open_interest": "open_interest",
        },
    ),
)
BUILT_IN: Final[Mapping[str, Layout]] = {each.name: each for each in _BUILT_IN}
"""The layouts that need no declaration, by name."""


def layout_of(given: str) -> Layout:
    """Return the layout of this name, or the one that a TOML file declares.

    Raises:
        BadRequest: neither; or the declaration does not say what is needed.
    """
    if given in BUILT_IN:
        return BUILT_IN[given]
    if not given.endswith(".toml"):
        raise BadRequest(
            f"--layout {given}: say {', '.join(BUILT_IN)}, or name a .toml file that declares one"
        )
    try:
        told = tomllib.loads(Path(given).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadRequest(f"--layout {given}: cannot be read ({error})") from error
    try:
        return _declared(told)
    except (KeyError, TypeError, ValueError, re.error) as error:
        said = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise BadRequest(f"--layout {given}: {said}; see docs/books.md") from error


def recognised(path: Path, names: Sequence[str]) -> Layout:
    """Return the layout whose columns a file has.

    Raises:
        BadRequest: none that is built in, or several.
    """
    found = [each for each in _BUILT_IN if set(each.needed) <= set(names)]
    if len(found) == 1:
        return found[0]
    what = (
        f"columns of {' and of '.join(each.name for each in found)}" if found else "no layout that is known"
    )
    raise BadRequest(
        f"{path}: has {what}; say --layout, or declare one in a .toml file as docs/books.md shows"
    )


def check_zone(zone: str) -> None:
    """Refuse what is no time zone.

    Raises:
        BadRequest: there is none of this name.
    """
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError) as error:
        raise BadRequest(f"zone {zone!r}: is unknown; say UTC, or one like America/New_York") from error


def _declared(told: Mapping[str, Any]) -> Layout:
    time, ticker = told["time"], told.get("ticker", {})
    for table, known in _KNOWN.items():
        _refuse_unknown(table, told[table] if table and table in told else {} if table else told, known)
    depth = told.get("depth")
    zone = time.get("zone")
    pattern = ticker.get("file")
    if zone is not None:
        check_zone(zone)
    if pattern is not None and "ticker" not in re.compile(pattern).groupindex:
        raise ValueError("ticker.file has no group (?P<ticker>...)")
    layout = Layout(
        name=_word("name", told["name"], None),
        kind=_word("kind", told["kind"], (TOPS, DEPTH)),
        time=time["column"],
        time_unit=_word("time.unit", time.get("unit", "text"), TIME_UNITS),
        zone=zone,
        ticker=ticker.get("column"),
        ticker_file=pattern,
        prices=_word("prices", told["prices"], PRICE_UNITS),
        sizes=_word("sizes", told.get("sizes", "contracts"), SIZE_UNITS),
        columns=dict(told["columns"]),
        levels=tuple(str(each) for each in told.get("levels", ())),
        sides={side: tuple(words) for side, words in told.get("sides", {}).items()},
        depth=None if depth == "all" else depth,
    )
    if taken := [each for each in layout.needed if each in _TAKEN and each != layout.ticker]:
        raise ValueError(f"column {taken[0]} has a name that is used here; give it another in the file")
    if layout.kind == TOPS:
        _refuse_unknown("columns", layout.columns, _TOP_COLUMNS)
    else:
        _check_depth(layout, is_told="depth" in told)
    return layout


def _check_depth(layout: Layout, *, is_told: bool) -> None:
    if not is_told or not (layout.depth is None or (type(layout.depth) is int and layout.depth > 0)):
        raise ValueError('depth is not told: how many levels a side were recorded, or "all"')
    if not layout.levels:
        _refuse_unknown("sides", layout.sides, _SIDES)
        if set(layout.columns) != set(_LONG_COLUMNS) or "bid" not in layout.sides or len(layout.sides) < 2:  # noqa: PLR2004 - both sides of a book
            raise ValueError(
                "without levels, columns must name side, price and size, and sides the words for bid and "
                "for ask or no"
            )
        return
    _refuse_unknown("columns", layout.columns, _WIDE_COLUMNS)
    other = "no" if "no_price" in layout.columns else "ask"
    if set(layout.columns) != {"bid_price", "bid_size", f"{other}_price", f"{other}_size"}:
        raise ValueError(
            "with levels, columns must name bid_price, bid_size, and either ask_price, ask_size or no_price, "
            "no_size"
        )
    if bare := [each for each in layout.columns.values() if _LEVEL not in each]:
        raise ValueError(f"column {bare[0]} does not say where the level stands: {_LEVEL}")
    if layout.depth is not None and layout.depth < len(layout.levels):
        raise ValueError(f"depth is {layout.depth}, yet there are {len(layout.levels)} levels")


def _refuse_unknown(table: str, told: Mapping[str, Any], known: Sequence[str]) -> None:
    if unknown := [each for each in told if each not in known]:
        where = f" in [{table}]" if table else ""
        raise ValueError(f"{unknown[0]}{where} is unknown; there are {', '.join(known)}")


def _word(what: str, told: object, known: Sequence[str] | None) -> str:
    if not isinstance(told, str) or not told or (known is not None and told not in known):
        raise ValueError(f"{what} = {told!r}: say {' or '.join(known) if known else 'a name'}")
    return told
