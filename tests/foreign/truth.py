"""What the sandbox knows, and what a foreign client said of it, as the same plain integers.

Truth is taken from the world's tapes, books and markets and from the desk's ledger, before anything is
encoded; nothing here reads an answer of the API.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

from exchange.books import OrderBook
from exchange.markets import Market
from exchange.trades import Trade
from exchange.units import DOLLAR_CC, to_us
from sandbox.accounts import START_MICROS
from sandbox.orders import Order
from sandbox.serve import Running
from sandbox.world import World

MICROS_PER_CENT: Final = 10_000
OVERLAP: Final = timedelta(hours=6)  # the archive begins this long after the live tier ends (KALSHI.md §3)
FILL: Final = attrgetter("trade_id", "order_id", "ticker", "yes_price_cc", "count_centi")
POSITION: Final = attrgetter(
    "ticker", "count_centi", "cost_micros", "traded_micros", "fees_micros", "realized_micros"
)
REFUSALS: Final = {"unknown market": 404, "unknown key": 401, "unaffordable order": 400}


@dataclass(frozen=True, slots=True)
class Truth:
    """One world that is served, seen from inside; `quiet` and `busy` are the story's markets."""

    world: World
    server: Running
    account: str
    quiet: str
    busy: str

    def at_first(self) -> dict[str, object]:
        """Return what is true before the story trades."""
        live = [each for each in self._markets() if not _settled_before(each, self.world.market_cutoff_ts)]
        archived = [
            each for each in self._markets() if _settled_before(each, self.world.market_cutoff_ts + OVERLAP)
        ]
        cutoff_us, overlap_us = (
            to_us(self.world.trade_cutoff_ts), to_us(self.world.trade_cutoff_ts + OVERLAP),
        )  # fmt: skip
        end_us = to_us(self.world.now_ts) + 1
        return {
            "markets": sorted(map(_market, live)),
            "open_markets": sorted(each.ticker for each in live if each.status == "active"),
            # The archive prints nothing at the top of both sides (KALSHI.md §5.4).
            "archived_markets": sorted(
                _market(replace(each, yes_bid_cc=0, yes_ask_cc=0)) for each in archived
            ),
            "trades": sorted(map(_trade, self._trades(cutoff_us, end_us))),
            "archived_trades": sorted(map(_trade, self._trades(0, overlap_us))),
            "book": _book(self.world.book(self.quiet)),
            "balance": START_MICROS // MICROS_PER_CENT,
        }

    def after_trading(self) -> dict[str, object]:
        """Return what the desk wrote down of the orders that the story placed; None for one it did not."""
        account = self.server.state.desk.account(self.account)
        purse = account.purse(0)
        rests = account.by_client_order_id.get("rests")
        takes = account.by_client_order_id.get("takes")
        return {
            "resting_order": rests and _rested(rests),
            "taking_order": takes and [takes.status, takes.filled_centi, takes.remaining_centi],
            "fills": sorted(
                [*FILL(each), {"yes": "bid", "no": "ask"}[each.side], each.is_taker, each.fee_micros]
                for each in account.fills
            ),
            "positions": sorted(list(POSITION(each)) for each in account.positions),
            "balance_after": purse.available_micros // MICROS_PER_CENT,
            "refusals": REFUSALS,
        }

    def at_last(self, made: dict[str, int]) -> dict[str, object]:
        """Return how the streamed book ended, after so many changes and trades."""
        return {"stream": {**_book(self.world.book(self.busy)), **made, "snapshots": 1, "is_whole": True}}

    def _markets(self) -> list[Market]:
        combos = self.server.state.catalog.rows("only")
        return [*self.world.markets(), *(combos[rank] for rank in range(len(combos)))]

    def _trades(self, start_us: int, end_us: int) -> Iterable[Trade]:
        tape = self.world.tape(None)
        return tape.rows(*tape.span(start_us, end_us))


def scaled(told: object, places: int) -> int:
    """Read a number exactly: `scaled("0.56", 4)` is 5600.

    Raises:
        ValueError: it has more decimals than that.
    """
    number = Decimal(str(told)).scaleb(places)
    if number != int(number):
        raise ValueError(f"{told!r} is finer than {places} decimals")
    return int(number)


def _rested(order: Order) -> dict[str, object]:
    """Return an order for two contracts that rested and may be canceled by now."""
    return {
        "placed": [order.order_id, "resting", 200],
        "read": [order.order_id, "resting", 200],
        "price": order.yes_price_cc,
        "book_side": "bid",
        "client_order_id": "rests",
        "listed": [order.order_id],
        "after": [order.status, order.remaining_centi],
    }


def _settled_before(market: Market, end_ts: datetime) -> bool:
    return market.status == "finalized" and market.settlement_ts is not None and market.settlement_ts < end_ts


def _market(each: Market) -> list[object]:
    prices = [each.yes_bid_cc, each.yes_ask_cc, each.volume_centi]
    worth = -1 if each.settlement_value_cc is None else each.settlement_value_cc
    return [each.ticker, each.status, each.result, *prices, worth]


def _trade(each: Trade) -> list[object]:
    return [each.trade_id, each.ticker, each.yes_price_cc, each.count_centi, each.taker_side]


def _book(book: OrderBook) -> dict[str, object]:
    return {
        "yes": sorted(map(list, book.levels("yes"))),
        "no": sorted(map(list, book.levels("no"))),
    }


def _read_market(row: list[Any]) -> list[object]:
    ticker, status, result, bid, ask, volume, worth = row
    numbers = [scaled(bid, 4), scaled(ask, 4), scaled(volume, 2), -1 if worth is None else scaled(worth, 4)]
    return [ticker, status, result or "", *numbers]


def _read_trade(row: list[Any]) -> list[object]:
    trade_id, ticker, price, count, taker = row
    return [trade_id, ticker, scaled(price, 4), scaled(count, 2), taker]


def _read_book(saw: dict[str, Any]) -> dict[str, object]:
    """Read both sides; where the client names the best of both, it must name those of its own levels."""
    sides = {
        side: sorted([scaled(price, 4), scaled(count, 2)] for price, count in saw[side] or [])
        for side in ("yes", "no")
    }
    if "best" in saw:
        bid, ask = (scaled(price, 4) for price in saw["best"])
        assert (bid, ask) == (sides["yes"][-1][0], DOLLAR_CC - sides["no"][-1][0])
    return {**sides}


def _read_resting(saw: dict[str, Any]) -> dict[str, object]:
    read: dict[str, object] = dict(saw)
    for name in ("placed", "read"):
        order_id, status, left = saw[name]
        read[name] = [order_id, status, scaled(left, 2)]
    read["after"] = [saw["after"][0], scaled(saw["after"][1], 2)]
    read["price"] = scaled(saw["price"], 4)
    return read


def _read_fill(row: list[Any]) -> list[object]:
    trade_id, order_id, ticker, price, count, side, is_taker, fee = row
    return [trade_id, order_id, ticker, scaled(price, 4), scaled(count, 2), side, is_taker, scaled(fee, 6)]


def _read_position(row: list[Any]) -> list[object]:
    return [row[0], scaled(row[1], 2), *(scaled(each, 6) for each in row[2:])]


def _read_stream(saw: dict[str, Any]) -> dict[str, object]:
    return {**saw, **_read_book(saw)}


def _rows(read: Callable[[Any], list[object]]) -> Callable[[Any], object]:
    return lambda saw: sorted(map(read, saw))


READ: Final[dict[str, Callable[[Any], object]]] = {
    "markets": _rows(_read_market),
    "open_markets": sorted,
    "archived_markets": _rows(_read_market),
    "trades": _rows(_read_trade),
    "archived_trades": _rows(_read_trade),
    "book": _read_book,
    "balance": int,
    "resting_order": _read_resting,
    "taking_order": lambda saw: [saw[0], scaled(saw[1], 2), scaled(saw[2], 2)],
    "fills": _rows(_read_fill),
    "positions": _rows(_read_position),
    "balance_after": int,
    "refusals": lambda saw: {name: told[0] for name, told in saw.items()},
    "stream": _read_stream,
    "refuses": list,
}
