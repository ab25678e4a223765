"""How answers of `tapehouse warehouse` are laid out for people."""

from collections.abc import Sequence


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print rows of text in columns: as wide as they need, or folded to fit a terminal.

    `right` has the columns that are set to the right.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(name, justify="right" if index in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(each) for each in row))
    console = Console()
    # A pipe has no width: give every column what it needs.
    wide = Console(width=10_000) if not console.is_terminal else console
    wide.print(table) if console.is_terminal else wide.print(table, crop=False, soft_wrap=True)
