"""What a round costs, and what is said when the budget does not bear it."""

from pipelines.client import Budget
from pipelines.poller.costs import round_cost


def test_a_hundred_books_are_one_request() -> None:
    """Basic: 200 tokens/s, 10 a request. 4,050 books are 41 requests, 410 tokens, 2.05 s."""
    cost = round_cost(Budget.for_tier("basic"), n_markets=4_050, every_s=60, has_batch=True)
    assert (cost.n_requests, cost.tokens, cost.least_s, cost.fits) == (41, 410, 2.05, True)
    assert str(cost) == "a round of 4,050 books is 41 requests and 410 tokens, of 200 a second"


def test_what_does_not_fit_says_what_would() -> None:
    """One by one, every 10 s: 200 requests of 10 tokens fit, 4,050 take 202.5 s."""
    cost = round_cost(Budget.for_tier("basic"), n_markets=4_050, every_s=10, has_batch=False)
    assert not cost.fits
    assert str(cost) == (
        "every 10 s cannot be met: a round of 4,050 books is 4,050 requests and 40,500 tokens, of 200 a "
        "second, which is 202.5 s; ask every 203 s, or for 200 markets at most"
    )


def test_a_round_of_nothing_costs_nothing() -> None:
    cost = round_cost(Budget.for_tier("basic"), n_markets=0, every_s=1, has_batch=True)
    assert (cost.tokens, cost.fits) == (0, True)
