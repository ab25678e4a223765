import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Tapehouse: a first look")


@app.cell
def _():
    import os
    import sys
    from pathlib import Path

    import duckdb
    import marimo as mo

    from notebooks import pictures

    catalog = Path(os.environ.get("TAPEHOUSE_LAKE", "out/demo/lake")) / "warehouse.duckdb"
    has_lake = catalog.is_file()
    advice = f"There is no lake at {catalog.parent} yet: run `make demo` first, or set TAPEHOUSE_LAKE."
    if not has_lake:
        print(advice, file=sys.stderr)
    mo.stop(not has_lake, mo.md(advice))
    return catalog, duckdb, mo, pictures


@app.cell
def _(mo):
    mo.md("""
    # A first look into the lake

    Everything here is plain SQL on one small file, `warehouse.duckdb`, that lies in the lake: its views read
    the Parquet files next to it. Nothing is copied and nothing can be broken, so ask whatever you like.
    """)
    return


@app.cell
def _(catalog, duckdb):
    con = duckdb.connect(str(catalog), read_only=True)
    con.execute("set timezone = 'UTC'")

    def ask(sql, *values):
        """Answer one question as a polars frame; ? in the SQL stand for the values."""
        return con.sql(sql, params=list(values)).pl()

    return ask, con


@app.cell
def _(mo):
    mo.md("""
    ## What is in here

    Rows by table, and from when to when things happened. `_snapshot` says which version of every table this
    file shows.
    """)
    return


@app.cell
def _(ask):
    contents = ask("""
        with spans as (
            select 'trades' as name, count(*) as n_rows, min(event_ts) as first_ts, max(event_ts) as last_ts from trades
            union all select 'candles', count(*), min(end_ts), max(end_ts) from candles
            union all select 'quotes', count(*), min(event_ts), max(event_ts) from quotes
            union all select 'book_deltas', count(*), min(event_ts), max(event_ts) from book_deltas
            union all select 'book_snapshots', count(*), min(captured_ts), max(captured_ts) from raw.book_snapshots
            union all select 'markets', count(*), min(open_ts), max(close_ts) from markets
        )
        select * from spans where n_rows > 0 order by n_rows desc
    """)
    contents
    return (contents,)


@app.cell
def _(ask):
    by_series = ask("""
        select
            m.series_ticker as series,
            count(distinct m.ticker) as n_markets,
            count(distinct m.ticker) filter (where m.result in ('yes', 'no', 'scalar')) as n_decided,
            count(t.trade_id) as n_trades,
            coalesce(sum(t.contracts), 0) as contracts,
            coalesce(round(sum(t.contracts * t.yes_price), 2), 0) as yes_dollars
        from markets m left join trades t on t.ticker = m.ticker
        group by series order by n_trades desc
    """)
    by_series
    return (by_series,)


@app.cell
def _(mo):
    mo.md("""
    ## What was asked for

    No row can mean that nothing happened, or that nobody looked. The coverage ledger tells these apart: every window
    that was asked of the exchange is in it, complete or failed and why. Files that were imported ask for
    nothing, so they have no windows.
    """)
    return


@app.cell
def _(ask):
    coverage = ask("""
        select resource, status, count(*) as n_windows, sum(n_rows)::bigint as n_rows,
            min(start_ts) as from_ts, max(end_ts) as until_ts
        from coverage group by resource, status order by resource, status
    """)
    coverage
    return (coverage,)


@app.cell
def _(mo):
    mo.md("""
    ## One market's story

    Choose one: these have a recorded order book, the busiest tape first.
    """)
    return


@app.cell
def _(ask, mo):
    candidates = ask("""
        select t.ticker, count(*) as n_trades
        from trades t semi join raw.book_snapshots b on b.ticker = t.ticker
        group by t.ticker order by n_trades desc, t.ticker limit 50
    """)
    mo.stop(
        candidates.is_empty(),
        mo.md(
            "No market in this lake has both trades and a recorded book: `tapehouse import ws` brings books."
        ),
    )
    choice = mo.ui.dropdown(candidates["ticker"].to_list(), value=candidates["ticker"][0], label="market")
    choice
    return candidates, choice


@app.cell
def _(ask, choice):
    ticker = choice.value
    market = ask(
        """
        select ticker, title, yes_sub_title, open_ts, close_ts, settlement_ts, status, result,
            settlement_value, expiration_value
        from markets where ticker = ?
        """,
        ticker,
    )
    market
    return market, ticker


@app.cell
def _(mo):
    mo.md("""
    **Bars** come from the trades by a macro, `ohlc(ticker, every)`; a minute without a trade has no bar.
    """)
    return


@app.cell
def _(ask, market, ticker):
    open_ts, close_ts = market["open_ts"][0], market["close_ts"][0]
    every_s = max(5, round((close_ts - open_ts).total_seconds() / 120))
    bars = ask(
        "select bar_ts, open::double as open, high::double as high, low::double as low, close::double as close, "
        "volume::double as volume, n_trades from ohlc(?, to_seconds(?))",
        ticker,
        every_s,
    )
    bars.head()
    return bars, close_ts, every_s, open_ts


@app.cell
def _(bars, every_s, pictures, ticker):
    bars_chart = pictures.bars(bars, f"{ticker}: bars of {every_s} s")
    bars_chart
    return (bars_chart,)


@app.cell
def _(mo):
    mo.md("""
    **Book and trades.** The band is the best bid to the best ask, one value per time step (the last one known in it);
    a dot is all trades of a step by one kind of taker, at their average price. Charts take a few thousand points,
    so SQL adds up first.
    """)
    return


@app.cell
def _(ask, close_ts, open_ts, ticker):
    step_s = max(1, round((close_ts - open_ts).total_seconds() / 400))
    tops = ask(
        """
        select
            time_bucket(to_seconds(?), make_timestamp(epoch_us(event_ts))) at time zone 'UTC' as ts,
            arg_max(coalesce(bid, 0), event_ts)::double as bid,
            arg_max(coalesce(ask, 1), event_ts)::double as ask
        from quotes where ticker = ? and event_ts between ? and ? group by ts order by ts
        """,
        step_s,
        ticker,
        open_ts,
        close_ts,
    )
    prints = ask(
        """
        select
            time_bucket(to_seconds(?), make_timestamp(epoch_us(event_ts))) at time zone 'UTC' as ts,
            'bought ' || taker_side as taker,
            (sum(yes_price * contracts) / sum(contracts))::double as price,
            sum(contracts)::double as contracts
        from trades where ticker = ? and is_block_trade is distinct from true group by ts, taker order by ts
        """,
        step_s,
        ticker,
    )
    return prints, step_s, tops


@app.cell
def _(pictures, prints, ticker, tops):
    tape_chart = pictures.tape(tops, prints, f"{ticker}: best bid to best ask, and trades")
    tape_chart
    return (tape_chart,)


@app.cell
def _(mo):
    mo.md("""
    **Depth.** `book_at(ticker, ts)` rebuilds the whole book as it was known at one moment: the last snapshot plus every
    change since. Kalshi shows bids only; a bid for NO at p is an offer of YES at $1 − p. Where the recording has a hole
    the book is unknown, and the picture stays empty instead of guessing.
    """)
    return


@app.cell
def _(ask, close_ts, open_ts, ticker):
    n_moments = 72
    step = (close_ts - open_ts) / n_moments
    moments = [open_ts + step * i for i in range(1, n_moments)]
    depth = ask(
        " union all ".join(
            "select ?::timestamptz as ts, ?::timestamptz as until_ts, side, yes_price::double as price, "
            "contracts::double as contracts from book_at(?, ?::timestamptz)"
            for _ in moments
        ),
        *(value for ts in moments for value in (ts, ts + step, ticker, ts)),
    )
    return (depth,)


@app.cell
def _(depth, pictures, ticker):
    depth_chart = pictures.depth(depth, f"{ticker}: contracts on display, by two cents")
    depth_chart
    return (depth_chart,)


@app.cell
def _(mo):
    mo.md("""
    ## How it ended

    What one YES contract paid, and when. The last price before the close is what the crowd believed.
    """)
    return


@app.cell
def _(ask, ticker):
    settlement = ask(
        """
        select
            m.result, m.settlement_value as paid_per_yes, m.close_ts, m.settlement_ts,
            epoch(m.settlement_ts - m.close_ts)::bigint as seconds_from_close_to_payout,
            arg_max(t.yes_price, t.event_ts) as last_yes_price,
            sum(t.contracts) as contracts_traded
        from markets m left join trades t on t.ticker = m.ticker and t.event_ts < m.close_ts
        where m.ticker = ? group by all
        """,
        ticker,
    )
    settlement
    return (settlement,)


@app.cell
def _(mo):
    mo.md("""
    ## What could be known, and when

    A backtest must not see a result before it was there. `markets_asof(ts)` answers with what a live trader could
    know at that moment: half-way through this market, and when somebody last looked at it. `basis` says whether
    somebody had looked by then (observed) or only later (assumed: what may have changed since is left empty).
    """)
    return


@app.cell
def _(ask, close_ts, open_ts, ticker):
    looked_ts = ask("select max(observed_ts) as ts from markets_history where ticker = ?", ticker)["ts"][0]
    half_ts = open_ts + (close_ts - open_ts) / 2
    asof = ask(
        " union all ".join(
            "select ?::timestamptz as known_at, status, result, settlement_value, settlement_ts, basis "
            "from markets_asof(?::timestamptz) where ticker = ?"
            for _ in range(2)
        )
        + " order by known_at",
        *(value for ts in (half_ts, looked_ts) for value in (ts, ts, ticker)),
    )
    asof
    return (asof,)


@app.cell
def _(mo):
    mo.md("""
    Every table and column says what it is: `select * from duckdb_columns()` has the comments, and so
    does `docs/data.md`. Next: `first_backtest.py`, which trades on this tape.
    """)
    return


if __name__ == "__main__":
    app.run()
