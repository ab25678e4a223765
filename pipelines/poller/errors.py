"""What the poller raises on purpose, besides what the client and the lake do.

PollerError (TapehouseError)             exit code 1
├── MarkUnwritable       (BadInput)      the folder where runs are marked cannot be written
└── TooManyWaiting                       the lake takes nothing, and no more books fit into memory
"""

from exchange.errors import BadInput, TapehouseError


class PollerError(TapehouseError):
    """Anything that ends a run of the poller."""


class MarkUnwritable(PollerError, BadInput):
    """Runs cannot be marked, so nobody would notice that one was killed."""


class TooManyWaiting(PollerError):
    """The lake refused every commit for so long that what waits for it must not grow any more."""
