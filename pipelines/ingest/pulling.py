"""One window of work from first page to ledger entry, whatever the resource."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from exchange.errors import BadInput
from pipelines.client import Client, KalshiError, WireError
from pipelines.ingest.pages import Rows
from pipelines.ingest.tally import Tally
from pipelines.ingest.windows import Receipt, Window
from warehouse.lake import COMPLETE, FAILED, Lake
from warehouse.quarantine import Rejected
from warehouse.tables import Table

Now = Callable[[], datetime]


def utc_now() -> datetime:
    """Return our clock."""
    return datetime.now(UTC)


async def pull(
    client: Client, lake: Lake, window: Window, table: Table, pages: AsyncGenerator[Rows, None]
) -> Receipt:
    """Commit page after page, then write the window into the coverage ledger.

    Until then the lake does not call the window complete, so whatever stops this between two commits, the
    same window is pulled again and its rows are found to be known.

    A payload that cannot be read is quarantined whole and makes the window failed; rows before it are kept.

    Raises:
        KalshiError: the exchange could not be asked; the window is entered as failed.
    """
    tally = Tally(lake, table)
    n_requests_before = client.n_requests
    reason: str | None = None
    try:
        async with aclosing(pages):
            async for page in pages:
                tally.add(page)
        tally.flush()
    except WireError as error:
        tally.flush()
        lake.quarantine(table.name, [_payload(error)])
        reason = str(error)
    except KalshiError as error:
        if isinstance(error, BadInput):
            raise  # the question was wrong, not the answer: nothing to enter
        tally.flush()
        _entered(client, lake, window, tally, str(error), n_requests_before)
        raise
    if reason is None and tally.n_rejected:
        reason = f"{tally.n_rejected} rows could not be read; see the table quarantine"
    return _entered(client, lake, window, tally, reason, n_requests_before)


def listing_window(resource: str, scope: str, asked_ts: datetime) -> Window:
    """Return the window of a listing: it tells the present only, so its window is the UTC day of asking.

    The same answer twice a day is one entry in the ledger.
    """
    day_ts = asked_ts.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(resource, scope, day_ts, day_ts + timedelta(days=1))


def _entered(
    client: Client, lake: Lake, window: Window, tally: Tally, reason: str | None, n_requests_before: int
) -> Receipt:
    n_rows, digest = tally.summed_up()
    status = COMPLETE if reason is None else FAILED
    lake.record_window(*window, n_rows=n_rows, digest=digest, status=status, reason=reason)
    n_requests = client.n_requests - n_requests_before
    return Receipt(*window, n_rows, tally.n_new, n_requests, digest, status, reason)


def _payload(error: WireError) -> Rejected:
    return Rejected(
        location=error.path,
        field=error.field,
        value=None,
        reason=error.reason,
        payload=error.payload.decode(errors="replace"),
    )
