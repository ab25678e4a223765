"""What the recorder raises on purpose.

RecorderError (TapehouseError)           exit code 1
├── LogUnwritable                        the frame log takes no more: disk full, gone, or in use
├── BringerDied                          the process that makes rows was ended, again and again
└── NothingToWatch       (BadInput)      no market is open that was asked for
"""

from exchange.errors import BadInput, TapehouseError


class RecorderError(TapehouseError):
    """Anything that ends a recording."""


class LogUnwritable(RecorderError):
    """The frame log cannot be written; what was fsynced before is whole."""


class BringerDied(RecorderError):
    """The process that makes rows of frames is ended whenever it begins; the frames are in the log."""


class NothingToWatch(RecorderError, BadInput):
    """Nothing was asked for, or nothing of it can be recorded."""
