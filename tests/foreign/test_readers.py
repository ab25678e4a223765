"""Other versions of DuckDB give the cookbook's answers, and read every view as ours does."""

from pathlib import Path

import pytest

from tests.cookbook import PAGE, recipes
from tests.foreign.clients import Foreign
from tests.foreign.readers import READERS, Answer, answers
from tests.warehouse.cookbook_lake import build
from warehouse.views import VIEWS

QUERIES = [
    *(recipe.query for recipe in recipes(PAGE.read_text())),
    *(f"from {view.name} order by all limit 500" for view in VIEWS),
    "select table_name, column_name, comment from duckdb_columns() where not internal order by all",
    "select ticker, resource, covered, n_holes, holes[1].end_ts from coverage('KXSIMHIGHNY')",
    "select session, n_changes, median_ms, offset_ms, delay_p99_ms from book_latency('KXSIMBTC15M')",
]
# A column of a table that has the name of one inside the macro; docs/data.md says from when on it may be.
BY_COLUMN = "select count(*), sum(o.n_trades)::bigint from markets t, ohlc(t.ticker, '1 day') o"
# Minutes in versions that evaluate a part of a query again wherever it is named.
BY_PARTS = "from book_coverage("
LATER = (BY_COLUMN, f"select ticker, day, known_ws, n_unknown, unknown {BY_PARTS}'KXSIMBTC15M')")
LITERALS_ONLY = ("duckdb_1_2", "duckdb_1_3")
MADE = [each for each in READERS if each.is_made]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not MADE:
        pytest.skip("no other DuckDB is made below build/foreign: say `make foreign`")
    return build(tmp_path_factory.mktemp("readers")).path / "warehouse.duckdb"


@pytest.fixture(scope="module")
def ours(catalog: Path) -> list[Answer]:
    return answers(None, catalog, [*QUERIES, *LATER])


@pytest.mark.parametrize("reader", READERS, ids=lambda each: each.name)
def test_another_duckdb_gives_the_same_answers(reader: Foreign, request: pytest.FixtureRequest) -> None:
    """All of the page's queries, all views, all comments, and a macro called with a column."""
    if not reader.is_made:
        pytest.skip(f"build/foreign/{reader.name} is not made from today's pins: say `make foreign`")
    mine = dict(zip([*QUERIES, *LATER], request.getfixturevalue("ours"), strict=True))
    assert not [answer for answer in mine.values() if isinstance(answer, str)]
    is_old = reader.name in LITERALS_ONLY
    queries = [each for each in mine if not (is_old and (each == BY_COLUMN or BY_PARTS in each))]
    theirs = answers(reader, request.getfixturevalue("catalog"), queries)
    for query, answer in zip(queries, theirs, strict=True):
        assert answer == mine[query], query
