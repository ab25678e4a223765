"""What a world will contain, decided before anything trades: series, events, markets, hours and payouts."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from exchange.fees import QUADRATIC, FeeChange
from exchange.markets import Event, Series
from sandbox.latent import Outcome, Underlying

MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
FULL_PPM: Final = 1_000_000
HALF_PPM: Final = 500_000
PAYOUT_DELAY: Final = timedelta(microseconds=314_159)  # after the timer has run out


@dataclass(frozen=True, slots=True)
class Pause:
    """`[start_ts, end_ts)`: the market is inactive and nobody trades."""

    start_ts: datetime
    end_ts: datetime


@dataclass(frozen=True, slots=True)
class CloseMove:
    """At `at_ts` the close time becomes `close_ts`; one after the close opens the market again."""

    at_ts: datetime
    close_ts: datetime


@dataclass(frozen=True, slots=True)
class Regrid:
    """From `at_ts` on prices lie on another, finer grid; resting orders stay."""

    at_ts: datetime
    structure: str


@dataclass(frozen=True, slots=True)
class Dispute:
    """The first result was wrong: doubted at `disputed_ts`, put right at `amended_ts`."""

    disputed_ts: datetime
    amended_ts: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketPlan:
    """One market of an event: for which readings it pays, and how busy it will be.

    `scalar_cc` is a payout between $0 and $1 whatever the reading; a provisional market vanishes if nobody
    has traded it by settlement; `size_factor` multiplies the contracts of everybody's orders. What the
    archive gets wrong: sizes below zero (`archived_size_centi`), and a single market without its
    expiration value.
    """

    suffix: str
    label: str
    outcome: Outcome
    n_actions: int
    strike_type: str
    floor_strike: float | None = None
    cap_strike: float | None = None
    market_type: str = "binary"
    pauses: tuple[Pause, ...] = ()
    scalar_cc: int | None = None
    is_provisional: bool = False
    size_factor: int = 1
    fee_waiver_ts: datetime | None = None
    archived_size_centi: int = 0
    hides_expiration_value: bool = False
    collection: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPlan:
    """One event and its clock; a void event pays half a dollar on every market.

    `scheduled_close_ts` is what is listed at first. A `close_ts` that no move announces is an early close
    that shows when it happens.
    """

    event: Event
    rules: str
    structure: str
    underlying: Underlying
    decimals: int
    markets: tuple[MarketPlan, ...]
    created_ts: datetime
    open_ts: datetime
    close_ts: datetime
    scheduled_close_ts: datetime
    determined_ts: datetime
    settlement_timer_s: int
    is_void: bool = False
    close_moves: tuple[CloseMove, ...] = ()
    regrids: tuple[Regrid, ...] = ()
    dispute: Dispute | None = None
    exchange_index: int = 0

    @property
    def settled_ts(self) -> datetime:
        """When winners are paid; an amended result starts the timer again."""
        decided_ts = self.determined_ts if self.dispute is None else self.dispute.amended_ts
        return decided_ts + timedelta(seconds=self.settlement_timer_s) + PAYOUT_DELAY

    @property
    def closes_unannounced(self) -> bool:
        """Whether the last close time that was listed is not the one that came."""
        listed_ts = self.close_moves[-1].close_ts if self.close_moves else self.scheduled_close_ts
        return listed_ts != self.close_ts

    def close_ts_at(self, now_ts: datetime) -> datetime:
        """Return the close time that is listed at an instant."""
        if now_ts >= self.close_ts:
            return self.close_ts
        told = [move.close_ts for move in self.close_moves if move.at_ts <= now_ts]
        return told[-1] if told else self.scheduled_close_ts

    def structure_at(self, now_ts: datetime) -> str:
        """Return the price grid in force at an instant."""
        told = [regrid.structure for regrid in self.regrids if regrid.at_ts <= now_ts]
        return told[-1] if told else self.structure


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The days a world covers: `[start_ts, end_ts)`, its clock standing at the end."""

    seed: int
    days: int
    end_ts: datetime
    activity: float

    @property
    def start_ts(self) -> datetime:
        """The first instant of the world."""
        return self.end_ts - timedelta(days=self.days)

    def midnights(self) -> list[datetime]:
        """Return 00:00 UTC of the world's days and of the day after, without the first."""
        first = datetime.combine(self.start_ts.date(), datetime.min.time(), tzinfo=UTC)
        return [first + timedelta(days=each) for each in range(1, self.days + 1)]

    def actions(self, n_actions: float) -> int:
        """Return how often the crowd acts in a market that would see `n_actions` in an ordinary world."""
        return int(n_actions * self.activity + 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPlan:
    """A series with everything that will happen in it."""

    series: Series
    events: tuple[EventPlan, ...]
    fee_changes: tuple[FeeChange, ...] = ()


def day_code(day: date) -> str:
    """Return a day the way tickers spell it: 26MAR02."""
    return f"{day.year % 100:02d}{MONTHS[day.month - 1]}{day.day:02d}"


def series_of(
    ticker: str,
    title: str,
    category: str,
    frequency: str,
    multiplier_ppm: int,
    span: Span,
    *,
    fee_type: str = QUADRATIC,
) -> Series:
    """Return a series of the world; its multiplier is in parts per million."""
    return Series(
        ticker=ticker, title=title, category=category, frequency=frequency, tags=("Simulated",),
        categories=(category,), fee_type=fee_type, fee_multiplier_ppm=multiplier_ppm,
        last_updated_ts=span.start_ts - timedelta(days=1),
    )  # fmt: skip


def series_change(
    change_id: str, ticker: str, at_ts: datetime, fee_type: str, multiplier_ppm: int
) -> FeeChange:
    """Return a fee change of a series."""
    return FeeChange(
        change_id=change_id, scope="series", ticker=ticker, effective_ts=at_ts, fee_type=fee_type,
        multiplier_ppm=multiplier_ppm,
    )  # fmt: skip


def event_change(
    change_id: str, ticker: str, at_ts: datetime, fee_type: str | None, multiplier_ppm: int | None
) -> FeeChange:
    """Return a fee change of an event; both values None clear the override."""
    return FeeChange(
        change_id=change_id, scope="event", ticker=ticker, effective_ts=at_ts, fee_type=fee_type,
        multiplier_ppm=multiplier_ppm,
    )  # fmt: skip
