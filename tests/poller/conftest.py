"""One exchange for all tests of the poller: making a world takes seconds."""

from collections.abc import Iterator

import pytest

from tests.poller.exchanges import House, a_house


@pytest.fixture(scope="session")
def world_of_pollers() -> Iterator[House]:
    """Serve one world; its clock only moves forward, by a test that jumps."""
    with a_house() as house:
        yield house


@pytest.fixture
def house(world_of_pollers: House) -> House:
    """Return the exchange as it answers by itself."""
    world_of_pollers.answers.clear()
    return world_of_pollers
