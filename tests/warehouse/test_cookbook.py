"""docs/sql-cookbook.md prints what its queries give, and polars reads the same numbers."""

from collections.abc import Iterator

import duckdb
import polars as pl
import pytest

from tests.cookbook import PAGE, output, recipes
from tests.warehouse.catalogs import asked
from tests.warehouse.cookbook_lake import build
from warehouse import Lake
from warehouse.macros import MACROS

LEAST = 20


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build(tmp_path_factory.mktemp("cookbook"))


@pytest.fixture(scope="module")
def catalog(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(lake.path / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def test_every_query_gives_what_is_printed_under_it(lake: Lake) -> None:
    """Say `python -m tests.cookbook` after changing a query, a view or a macro, and look at what changed."""
    page = recipes(PAGE.read_text())
    assert len(page) == PAGE.read_text().count("```sql") >= LEAST
    assert len({recipe.question for recipe in page}) == len(page)
    for recipe in page:
        assert output(recipe.query, lake.path) == recipe.output, recipe.question
        assert len(recipe.output.splitlines()) > 1, f"{recipe.question} has no answer"


def test_the_page_uses_every_macro() -> None:
    queries = " ".join(recipe.query for recipe in recipes(PAGE.read_text()))
    assert [each.name for each in MACROS if f"{each.name}(" not in queries] == []


def test_polars_reads_the_same_numbers(lake: Lake, catalog: duckdb.DuckDBPyConnection) -> None:
    """The lake's own reader, DuckDB's way out to polars, and polars' way into DuckDB: volume by market."""
    query = "select ticker, sum(count_centi)::bigint as centi from trades group by ticker order by ticker"
    ours = lake.trades().group_by("ticker").agg(centi=pl.col("count_centi").sum()).sort("ticker").collect()
    assert ours.height > 100
    assert catalog.sql(query).pl().equals(ours)
    assert pl.read_database(query, catalog).equals(ours)


def test_calibration_is_made_of_implied_probabilities(catalog: duckdb.DuckDBPyConnection) -> None:
    """Bucket by bucket, from one market at a time: means of what `implied_probability` says."""
    markets = pl.DataFrame(
        asked(
            catalog,
            "select m.ticker, m.result, p.prob from markets m, "
            "implied_probability(m.ticker, m.close_ts - interval 10 minutes) p "
            "where m.series_ticker = 'KXSIMHIGHNY' and m.status = 'finalized'",
        )
    )
    came = markets.drop_nulls("prob").with_columns(yes=(pl.col("result") == "yes").cast(pl.Float64))
    wanted = (
        came.group_by(place=(pl.col("prob") * 10).floor().clip(0, 9))
        .agg(
            n=pl.len(),
            mean_prob=pl.col("prob").mean().round(6),
            share_yes=pl.col("yes").mean().round(6),
            brier=((pl.col("prob") - pl.col("yes")) ** 2).mean().round(6),
        )
        .sort("place")
        .drop("place")
    )
    rows = asked(catalog, "from calibration('KXSIMHIGHNY', interval 10 minutes)")
    assert len(rows) == wanted.height + 1 > 3
    for row, expected in zip(rows, wanted.to_dicts(), strict=False):
        for name, value in expected.items():
            assert abs(row[name] - value) < 2e-6, (row["bucket"], name)
    assert rows[-1]["n"] == came.height
    assert rows[-1]["n_unpriced"] == markets.height - came.height
