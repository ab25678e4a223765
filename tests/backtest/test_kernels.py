"""The kernels' fee law against exchange.fees, and their caches against their sources."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backtest.fees import _ratio
from backtest.kernels import buckets, clock, placing, prints, scoring, tops
from backtest.kernels.arrays import COUNT_MAX_CENTI
from backtest.kernels.law import fee_charged, fee_model
from exchange.fees import MAKER_RATE_PPM, ROUNDING, FeeTerms, charge_fill, model_micros
from warehouse.rebuilding import kernels, ops

KERNELS: Final = Path(clock.__file__).parent
PRICES = st.integers(1, 9_999)
COUNTS = st.integers(1, COUNT_MAX_CENTI)
MULTIPLIERS = st.sampled_from([0, 250_000, 500_000, 1_000_000, 333_333, 123_457, 1_500_000, 13_999_999])


def digest(*names: str) -> str:
    """Return the first digits of the SHA-256 of some of the kernels' files, and of the codes they share."""
    files = (*(KERNELS / name for name in names), Path(ops.__file__))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def test_a_cached_kernel_names_the_sources_it_was_compiled_with() -> None:
    """Numba notices changes in the entry's own file only: write the new digits there and it recompiles."""
    entries = {"asking", "buckets", "clock", "placing", "prints", "scoring", "tops"}
    inner = {each.name for each in KERNELS.glob("*.py") if each.stem not in {"__init__", *entries}}
    assert digest(*sorted(inner)) == clock.MADE_WITH
    for each in (buckets, tops, prints, placing, scoring):
        assert digest("arrays.py", "jit.py") == each.MADE_WITH
    assert digest() == kernels.MADE_WITH


@pytest.mark.long  # compiles it all once more
def test_no_kernel_reaches_beyond_its_arrays(tmp_path: Path) -> None:
    """Indices are looked at in kernels compiled for that, in random worlds with plans and policies."""
    worlds = [str(Path(__file__).parent / f"test_{name}_oracle.py") for name in ("engine", "policies")]
    looking = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "not long", *worlds],
        env=looking,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@given(PRICES, COUNTS, MULTIPLIERS, st.sampled_from([1, 100]))
def test_the_model_fee_is_exact_over_its_whole_range(price: int, count: int, ppm: int, quantum: int) -> None:
    """Traps 19, 20, 21: p x (1 - p), exact up to 30 million contracts, equal for both sides."""
    for fee_type in MAKER_RATE_PPM:
        for is_taker in (True, False):
            terms = FeeTerms(fee_type, ppm)
            num, den = _ratio(terms, is_taker=is_taker)
            slow = model_micros(
                terms=terms, price_cc=price, count_centi=count, is_taker=is_taker, quantum_micros=quantum
            )
            assert fee_model(num, den, price, count, quantum) == slow
            assert fee_model(num, den, 10_000 - price, count, quantum) == slow


@given(
    st.lists(st.tuples(PRICES, st.integers(1, 10_000_000)), min_size=1, max_size=12),
    st.sampled_from(ROUNDING),
    MULTIPLIERS,
    st.booleans(),
)
def test_one_order_shares_one_accumulator(
    fills: list[tuple[int, int]],
    rounding: object,
    ppm: int,
    is_combo: bool,  # noqa: FBT001 -- drawn by hypothesis
) -> None:
    """Trap 18: what fills of one order are rounded up by comes back, in every regime."""
    assert isinstance(rounding, type(ROUNDING[0]))
    terms = FeeTerms("quadratic", ppm)
    num, den = _ratio(terms, is_taker=True)
    slow = fast = 0
    for price, count in fills:
        charge = charge_fill(
            terms=terms,
            price_cc=price,
            count_centi=count,
            is_taker=True,
            is_combo=is_combo,
            rounding=rounding,
            accumulated_micros=slow,
        )
        model = fee_model(num, den, price, count, 100 if is_combo else 1)
        told = fee_charged(model, price * count, rounding.unit_micros, int(rounding.has_rebate), fast)
        assert told == (charge.fee_micros, charge.accumulated_micros)
        slow, fast = charge.accumulated_micros, told[1]
