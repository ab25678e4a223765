"""`tapehouse backtest`: run a configuration, list strategies, check our fee model against a real account."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backtest import compare_cli, forecast_cli, slippage_cli, sweep_cli
from backtest.cli_options import Json, LakeAt, OutAt
from exchange.errors import BadInput

if TYPE_CHECKING:
    from backtest.account_fees import FeeAudit, TermsAt

app = typer.Typer(
    name="backtest",
    no_args_is_help=True,
    add_completion=False,
    help="Replay strategies against the lake, with fees, latency, depth and settlement.",
)


@app.command()
def run(
    config: Annotated[Path, typer.Argument(help="A TOML file, as shown above.", metavar="CONFIG.toml")],
    out: OutAt = None,
    lake: LakeAt = None,
    note: Annotated[
        str | None,
        typer.Option(
            "--open-holdout",
            help="Look at what the configuration holds out, once, for one setting; say which and why.",
            metavar="NOTE",
        ),
    ] = None,
    param: sweep_cli.ParamValues = None,
    as_json: Json = False,  # noqa: FBT002 - a command-line flag
) -> None:
    """Replay a strategy and write its report and frames to a folder.

    The folder holds report.html (one page, nothing fetched), a Parquet file per frame (summary, orders,
    fills, markouts, fees, settlements, positions, baskets, exposures, equity, attrition, coverage) and
    manifest.json. It appears whole or not at all; an earlier result in the same place is replaced, any other
    folder is left alone.

    A configuration:

    ```
    strategy = "favourite_longshot"    # or "mine.py:name"
    series = "KXBTC15M"                # and/or event, ticker
    start = 2026-05-11                 # UTC midnight; times need a zone
    end = 2026-05-14T00:00:00Z         # excluded
    fills = "touch"                    # or "book", "queue", "trades"
    latency = "250ms"
    cash = 5_000                       # dollars
    [params]
    beyond = [0.90, 0.95]              # a list is a sweep, as --param is
    ```

    Exits 0 when done, 2 when the configuration or the data cannot be used.
    """
    from backtest.running import run_config, summary_rows

    finished = run_config(sweep_cli.asked_for(config, param), lake=lake, out=out, note=note)
    if as_json:
        _print_json(
            {
                "out": str(finished.out),
                "report": str(finished.out / "report.html"),
                "summary": summary_rows(finished.run),
                "assumptions": list(finished.run.assumptions),
            }
        )
        return
    from backtest.printing import print_run

    print_run(finished)


app.command()(sweep_cli.sweep)


@app.command()
def ladder(
    config: Annotated[Path, typer.Argument(help="A TOML file, as for `run`.", metavar="CONFIG.toml")],
    lake: LakeAt = None,
    as_json: Json = False,  # noqa: FBT002 - a command-line flag
) -> None:
    """Fill the same intents in one way after the other, from the fantasy to the end of the queue.

    One line for each rung: mid, touch, book, and a queue's pessimistic, proportional and front place; and
    trades, where the configuration says so. What is left on the way down is what spread, depth and queue
    take. Known is the share of the time for which the lake has what a rung needs: a rung without data fills
    nothing. Nothing is written.

    Exits 0 when done, 2 when the configuration or the data cannot be used.
    """
    from backtest.config import read_config
    from backtest.running import climb

    rows = climb(read_config(config), lake=lake)
    if as_json:
        _print_json({"ladder": rows.to_dicts()})
        return
    from backtest.printing import print_ladder

    print_ladder(rows)


@app.command()
def sensitivity(
    config: Annotated[Path, typer.Argument(help="A TOML file, as for `run`.", metavar="CONFIG.toml")],
    lake: LakeAt = None,
    as_json: Json = False,  # noqa: FBT002 - a command-line flag
) -> None:
    """Move one assumption at a time: what is left with slower orders, wider spreads, higher fees, more size?

    One line for each value of each assumption, the configuration's own among them: latency; for a policy, how
    late it hears; for a plan, so many times its contracts; for touch, ticks more than was shown, or so many
    times its slippage; and so many times the fees. Change is against the configuration as it is.
    `bt.sensitivity` moves others, and to values of yours. Nothing is written.

    Exits 0 when done, 2 when the configuration or the data cannot be used.
    """
    from backtest.config import read_config
    from backtest.running import shake

    rows = shake(read_config(config), lake=lake)
    if as_json:
        _print_json({"sensitivity": rows.to_dicts()})
        return
    from backtest.printing import print_sensitivity

    print_sensitivity(rows)


@app.command()
def audit(
    config: Annotated[Path, typer.Argument(help="A TOML file, as for `run`.", metavar="CONFIG.toml")],
    lake: LakeAt = None,
    cuts: Annotated[int, typer.Option("--cuts", help="How many decisions to look at.")] = 5,
    placebos: Annotated[
        int,
        typer.Option("--placebos", help="How often to run its orders where they know nothing, such as 20."),
    ] = 0,
    as_json: Json = False,  # noqa: FBT002 - a command-line flag
) -> None:
    """Make the plan anew with what was known when it decided: it must want the same.

    Decisions are taken evenly from the first to the last; each is looked at twice, at the instant and just
    before. The strategy then reads a lake without what came later: trades and quotes by their known_ts,
    markets without result, volume or a close that may move. Of a sweep the first setting is looked at.
    Nothing is written.

    With --placebos the same orders also run so many times later, and so many times in other markets of their
    series: what they earn there, no signal earned.

    Exits 0 when the plan wanted the same every time, 1 when it did not, 2 when the configuration or the data
    cannot be used.
    """
    from backtest.config import read_config
    from backtest.running import audited, given_placebos

    read = read_config(config)
    found = audited(read, lake=lake, n_cuts=cuts)
    placebo = given_placebos(read, lake=lake, n=placebos) if placebos else None
    if as_json:
        frames = {"cuts": found.cuts.to_dicts(), "differences": found.differences.to_dicts()}
        told = (
            None if placebo is None else {"runs": placebo.runs.to_dicts(), "n_left_out": placebo.n_left_out}
        )
        _print_json(
            {
                "is_clean": found.is_clean,
                "params": found.params,
                **frames,
                "left_out": found.left_out,
                "placebo": told,
            }
        )
    else:
        from backtest.printing import print_audit, print_placebo

        is_swept = bool(found.params) and any(isinstance(each, list) for each in read.params.values())
        print_audit(found, is_swept=is_swept)
        if placebo is not None:
            print_placebo(placebo)
    if not found.is_clean:
        raise typer.Exit(1)


@app.command()
def fees(
    files: Annotated[
        list[Path],
        typer.Argument(help="CSV exports or JSON pages of your own fills; .gz too.", metavar="FILE…"),
    ],
    multiplier: Annotated[
        list[str] | None,
        typer.Option(
            "--multiplier", help="The multiplier of a series; may be repeated.", metavar="SERIES=0.5"
        ),
    ] = None,
    lake: Annotated[
        str | None, typer.Option("--lake", help="A lake whose fee tables to use; none by default.")
    ] = None,
    as_json: Json = False,  # noqa: FBT002 - a command-line flag
) -> None:
    """Compare our fee model with the fees that an account was charged, fill by fill.

    Multipliers come from --multiplier, else from the fee tables of --lake, else from a dated table of the
    ones that are known to differ, else they are 1; the output says which. Orders filled in parts share one
    accumulator of roundings: they are exact when some order of their fills gives every fee.

    Exits 0 when every order filled at once was charged exactly what the model says, 1 when some were not,
    2 when a file cannot be read.
    """
    from backtest.account_fees import audit_fees
    from backtest.account_fills import read_fills

    given = _multipliers(multiplier or [])
    terms_at = _lake_terms(lake) if lake is not None else None
    fills, n_repeated = read_fills(files)
    audit = audit_fees(fills, multipliers_ppm=given, terms_at=terms_at, n_repeated=n_repeated)
    if as_json:
        _print_json(audit.as_json())
    else:
        _print_fee_audit(audit)
    if not audit.is_exact:
        raise typer.Exit(1)


app.command()(compare_cli.compare)
app.command()(slippage_cli.slippage)
app.command()(forecast_cli.forecast)


@app.command()
def strategies(*, as_json: Json = False) -> None:
    """List the strategies that come along: what each bets on and what would show the bet to be wrong.

    Your own is "path/to/file.py:name" in a configuration: a policy, or a function (lake, *, series, event,
    ticker, start, end) that returns a polars LazyFrame with ticker, known_ts and intent; one that also takes
    `forecast` gets the file that the configuration names.
    """
    from backtest.strategies.registry import STRATEGIES

    if as_json:
        _print_json(
            {
                "strategies": [
                    {
                        "name": each.name,
                        "summary": each.summary,
                        "hypothesis": each.hypothesis,
                        "falsified_by": each.falsified_by,
                        "params": dict(each.params or {}),
                    }
                    for each in STRATEGIES.values()
                ]
            }
        )
        return
    from backtest.printing import print_strategies

    print_strategies(list(STRATEGIES.values()))


def _multipliers(texts: list[str]) -> dict[str, int]:
    from exchange.errors import UnitError
    from exchange.units import parse_micros

    given: dict[str, int] = {}
    for text in texts:
        series, equals, value = text.partition("=")
        try:
            ppm = parse_micros(value)
        except UnitError:
            ppm = -1
        if not equals or not series.strip() or ppm < 0:
            raise BadInput(
                f"--multiplier {text!r}: write SERIES=0.5, the multiplier 0 or more, at most 6 decimals"
            )
        given[series.strip()] = ppm
    return given


def _lake_terms(uri: str) -> "TermsAt":
    from backtest.lake_fees import terms_in

    return terms_in(uri)


def _print_fee_audit(audit: "FeeAudit") -> None:
    from backtest.printing import print_fee_audit

    print_fee_audit(audit)


def _print_json(value: dict[str, Any]) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, default=str))
