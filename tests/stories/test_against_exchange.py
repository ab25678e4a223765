"""The backtest and the sandbox's matching engine, on the same orders."""

import pytest

from tests.stories.against_exchange import play


@pytest.mark.slow
def test_what_the_exchange_gives_is_what_the_backtest_says() -> None:
    """Orders that take agree to the micro-dollar; orders that wait are filled between the two ends.

    But for one: the bids around it moved away, and somebody met it where otherwise nobody would have traded.
    """
    score = play(7, n_markets=1, n_orders=14, activity=0.4)
    assert score.n_taking >= 10
    assert (score.taking_apart, score.unexplained) == ([], [])
    assert (score.n_waiting >= 10, score.n_waiting_filled >= 2, score.n_unanswered >= 1) == (True,) * 3
    assert len(score.waiting_apart) <= 1


@pytest.mark.long
def test_it_is_so_in_many_markets_of_several_worlds() -> None:
    """At least 99 of 100 orders that wait lie in the bracket, and for every other one the reason is found."""
    scores = [play(seed, n_markets=4, n_orders=25) for seed in (11, 12, 13, 14)]
    assert [score.taking_apart + score.unexplained for score in scores] == [[], [], [], []]
    assert sum(score.n_unanswered for score in scores) >= 50
    n_apart = sum(len(score.waiting_apart) for score in scores)
    assert n_apart * 100 <= sum(score.n_waiting for score in scores)
