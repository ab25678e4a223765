"""Depth files of vendors, one row a book or one row a level, as rows of `book_snapshots`."""

from typing import Final

import polars as pl

from exchange.units import DOLLAR_CC
from pipelines.ingest import book_cells as cells
from pipelines.ingest.book_layouts import Layout

_HAS_NO_KEY: Final = pl.col("at_ts").is_null() | (pl.col("ticker").fill_null("") == "")
RUN: Final = pl.when(~_HAS_NO_KEY).then(pl.struct("ticker", "at_ts")).rle_id().alias("run")
"""Of rows that hold one level: which book it is of; neighbours that do not say whose they are share one."""

_LEVEL: Final = {"price_cc": pl.Int32, "count_centi": pl.Int64}


def wide_checks(layout: Layout) -> list[cells.Check]:
    """Return what is wrong with a row that holds a whole book, beyond its time and ticker.

    An empty level, or one of size 0, is none: files are padded so.
    """
    found: list[cells.Check] = []
    for side in _sides(layout):
        for k in layout.levels:
            price, size = layout.level(f"{side}_price", k), layout.level(f"{side}_size", k)
            is_pad = cells.blank(price) & (
                cells.blank(size) | (pl.col(f"_{size}") == 0).fill_null(value=False)
            )
            is_bad = pl.col(f"_{size}").is_null() | (pl.col(f"_{size}") < 0)
            found.append((size, ~is_pad & is_bad, "is no size in the layout's unit"))
            is_level = ~is_pad & (pl.col(f"_{size}") > 0)
            is_off = is_level & cells.outside(f"_{price}", 1, DOLLAR_CC - 1)
            found.append((price, is_off, cells.PRICE_REASON))
    return found


def wide_readings(layout: Layout) -> list[pl.Expr]:
    """Return every level's cells in our units, named "_" and the column."""
    found = []
    for side in _sides(layout):
        for k in layout.levels:
            price, size = layout.level(f"{side}_price", k), layout.level(f"{side}_size", k)
            found.append(cells.price_cc(price, layout.prices).alias(f"_{price}"))
            found.append(cells.count_centi(size, layout.sizes).alias(f"_{size}"))
    return found


def wide_books(rows: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Return good rows as books: line, ticker, captured_ts and the four lists of levels."""
    bid, other = _sides(layout)
    return rows.select(
        "line",
        "ticker",
        pl.col("at_ts").alias("captured_ts"),
        *_lists("yes", _wide_side(layout, bid)),
        *_lists("no", _wide_side(layout, other)),
    )


def long_checks(layout: Layout) -> list[cells.Check]:
    """Return what is wrong with a row that holds one level, beyond its time and ticker."""
    side, price, size = (layout.columns[each] for each in ("side", "price", "size"))
    words = [word for told in layout.sides.values() for word in told]
    return [
        (side, ~pl.col(side).is_in(words).fill_null(value=False), f"is none of {', '.join(words)}"),
        (size, ~(pl.col("_size") >= 0).fill_null(value=False), "is no size in the layout's unit"),
        (price, (pl.col("_size") > 0) & cells.outside("_price", 1, DOLLAR_CC - 1), cells.PRICE_REASON),
    ]


def long_readings(layout: Layout) -> list[pl.Expr]:
    """Return a level's cells in our units."""
    return [
        cells.price_cc(layout.columns["price"], layout.prices).alias("_price"),
        cells.count_centi(layout.columns["size"], layout.sizes).alias("_size"),
    ]


def n_settled(rows: pl.DataFrame) -> int:
    """Return how many of the rows no later row can change: up to where one book begins right after another.

    The last book may go on, and a row that does not say whose it is may spoil both its neighbours.
    """
    told = rows.select(RUN, is_known=~_HAS_NO_KEY)
    is_border = (pl.col("run") != pl.col("run").shift(1)) & pl.col("is_known") & pl.col("is_known").shift(1)
    borders = told.select(is_border.fill_null(value=False).arg_true()).to_series()
    return int(borders[-1]) if len(borders) else 0


def long_books(rows: pl.DataFrame, layout: Layout) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return judged rows, each book's together, as books (see `wide_books`), and the rows that make none.

    A book of which a level cannot be read is no book: its other rows are refused too. A row that does not
    even say whose it is spoils the books before and after it.
    """
    rows = rows.with_columns(RUN, is_bad=pl.col("reason").is_not_null())
    lost = rows.filter(_HAS_NO_KEY)["run"].unique()
    spoilt = pl.concat([rows.filter("is_bad")["run"], lost + 1, _before(lost)]).unique()
    is_spoilt = pl.col("run").is_in(spoilt.implode())
    unread = rows.filter(is_spoilt).with_columns(
        reason=pl.col("reason").fill_null("belongs to a book of which another row cannot be read")
    )
    side = pl.col(layout.columns["side"])
    price = pl.when(side.is_in(layout.sides.get("ask", ()))).then(DOLLAR_CC - pl.col("_price"))
    level = pl.struct(
        price_cc=price.otherwise(pl.col("_price")).cast(pl.Int32), count_centi=pl.col("_size").cast(pl.Int64)
    )
    is_level = pl.col("_size") > 0
    is_yes = side.is_in(layout.sides["bid"])
    books = (
        rows.filter(~is_spoilt)
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("line", "ticker", "at_ts").first(),
            yes=level.filter(is_level & is_yes),
            no=level.filter(is_level & ~is_yes),
        )
        .select(
            "line",
            "ticker",
            pl.col("at_ts").alias("captured_ts"),
            *_lists("yes", pl.col("yes")),
            *_lists("no", pl.col("no")),
        )
    )
    return books, unread


def _before(runs: pl.Series) -> pl.Series:
    return (
        pl.select(pl.when(pl.lit(runs) > 0).then(pl.lit(runs) - 1)).to_series().drop_nulls().cast(runs.dtype)
    )


def _sides(layout: Layout) -> tuple[str, str]:
    return "bid", "no" if "no_price" in layout.columns else "ask"


def _wide_side(layout: Layout, side: str) -> pl.Expr:
    levels = []
    for k in layout.levels:
        price, size = (
            pl.col(f"_{layout.level(f'{side}_price', k)}"),
            pl.col(f"_{layout.level(f'{side}_size', k)}"),
        )
        own = DOLLAR_CC - price if side == "ask" else price
        is_level = (size > 0) & price.is_not_null()
        levels.append(
            pl.when(is_level).then(pl.struct(price_cc=own.cast(pl.Int32), count_centi=size.cast(pl.Int64)))
        )
    return pl.concat_list(levels).list.drop_nulls()


def _lists(side: str, levels: pl.Expr) -> list[pl.Expr]:
    ordered = levels.list.sort()  # by price: the first field
    return [
        ordered.list.eval(pl.element().struct.field(name)).cast(pl.List(dtype)).alias(f"{side}_{plural}")
        for (name, dtype), plural in zip(_LEVEL.items(), ("prices_cc", "counts_centi"), strict=True)
    ]
