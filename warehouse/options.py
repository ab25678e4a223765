"""Options that the commands of `tapehouse warehouse` share."""

from typing import Annotated

import typer

LakeOption = Annotated[
    str | None,
    typer.Option("--lake", envvar="TAPEHOUSE_LAKE", help="Folder or s3:// address; default ./lake."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
