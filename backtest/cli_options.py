"""Options that commands of `tapehouse backtest` share."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
LakeAt = Annotated[
    str | None, typer.Option("--lake", help="Folder or s3:// address; else TAPEHOUSE_LAKE, else ./lake.")
]
OutAt = Annotated[
    Path | None, typer.Option("--out", help="Folder for the results; else `out` of the configuration.")
]
