"""docs/data.md says what the declarations say."""

from warehouse.dictionary import TARGET, dictionary
from warehouse.macros import MACROS
from warehouse.tables import TABLES
from warehouse.views import VIEWS


def test_the_page_is_current() -> None:
    """Say `python -m warehouse.dictionary` after changing a declaration."""
    assert TARGET.read_text() == dictionary()


def test_the_page_has_every_table_column_view_and_macro() -> None:
    page = dictionary()
    for table in TABLES.values():
        assert f"### {table.name}\n\n{table.sentence}" in page
        for name, column in table.columns.items():
            assert f"| {name} | " in page
            assert f"| {column.description} |" in page
    for view in VIEWS:
        assert f"### {view.name} (view)\n\n{view.sentence}" in page
    for macro in MACROS:
        assert f"### {macro.name}({macro.parameters})" in page
