"""The pictures of the first look: bars, the tape and depth of one market, as altair charts.

Times are UTC, prices dollars of YES. Charts take a few thousand points: SQL adds up first.
"""

import altair as alt
import polars as pl


def price_scale():
    """Return the axis that every price shares: $0 to $1."""
    return alt.Scale(domain=[0, 1], nice=False)


def clock(name):
    """Return a time axis in UTC."""
    return alt.X(
        name,
        title="UTC",
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(format="%b %d %H:%M", labelOverlap=True),
    )


def bars(bars, title):
    """Draw OHLC bars (bar_ts, open, high, low, close, volume) with the volume below."""
    _up = alt.condition("datum.close >= datum.open", alt.value("#2a7f62"), alt.value("#b5473c"))
    _base = alt.Chart(bars).encode(x=clock("bar_ts:T"), color=_up)
    _wicks = _base.mark_rule().encode(
        y=alt.Y("low:Q", title="YES price, dollars", scale=price_scale()), y2="high:Q"
    )
    _bodies = _base.mark_bar(size=4).encode(y="open:Q", y2="close:Q")
    _volume = _base.mark_bar(size=4, opacity=0.6).encode(y=alt.Y("volume:Q", title="contracts"))
    return alt.vconcat(
        (_wicks + _bodies).properties(width=680, height=260, title=title),
        _volume.properties(width=680, height=80),
        spacing=8,
    )


def tape(tops, prints, title):
    """Draw best bid to best ask (ts, bid, ask) with trades (ts, taker, price, contracts) on it."""
    _price = alt.Y("bid:Q", title="YES price, dollars", scale=price_scale())
    _tops = alt.Chart(tops).encode(x=clock("ts:T"))
    _band = _tops.mark_area(interpolate="step-after", opacity=0.25, color="#4c6a92").encode(
        y=_price, y2="ask:Q"
    )
    _bid = _tops.mark_line(interpolate="step-after", strokeWidth=1, color="#4c6a92").encode(y=_price)
    _ask = _tops.mark_line(interpolate="step-after", strokeWidth=1, color="#4c6a92").encode(y="ask:Q")
    _dots = (
        alt.Chart(prints)
        .mark_circle(opacity=0.75)
        .encode(
            x=clock("ts:T"),
            y="price:Q",
            size=alt.Size("contracts:Q", title="contracts", scale=alt.Scale(range=[8, 160])),
            color=alt.Color(
                "taker:N",
                title="taker",
                scale=alt.Scale(domain=["bought yes", "bought no"], range=["#2a7f62", "#b5473c"]),
            ),
        )
    )
    return (_band + _bid + _ask + _dots).properties(width=680, height=300, title=title)


def depth(depth, title):
    """Draw displayed contracts (ts, until_ts, side, price, contracts) by two cents; unknown books stay empty."""
    _cells = (
        depth.with_columns(cent=(pl.col("price") * 50).floor() / 50)
        .group_by("ts", "until_ts", "side", "cent")
        .agg(pl.col("contracts").sum())
        .with_columns(
            top=pl.col("cent") + 0.02,
            side=pl.when(pl.col("side") == "yes").then(pl.lit("bids")).otherwise(pl.lit("offers")),
        )
    )
    return (
        alt.Chart(_cells)
        .mark_rect()
        .encode(
            x=clock("ts:T"),
            x2="until_ts:T",
            y=alt.Y("cent:Q", title="YES price, dollars", scale=price_scale()),
            y2="top:Q",
            color=alt.Color(
                "side:N", title=None, scale=alt.Scale(domain=["bids", "offers"], range=["#2a7f62", "#b5473c"])
            ),
            opacity=alt.Opacity(
                "contracts:Q", title="contracts", scale=alt.Scale(type="sqrt", range=[0.1, 1])
            ),
        )
        .properties(width=680, height=300, title=title)
    )
