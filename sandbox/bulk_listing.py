"""Series, events and markets of a bulk exchange as they stand at an instant, out of its arrays.

Source: KALSHI.md §5.4 and §9 (OpenAPI 3.34.0, read 2026-10-09; page market_lifecycle, 2026-06-01).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import numpy as np

from exchange.fees import MAKER, QUADRATIC, FeeChange
from exchange.markets import Event, Market, Series
from exchange.ticks import STRUCTURES
from exchange.units import DOLLAR_CC, from_us
from sandbox.bulk_plan import DAY_US, HOUR_US, PAUSE_US, BulkPlan, BulkSize
from sandbox.bulk_tape import BulkTrades
from sandbox.plans import FULL_PPM, HALF_PPM, event_change, series_change

GRID: Final = "linear_cent"
TICK_CC: Final = 100
RESTING_CENTI: Final = 10_000
OPEN_SHARE: Final = (3, 5)  # of what traded, so much stays open
LABELS: Final = ("Crypto", "Sports", "Weather", "Economics")


class Listing:
    """What a bulk exchange lists; every answer is computed from the plan and the trades."""

    def __init__(self, size: BulkSize, plan: BulkPlan, trades: BulkTrades) -> None:
        self._plan = plan
        self._trades = trades
        self._steps_us = np.stack([*plan.steps(), plan.pause_us + PAUSE_US])
        n_plain = plan.n_series - 1
        self._series_tickers = [*(f"KXBULK{rank:04d}" for rank in range(n_plain)), "KXMVEBULK"]
        self.event_tickers = [
            f"{self._series_tickers[series]}-E{rank:06d}" for rank, series in enumerate(plan.event_series)
        ]
        self.tickers = [
            f"{self.event_tickers[event]}-M{nth}" for event, nth in zip(plan.event, plan.nth, strict=True)
        ]
        self.rank_of = {ticker: rank for rank, ticker in enumerate(self.tickers)}
        self.fee_changes = self._draw_fee_changes(size)
        self._fees_of: dict[str, list[FeeChange]] = defaultdict(list)
        for change in self.fee_changes:
            self._fees_of[change.ticker].append(change)

    def series(self, now_ts: datetime) -> list[Series]:
        """Return all series by ticker, with the fees in force."""
        return [self._series_at(rank, now_ts) for rank in range(self._plan.n_series)]

    def events(self, now_us: int, *, first: int = 0) -> list[Event]:
        """Return the events from rank `first` on that have been created, oldest first."""
        created_us = self._plan.created_us[self._plan.event_first[:-1]]
        end = int(np.searchsorted(created_us, now_us, side="right"))
        return [self.event(rank, now_us) for rank in range(first, end)]

    def event(self, rank: int, now_us: int) -> Event:
        """Return one event, with its own fees where it has some."""
        plan, ticker = self._plan, self.event_tickers[rank]
        is_exclusive = bool(plan.event_is_exclusive[rank])
        event = Event(
            ticker=ticker,
            series_ticker=self._series_tickers[plan.event_series[rank]],
            title=f"Question {rank}",
            sub_title=f"{rank}",
            category=LABELS[int(plan.event_series[rank]) % len(LABELS)],
            mutually_exclusive=is_exclusive,
            collateral_return_type="MECNET" if is_exclusive else "",
            strike_ts=from_us(int(plan.first_close_us[plan.event_first[rank]])),
        )
        for change in self._fees_of.get(ticker, ()):
            if change.effective_ts <= from_us(now_us):
                event = replace(
                    event,
                    fee_type_override=change.fee_type,
                    fee_multiplier_override_ppm=change.multiplier_ppm,
                )
        return event

    def market(self, rank: int, now_us: int) -> Market:
        """Return one market as it stands; volume, price and open interest are those of its trades."""
        plan, ticker = self._plan, self.tickers[rank]
        event_ticker = self.event_tickers[plan.event[rank]]
        status = self.status(rank, now_us)
        is_decided = plan.determined_us[rank] <= now_us
        pays_cc = self._pays_cc(rank, now_us)
        n = self._trades.n_until(rank, now_us)
        volume_centi = self._trades.volume_until(rank, n)
        bid_cc, ask_cc = self.top_at(rank, now_us)
        moved = plan.moved_us[rank] <= now_us
        timer_s = int(plan.timer_s[rank])
        return Market(
            ticker=ticker,
            event_ticker=event_ticker,
            title=f"Question {plan.event[rank]}",
            yes_sub_title=f"Outcome {plan.nth[rank]}",
            no_sub_title=f"Outcome {plan.nth[rank]}",
            created_ts=from_us(int(plan.created_us[rank])),
            updated_ts=self._updated_ts(rank, now_us),
            open_ts=from_us(int(plan.open_us[rank])),
            close_ts=from_us(int((plan.close_us if moved else plan.first_close_us)[rank])),
            expected_expiration_ts=from_us(int(plan.first_close_us[rank])),
            latest_expiration_ts=from_us(int(plan.first_close_us[rank]) + 7 * DAY_US),
            settlement_timer_s=timer_s,
            status=status,
            result=_result(pays_cc, is_scalar=bool(plan.is_scalar[rank])) if is_decided else "",
            settlement_value_cc=pays_cc if is_decided else None,
            settlement_ts=from_us(int(plan.settled_us[rank])) if status == "finalized" else None,
            expiration_value=f"{pays_cc}" if is_decided else "",
            can_close_early=bool(plan.moved_us[rank] == plan.close_us[rank]),
            strike_type="custom",
            floor_strike=float(plan.nth[rank]),
            price_level_structure=GRID,
            price_ranges=STRUCTURES[GRID],
            yes_bid_cc=bid_cc,
            yes_ask_cc=ask_cc,
            yes_bid_size_centi=RESTING_CENTI if bid_cc else 0,
            yes_ask_size_centi=RESTING_CENTI if ask_cc < DOLLAR_CC else 0,
            last_price_cc=self._trades.price_of(rank, n - 1) if n else None,
            volume_centi=volume_centi,
            volume_24h_centi=volume_centi
            - self._trades.volume_until(rank, self._trades.n_until(rank, now_us - DAY_US)),
            open_interest_centi=open_interest_centi(volume_centi),
            is_provisional=bool(plan.is_provisional[rank]),
            mve_collection_ticker="KXMVEBULK-R" if plan.is_combo[rank] else None,
            rules_primary="Pays if this outcome comes true.",
        )

    def status(self, rank: int, now_us: int) -> str:
        """Return the response word for where a market stands in its life."""
        plan = self._plan
        if now_us < plan.open_us[rank]:
            return "initialized"
        if now_us < plan.close_us[rank]:
            is_paused = plan.pause_us[rank] <= now_us < plan.pause_us[rank] + PAUSE_US
            return "inactive" if is_paused else "active"
        if now_us < plan.determined_us[rank]:
            return "closed"
        if now_us >= plan.settled_us[rank]:
            return "finalized"
        if now_us < plan.disputed_us[rank]:
            return "determined"
        return "disputed" if now_us < plan.amended_us[rank] else "amended"

    def top_at(self, rank: int, now_us: int) -> tuple[int, int]:
        """Return best bid and ask: a tick around the last trade while the market is open, else none."""
        plan = self._plan
        n = self._trades.n_until(rank, now_us)
        if not n or not plan.open_us[rank] <= now_us < plan.close_us[rank]:
            return 0, DOLLAR_CC
        return quoted_around(self._trades.price_of(rank, n - 1))

    def _pays_cc(self, rank: int, now_us: int) -> int:
        """Return what YES pays as it is known: a disputed result was the other way round."""
        pays_cc = int(self._plan.pays_cc[rank])
        is_wrong = self._plan.flips[rank] and now_us < self._plan.amended_us[rank]
        return DOLLAR_CC - pays_cc if is_wrong else pays_cc

    def _updated_ts(self, rank: int, now_us: int) -> datetime:
        steps_us = self._steps_us[:, rank]
        return from_us(int(steps_us[steps_us <= now_us].max()))

    def _series_at(self, rank: int, now_ts: datetime) -> Series:
        ticker, label = self._series_tickers[rank], LABELS[rank % len(LABELS)]
        series = Series(
            ticker=ticker, title=f"Series {rank}", category=label, categories=(label,), frequency="custom",
            tags=("bulk",), fee_type=QUADRATIC, fee_multiplier_ppm=FULL_PPM,
        )  # fmt: skip
        for change in self._fees_of.get(ticker, ()):
            if change.effective_ts <= now_ts:
                assert change.fee_type is not None
                assert change.multiplier_ppm is not None
                series = replace(series, fee_type=change.fee_type, fee_multiplier_ppm=change.multiplier_ppm)
        return series

    def _draw_fee_changes(self, size: BulkSize) -> Sequence[FeeChange]:
        """Let one series in ten change its fees twice, and one event in a hundred have fees of its own."""
        rng = np.random.default_rng((size.seed, 3))
        plan, changes = self._plan, []
        span_us = plan.end_us - plan.start_us
        for rank in range(0, plan.n_series - 1, 10):
            first_us = plan.start_us - DAY_US + int(rng.integers(span_us))
            name = self._series_tickers[rank]
            changes += [
                series_change(f"{name}-1", name, from_us(first_us), MAKER, FULL_PPM),
                series_change(f"{name}-2", name, from_us(first_us + span_us // 3), QUADRATIC, HALF_PPM),
            ]
        for rank in range(7, len(self.event_tickers), 100):
            opens_us, name = int(plan.open_us[plan.event_first[rank]]), self.event_tickers[rank]
            changes += [
                event_change(f"{name}-1", name, from_us(opens_us), QUADRATIC, 0),
                event_change(f"{name}-2", name, from_us(opens_us + HOUR_US), None, None),
            ]
        return sorted(changes, key=lambda change: (change.effective_ts, change.change_id))


def quoted_around(price_cc: int) -> tuple[int, int]:
    """Return best bid and ask after a trade at this price; at the edges one side is empty."""
    return max(price_cc - TICK_CC, 0), min(price_cc + TICK_CC, DOLLAR_CC)


def open_interest_centi(volume_centi: int) -> int:
    """Return what of a market's volume is still open."""
    return volume_centi * OPEN_SHARE[0] // OPEN_SHARE[1]


def _result(pays_cc: int, *, is_scalar: bool) -> str:
    return "scalar" if is_scalar else "yes" if pays_cc == DOLLAR_CC else "no"
