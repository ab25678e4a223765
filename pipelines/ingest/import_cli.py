"""`tapehouse import`: data from files that others made into the lake."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from exchange.units import parse_duration, parse_when
from pipelines.ingest.book_layouts import layout_of
from pipelines.ingest.cli import JsonOption, LakeOption
from pipelines.ingest.errors import BadRequest, RowsQuarantined
from pipelines.ingest.import_archive import KINDS, import_archive
from pipelines.ingest.import_archive_rows import EXACT_UNTIL
from pipelines.ingest.import_books import import_books
from pipelines.ingest.import_candles import import_candles
from pipelines.ingest.import_export import import_export
from pipelines.ingest.import_trades import import_trades
from pipelines.ingest.import_ws import import_ws
from pipelines.ingest.publishing import publish
from pipelines.ingest.pulling import utc_now
from pipelines.ingest.receipts import BAD_ROWS_SHOWN, ImportReceipt
from warehouse.lake import Lake
from warehouse.progress import terminal_progress

Files = Annotated[list[Path], typer.Argument(help="Files to read.", show_default=False)]

import_app = typer.Typer(
    name="import", help="Read tapes and recordings that others made.", no_args_is_help=True
)


@import_app.command("trades")
def trades(files: Files, *, lake: LakeOption = None, as_json: JsonOption = False) -> None:
    """Read trade tapes (CSV, CSV.gz, Parquet) with prices in whole cents.

    Columns: trade_id, ticker, count, created_time, yes_price, no_price, taker_side; others are ignored.
    Rows that are no trades are named and quarantined, the rest goes in; then the exit code is 2.
    """
    into = Lake(lake)
    with terminal_progress() as progress:
        receipt = import_trades(into, files, progress)
    _finish(into, receipt, as_json=as_json)


@import_app.command("ws")
def ws(
    files: Files,
    *,
    markets: Annotated[
        Path | None,
        typer.Option(help="CSV of results: ticker, close_time, strike, expiration_value, result."),
    ] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read recorded WebSocket frames (JSON lines or one JSON document, .gz or not).

    They become book_deltas, book_snapshots, book_gaps and quotes. Lines that are no frames are named and
    quarantined, the rest goes in; then the exit code is 2.
    """
    into = Lake(lake)
    with terminal_progress() as progress:
        receipt = import_ws(into, files, progress, observed_ts=utc_now(), markets=markets)
    _finish(into, receipt, as_json=as_json)


@import_app.command("books")
def books(
    files: Files,
    *,
    layout: Annotated[
        str | None,
        typer.Option(help="A .toml file that declares the columns; default: recognised by the first line."),
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="Zone of times that name none, such as UTC or America/New_York.")
    ] = None,
    ticker: Annotated[
        list[str] | None,
        typer.Option(
            help="Market of files without tickers: TICKER for one file, else FILE=TICKER, repeated."
        ),
    ] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read books that others recorded (CSV, CSV.gz, Parquet): changes, top-of-book logs, polls, depth files.

    They become book_deltas, quotes and book_snapshots, these with the depth that was recorded; what a file
    does not tell is in book_gaps. docs/books.md tells the layouts and how to declare one.
    Rows that cannot be read are named and quarantined, the rest goes in; then the exit code is 2.
    """
    told = _tickers(files, ticker or [])
    laid_out = None if layout is None else layout_of(layout)
    into = Lake(lake)
    with terminal_progress() as progress:
        receipt = import_books(into, files, progress, layout=laid_out, zone=zone, tickers=told)
    for what, n_rows in receipt.seen.items():
        typer.echo(f"seen: {n_rows:,} {what}", err=True)
    for why, n_rows in receipt.ignored.items():
        typer.echo(f"left out: {n_rows:,} {why}", err=True)
    _finish(into, receipt, as_json=as_json)


@import_app.command("candles")
def candles(
    files: Files,
    *,
    markets: Annotated[Path | None, typer.Option(help="Parquet of their markets, with results.")] = None,
    events: Annotated[Path | None, typer.Option(help="Parquet of their events.")] = None,
    period: Annotated[str, typer.Option(help="Length of the candles: 1m, 1h or 1d.")] = "1h",
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read candles (Parquet, dollars as floats) with the markets and events they belong to.

    Rows that are not exact are named and quarantined, the rest goes in; then the exit code is 2.
    """
    into = Lake(lake)
    with terminal_progress() as progress:
        receipt = import_candles(
            into,
            files,
            progress,
            observed_ts=utc_now(),
            markets=markets,
            events=events,
            period_s=parse_duration(period) // timedelta(seconds=1),
        )
    _finish(into, receipt, as_json=as_json)


@import_app.command("archive")
def archive(
    folder: Annotated[Path, typer.Argument(help="Folder that holds data/kalshi.", show_default=False)],
    *,
    only: Annotated[str | None, typer.Option(help="trades or markets; default both.")] = None,
    until: Annotated[
        str | None,
        typer.Option(help="Leave out trades from this moment on; default 2026-03-09, when cents end."),
    ] = None,
    tmp: Annotated[Path | None, typer.Option(help="Where to sort; default in the lake.")] = None,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a public archive in the layout of prediction-market-analysis (Parquet, whole cents).

    Rows come from data/kalshi/trades and data/kalshi/markets. Killed, run it again: it goes on where it was.
    What the exchange itself told stays first choice. An archive fills no windows: `sync` still asks for all.
    Rows that are none are named and quarantined, the rest goes in; then the exit code is 2.
    """
    if only is not None and only not in KINDS:
        raise BadRequest(f"--only {only}: say {' or '.join(KINDS)}")
    into = Lake(lake)
    with terminal_progress() as progress:
        receipt = import_archive(
            into,
            folder,
            progress,
            kinds=KINDS if only is None else (only,),
            until=EXACT_UNTIL if until is None else parse_when(until),
            tmp=tmp,
        )
    for why, n_rows in receipt.ignored.items():
        typer.echo(f"left out: {n_rows:,} {why}", err=True)
    _finish(into, receipt, as_json=as_json)


@import_app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Folder that `warehouse export` made.", show_default=False)],
    *,
    lake: LakeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a Parquet export of another lake, after comparing every file with its manifest.

    Rows keep the source that the other lake had. An export fills no windows: `sync` still asks for all.
    """
    into = Lake(lake)
    with terminal_progress() as progress:
        receipt = import_export(into, folder, progress)
    _finish(into, receipt, as_json=as_json)


def _tickers(files: list[Path], given: list[str]) -> dict[str, str]:
    """Return the market by file name; "" stands for the only file."""
    told: dict[str, str] = {}
    for each in given:
        name, is_named, market = each.rpartition("=")
        if not market or (is_named and name not in {path.name for path in files}):
            raise BadRequest(f"--ticker {each}: say FILE=TICKER, with the name of one of the files")
        if not is_named and len(files) > 1:
            raise BadRequest(f"--ticker {each}: there are {len(files)} files; say FILE=TICKER for each")
        told[name] = market
    return told


def _finish(lake: Lake, receipt: ImportReceipt, *, as_json: bool) -> None:
    publish(lake)
    for bad in receipt.bad_rows[:BAD_ROWS_SHOWN]:
        typer.echo(str(bad), err=True)
    if receipt.n_quarantined > BAD_ROWS_SHOWN:
        more = receipt.n_quarantined - BAD_ROWS_SHOWN
        typer.echo(f"… and {more:,} more: all are in the table quarantine, with the reason", err=True)
    if as_json:
        typer.echo(json.dumps(receipt.as_json()))
    else:
        typer.echo(f"{receipt.n_rows:,} rows read from {len(receipt.files)} files in {receipt.wall_s:.1f} s")
        for table, counts in receipt.tables.items():
            quarantined = f", {counts.n_quarantined:,} quarantined" if counts.n_quarantined else ""
            typer.echo(f"  {table}: {counts.n_new:,} new, {counts.n_known:,} known{quarantined}")
    if receipt.n_quarantined:
        raise RowsQuarantined(
            f"{receipt.n_quarantined:,} rows could not be read and are in quarantine, the rest is in the "
            "lake; correct them and import the files again: nothing goes in twice"
        )
