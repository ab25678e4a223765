"""A flood of combos: markets that pay the product of other markets, made one after the other all day long.

Nothing of them is kept but what was looked at: number, time of creation and legs follow from each other, so a
hundred thousand cost nothing until somebody pages through them. Agents do not trade them.
Source: KALSHI.md §9 and §17 (OpenAPI 3.34.0, read 2026-10-09; cockpit, 2026-08-09).
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from exchange.fees import COMBO_MAKER
from exchange.markets import Event, Market, Series
from exchange.units import DOLLAR_CC, from_us, to_us
from sandbox.errors import BadWorld
from sandbox.latent import N_STEPS, Outcome, Underlying
from sandbox.lifecycle import Kind
from sandbox.listing import payout_cc
from sandbox.plans import FULL_PPM, PAYOUT_DELAY, EventPlan, MarketPlan, Span, series_of
from sandbox.stage import Stage

SERIES: Final = "KXMVESIMCROSS"
COLLECTION: Final = "KXMVESIMCROSS-R"
MAX_COMBOS: Final = 1_000_000
KEEP_AT_MOST: Final = 100_000  # some 100 MB
SHARD: Final = 1
MINUTE: Final = timedelta(minutes=1)
OPEN_BEFORE: Final = timedelta(hours=27)  # combos of a day begin this long before its midnight
CLOSE_BEFORE: Final = timedelta(hours=3)
TIMER_S: Final = 60
PAID_AFTER: Final = timedelta(seconds=TIMER_S) + PAYOUT_DELAY
MIX: Final = 2_654_435_761  # Knuth's multiplier: neighbours get different legs
EVEN: Final = Underlying(mean=0.0, spread=1.0, tick=1.0)
PAYS: Final = Outcome(low=1)


@dataclass(frozen=True, slots=True)
class Leg:
    """One market of a combo, and the outcome that has to come."""

    plan: EventPlan
    market: MarketPlan
    side: str

    @property
    def ticker(self) -> str:
        """The market's ticker."""
        return f"{self.plan.event.ticker}-{self.market.suffix}"


@dataclass(frozen=True, slots=True)
class _Batch:
    """The combos of one day: they close together and are decided when their last leg is."""

    first: int
    end: int
    close_ts: datetime
    determined_ts: datetime
    events: tuple[EventPlan, ...]
    steps: tuple[tuple[datetime, Kind], ...]  # what happens to all of them at once


class Combos:
    """`n` combos over the life of a world, the i-th created at a time of its own.

    `reading_of` tells what decides an event in the end.

    Raises:
        BadWorld: fewer than none or more than a million.
    """

    def __init__(
        self, span: Span, n: int, plans: Sequence[EventPlan], reading_of: Callable[[str], int]
    ) -> None:
        if not 0 <= n <= MAX_COMBOS:
            raise BadWorld(f"{n} combos are asked for; give 0 to {MAX_COMBOS:,}")
        self.n = n
        self.series: Series = series_of(
            SERIES, "Any markets together", "Exotics", "custom", FULL_PPM, span, fee_type=COMBO_MAKER
        )
        self._seed = span.seed
        self._reading_of = reading_of
        self._first_us = to_us(span.start_ts)
        last_us = to_us(span.midnights()[-1] - CLOSE_BEFORE)
        self._every_us = max((last_us - self._first_us) // max(n, 1), 1)
        self._batches = [batch for batch in self._plan(span, plans) if batch.first < batch.end]
        self._begins = [batch.first for batch in self._batches]
        self._kept: dict[int, tuple[int, Market]] = {}
        self._patterns: dict[tuple[int, int], Market] = {}
        self._values_cc: dict[str, int] = {}
        self._next = 0
        self._steps: list[tuple[int, Kind, _Batch]] = []

    def _plan(self, span: Span, plans: Sequence[EventPlan]) -> Iterator[_Batch]:
        for midnight in span.midnights():
            open_ts, close_ts = midnight - OPEN_BEFORE, midnight - CLOSE_BEFORE
            events = tuple(
                plan
                for plan in plans
                if plan.created_ts <= open_ts + MINUTE
                and close_ts < plan.determined_ts < midnight + timedelta(days=1)
            )
            determined_ts = max((plan.determined_ts for plan in events), default=close_ts) + MINUTE
            yield _Batch(
                first=self.created_before(to_us(open_ts)),
                end=self.created_before(to_us(close_ts)),
                close_ts=close_ts,
                determined_ts=determined_ts,
                events=events,
                steps=(
                    (close_ts, "closed"), (determined_ts, "determined"),
                    (determined_ts + PAID_AFTER, "settled"),
                ),
            )  # fmt: skip

    @property
    def n_made(self) -> int:
        """How many combos have been looked at so far, and are kept."""
        return len(self._kept)

    def created_us(self, number: int) -> int:
        """Return when a combo is created, and opens."""
        return self._first_us + number * self._every_us

    def created_before(self, at_us: int) -> int:
        """Return how many combos are created before an instant."""
        return min(max(-((self._first_us - at_us) // self._every_us), 0), self.n)

    def first_alike(self, number: int) -> int:
        """Return the first of the combos that close and are decided together with this one."""
        return self._batch(number).first

    def created_before_ts(self, at_ts: datetime) -> int:
        """Return how many combos are created before a time."""
        return self.created_before(to_us(at_ts))

    def ticker(self, number: int) -> str:
        """Return the ticker of a combo's market."""
        return f"{self.event_ticker(number)}-{number * MIX % 2**32:08X}"

    def event_ticker(self, number: int) -> str:
        """Return the ticker of a combo's event, which has this one market."""
        return f"{SERIES}-S{self._seed}{number:06X}"

    def find(self, ticker: str, now_us: int) -> int | None:
        """Return the number of a combo by the ticker of its market or event, None before it is created."""
        prefix = f"{SERIES}-S{self._seed}"
        try:
            number = int(ticker.removeprefix(prefix)[:6], 16)
        except ValueError:
            return None
        known = 0 <= number < self.created_before(now_us + 1)
        return number if known and ticker in {self.ticker(number), self.event_ticker(number)} else None

    def market(self, number: int, now_ts: datetime) -> Market:
        """Return a combo that nobody has traded as it is listed at an instant."""
        phase = sum(now_ts >= at_ts for at_ts, _ in self._batch(number).steps)
        kept = self._kept.get(number)
        if kept is None or kept[0] != phase:
            if len(self._kept) >= KEEP_AT_MOST:
                self._kept.clear()
            kept = self._kept[number] = (phase, self._made(number, phase, now_ts))
        return kept[1]

    def _made(self, number: int, phase: int, now_ts: datetime) -> Market:
        """Return a combo made after the pattern of its day, for all of a day are much alike."""
        first = self.first_alike(number)
        pattern = self._patterns.get((first, phase))
        if pattern is None:
            pattern = self._patterns[first, phase] = self.stage(first).market(now_ts)
        created_ts, label, value_cc = self._facts(number)
        result, reading = _result(value_cc), EVEN.in_ticks(value_cc / DOLLAR_CC)
        return replace(
            pattern,
            ticker=self.ticker(number),
            event_ticker=self.event_ticker(number),
            title=f"{label} {label}",
            yes_sub_title=label,
            no_sub_title=label,
            created_ts=created_ts,
            open_ts=created_ts,
            updated_ts=pattern.updated_ts if phase else created_ts,
            result=result if pattern.result else "",
            settlement_value_cc=value_cc if pattern.result else None,
            expiration_value=str(reading) if pattern.result else "",
        )

    def event(self, number: int) -> Event:
        """Return a combo's event."""
        return self._plan_of(number)[0].event

    def legs(self, number: int) -> list[Leg]:
        """Return what has to come for a combo to pay."""
        legs, mixed = [], number * MIX % 2**32
        for plan in self._batch(number).events:
            mixed, chosen = divmod(mixed, len(plan.markets))
            mixed, is_no = divmod(mixed, 2)
            legs.append(Leg(plan, plan.markets[chosen], "no" if is_no else "yes"))
        return legs

    def leg_value_cc(self, leg: Leg) -> int:
        """Return what one YES contract of a leg's market pays in the end."""
        value_cc = self._values_cc.get(leg.ticker)
        if value_cc is None:
            reading = self._reading_of(leg.plan.event.ticker)
            value_cc = self._values_cc[leg.ticker] = payout_cc(leg.plan, leg.market, reading)
        return value_cc

    def stage(self, number: int) -> Stage:
        """Return a combo as a market that can be traded."""
        plan, value_cc = self._plan_of(number)
        path = [0.0] * N_STEPS + [value_cc / DOLLAR_CC]
        return Stage(self._seed, plan, plan.markets[0], lambda: path)

    def _plan_of(self, number: int) -> tuple[EventPlan, int]:
        """Return what becomes of a combo, and what it pays in the end."""
        batch, ticker = self._batch(number), self.event_ticker(number)
        created_ts, label, value_cc = self._facts(number)
        plan = EventPlan(
            event=Event(
                ticker=ticker, series_ticker=SERIES, title=label, sub_title="Combo", category="Exotics",
                mutually_exclusive=False, strike_period="",
            ),
            rules="Pays the product of its legs.",
            structure="center_deci_edge_centi_cent",
            underlying=EVEN,
            decimals=0,
            markets=(
                MarketPlan(
                    suffix=self.ticker(number).removeprefix(f"{ticker}-"), label=label, outcome=PAYS,
                    n_actions=0, strike_type="custom", collection=COLLECTION,
                    scalar_cc=value_cc if 0 < value_cc < DOLLAR_CC else None,
                ),
            ),
            created_ts=created_ts,
            open_ts=created_ts,
            close_ts=batch.close_ts,
            scheduled_close_ts=batch.close_ts,
            determined_ts=batch.determined_ts,
            settlement_timer_s=TIMER_S,
            exchange_index=SHARD,
        )  # fmt: skip
        return plan, value_cc

    def _facts(self, number: int) -> tuple[datetime, str, int]:
        """Return when a combo is created, what it is called, and what it pays in the end."""
        value_cc, legs = DOLLAR_CC, self.legs(number)
        for leg in legs:
            pays_cc = self.leg_value_cc(leg)
            value_cc = value_cc * (pays_cc if leg.side == "yes" else DOLLAR_CC - pays_cc) // DOLLAR_CC
        label = ",".join(f"{leg.side} {leg.market.label}" for leg in legs)
        return from_us(self.created_us(number)), label, value_cc

    def begin(self, now_us: int) -> None:
        """Tell only what comes after this instant."""
        self._next = self.created_before(now_us + 1)
        for batch in self._batches:
            coming = [(to_us(at_ts), kind, batch) for at_ts, kind in batch.steps]
            self._steps += [step for step in coming if step[0] > now_us]
        self._steps.sort(key=lambda step: step[0], reverse=True)

    def next_us(self) -> int | None:
        """Return when a combo is created, closed, decided or paid next."""
        dues = [self._steps[-1][0]] if self._steps else []
        if self._next < self.n:
            dues.append(self.created_us(self._next))
        return min(dues, default=None)

    def take(self, at_us: int) -> list[tuple[Kind, int]]:
        """Return what happens at an instant: the kind of step and the combo's number."""
        if self._next < self.n and self.created_us(self._next) <= at_us:
            self._next += 1
            return [("created", self._next - 1), ("opened", self._next - 1)]
        _, kind, batch = self._steps.pop()
        return [(kind, number) for number in range(batch.first, batch.end)]

    def _batch(self, number: int) -> _Batch:
        return self._batches[max(bisect_right(self._begins, number) - 1, 0)]


def _result(value_cc: int) -> str:
    if 0 < value_cc < DOLLAR_CC:
        return "scalar"
    return "yes" if value_cc else "no"
