"""What one fill costs, by the law of `exchange.fees`, as expressions over dollars and contracts."""

from typing import Final

from exchange.fees import (
    COMBO_PREFIX,
    COMBO_QUANTUM_MICROS,
    MAKER_RATE_PPM,
    QUANTUM_MICROS,
    ROUNDING,
    TAKER_RATE_PPM,
)
from exchange.units import DOLLAR_CC
from warehouse.macros.declaring import Macro, money

# rate_ppm x multiplier_ppm x centi x cc x cc has this many units to one millionth of a dollar.
_UNITS_PER_MICRO: Final = 10**12 * DOLLAR_CC

# An expression has no place for `given`: here underscores keep a caller's columns from being taken for ours.
_TERMS: Final = (
    "select s.ticker as _of, s.from_ts as _from, s.until_ts as _until, s.fee_type as _type, "
    "cast(s.multiplier * 1000000 as hugeint) as _ppm from fee_terms s where s.scope = 'series'"
)
_MOMENT: Final = "cast(ts as timestamptz)"
# Exact, or null: half a centicent is no price, and half a hundredth no count.
_CC: Final = f"cast(price as decimal(18,9)) * {DOLLAR_CC}"
_CENTI: Final = "cast(count as decimal(28,9)) * 100"
_IS_FILL: Final = f"""({_CC}) = floor({_CC}) and ({_CENTI}) = floor({_CENTI})
        and price between 0 and 1 and count >= 0"""


def _cases(of: str, cases: dict[str, int]) -> str:
    told = " ".join(f"when '{name}' then {rate}" for name, rate in cases.items())
    return f"case {of} {told} end"


def _unit_micros() -> str:
    newest_first = sorted(ROUNDING, key=lambda each: each.effective_ts, reverse=True)
    told = " ".join(
        f"when {_MOMENT} >= cast('{each.effective_ts:%Y-%m-%d %H:%M:%S}+00' as timestamptz) "
        f"then {each.unit_micros}"
        for each in newest_first
    )
    return f"case {told} end"


def _ceil_to(value: str, step: str) -> str:
    return f"((({value}) + {step} - 1) // {step} * {step})"


def _fee(*, is_taker: bool) -> str:
    """Return the law as one expression; from the inside out, each line names one integer of it."""
    rates = {name: TAKER_RATE_PPM if is_taker else maker for name, maker in MAKER_RATE_PPM.items()}
    quanta = f"when starts_with(series, '{COMBO_PREFIX}') then {COMBO_QUANTUM_MICROS} else {QUANTUM_MICROS}"
    gross = f"{_ceil_to('_value + _model', '_unit')} - _value"
    return f"""(
        select {money(f"max(case when _raw = 0 then 0 else {gross} end)")}
        from (
            select _raw, _value, _unit, {_ceil_to("_raw", "_quantum")} // {_UNITS_PER_MICRO} as _model
            from (
                select _unit, _quantum, _cc * _centi as _value,
                    _rate * _ppm * _centi * _cc * ({DOLLAR_CC} - _cc) as _raw
                from (
                    select
                        case when {_IS_FILL} then cast({_CC} as hugeint) end as _cc,
                        case when {_IS_FILL} then cast({_CENTI} as hugeint) end as _centi,
                        cast({_unit_micros()} as hugeint) as _unit,
                        cast(case {quanta} end as hugeint) * {_UNITS_PER_MICRO} as _quantum,
                        {_cases("_type", rates)} as _rate, _ppm
                    from ({_TERMS}) _terms
                    where _of = series and coalesce(_from <= {_MOMENT}, true)
                        and coalesce({_MOMENT} < _until, true)
                ) _asked
            ) _exact
        ) _modelled)"""


def _macro(name: str, what: str, *, is_taker: bool) -> Macro:
    return Macro(
        name=name,
        parameters="count, price, series, ts",
        sentence=(
            f"{what} in dollars, exactly: count in contracts, price of the outcome acquired in dollars, by "
            "the schedule of the series at ts (see fee_terms) and the rounding of that time, as the only "
            "fill of its order. Null where no schedule is known, where its formula is not published, and "
            "where price or count is finer than the exchange's ($0.0001, 0.01). An event's own fees and a "
            "market's fee waiver are not in it."
        ),
        sql=_fee(is_taker=is_taker),
        comments={},
    )


FEE: Final = _macro("fee", "What the taker of one fill is charged,", is_taker=True)
MAKER_FEE: Final = _macro("maker_fee", "What the maker of one fill is charged,", is_taker=False)
