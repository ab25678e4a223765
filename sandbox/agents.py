"""Who trades in the sandbox: makers that quote around a fair price, and takers with and without knowledge.

Agents see prices in centicents and only ever send bids on the market's price grid.
"""

from bisect import bisect_left, bisect_right
from random import Random
from typing import Final

from exchange.trades import Side
from exchange.units import CONTRACT_CENTI, DOLLAR_CC
from sandbox.chance import between
from sandbox.matching import Engine, Fill

SIDES: Final[tuple[Side, Side]] = ("yes", "no")
N_ACCOUNTS: Final = 24  # takers share these accounts, so some of them close positions
FIRST_ACCOUNT: Final = 10


class Grid:
    """The prices a market accepts; every grid of Kalshi's is the same seen from YES and from NO."""

    def __init__(self, prices_cc: tuple[int, ...]) -> None:
        self._prices = prices_cc

    def floor(self, price_cc: int) -> int | None:
        """Return the price of the grid at or below `price_cc`."""
        at = bisect_right(self._prices, price_cc) - 1
        return self._prices[at] if at >= 0 else None

    def ladder(self, price_cc: int, *, n_levels: int, stride: int) -> list[int]:
        """Return prices from the one at or below `price_cc` downwards, `stride` steps apart."""
        top = bisect_right(self._prices, price_cc) - 1
        return [self._prices[at] for at in range(top, max(top - n_levels * stride, -1), -stride)]

    def below(self, price_cc: int) -> int | None:
        """Return the highest price strictly below `price_cc`."""
        at = bisect_left(self._prices, price_cc) - 1
        return self._prices[at] if at >= 0 else None


def some_contracts(rng: Random, *, typical: int, is_fractional: bool) -> int:
    """Return a size in hundredths of a contract: mostly small, sometimes many times `typical`."""
    drawn = rng.random()
    whole = 1 + int(typical * (0.2 + drawn * drawn + 6.0 * drawn**16))
    fraction = int(rng.random() * CONTRACT_CENTI) if is_fractional else 0
    return whole * CONTRACT_CENTI + fraction


class Maker:
    """Quotes several levels on both sides of what it believes, and takes what others offer too cheaply."""

    def __init__(self, *, owner: int, n_levels: int, half_spread_cc: int, stride: int, size: int) -> None:
        self._owner = owner
        self._n_levels = n_levels
        self._half_spread_cc = half_spread_cc
        self._stride = stride
        self._size = size
        self._is_fractional = owner % 2 == 0
        self._resting: dict[Side, dict[int, int]] = {"yes": {}, "no": {}}

    def refresh(self, engine: Engine, grid: Grid, rng: Random, fair_cc: int) -> list[Fill]:
        """Cancel quotes that became wrong, take mispriced ones, then quote again; returns what it took."""
        fair: dict[Side, int] = {"yes": fair_cc, "no": DOLLAR_CC - fair_cc}
        wanted = {side: self._wanted(grid, fair[side]) for side in SIDES}
        for side in SIDES:
            self._cancel_stale(engine, side, wanted[side])
        fills: list[Fill] = []
        for side in SIDES:
            fills += self._take(engine, grid, rng, side, fair[side])
        for side in SIDES:
            self._quote(engine, rng, side, wanted[side])
        return fills

    def _wanted(self, grid: Grid, fair_cc: int) -> list[int]:
        return grid.ladder(fair_cc - self._half_spread_cc, n_levels=self._n_levels, stride=self._stride)

    def _cancel_stale(self, engine: Engine, side: Side, wanted: list[int]) -> None:
        resting = self._resting[side]
        for price_cc in [each for each in resting if each not in wanted]:
            engine.cancel(resting.pop(price_cc))

    def _take(self, engine: Engine, grid: Grid, rng: Random, side: Side, fair_cc: int) -> list[Fill]:
        limit_cc = grid.floor(fair_cc - self._half_spread_cc // 2)
        if limit_cc is None or engine.ask_cc(side) > limit_cc:
            return []
        count_centi = some_contracts(rng, typical=self._size, is_fractional=self._is_fractional)
        _, fills = engine.submit(
            side=side, limit_cc=limit_cc, count_centi=count_centi, owner=self._owner, rests=False
        )
        return fills

    def _quote(self, engine: Engine, rng: Random, side: Side, wanted: list[int]) -> None:
        resting = self._resting[side]
        ask_cc = engine.ask_cc(side)
        for depth, price_cc in enumerate(wanted):
            order_id = resting.get(price_cc)
            if price_cc >= ask_cc or (order_id is not None and engine.is_resting(order_id)):
                continue
            count_centi = some_contracts(
                rng, typical=self._size * (1 + depth), is_fractional=self._is_fractional
            )
            resting[price_cc], _ = engine.submit(
                side=side, limit_cc=price_cc, count_centi=count_centi, owner=self._owner, rests=True
            )


class Crowd:
    """Everybody else: noise takers, a few who know where the price is going, and small resting orders."""

    def __init__(self, *, size: int, edge_cc: int) -> None:
        self._size = size
        self._edge_cc = edge_cc
        self._resting: list[int] = []

    def act(self, engine: Engine, grid: Grid, rng: Random, soon_cc: int) -> list[Fill]:
        """Let one account do one thing; `soon_cc` is the fair price a little later, which only some know."""
        owner = between(rng, FIRST_ACCOUNT, FIRST_ACCOUNT + N_ACCOUNTS - 1)
        mood = rng.random()
        if mood < 0.2:  # noqa: PLR2004 - one action in five is informed
            return self._informed(engine, grid, rng, owner, soon_cc)
        if mood < 0.3:  # noqa: PLR2004 - one in ten rests an order inside the spread
            return self._rest(engine, grid, rng, owner)
        side = SIDES[rng.random() < 0.5]  # noqa: PLR2004 - a fair coin
        limit_cc = grid.floor(min(engine.ask_cc(side) + between(rng, 0, 400), DOLLAR_CC - 1))
        return self._bid(engine, rng, owner, side, limit_cc)

    def _informed(self, engine: Engine, grid: Grid, rng: Random, owner: int, soon_cc: int) -> list[Fill]:
        for side, worth_cc in (("yes", soon_cc), ("no", DOLLAR_CC - soon_cc)):
            limit_cc = grid.floor(worth_cc - self._edge_cc)
            if limit_cc is not None and engine.ask_cc(side) <= limit_cc:  # type: ignore[arg-type]  # a Side
                return self._bid(engine, rng, owner, side, limit_cc)  # type: ignore[arg-type]  # a Side
        return []

    def _rest(self, engine: Engine, grid: Grid, rng: Random, owner: int) -> list[Fill]:
        side = SIDES[rng.random() < 0.5]  # noqa: PLR2004 - a fair coin
        if len(self._resting) > between(rng, 1, 8):
            engine.cancel(self._resting.pop(0))
        ask_cc = engine.ask_cc(side)
        limit_cc = grid.below(min(ask_cc, engine.best_cc(side) + between(rng, 1, 200)))
        if limit_cc is None or ask_cc == DOLLAR_CC:
            return []
        count_centi = some_contracts(rng, typical=self._size, is_fractional=owner % 2 == 0)
        order_id, fills = engine.submit(
            side=side, limit_cc=limit_cc, count_centi=count_centi, owner=owner, rests=True
        )
        self._resting.append(order_id)
        return fills

    def _bid(self, engine: Engine, rng: Random, owner: int, side: Side, limit_cc: int | None) -> list[Fill]:
        if limit_cc is None:
            return []
        count_centi = some_contracts(rng, typical=self._size, is_fractional=owner % 2 == 0)
        _, fills = engine.submit(
            side=side, limit_cc=limit_cc, count_centi=count_centi, owner=owner, rests=False
        )
        return fills
