"""`tapehouse backtest sweep`: every combination of parameters, given on the command line."""

import json
import math
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from backtest.cli_options import Json, LakeAt, OutAt
from exchange.errors import BadInput

if TYPE_CHECKING:
    from backtest.config import RunConfig
    from backtest.results import Run

SETTINGS_MAX: Final = 100_000  # of a sweep: beyond it somebody mistyped a step
_HOW: Final = "write --param NAME=V1,V2,… or --param NAME=FROM..TO..STEP"
ParamValues = Annotated[
    list[str] | None,
    typer.Option(
        "--param",
        help="Values of a parameter: `0.02,0.05`, or `1..5`, or `0.02..0.10..0.02`; may be repeated.",
        metavar="NAME=VALUES",
    ),
]


def sweep(
    config: Annotated[Path, typer.Argument(help="A TOML file, as for `run`.", metavar="CONFIG.toml")],
    param: ParamValues = None,
    out: OutAt = None,
    lake: LakeAt = None,
    as_json: Json = False,  # noqa: FBT002 - a command-line flag
) -> None:
    """Run every combination of parameters, and rank the settings by net P&L.

    --param takes the place of what the configuration says of that parameter: values with commas between
    them, or FROM..TO..STEP, both ends included where a step ends there (FROM..TO goes by 1). Parameters that
    are not named stay as the configuration has them, lists too. The folder is written as by `run`, and what
    `run` would have written there is replaced; the report shows every setting.

    The best of many is the luckiest, too: its interval allows for all that were tried, the median setting
    stands beside it, and so does what choosing as it went would have come to. `holdout` in the configuration
    keeps events back, on which one setting can be looked at afterwards.

    Exits 0 when done, 2 when the configuration, the parameters or the data cannot be used.
    """
    from backtest.running import run_config

    asked = asked_for(config, param)
    _refuse_size(asked)
    finished = run_config(asked, lake=lake, out=out)
    if as_json:
        where = {"out": str(finished.out), "report": str(finished.out / "report.html")}
        told = where | _ranking(finished.run) | {"assumptions": list(finished.run.assumptions)}
        typer.echo(json.dumps(told, ensure_ascii=False, default=str))
        return
    from backtest.printing import print_run

    print_run(finished)


def asked_for(config: Path, param: list[str] | None) -> "RunConfig":
    """Read a configuration, with the values of `--param` instead of its own.

    Raises:
        BadInput: one of both cannot be used.
    """
    from backtest.config import read_config, with_params

    return with_params(read_config(config), _given(param or []), where="--param")


def _given(texts: list[str]) -> dict[str, list[int | float]]:
    given: dict[str, list[int | float]] = {}
    for text in texts:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise BadInput(f"--param {text!r}: {_HOW}")
        if name in given:
            raise BadInput(f"--param {text!r}: {name} has values already; put commas between all of them")
        given[name] = [value for part in values.split(",") for value in _values(text, part.strip())]
    return given


def _values(text: str, part: str) -> list[int | float]:
    """Return the values of one part between commas: a number, or a range of them."""
    ends = [each.strip() for each in part.split("..")]
    try:
        numbers = [Decimal(each) for each in ends]
    except InvalidOperation:
        numbers = []
    if not 1 <= len(numbers) <= 3 or not all(math.isfinite(each) for each in numbers):  # noqa: PLR2004 - FROM..TO..STEP
        raise BadInput(f"--param {text!r}: {part!r} is no number and no range; {_HOW}")
    is_whole = all(each.lstrip("+-").isdigit() for each in ends)
    kind = int if is_whole else float
    if len(numbers) == 1:
        return [kind(numbers[0])]
    if len(numbers) == 2 and not is_whole:  # noqa: PLR2004 - FROM..TO
        raise BadInput(f"--param {text!r}: {part!r} has no step; write it, as in {part}..0.01")
    first, last, step = (*numbers, Decimal(1))[:3]
    if step <= 0 or last < first:
        raise BadInput(f"--param {text!r}: {part!r} goes nowhere: FROM..TO..STEP goes up, by a step above 0")
    if (last - first) / step >= SETTINGS_MAX:
        raise BadInput(f"--param {text!r}: {part!r} has more than {SETTINGS_MAX:,} values: take larger steps")
    return [kind(first + each * step) for each in range(int((last - first) // step) + 1)]


def _refuse_size(config: "RunConfig") -> None:
    """Refuse a sweep of one setting, and one of more settings than anybody meant."""
    from backtest.report_numbers import plain

    n = math.prod(len(each) if isinstance(each, list) else 1 for each in config.params.values())
    if n > SETTINGS_MAX:
        raise BadInput(f"{n:,} combinations: a sweep has at most {SETTINGS_MAX:,}; take larger steps")
    if n == 1:
        name = config.strategy.name
        has = ", ".join(f"{key} = {plain(value)}" for key, value in config.params.items())
        told = f"{name} has {has}" if has else f"no parameter of {name} has a value"
        raise BadInput(f"{config.path}: one setting is no sweep ({told}): {_HOW}, or lists in [params]")


def _ranking(run: "Run") -> dict[str, Any]:
    """Return what is printed: the settings, best first, and what to say of the best and the median."""
    from backtest.report_detail import details, ranked, swept
    from backtest.report_words import verdict

    shown = details(run)
    rows = ranked(run).reverse()
    told = {
        name: {"params": each.params, **each.interval}
        for name, each in zip(("median", "best"), shown, strict=True)
    }
    return {
        "swept": swept(run),
        "summary": rows.to_dicts(),
        "verdict": verdict(shown, rows.height)[0],
        **told,
    }
