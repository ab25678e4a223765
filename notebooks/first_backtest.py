import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Tapehouse: a first backtest")


@app.cell
def _():
    import os
    import sys
    from pathlib import Path

    import altair as alt
    import marimo as mo
    import polars as pl

    import backtest as bt
    from warehouse import Lake

    where = os.environ.get("TAPEHOUSE_LAKE", "out/demo/lake")
    lake = Lake(where)
    has_lake = lake.exists()
    advice = f"There is no lake at {where} yet: run `make demo` first, or set TAPEHOUSE_LAKE."
    if not has_lake:
        print(advice, file=sys.stderr)
    mo.stop(not has_lake, mo.md(advice))
    return Path, alt, bt, lake, mo, pl


@app.cell
def _(mo):
    mo.md("""
    # A first backtest

    A backtest here is three things: **quotes** as they became known, a **plan** that says what you want at each of
    them, and a **run** that lets the recorded market answer. You write the plan; everything else is the same for
    everybody: latency, displayed depth, fees to the micro-dollar, payouts that lock cash until they come.
    """)
    return


@app.cell
def _(lake, mo, pl):
    from warehouse.tables import BOOK_SNAPSHOTS

    _recorded = lake.scan(BOOK_SNAPSHOTS).group_by("ticker").len()
    _by_series = (
        lake.markets()
        .join(_recorded, on="ticker")
        .group_by("series_ticker")
        .agg(pl.len())
        .sort("len", "series_ticker")
    )
    recorded_series = _by_series.collect()["series_ticker"].to_list()
    mo.stop(not recorded_series, mo.md("This lake has no recorded books: `tapehouse import ws` brings them."))
    series = recorded_series[-1]
    mo.md(f"The series with the most recorded books here is **{series}**.")
    return (series,)


@app.cell
def _(mo):
    mo.md("""
    ## Quotes

    One row for every change of the best bid or ask, at `known_ts`: the first moment at which you could have
    acted on it. Prices are whole centicents ($0.0001), sizes hundredths of a contract, so that sums are
    exact. It is a lazy frame: nothing has been read yet.
    """)
    return


@app.cell
def _(lake, series):
    quotes = lake.quotes(series=series)
    quotes.head(5).collect()
    return (quotes,)


@app.cell
def _(mo):
    mo.md("""
    ## The plan

    An idea to test, not a promise: *a sudden fall goes too far*. We call the middle of bid and ask, averaged over two
    minutes, fair; where the ask lies below it by more than `min_edge` dollars we want 10 contracts, at that ask or better.
    What is not filled at once waits for at most 30 seconds.

    `bt.param` leaves the number open, so that one run can try several.
    """)
    return


@app.cell
def _(bt, pl, quotes):
    middle = (pl.col("bid_cc") + pl.col("ask_cc")) / 2
    fair = middle.rolling_mean_by("known_ts", window_size="2m").over("ticker")
    edge = (fair - pl.col("ask_cc")) / 10_000
    plan = quotes.select(
        "ticker",
        "known_ts",
        intent=bt.buy_yes(10, limit=pl.col("ask_cc"), ttl="30s").when(edge > bt.param("min_edge")),
    )
    return (plan,)


@app.cell
def _(mo):
    mo.md("""
    ## The run

    `fills="book"` lets orders eat the displayed depth, level by level, and what we took stays taken. An order
    arrives 250 ms after its decision and meets the book as it is then. If the book is unknown at that moment, because the
    recording has a hole, the order is rejected. No event may cost more than $50. The first run after an installation compiles for a while.
    """)
    return


@app.cell
def _(bt, lake, plan):
    run = bt.run(
        plan,
        lake,
        fills="book",
        latency="250ms",
        cash=5_000,
        per_event=50,
        params={"min_edge": [0.01, 0.02, 0.04, 0.08]},
    )
    return (run,)


@app.cell
def _(bt, pl, run):
    overview = bt.in_dollars(run.summary).select(
        "min_edge",
        "n_orders",
        "n_rejected",
        "n_fills",
        pl.col("filled").alias("contracts"),
        "n_markets",
        "n_open",
        pl.col("pnl", "fees").round(2),
        (pl.col("pnl") + pl.col("fees")).round(2).alias("pnl_without_fees"),
    )
    overview
    return (overview,)


@app.cell
def _(mo, overview):
    _best = overview.sort("pnl").row(-1, named=True)
    _fate = "made" if _best["pnl"] > 0 else "lost"
    mo.md(f"""
    The best of the four, `min_edge = {_best["min_edge"]:g}`, {_fate} ${abs(_best["pnl"]):,.2f} after
    ${_best["fees"]:,.2f} of fees. Choosing the best of several after the fact flatters; a result is worth something only on
    markets that had no say in the choice.
    """)
    return


@app.cell
def _(mo):
    mo.md("""
    ## What became of the money

    Equity is cash plus what is held, at the bid that somebody would have paid for it. At most a few hundred points for each
    line.
    """)
    return


@app.cell
def _(alt, bt, pl, run):
    _span = run.equity["ts"].max() - run.equity["ts"].min()
    equity = (
        bt.in_dollars(run.equity)
        .sort("min_edge", "ts")
        .group_by_dynamic("ts", every=f"{max(1, round(_span.total_seconds() / 250))}s", group_by="min_edge")
        .agg(pl.col("marked").last())
    )
    equity_chart = (
        alt.Chart(equity)
        .mark_line(interpolate="step-after", strokeWidth=1.5)
        .encode(
            x=alt.X(
                "ts:T",
                title="UTC",
                scale=alt.Scale(type="utc"),
                axis=alt.Axis(format="%b %d", tickCount="day"),
            ),
            y=alt.Y("marked:Q", title="equity, dollars", scale=alt.Scale(zero=False)),
            color=alt.Color("min_edge:O", title="min_edge", scale=alt.Scale(scheme="viridis")),
        )
        .properties(width=680, height=280, title="Equity by parameter")
    )
    equity_chart
    return equity, equity_chart


@app.cell
def _(mo):
    mo.md("""
    ## Fills, one by one

    `evidence` says what a fill rests on: here the displayed book. `cash` is before the fee. Orders that got less than
    they wanted say why: `event cap`, for one, means that $50 were in that event already.
    """)
    return


@app.cell
def _(bt, run):
    fills = (
        bt.in_dollars(run.fills)
        .sort("min_edge", "fill_ts")
        .select("min_edge", "ticker", "fill_ts", "side", "price", "contracts", "cash", "fee", "evidence")
    )
    fills.head(10)
    return (fills,)


@app.cell
def _(run):
    fates = (
        run.orders.group_by("min_edge", "status", "reason")
        .len("n_orders")
        .sort("min_edge", "status", "reason")
    )
    fates
    return (fates,)


@app.cell
def _(mo):
    mo.md("""
    ## Does it add up?

    Money neither appears nor vanishes: cash at the end is cash at the start plus payouts plus sales minus purchases minus
    fees. Added up here from the frames alone, to the micro-dollar, for every parameter.
    """)
    return


@app.cell
def _(pl, run):
    _payouts = run.settlements.group_by("min_edge").agg(pl.col("payout_micros").sum())
    _trades = run.fills.group_by("min_edge").agg(pl.col("cash_micros").sum(), pl.col("fee_micros").sum())
    identity = (
        run.summary.select("min_edge", "cash_start_micros", "cash_end_micros")
        .join(_payouts, on="min_edge", how="left")
        .join(_trades, on="min_edge", how="left")
        .fill_null(0)
        .with_columns(
            difference_micros=pl.col("cash_end_micros")
            - (
                pl.col("cash_start_micros")
                + pl.col("payout_micros")
                + pl.col("cash_micros")
                - pl.col("fee_micros")
            )
        )
    )
    assert identity["difference_micros"].to_list() == [0] * identity.height
    identity
    return (identity,)


@app.cell
def _(mo):
    mo.md("""
    ## What was assumed

    Every run says so itself, and the report puts it first.
    """)
    return


@app.cell
def _(mo, run):
    mo.md("\n".join(f"* {each}" for each in run.assumptions))
    return


@app.cell
def _(Path, mo, run):
    out = Path("out") / "first_backtest"
    run.save(out)
    report = run.report(out / "report.html")
    mo.md(f"""
    The whole report is at `{report}`, one page that works offline; the frames lie next to it as Parquet.

    Now change the plan above. In `marimo edit` everything that depends on it runs again.
    """)
    return (report,)


if __name__ == "__main__":
    app.run()
