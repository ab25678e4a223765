"""The job in nautilus_trader: `python -m tests.benchmarks.peer_nautilus FOLDER OUT`, in its own environment.

A market is a binary option and an engine of its own, with all combinations as strategies of that engine: on
markets of this length quicker than a hundred runs with `reset` between them. Logging, risk checks, the
message queue and the analysis afterwards are off. Trades are ticks of a size that fills every order; ticks
are made and engines built before the clock starts. The market ends with an InstrumentClose and its settlement
price.
"""

import json
import sys
import time
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from nautilus_trader.backtest.config import BacktestEngineConfig  # type: ignore[import-not-found]
from nautilus_trader.backtest.engine import BacktestEngine  # type: ignore[import-not-found]
from nautilus_trader.backtest.models import FeeModel  # type: ignore[import-not-found]
from nautilus_trader.config import (  # type: ignore[import-not-found]
    LoggingConfig,
    RiskEngineConfig,
    StrategyConfig,
)
from nautilus_trader.model.currencies import USD  # type: ignore[import-not-found]
from nautilus_trader.model.data import InstrumentClose, TradeTick  # type: ignore[import-not-found]
from nautilus_trader.model.enums import (  # type: ignore[import-not-found]
    AccountType,
    AggressorSide,
    AssetClass,
    InstrumentCloseType,
    OmsType,
    OrderSide,
)
from nautilus_trader.model.identifiers import (  # type: ignore[import-not-found]
    InstrumentId,
    Symbol,
    TradeId,
    Venue,
)
from nautilus_trader.model.instruments import BinaryOption  # type: ignore[import-not-found]
from nautilus_trader.model.objects import Money, Price, Quantity  # type: ignore[import-not-found]
from nautilus_trader.trading.strategy import Strategy  # type: ignore[import-not-found]

from tests.benchmarks.peer_job import (
    CASH,
    Market,
    as_fills,
    combinations,
    fee_cents,
    read_markets,
    whole_cents,
)

Engine = Any  # of a library whose compiled classes mypy does not know
_VENUE = Venue("KALSHI")
_ID = InstrumentId(Symbol("MARKET"), _VENUE)
_START_NS = 1_772_409_600_000_000_000
_TICK_NS = 1_000_000_000
_SIZE = Quantity.from_int(1_000)


class Fee(FeeModel):  # type: ignore[misc]
    """Kalshi's fee; none at a settlement, which is at $0 or $1."""

    def get_commission(self, _order: object, fill_qty: object, fill_px: object, _instrument: object) -> Money:
        """Return the fee of one fill."""
        return Money(fee_cents(whole_cents(float(fill_px)), round(float(fill_qty))) / 100, USD)  # type: ignore[arg-type]


class DipConfig(StrategyConfig, frozen=True):  # type: ignore[misc,call-arg]
    """One combination."""

    dip: int
    count: int


class Dip(Strategy):  # type: ignore[misc]
    """Buy a dip, sell a peak; keeps what it filled."""

    def __init__(self, config: DipConfig, by: list[int]) -> None:
        super().__init__(config)
        self.dip, self.quantity = config.dip, Quantity.from_int(config.count)
        self.by, self.row, self.is_held = by, -1, False
        self.filled: list[tuple[int, ...]] = []

    def on_start(self) -> None:
        """Ask for trades."""
        self.subscribe_trade_ticks(_ID)

    def on_trade_tick(self, _tick: object) -> None:
        """Look at one trade."""
        self.row += 1
        by = self.by[self.row]
        if by >= self.dip:
            if not self.is_held:
                self._order(OrderSide.BUY)
        elif by <= -self.dip and self.is_held:
            self._order(OrderSide.SELL)

    def _order(self, side: OrderSide) -> None:
        self.is_held = side == OrderSide.BUY
        self.submit_order(self.order_factory.market(_ID, side, self.quantity))

    def on_order_filled(self, event: Any) -> None:  # noqa: ANN401 -- a compiled class
        """Write one fill down."""
        side = 1 if event.order_side == OrderSide.BUY else -1
        row = (event.ts_event - _START_NS) // _TICK_NS
        cents, count = whole_cents(float(event.last_px)), round(float(event.last_qty))
        self.filled.append((row, side, cents, count, whole_cents(float(event.commission))))


def engine_of(market: Market) -> tuple[Engine, list[Dip]]:
    """Return an engine with one market and its strategies."""
    quiet = LoggingConfig(bypass_logging=True)
    engine = BacktestEngine(
        BacktestEngineConfig(logging=quiet, run_analysis=False, risk_engine=RiskEngineConfig(bypass=True))
    )
    engine.add_venue(
        _VENUE,
        OmsType.NETTING,
        AccountType.CASH,
        [Money(CASH, USD)],
        base_currency=USD,
        fee_model=Fee(),
        use_message_queue=False,
        settlement_prices={_ID: market.settled_cents / 100},
    )
    engine.add_instrument(_option())
    engine.add_data(_ticks(market), sort=True)
    end_ns = _START_NS + len(market.cents) * _TICK_NS
    close = Price(market.settled_cents / 100, 2)
    ended = InstrumentClose(_ID, close, InstrumentCloseType.CONTRACT_EXPIRED, end_ns, end_ns)
    engine.add_data([ended], sort=True)
    by = market.dip.tolist()
    strategies = [
        Dip(DipConfig(dip=dip, count=count, order_id_tag=f"{number:03d}"), by)
        for number, dip, count in combinations()
    ]
    engine.add_strategies(strategies)
    return engine, strategies


def _option() -> BinaryOption:
    return BinaryOption(
        instrument_id=_ID,
        raw_symbol=_ID.symbol,
        asset_class=AssetClass.ALTERNATIVE,
        currency=USD,
        price_precision=2,
        size_precision=0,
        price_increment=Price(0.01, 2),
        size_increment=Quantity.from_int(1),
        activation_ns=0,
        expiration_ns=2 * _START_NS,
        ts_event=0,
        ts_init=0,
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
    )


def _ticks(market: Market) -> list[TradeTick]:
    prices = [Price(each / 100, 2) for each in range(101)]
    return [
        TradeTick(_ID, prices[cents], _SIZE, AggressorSide.BUYER, TradeId(str(row)), at_ns, at_ns)
        for row, cents in enumerate(market.cents.tolist())
        for at_ns in [_START_NS + row * _TICK_NS]
    ]


def main(folder: str, out: str) -> None:
    """Run, and write fills and profits."""
    warnings.simplefilter("ignore")  # pandas 4 will do without something that it uses
    found, profits, cpu_s = [], [], 0.0
    for place, market in enumerate(read_markets(Path(folder))):
        engine, strategies = engine_of(market)
        began_s = time.process_time()
        engine.run()
        cpu_s += time.process_time() - began_s
        n_rows = len(market.cents)
        filled = [(number, *each) for number, strategy in enumerate(strategies) for each in strategy.filled]
        found += [(number, place, *rest) for number, *rest in filled if rest[0] < n_rows]
        moved = np.zeros(len(strategies), np.int64)
        for number, _, side, cents, count, fee in filled:
            moved[number] -= side * cents * count + fee
        profits.append(moved)
        in_all = whole_cents(float(engine.cache.accounts()[0].balance_total(USD)) - CASH)
        assert in_all == moved.sum(), "the account has another balance than its fills"
        engine.dispose()
    np.savez(out, fills=as_fills(found), profit_cents=np.array(profits))
    sys.stdout.write(json.dumps({"cpu_s": cpu_s}))


if __name__ == "__main__":
    main(*sys.argv[1:])
