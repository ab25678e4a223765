"""The rule of the rewards for liquidity in plain words, in fractions: one book at a time, side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

Levels = Mapping[int, int]  # price of the side's own contracts: hundredths of a contract


@dataclass(frozen=True)
class Terms:
    """What a program asks for; `part` None: the reference price is the best one."""

    target: int
    discount: Fraction
    part: int | None
    is_two_sided: bool
    prices: tuple[int, ...]  # of the grid


def share(shown: Levels, own: Levels, terms: Terms) -> Fraction | None:
    """Return our share of what scores on one side; None where nothing on it qualifies."""
    rests = {price: shown.get(price, 0) + own.get(price, 0) for price in {*shown, *own}}
    best_first = sorted((price for price, count in rests.items() if count), reverse=True)
    if not best_first or best_first[0] >= max(terms.prices):
        return None
    qualifying: list[int] = []
    for price in best_first:
        qualifying.append(price)
        if sum(rests[each] for each in qualifying) >= terms.target:
            break
    else:
        return None
    reference = qualifying[0]
    if terms.part is not None:
        reference = next(
            price
            for number, price in enumerate(qualifying)
            if terms.part * sum(rests[each] for each in qualifying[: number + 1]) >= terms.target
        )
    weights = {
        price: terms.discount ** sum(price < each <= reference for each in terms.prices)
        for price in qualifying
    }
    total = sum((weights[price] * rests[price] for price in qualifying), Fraction(0))
    ours = sum((weights[price] * own.get(price, 0) for price in qualifying), Fraction(0))
    return ours / total if total else Fraction(0)


def moment(
    yes: tuple[Levels, Levels], no: tuple[Levels, Levels], terms: Terms
) -> tuple[int, Fraction] | None:
    """Return how many sides score at a moment, and our shares of them, added; None if it does not count.

    A side is what is shown and what is ours.
    """
    found = [each for each in (share(*yes, terms), share(*no, terms)) if each is not None]
    if not found or (terms.is_two_sided and len(found) < 2):
        return None
    return len(found), sum(found, Fraction(0))
