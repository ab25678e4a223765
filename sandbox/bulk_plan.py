"""What becomes of every market of a bulk exchange, drawn at once into arrays: one row a market.

All times are microseconds since 1970. Rows are in the order of creation, and events are runs of neighbouring
rows, so that what exists at an instant is the first rows of either.
"""

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from sandbox.errors import BadWorld

Times: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Ranks: TypeAlias = npt.NDArray[np.int32]

SECOND_US: Final = 1_000_000
MINUTE_US: Final = 60 * SECOND_US
HOUR_US: Final = 60 * MINUTE_US
DAY_US: Final = 24 * HOUR_US
NEVER_US: Final = 2**62

SIZES: Final = (1, 1, 2, 2, 3, 4, 6, 8, 12)  # markets of an event
EVENTS_PER_SERIES: Final = 40
# How long an event trades, by the kind of its series: quarter-hours, days, weeks.
LIVES_US: Final = ((15 * MINUTE_US, 2 * HOUR_US), (20 * HOUR_US, 50 * HOUR_US), (5 * DAY_US, 20 * DAY_US))
KIND_SHARES: Final = (0.5, 0.35, 0.15)
COMBO_LIFE_US: Final = (30 * MINUTE_US, 6 * HOUR_US)
TIMERS_S: Final = (60, 300, 3_600)
COMBO_WEIGHT: Final = 0.2  # how much less a combo is traded than another market
PAUSE_US: Final = 10 * MINUTE_US
PAUSED_LIFE_US: Final = 4 * HOUR_US  # what lives shorter is never paused
# How much of all markets, or of all events with more than one, is so.
EXCLUSIVE, SCALAR, EARLY, LATER = 0.7, 0.02, 0.15, 0.05
DISPUTED, DEAD, PROVISIONAL, PAUSED = 0.02, 0.1, 0.04, 0.03
VANISHING: Final = 0.5  # of the provisional ones


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkSize:
    """How large a bulk exchange is, and which one: `n_markets` are without combos, `n_trades` with theirs."""

    seed: int = 7
    days: int = 30
    n_markets: int = 1_000
    n_combos: int = 200
    n_trades: int = 50_000

    def __post_init__(self) -> None:
        """Refuse what no exchange can be.

        Raises:
            BadWorld: nothing to list or less than a day to live.
        """
        if self.days < 1 or self.n_markets < 1 or min(self.n_combos, self.n_trades) < 0:
            raise BadWorld(
                f"a bulk exchange needs at least a day and a market, and no negative numbers; got {self}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPlan:
    """Every market's life; arrays have one row a market unless they say otherwise.

    The close told is `first_close_us` until `moved_us` and `close_us` from then on. `flips` are results that
    were wrong until `amended_us`; `vanishes` are provisional markets that nobody trades. `weight` is how much
    of the trading a market gets.
    """

    start_us: int
    end_us: int
    event: Ranks  # rank of the market's event
    nth: Ranks  # its number within the event
    created_us: Times
    open_us: Times
    first_close_us: Times
    moved_us: Times
    close_us: Times
    pause_us: Times  # start of ten minutes without trading; NEVER_US: none
    determined_us: Times
    disputed_us: Times
    amended_us: Times
    settled_us: Times
    timer_s: Ranks
    pays_cc: Ranks  # what one YES contract pays in the end
    is_scalar: Flags
    flips: Flags
    is_provisional: Flags
    vanishes: Flags
    is_combo: Flags
    weight: npt.NDArray[np.float64]
    event_series: Ranks  # one row an event: rank of its series; the last series is that of the combos
    event_first: Ranks  # one row an event, and the end: rank of its first market
    event_is_exclusive: Flags  # one row an event
    n_series: int
    # Filled in at construction: every instant at which a market's terms change, and whose they are.
    steps_us: Times = field(init=False)
    steps_market: Ranks = field(init=False)

    def __post_init__(self) -> None:
        steps = [*self.steps(), np.where(self.pause_us < NEVER_US, self.pause_us + PAUSE_US, NEVER_US)]
        at_us = np.concatenate(steps)
        whose = np.tile(np.arange(len(self.event), dtype=np.int32), len(steps))
        order = np.argsort(at_us, kind="stable")[: int((at_us < NEVER_US).sum())]
        object.__setattr__(self, "steps_us", at_us[order])
        object.__setattr__(self, "steps_market", whose[order])

    @property
    def n_markets(self) -> int:
        """How many markets there ever are, combos included."""
        return len(self.event)

    def steps(self) -> tuple[Times, ...]:
        """Return the instants of each kind at which terms change; the end of a pause is not among them."""
        return (
            self.created_us, self.open_us, self.moved_us, self.close_us, self.pause_us,
            self.determined_us, self.disputed_us, self.amended_us, self.settled_us,
        )  # fmt: skip


def draw_plan(size: BulkSize, *, end_us: int) -> BulkPlan:
    """Draw the lives of all markets; the last trades happen before `end_us`."""
    rng = np.random.default_rng((size.seed, 1))
    start_us = end_us - size.days * DAY_US
    sizes = _event_sizes(rng, size)
    n_events = len(sizes)
    is_combo_event = np.arange(n_events) >= n_events - size.n_combos
    n_series = 1 + max(3, (n_events - size.n_combos) // EVENTS_PER_SERIES)
    series = rng.integers(0, n_series - 1, n_events)
    kinds = rng.choice(len(LIVES_US), n_series, p=KIND_SHARES)[series]
    series[is_combo_event] = n_series - 1
    low_us, high_us = np.array(LIVES_US)[kinds].T
    low_us[is_combo_event], high_us[is_combo_event] = COMBO_LIFE_US
    life_us = rng.integers(low_us, high_us) // SECOND_US * SECOND_US
    open_us = rng.integers(start_us - life_us // 2, end_us + 6 * HOUR_US) // SECOND_US * SECOND_US
    lead_us = np.where(is_combo_event, 0, rng.integers(MINUTE_US, 6 * HOUR_US, n_events))
    order = np.argsort(open_us - lead_us, kind="stable")
    sizes, event_of = sizes[order], np.repeat(np.arange(n_events, dtype=np.int32), sizes[order])
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    is_exclusive = (sizes > 1) & (rng.random(n_events) < EXCLUSIVE)
    markets = _markets(
        rng,
        opens_us=open_us[order][event_of],
        life_us=life_us[order][event_of],
        is_combo=is_combo_event[order][event_of],
    )
    pays_cc = rng.integers(0, 2, len(event_of)) * 10_000
    winners = first[:-1] + rng.integers(0, sizes)
    in_exclusive = is_exclusive[event_of]
    pays_cc[in_exclusive] = (np.arange(len(event_of)) == winners[event_of])[in_exclusive] * 10_000
    is_scalar = ~in_exclusive & (rng.random(len(event_of)) < SCALAR)
    pays_cc[is_scalar] = rng.integers(1, 10_000, int(is_scalar.sum()))
    return BulkPlan(
        start_us=start_us,
        end_us=end_us,
        event=event_of,
        nth=(np.arange(len(event_of)) - first[event_of]).astype(np.int32),
        created_us=(open_us - lead_us)[order][event_of],
        pays_cc=pays_cc.astype(np.int32),
        is_scalar=is_scalar,
        event_series=series[order].astype(np.int32),
        event_first=first,
        event_is_exclusive=is_exclusive,
        n_series=n_series,
        **markets,
    )


def _event_sizes(rng: np.random.Generator, size: BulkSize) -> npt.NDArray[np.int64]:
    """Return how many markets each event has, the combos' events last."""
    drawn = rng.choice(SIZES, size.n_markets)
    n_events = int(np.searchsorted(np.cumsum(drawn), size.n_markets)) + 1
    sizes = drawn[:n_events]
    sizes[-1] -= sizes.sum() - size.n_markets
    return np.concatenate([sizes, np.ones(size.n_combos, sizes.dtype)])


def _markets(rng: np.random.Generator, *, opens_us: Times, life_us: Times, is_combo: Flags) -> dict[str, Any]:
    """Draw what differs between the markets of an event: closes, pauses, disputes, who trades them."""
    n = len(opens_us)
    planned_us = opens_us + life_us
    is_early, is_later = (rng.random(n) < share for share in (EARLY, LATER))
    is_later &= ~is_early
    early_us = opens_us + (life_us * rng.uniform(0.3, 0.9, n)).astype(np.int64) + rng.integers(1, SECOND_US)
    close_us = np.where(is_early, early_us, np.where(is_later, planned_us + 2 * HOUR_US, planned_us))
    # An early close is told when it happens, a later one a while before the first.
    moved_us = np.where(is_early, close_us, np.where(is_later, planned_us - life_us // 10, NEVER_US))
    determined_us = close_us + rng.integers(MINUTE_US, 20 * MINUTE_US, n)
    is_disputed = rng.random(n) < DISPUTED
    disputed_us = np.where(is_disputed, determined_us + 5 * MINUTE_US, NEVER_US)
    amended_us = np.where(is_disputed, determined_us + 25 * MINUTE_US, NEVER_US)
    timer_s = rng.choice(TIMERS_S, n).astype(np.int32)
    final_us = np.where(is_disputed, amended_us, determined_us)
    weight = (1 + rng.permutation(n)) ** -0.9
    weight[is_combo] *= COMBO_WEIGHT
    weight[rng.random(n) < DEAD] = 0
    is_provisional = ~is_combo & (rng.random(n) < PROVISIONAL)
    vanishes = is_provisional & (rng.random(n) < VANISHING)
    weight[vanishes] = 0
    is_paused = (life_us >= PAUSED_LIFE_US) & (rng.random(n) < PAUSED)
    return {
        "open_us": opens_us,
        "first_close_us": planned_us,
        "moved_us": moved_us,
        "close_us": close_us,
        "pause_us": np.where(is_paused, opens_us + life_us // 4, NEVER_US),
        "determined_us": determined_us,
        "disputed_us": disputed_us,
        "amended_us": amended_us,
        "settled_us": final_us + timer_s.astype(np.int64) * SECOND_US,
        "timer_s": timer_s,
        "flips": is_disputed,
        "is_provisional": is_provisional,
        "vanishes": vanishes,
        "is_combo": is_combo,
        "weight": weight,
    }
