"""The key in a Secret block of Prefect, read by whoever knows Prefect.

The client has never heard of Prefect. `pipelines.flows` says at its import how a block is read.
"""

from collections.abc import Callable

from pipelines.client.errors import SettingsError
from pipelines.client.keys.found import Found

Reader = Callable[[str, str], Found]

_readers: list[Reader] = []


def read_with(reader: Reader) -> None:
    """Read blocks with `reader` from now on: it takes the block's name and the words for messages."""
    _readers[:] = [reader]


def read(reference: str, where: str) -> Found:
    """Return what the block named `reference` holds.

    Raises:
        SettingsError: nobody here knows Prefect, or the block cannot be read.
    """
    if not _readers:
        raise SettingsError(
            f"{where}: only flows can read Prefect's blocks; elsewhere set KALSHI_PRIVATE_KEY_PATH "
            "(or import pipelines.flows first)"
        )
    return _readers[0](reference, where)
