"""The command line: each folder brings its own commands; this page composes them, lazily.

Exit codes: 0 done, 1 failed, 2 bad usage or bad input. With --json a command prints one JSON object on
stdout; progress and logs go to stderr.
"""

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from exchange.errors import BadInput, TapehouseError
from exchange.units import CONTRACT_CENTI, MICROS_PER_DOLLAR, format_ts

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from backtest.results import Run
    from sandbox.world import World
    from warehouse import Lake


class Command(NamedTuple):
    """Where a command lives, and the line that `tapehouse --help` shows without importing it."""

    module: str
    attribute: str
    help: str


COMMANDS: Final[dict[str, Command]] = {
    "demo": Command("tapehouse", "demo", "The whole path, offline and without keys: a report in a minute."),
    "doctor": Command(
        "pipelines.client.cli", "doctor", "Check key, clock, reachability and request budgets."
    ),
    "sandbox": Command("sandbox.cli", "app", "A Kalshi on your laptop: serve a made-up world or a lake."),
    "sync": Command(
        "pipelines.ingest.cli", "sync_app", "Pull series, events, markets, trades, candles and fees."
    ),
    "books": Command("pipelines.poller.cli", "app", "Record order books, poll them, and look at them."),
    "import": Command(
        "pipelines.ingest.import_cli", "import_app", "Read tapes and recordings that others made."
    ),
    "warehouse": Command("warehouse.cli", "app", "Look into the lake: status, SQL, publish."),
    "backtest": Command("backtest.cli", "app", "Run a strategy against the tape; check the fee model."),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    argv = list(sys.argv[1:] if arguments is None else arguments)
    command = typer.main.get_command(_compose(wanted=next((a for a in argv if not a.startswith("-")), "")))
    try:
        command(argv, prog_name="tapehouse", obj={"open_lake": _open_lake})
    except TapehouseError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - the one place that speaks for every command
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)  # noqa: T201 - likewise
        sys.exit(130)


def _compose(*, wanted: str) -> typer.Typer:
    app = typer.Typer(
        help="Keeps the tape of the Kalshi exchange and replays strategies against it, honestly.",
        epilog="Start with `tapehouse demo`. Every command has --help; most have --json.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",  # it fills lines anew, and leaves [brackets] alone
    )
    app.callback()(_no_options)
    for name, command in COMMANDS.items():
        implementation = (
            getattr(import_module(command.module), command.attribute) if name == wanted else _placeholder
        )
        if isinstance(implementation, typer.Typer):
            app.add_typer(implementation, name=name, help=command.help)
        else:
            app.command(name, help=None if name == wanted else command.help)(implementation)
    return app


def _no_options() -> None:
    """Accept no options before the command."""


def _placeholder() -> None:
    """Stand in for a command that was not asked for, so that its module stays unloaded."""


def _open_lake(uri: str) -> object:
    archive, lake = import_module("warehouse.archive"), import_module("warehouse.lake")
    source: Callable[[object], object] = archive.LakeSource
    return source(lake.Lake(uri))


# --- the demo ---------------------------------------------------------------------------------------------

DEMO_SERIES: Final = "KXSIMBTC15M"
DEMO_TIER: Final = "prestige"
DEMO_SPAN: Final = timedelta(days=11)  # a made-up world is ten days old
DEMO_MARK: Final = "backtest.toml"
DEMO_CONFIG: Final = """\
# Change a number and run it again: .venv/bin/tapehouse backtest run {path}
strategy = "mean_reversion"
lake = "lake"
series = "{series}"
fills = "book"              # orders walk the recorded depth; "touch" takes the best quote only
latency = "250ms"
cash = 1_000                # dollars
out = "report"

[params]                    # a list is a sweep over its values
jump = [0.02, 0.03, 0.05, 0.08]
minutes = [1, 2]
hold_minutes = [2, 5]
count = 20
"""


def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for lake and report; an earlier demo's is replaced.")
    ] = Path("out/demo"),
    seed: Annotated[int, typer.Option(help="Which world to make up.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,  # noqa: FBT002 - a command-line flag
) -> None:
    """Walk the whole path offline and without keys: sandbox, flows, lake, DuckDB, backtest, report.

    A made-up exchange is served on a loopback port, Prefect flows pull it into a lake, recorded order books
    are imported, and an example strategy is replayed against them. Everything stays in one folder.
    """
    from warehouse.progress import terminal_progress

    started_s = time.monotonic()
    _make_room(out)
    with terminal_progress() as progress:
        steps = iter(range(1, 5))
        progress("the world is made up", next(steps), 4)
        world = import_module("sandbox.world").World(seed)
        lake = import_module("warehouse.lake").Lake(out / "lake")
        progress("flows pull it into the lake", next(steps), 4)
        pulled = _pull(world, lake, out)
        progress("recorded books are imported", next(steps), 4)
        n_deltas = _import_books(world, lake, out)
        catalog = lake.publish()
        progress("a strategy is replayed", next(steps), 4)
        finished = _replay(out)
    facts = {
        "seed": seed,
        "series": len(world.series()),
        "markets": len(world.markets()),
        "trades": int(lake.trades().select("trade_id").collect().height),
        "pulled": pulled,
        "book_deltas": n_deltas,
        "lake": str(out / "lake"),
        "catalog": str(catalog),
        "summary": finished.summary.to_dicts(),
        "reconciles": _reconciles(finished),
        "report": str(out / "report" / "report.html"),
        "config": str(out / DEMO_MARK),
        "wall_s": round(time.monotonic() - started_s, 1),
    }
    typer.echo(json.dumps(facts, default=str) if as_json else _told(facts, finished))


def _make_room(out: Path) -> None:
    if out.exists() and any(out.iterdir()) and not (out / DEMO_MARK).is_file():
        raise BadInput(f"{out} holds something that no demo made: choose another folder with --out")
    shutil.rmtree(out, ignore_errors=True)
    try:
        out.mkdir(parents=True)
        (out / DEMO_MARK).write_text(DEMO_CONFIG.format(path=out / DEMO_MARK, series=DEMO_SERIES))
    except OSError as error:
        raise BadInput(
            f"{out}: cannot be written: {error.strerror}; choose another folder with --out"
        ) from error


def _pull(world: "World", lake: "Lake", out: Path) -> dict[str, int]:
    """Run the flows against the served world, with a Prefect of the demo's own."""
    serving = import_module("sandbox.serve").running
    with serving(world, tier=DEMO_TIER) as exchange:
        for name in [each for each in os.environ if each.startswith(("KALSHI_", "PREFECT_"))]:
            del os.environ[name]
        os.environ |= {
            "KALSHI_BASE_URL": exchange.base_url,
            "KALSHI_TIER": DEMO_TIER,
            "PREFECT_HOME": str((out / ".prefect").resolve()),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "90",
        }
        asyncio.run(_flows(lake.uri, world.now_ts - DEMO_SPAN, world.now_ts))
        meter = exchange.meter
        return {"requests": meter.requests, "refused": meter.refused}


async def _flows(lake: str, start_ts: "datetime", end_ts: "datetime") -> None:
    from pipelines.flows.candles import sync_candles
    from pipelines.flows.reference import sync_reference
    from pipelines.flows.trades import sync_trades

    start, end = format_ts(start_ts), format_ts(end_ts)
    await sync_reference(lake=lake)
    await sync_trades(start=start, end=end, lake=lake)
    await sync_candles(start=start, end=end, lake=lake)


def _import_books(world: "World", lake: "Lake", out: Path) -> int:
    recording = import_module("sandbox.recording")
    importing = import_module("pipelines.ingest.import_ws")
    tickers = [each.ticker for each in world.markets() if each.event_ticker.startswith(DEMO_SERIES)]
    path = out / "books.jsonl.gz"
    recording.write_recording(world, path, tickers, hole_seed=1)
    receipt = importing.import_ws(lake, [path], observed_ts=world.now_ts)
    return int(receipt.tables["book_deltas"].n_new)


def _replay(out: Path) -> "Run":
    config = import_module("backtest.config").read_config(out / DEMO_MARK)
    run: Run = import_module("backtest.running").run_config(config).run
    return run


def _reconciles(run: "Run") -> bool:
    """Tell whether, over all rows, cash moved by fills, fees and payouts alone, to the micro-dollar."""
    fills, payouts = _sums(run.fills), _sums(run.settlements)
    summary = _sums(run.summary)
    moved = fills["cash_micros"] - fills["fee_micros"] + payouts["payout_micros"]
    return summary["cash_end_micros"] - summary["cash_start_micros"] == moved


def _sums(frame: "pl.DataFrame") -> dict[str, int]:
    from polars import selectors as cs

    return frame.select(cs.ends_with("_micros", "_centi").sum()).row(0, named=True)


def _told(facts: dict[str, Any], run: "Run") -> str:
    best = run.summary.sort("pnl_micros", descending=True).row(0, named=True)
    params = ", ".join(f"{name}={best[name]:g}" for name in run.param_names)
    contracts = _sums(run.fills)["count_centi"] / CONTRACT_CENTI
    worst, top = run.summary["pnl_micros"].min(), run.summary["pnl_micros"].max()
    return f"""\
A made-up exchange (seed {facts["seed"]}) went all the way in {facts["wall_s"]:.0f} s, offline, without keys:

  exchange   {facts["series"]} series, {facts["markets"]} markets, {facts["trades"]:,} trades
  flows      {facts["pulled"]["requests"]:,} requests, {facts["pulled"]["refused"]} refused
  lake       {facts["lake"]}: every trade, {facts["book_deltas"]:,} changes of order books, gaps on record
  backtest   {run.summary.height} parameter rows, {run.fills.height:,} fills of {contracts:,.0f} contracts
             net P&L from {_dollars(worst)} to {_dollars(top)}; best at {params}
             cash reconciles to the micro-dollar: {"yes" if facts["reconciles"] else "NO"}

  report     {facts["report"]}
  try next   edit {facts["config"]}, then: .venv/bin/tapehouse backtest run {facts["config"]}
             .venv/bin/tapehouse warehouse sql --lake {facts["lake"]} "from markets limit 5"
             .venv/bin/marimo edit notebooks/first_look.py"""


def _dollars(micros: Any) -> str:  # noqa: ANN401 - polars hands out whatever a column holds
    return f"{'-' if micros < 0 else ''}${abs(micros) / MICROS_PER_DOLLAR:,.2f}"


if __name__ == "__main__":
    main()
