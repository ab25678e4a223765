"""`tapehouse sandbox`: serve a world or a lake, or write a recording of one."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.errors import BadInput
from exchange.units import parse_duration, to_us

if TYPE_CHECKING:
    from sandbox.clock import Clock
    from sandbox.source import Source

app = typer.Typer(
    name="sandbox",
    help="A Kalshi on your machine: the same API over a made-up world, or over your own lake.",
    no_args_is_help=True,
)

Seed = Annotated[int, typer.Option(help="Which world: the same seed is the same exchange, byte for byte.")]
Days = Annotated[int, typer.Option(help="Days of history in the world (6 or more).")]
Scale = Annotated[float, typer.Option(help="How busy the world is; 1 is some 50,000 trades in ten days.")]
Oddities = Annotated[
    bool, typer.Option("--oddities", help="Add series with whatever is odd on the real exchange.")
]
Port = Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.")]
Tier = Annotated[str, typer.Option(help="Rate limit tier: basic, advanced, … prestige.")]
Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="KEY_ID=FILE of a public key in PEM; may be repeated."),
]
Script = Annotated[
    Path | None, typer.Option(help="TOML script of misfortunes (docs/sandbox.md); by default none.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


@app.command()
def serve(  # noqa: PLR0917 - typer reads options from parameters
    ctx: typer.Context,
    port: Port = 0,
    seed: Seed = 7,
    days: Days = 10,
    scale: Scale = 1.0,
    lake: Annotated[str | None, typer.Option(help="Serve this lake instead of a world.")] = None,
    tier: Tier = "basic",
    key: Keys = None,
    speed: Annotated[
        float | None, typer.Option(help="Exchange seconds per second; without it the clock stands.")
    ] = None,
    start_before: Annotated[
        str, typer.Option(help="How long before the world's end its clock starts, as in 36h or 2d.")
    ] = "2d",
    oddities: Oddities = False,  # noqa: FBT002 - typer reads flags from booleans
    combos: Annotated[int, typer.Option(help="How many KXMVE combos flood the listings.")] = 0,
    faults: Script = None,
    as_json: AsJson = False,  # noqa: FBT002 - typer reads flags from booleans
) -> None:
    """Answer Kalshi's REST API on 127.0.0.1 until Ctrl-C; point KALSHI_BASE_URL at the printed address."""
    from sandbox.fault_script import read_faults
    from sandbox.faults import CALM
    from sandbox.serve import serve as serve_source
    from sandbox.world import World

    script = CALM if faults is None else read_faults(faults)
    keys = dict(_key(each) for each in key or [])
    clock = None if speed is None else _clock(speed, start_before)
    source: Source = (
        World(seed, days=days, activity=scale, clock=clock, oddities=oddities, combos=combos)
        if lake is None
        else _lake(ctx, lake, is_plain=(speed, oddities, combos) == (None, False, 0))
    )

    def on_ready(base_url: str) -> None:
        sys.stderr.write(f"sandbox: {base_url} (tier {tier}; Ctrl-C ends it)\n")
        sys.stderr.flush()
        if as_json:
            told = {"base_url": base_url, "tier": tier, "now_ts": source.now_ts.isoformat(), "lake": lake}
            sys.stdout.write(json.dumps(told | {"seed": None if lake else seed}) + "\n")
            sys.stdout.flush()

    serve_source(source, port=port, tier=tier, keys=keys, on_ready=on_ready, faults=script)


@app.command()
def flood(
    rate: Annotated[int, typer.Option(help="Changes of books a second, of all markets together.")] = 5_000,
    markets: Annotated[int, typer.Option(help="How many markets have books.")] = 200,
    seed: Annotated[int, typer.Option(help="Which flood: the same seed is the same changes.")] = 7,
    port: Port = 0,
    tier: Tier = "prestige",
    key: Keys = None,
    faults: Script = None,
    truth: Annotated[
        Path | None, typer.Option(help="New folder where it is written down what really happened.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - typer reads flags from booleans
) -> None:
    """Stream books that change thousands of times a second, until Ctrl-C: a test of whoever records them."""
    from sandbox.fault_script import read_faults
    from sandbox.faults import CALM
    from sandbox.flood import SERIES, Flood, FloodSize
    from sandbox.serve import serve as serve_source

    source = Flood(FloodSize(seed=seed, n_markets=markets, per_s=rate), truth=truth)

    def on_ready(base_url: str) -> None:
        sys.stderr.write(f"sandbox: {base_url} ({rate:,} changes/s, {markets:,} markets; Ctrl-C ends it)\n")
        sys.stderr.flush()
        if as_json:
            sys.stdout.write(json.dumps({"base_url": base_url, "series": SERIES, "seed": seed}) + "\n")
            sys.stdout.flush()

    serve_source(
        source,
        port=port,
        tier=tier,
        keys=dict(_key(each) for each in key or []),
        on_ready=on_ready,
        faults=CALM if faults is None else read_faults(faults),
    )
    source.close()


@app.command()
def record(
    path: Annotated[Path, typer.Argument(help="File to write: .jsonl or .jsonl.gz.")],
    ticker: Annotated[
        list[str] | None,
        typer.Option(help="Market to record; may be repeated. Default: three quarter-hours."),
    ] = None,
    seed: Seed = 7,
    days: Days = 10,
    scale: Scale = 1.0,
    hole: Annotated[
        int | None, typer.Option(help="Lose some deltas of each market, chosen by this seed.")
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - typer reads flags from booleans
) -> None:
    """Write what a WebSocket recorder would have seen of some markets, for `tapehouse import ws`."""
    from sandbox.recording import write_recording
    from sandbox.world import World

    world = World(seed, days=days, activity=scale)
    finished = [m.ticker for m in world.markets() if m.status == "finalized" and "15M" in m.ticker]
    done = write_recording(world, path, ticker or finished[-3:], hole_seed=hole)
    sys.stderr.write(f"sandbox: {done.n_markets} markets, {done.n_deltas} deltas in {done.path}\n")
    if as_json:
        told = {"path": str(done.path), "markets": done.n_markets, "lines": done.n_lines}
        sys.stdout.write(json.dumps(told | {"deltas": done.n_deltas, "lost": done.n_lost}) + "\n")


def _clock(speed: float, start_before: str) -> "Clock":
    """Return a clock that runs from a while before the world's end."""
    from sandbox.clock import Running
    from sandbox.world import DEFAULT_END_TS

    return Running(to_us(DEFAULT_END_TS - parse_duration(start_before)), speed)


def _lake(ctx: typer.Context, lake: str, *, is_plain: bool) -> "Source":
    """Open a lake with the factory that whoever composed the command line put into the context."""
    if not is_plain:
        raise BadInput("--lake serves what was recorded: leave out --speed, --oddities and --combos")
    open_lake = (ctx.obj or {}).get("open_lake")
    if open_lake is None:
        raise BadInput("--lake needs the whole of Tapehouse: run `tapehouse sandbox serve --lake DIR`")
    source: Source = open_lake(lake)
    return source


def _key(given: str) -> tuple[str, str]:
    key_id, _, file = given.partition("=")
    if not key_id or not file:
        raise BadInput(f"--key {given}: write KEY_ID=FILE, with the public key of the account in PEM")
    try:
        return key_id, Path(file).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--key {given}: {error}; give the file of a public key in PEM") from error
