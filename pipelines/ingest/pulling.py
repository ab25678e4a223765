"""One window of work from first page to ledger entry, whatever the resource."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Final

from exchange.errors import BadInput
from pipelines.client import Client, KalshiError, WireError
from pipelines.ingest.pages import Rows
from pipelines.ingest.tally import Tally
from pipelines.ingest.windows import Receipt
from warehouse.lake import Lake
from warehouse.ledger import COMPLETE, FAILED, Window
from warehouse.quarantine import Rejected
from warehouse.tables import Table

Now = Callable[[], datetime]

# The `Date` header tells whole seconds, and servers renew it once a second.
_TOLERABLE_SKEW: Final = timedelta(seconds=2)


def utc_now() -> datetime:
    """Return our clock."""
    return datetime.now(UTC)


def skew_of(client: Client) -> timedelta:
    """Return how far our clock is behind the exchange's; nothing where it could be the header's rounding."""
    skew = timedelta(milliseconds=client.clock_skew_ms or 0)
    return skew if abs(skew) > _TOLERABLE_SKEW else timedelta()


async def pull(
    client: Client,
    lake: Lake,
    window: Window,
    table: Table,
    pages: AsyncGenerator[Rows, None],
    *,
    now: Now = utc_now,
    notes: Sequence[str] = (),
) -> Receipt:
    """Commit page after page, then write the window into the coverage ledger.

    Until then the lake does not call the window complete, so whatever stops this between two commits, the
    same window is pulled again and its rows are found to be known. An answer that adds no row to a tape's
    window that is complete already is no news and no entry.

    A payload that cannot be read is quarantined whole and makes the window failed, and so does an exchange
    that cannot be asked; rows before are kept.

    `notes` may grow while the pages are read; the receipt has them all.

    Raises:
        BadInput: the question was wrong, not the answer; nothing is entered.
    """
    started_ts = now()
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
    receipt = _receipt(window, tally, reason, client.n_requests - n_requests_before, notes)
    is_listing = table.partition_by is None
    is_news = receipt.n_new or reason is not None or is_listing or not lake.is_complete(*window)
    return _entered(lake, receipt, started_ts + skew_of(client)) if is_news else receipt


def failed(lake: Lake, window: Window, table: Table, error: KalshiError, *, now: Now = utc_now) -> Receipt:
    """Enter a window as failed for which nothing could be asked, and keep the payload if there is one."""
    receipt = _receipt(window, Tally(lake, table), _noted(lake, table, error), 0)
    return _entered(lake, receipt, now())


def listing_window(resource: str, scope: str, asked_ts: datetime) -> Window:
    """Return the window of a listing: it tells the present only, so its window is the UTC day of asking.

    The same answer twice a day is one entry in the ledger.
    """
    day_ts = asked_ts.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(resource, scope, day_ts, day_ts + timedelta(days=1))


def _receipt(
    window: Window, tally: Tally, reason: str | None, n_requests: int, notes: Sequence[str] = ()
) -> Receipt:
    n_rows, digest = tally.summed_up()
    status = COMPLETE if reason is None else FAILED
    return Receipt(*window, n_rows, tally.n_new, n_requests, digest, status, reason, tuple(notes))


def _entered(lake: Lake, receipt: Receipt, asked_ts: datetime) -> Receipt:
    lake.record_window(
        receipt.resource,
        receipt.scope,
        receipt.start_ts,
        receipt.end_ts,
        n_rows=receipt.n_rows,
        digest=receipt.digest,
        status=receipt.status,
        reason=receipt.reason,
        asked_ts=asked_ts,
    )
    return receipt


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
