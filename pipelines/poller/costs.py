"""What a round of polls costs, and whether the budget bears one every so often.

Source: KALSHI.md §3 (rate limits page of 2026-09-22): 10 tokens a request unless `/account/endpoint_costs`
says otherwise. Whether a request for many books costs more than one for one is stated nowhere.
"""

from dataclasses import dataclass
from math import ceil

from pipelines.client import Budget
from pipelines.client.endpoints.tape import BOOKS_PATH, MAX_BOOKS


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundCost:
    """A round for `n_markets`, every `every_s`, out of a read bucket of `tokens_per_s`."""

    n_markets: int
    every_s: float
    books_a_request: int
    tokens_a_request: int
    tokens_per_s: int

    @property
    def n_requests(self) -> int:
        """Requests a round."""
        return -(-self.n_markets // self.books_a_request)

    @property
    def tokens(self) -> int:
        """Tokens a round."""
        return self.n_requests * self.tokens_a_request

    @property
    def least_s(self) -> float:
        """For how long the bucket refills until a round is paid."""
        return self.tokens / self.tokens_per_s

    @property
    def most_markets(self) -> int:
        """How many markets fit into `every_s`."""
        return int(self.every_s * self.tokens_per_s / self.tokens_a_request) * self.books_a_request

    @property
    def fits(self) -> bool:
        """Whether the bucket alone allows it."""
        return self.least_s <= self.every_s

    def __str__(self) -> str:
        """Say what a round costs and, if that is too much, what would fit."""
        told = (
            f"a round of {self.n_markets:,} books is {self.n_requests:,} requests and {self.tokens:,} "
            f"tokens, of {self.tokens_per_s:,} a second"
        )
        if self.fits:
            return told
        return (
            f"every {self.every_s:g} s cannot be met: {told}, which is {self.least_s:.1f} s; "
            f"ask every {ceil(self.least_s):,} s, or for {self.most_markets:,} markets at most"
        )


def round_cost(budget: Budget, *, n_markets: int, every_s: float, has_batch: bool) -> RoundCost:
    """Return what a round costs with this budget as it is now; `has_batch`: a hundred books a request."""
    path = BOOKS_PATH if has_batch else "/markets/any/orderbook"
    return RoundCost(
        n_markets=n_markets,
        every_s=every_s,
        books_a_request=MAX_BOOKS if has_batch else 1,
        tokens_a_request=budget.costs.of("GET", path),
        tokens_per_s=budget.read.limits.tokens_per_s,
    )
