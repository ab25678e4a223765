"""The arguments of a run, read and checked once; what they mean in words and in a manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final

from backtest.assumptions import BASIS, PLACES
from backtest.errors import PlanError, TooLarge
from backtest.kernels.arrays import NEVER
from backtest.latency import Latency, as_us, read_feed, read_latency
from backtest.slippage import Slippage
from backtest.slippages import Slippages, read_slippages
from exchange.fees import FeeTerms
from exchange.units import MICROS_PER_DOLLAR

_CASH_MAX_MICROS: Final = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The arguments of one run, read and checked."""

    fills: str
    queue: str
    latency: Latency
    feed: Latency  # of a policy: from what happens to when it is known
    cash_micros: int
    per_event_micros: int  # -1: no cap
    per_series_micros: int  # -1: no cap
    netting: bool
    maintenance: bool
    extra_ticks: int
    slippage: Slippages | None
    refill_us: int  # NEVER: what we took stays taken
    max_age_us: int  # of a quote; NEVER: it stands until the next one
    payout_delay: timedelta
    fees: FeeTerms | None
    legs: str | None  # None: the plan has no baskets


def read_settings(
    *,
    fills: str,
    queue: str,
    latency: str | timedelta | Latency,
    feed: str | timedelta | Latency | None,
    cash: float | Decimal | str,
    per_event: float | Decimal | str | None,
    per_series: float | Decimal | str | None,
    netting: bool,
    maintenance: bool,
    extra_ticks: int,
    slippage: Slippage | Mapping[str, Slippage] | None,
    refill: str | timedelta,
    payout_delay: str | timedelta,
    fees: FeeTerms | None,
    legs: str | None,
    max_age: str | timedelta | None = None,
) -> Settings:
    """Return the arguments of `bt.run` but plan, lake and params.

    Raises:
        PlanError, TooLarge: one of them cannot be meant.
    """
    if not isinstance(fills, str) or fills not in BASIS:
        raise PlanError(f"fills={fills!r} is unknown: use {' or '.join(BASIS)}")
    if queue not in tuple(PLACES) or (queue != "pessimistic" and fills != "queue"):
        raise PlanError(f"queue={queue!r}: use {' or '.join(PLACES)}, and only with fills='queue'")
    for name, flag in (("netting", netting), ("maintenance", maintenance)):
        if not isinstance(flag, bool):
            raise PlanError(f"{name}={flag!r} must be True or False")
    _check_ticks(fills, extra_ticks)
    _check_slippage(fills, extra_ticks, is_given=slippage is not None)
    if fees is not None and not isinstance(fees, FeeTerms):
        raise PlanError(f"fees={fees!r}: give bt.assume_fees('quadratic', multiplier=1), or nothing")
    delay = timedelta(microseconds=as_us("payout_delay", payout_delay))
    if delay < timedelta(0):
        raise PlanError("payout_delay must not be negative: nobody is paid before the close")
    cash_micros = _micros("cash", cash)
    return Settings(
        fills=fills,
        queue=queue,
        latency=read_latency(latency),
        feed=read_feed(feed),
        cash_micros=cash_micros,
        per_event_micros=_cap("per_event", per_event, cash_micros),
        per_series_micros=_cap("per_series", per_series, cash_micros),
        netting=netting,
        maintenance=maintenance,
        extra_ticks=extra_ticks,
        slippage=read_slippages(slippage),
        refill_us=_refill_us(refill),
        max_age_us=_max_age_us(max_age, fills),
        payout_delay=delay,
        fees=fees,
        legs=legs,
    )


def _check_ticks(fills: str, extra_ticks: int) -> None:
    is_whole = isinstance(extra_ticks, int) and not isinstance(extra_ticks, bool)
    if not is_whole or extra_ticks < 0 or (extra_ticks and fills != "touch"):
        raise PlanError(f"extra_ticks={extra_ticks!r}: a whole number from 0 up, and only with fills='touch'")


def _check_slippage(fills: str, extra_ticks: int, *, is_given: bool) -> None:
    if not is_given and fills == "trades":
        raise PlanError(
            "fills='trades' needs slippage=: bt.calibrate_slippage measures one; bt.Slippage() takes half of "
            "the spread from the trades themselves and gives any count at the touch"
        )
    if is_given and (fills not in ("touch", "trades") or extra_ticks):
        raise PlanError("slippage= is for fills='trades' or 'touch', and not together with extra_ticks")


def _refill_us(refill: str | timedelta) -> int:
    if refill == "never":
        return NEVER
    length = as_us("refill", refill)
    if length <= 0:
        raise PlanError(f"refill={refill!r} must be more than 0, or 'never'")
    return length


def _max_age_us(max_age: str | timedelta | None, fills: str) -> int:
    if max_age is None:
        return NEVER
    if fills not in ("mid", "touch"):
        raise PlanError(
            "max_age is of quotes: only with fills='touch' or 'mid'; for trades it is one of bt.Slippage, "
            "and books are known as long as they are recorded"
        )
    length = as_us("max_age", max_age)
    if length <= 0:
        raise PlanError(f"max_age={max_age!r} must be more than 0, or left out")
    return length


def config_of(settings: Settings) -> dict[str, Any]:
    """Return what a manifest says of the arguments."""
    fees = settings.fees
    return {
        "fills": settings.fills,
        "queue": settings.queue if settings.fills == "queue" else None,
        "latency_us": settings.latency.told,
        "cash_micros": settings.cash_micros,
        "per_event_micros": settings.per_event_micros if settings.per_event_micros >= 0 else None,
        "per_series_micros": settings.per_series_micros if settings.per_series_micros >= 0 else None,
        "netting": settings.netting,
        "maintenance": settings.maintenance,
        "extra_ticks": settings.extra_ticks,
        "slippage": None if settings.slippage is None else settings.slippage.told,
        "refill_us": None if settings.refill_us == NEVER else settings.refill_us,
        "max_age_us": None if settings.max_age_us == NEVER else settings.max_age_us,
        "payout_delay_us": settings.payout_delay // timedelta(microseconds=1),
        "fees": None if fees is None else [fees.fee_type, fees.multiplier_ppm],
        "legs": settings.legs,
    }


def _exact(name: str, amount: float | Decimal | str) -> Fraction:
    try:
        return Fraction(Decimal(str(amount)))
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise PlanError(f"{name}={amount!r} is not an amount of dollars") from error


def _micros(name: str, dollars: float | Decimal | str, more: str = "") -> int:
    micros = _exact(name, dollars) * MICROS_PER_DOLLAR
    whole = int(micros)
    if whole != micros or whole < 0:
        raise PlanError(f"{name}={dollars!r}: dollars, not negative, at most 6 decimals{more}")
    if whole > _CASH_MAX_MICROS:
        raise TooLarge(
            f"{name}={dollars!r} is more than the {_CASH_MAX_MICROS // MICROS_PER_DOLLAR:,} allowed"
        )
    return whole


def _cap(name: str, cap: float | Decimal | str | None, cash_micros: int) -> int:
    if cap is None:
        return -1
    share = _exact(name, cap)
    if 0 <= share <= 1:
        return int(share * cash_micros)
    return _micros(name, cap, "; up to 1 is a share of cash")
