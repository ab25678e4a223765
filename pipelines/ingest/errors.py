"""What ingest raises on purpose.

IngestError (TapehouseError)             exit code 1
├── UnreadableFile       (BadInput)      a file that cannot be used at all; nothing of it went in
├── BadRequest           (BadInput)      arguments that contradict each other or name nothing
├── RowsQuarantined      (BadInput)      some rows were set aside; the others went in
└── UnknownTicker        (BadInput)      the exchange has never heard of this market, event or series
"""

from exchange.errors import BadInput, TapehouseError


class IngestError(TapehouseError):
    """Anything that keeps data out of the lake."""


class UnreadableFile(IngestError, BadInput):
    """A file that cannot be read at all: missing, another format, columns missing. Nothing of it went in."""


class BadRequest(IngestError, BadInput):
    """Arguments that contradict each other or name nothing."""


class UnknownTicker(IngestError, BadInput):
    """A market, event or series that neither tier of the exchange knows."""


class RowsQuarantined(IngestError, BadInput):
    """Some rows of the files given were no rows; they are set aside with the reason, the others are in."""
