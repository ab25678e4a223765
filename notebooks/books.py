import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Tapehouse: order books")


@app.cell
async def _():
    import os
    from pathlib import Path

    import marimo as mo
    import polars as pl

    from notebooks import book_pictures, made_up_lake
    from warehouse import Lake
    from warehouse.tables import BOOK_DELTAS, BOOK_SNAPSHOTS

    where = os.environ.get("TAPEHOUSE_LAKE")
    lake = Lake(where) if where else await made_up_lake.build(Path("out/books"))
    return BOOK_DELTAS, BOOK_SNAPSHOTS, book_pictures, lake, mo, pl


@app.cell
def _(mo):
    mo.md("""
    # Order books

    Kalshi publishes no archive of past depth. What was recorded, or imported, can be rebuilt exactly, change by
    change; what was missed is on record too. Without `TAPEHOUSE_LAKE` this page makes up an exchange, records it
    with a hole in every market, and looks at that.
    """)
    return


@app.cell
def _(BOOK_DELTAS, BOOK_SNAPSHOTS, lake, mo, pl):
    recorded = lake.scan(BOOK_SNAPSHOTS).filter(pl.col("depth").is_null()).select("ticker").unique()
    n_changes = lake.scan(BOOK_DELTAS).group_by("ticker").agg(n_changes=pl.len())
    candidates = (
        recorded.join(n_changes, on="ticker", how="left")
        .with_columns(pl.col("n_changes").fill_null(0))
        .sort("n_changes", "ticker", descending=[True, False])
        .head(50)
        .collect()
    )
    mo.stop(candidates.is_empty(), mo.md("No book was recorded in this lake: `tapehouse books record` does."))
    choice = mo.ui.dropdown(candidates["ticker"].to_list(), value=candidates["ticker"][0], label="market")
    choice
    return candidates, choice


@app.cell
def _(BOOK_DELTAS, BOOK_SNAPSHOTS, choice, lake, pl):
    ticker = choice.value
    market = lake.markets().filter(pl.col("ticker") == ticker).collect()
    _heard = [
        lake.scan(each).filter(pl.col("ticker") == ticker).select(ts=each.known_ts.expr)
        for each in (BOOK_SNAPSHOTS, BOOK_DELTAS)
    ]
    _first_ts, _last_ts = (
        pl.concat(_heard).select(first=pl.col("ts").min(), last=pl.col("ts").max()).collect().row(0)
    )
    # From opening to close, but little more of it than was recorded.
    _margin = (_last_ts - _first_ts) / 20
    start_ts, end_ts = _first_ts - _margin, _last_ts + _margin
    for _open_ts, _close_ts in market.select("open_ts", "close_ts").iter_rows():
        start_ts, end_ts = max(start_ts, _open_ts or start_ts), min(end_ts, _close_ts or end_ts)
    market.select("ticker", "title", "open_ts", "close_ts", "result")
    return end_ts, market, start_ts, ticker


@app.cell
def _(mo):
    mo.md("""
    ## When is it known

    `lake.books` answers at every instant with the book or with the cause why there is none. Here it has a row for
    every change; rows that follow each other and are alike in that are one stretch.
    """)
    return


@app.cell
def _(end_ts, lake, pl, start_ts, ticker):
    changes = lake.books([ticker], start_ts, end_ts, depth=1).collect()
    stretches = (
        changes.with_columns(run=pl.struct("is_known", "cause").rle_id())
        .group_by("run", maintain_order=True)
        .agg(pl.col("is_known", "cause", "ts").first(), n_rows=pl.len())
        .with_columns(until_ts=pl.col("ts").shift(-1).fill_null(end_ts))
        .select("is_known", "cause", "ts", "until_ts", "n_rows")
    )
    stretches
    return changes, stretches


@app.cell
def _(mo, pl, stretches):
    _length = pl.col("until_ts") - pl.col("ts")
    _known, _all = (
        stretches.filter(each).select(_length.sum()).item().total_seconds()
        for each in (pl.col("is_known"), pl.lit(value=True))
    )
    known_share = _known / _all
    mo.md(f"The book was known for **{known_share:.1%}** of the time the market was open.")
    return (known_share,)


@app.cell
def _(mo):
    mo.md("""
    ## Depth over time

    The darker, the more contracts rest at a price, of the best twenty a side; below the lines are bids, above them
    offers. A triangle is all that takers of one side traded at one price within a few seconds, block trades apart.
    Where the recording has a hole the picture is hatched: the book is unknown, and stays empty instead of guessed.
    """)
    return


@app.cell
def _(end_ts, lake, start_ts, ticker):
    n_steps, n_levels = 180, 20
    step_s = max(1, round((end_ts - start_ts).total_seconds() / n_steps))
    books = lake.books([ticker], start_ts, end_ts, every=f"{step_s}s", depth=n_levels).collect()
    return books, step_s


@app.cell
def _(books, pl, start_ts, step_s):
    seconds = ((pl.col("ts") - start_ts).dt.total_milliseconds() / 1_000).cast(pl.Int64)
    # By whole cents: a cell lies below the price of its bids, and above that of its asks.
    _cents = {"bid": (pl.col("cc") + 99) // 100 * 100 - 100, "ask": pl.col("cc") // 100 * 100}
    _sides = [
        books.select(s=seconds, cc=f"{side}_prices_cc", contracts=f"{side}_counts_centi")
        .explode("cc", "contracts")
        .drop_nulls()
        .group_by("s", cc=cent, side=pl.lit(side))
        .agg(pl.col("contracts").sum() / 100)
        for side, cent in _cents.items()
    ]
    # What stays from one instant to the next is one long cell.
    _is_new = (pl.col("s") != pl.col("s").shift(1) + step_s) | (
        pl.col("contracts") != pl.col("contracts").shift(1)
    )
    cells = (
        pl.concat(_sides)
        .sort("side", "cc", "s")
        .with_columns(run=_is_new.fill_null(value=True).cum_sum().over("side", "cc"))
        .group_by("side", "cc", "run", "contracts", maintain_order=True)
        .agg(pl.col("s").first(), until=pl.col("s").last() + step_s)
        .select("s", "until", "cc", pl.lit(100).alias("tick_cc"), "contracts")
    )
    return cells, seconds


@app.cell
def _(changes, lake, pl, seconds, start_ts, step_s, stretches, ticker):
    _first = [
        pl.col(f"{side}_prices_cc").list.get(0, null_on_oob=True).alias(f"{side}_cc")
        for side in ("bid", "ask")
    ]
    tops = (
        changes.select(seconds.alias("s"), *_first)
        .group_by("s", maintain_order=True)
        .last()
        .filter(pl.struct("bid_cc", "ask_cc").rle_id().diff().fill_null(1) > 0)
    )
    gaps = stretches.filter(~pl.col("is_known")).select(
        s=(pl.col("ts") - start_ts).dt.total_milliseconds() / 1_000,
        until=(pl.col("until_ts") - start_ts).dt.total_milliseconds() / 1_000,
    )
    trades = (
        lake.trades(ticker=ticker)
        .filter(~pl.col("is_block_trade").fill_null(value=False))
        .with_columns(s=(pl.col("event_ts") - start_ts).dt.total_seconds() // step_s * step_s)
        .group_by("s", "yes_price_cc", "taker_side")
        .agg(pl.col("count_centi").sum())
        .sort("s", "yes_price_cc", "taker_side")
        .select(
            "s",
            cc="yes_price_cc",
            contracts=pl.col("count_centi") / 100,
            taker=pl.when(pl.col("taker_side") == "yes")
            .then(pl.lit("bought YES"))
            .otherwise(pl.lit("bought NO")),
        )
        .collect()
    )
    return gaps, tops, trades


@app.cell
def _(book_pictures, cells, end_ts, gaps, start_ts, ticker, tops, trades):
    # Prices that anything rests or trades at, out to the next five cents.
    _prices = [0, 10_000] if cells.is_empty() else [*cells["cc"], *(cells["cc"] + 100), *trades["cc"]]
    depth_chart = book_pictures.depth_over_time(
        cells,
        tops,
        trades,
        gaps,
        start_ts=start_ts,
        end_ts=end_ts,
        low_cc=min(_prices) // 500 * 500,
        high_cc=-(-max(_prices) // 500) * 500,
        title=f"{ticker}: what rested, and what traded",
    )
    depth_chart
    return (depth_chart,)


@app.cell
def _(mo):
    mo.md("""
    One book at one moment, as a ladder: `tapehouse books show TICKER --at TIME`. In SQL it is
    `book_at('TICKER', TIME)`; docs/books.md has all of it.
    """)
    return


if __name__ == "__main__":
    app.run()
