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

    A payload that cannot be read is quarantined whole and makes the window failed, and so does an exchange
    that cannot be asked; rows before are kept.

    Raises:
        BadInput: the question was wrong, not the answer; nothing is entered.
    """
    tally = Tally(lake, table)
    n_requests_before = client.n_requests
    reason: str | None = None
    try:
        async with aclosing(pages):
            async for page in pages:
                tally.add(page)
        tally.flush()
    except KalshiError as error:
        if isinstance(error, BadInput):
            raise
        tally.flush()
        reason = _noted(lake, table, error)
    if reason is None and tally.n_rejected:
        reason = f"{tally.n_rejected} rows could not be read; see the table quarantine"
    return _entered(window, lake, tally, reason, client.n_requests - n_requests_before)


def failed(lake: Lake, window: Window, table: Table, error: KalshiError) -> Receipt:
    """Enter a window as failed for which nothing could be asked, and keep the payload if there is one."""
    return _entered(window, lake, Tally(lake, table), _noted(lake, table, error), 0)


def listing_window(resource: str, scope: str, asked_ts: datetime) -> Window:
    """Return the window of a listing: it tells the present only, so its window is the UTC day of asking.

    The same answer twice a day is one entry in the ledger.
    """
    day_ts = asked_ts.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(resource, scope, day_ts, day_ts + timedelta(days=1))


def _entered(window: Window, lake: Lake, tally: Tally, reason: str | None, n_requests: int) -> Receipt:
    n_rows, digest = tally.summed_up()
    status = COMPLETE if reason is None else FAILED
    lake.record_window(*window, n_rows=n_rows, digest=digest, status=status, reason=reason)
    return Receipt(*window, n_rows, tally.n_new, n_requests, digest, status, reason)


def _noted(lake: Lake, table: Table, error: KalshiError) -> str:
    if isinstance(error, WireError):
        lake.quarantine(table.name, [_payload(error)])
    return str(error)


def _payload(error: WireError) -> Rejected:
    return Rejected(
        location=error.path,
        field=error.field,
        value=None,
        reason=error.reason,
        payload=error.payload.decode(errors="replace"),
    )
