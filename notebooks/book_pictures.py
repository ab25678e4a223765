"""The picture of a book over time: a heat map of what rests, best bid and ask, trades, and what is unknown.

Times are UTC, prices dollars of YES. Points go into the chart as CSV, seconds since the start and centicents:
a third of the bytes of JSON.
"""

import altair as alt
import polars as pl

WIDTH, HEIGHT = 760, 400
HATCH_APART = 8
BID, ASK, YES, NO, UNKNOWN = "#00695c", "#ad1457", "#00a37a", "#ff5a4f", "#8a8a8a"


def depth_over_time(cells, tops, trades, gaps, *, start_ts, end_ts, low_cc, high_cc, title):
    """Draw a market between two moments and two prices.

    Seconds since `start_ts` are named s and until, centicents cc; cells: s, until, cc, tick_cc, contracts;
    tops: s, bid_cc, ask_cc, null where unknown; trades: s, cc, contracts, taker; gaps: s, until.
    """
    axes = _Axes(start_ts, end_ts, low_cc, high_cc)
    seen = gaps.filter(pl.col("until") > pl.col("s"))
    layers = [_cells(axes, cells), _unknown(axes, seen), _hatch(axes, seen), _tops(axes, tops)]
    layers += [] if trades.is_empty() else [_trades(axes, trades)]
    return (
        alt.layer(*layers)
        .resolve_scale(color="independent", size="independent", shape="independent")
        .properties(
            width=WIDTH,
            height=HEIGHT,
            title=alt.Title(
                title,
                subtitle="hatched: nobody knows the book; triangles: trades, by what their taker bought",
                anchor="start",
            ),
        )
        .configure_view(stroke="#cccccc")
        .configure_legend(titleFontSize=11, labelFontSize=11)
    )


def hatching(gaps, *, span_s, low_cc, high_cc):
    """Return strokes at 45 degrees (s, cc, s2, cc2) that fill gaps (s, until) of a picture from edge to edge."""
    strokes = []
    for begin_s, end_s in gaps.select("s", "until").iter_rows():
        left, right = begin_s / span_s * WIDTH, end_s / span_s * WIDTH
        first = -int(right // HATCH_APART) * HATCH_APART
        for shift in range(first, HEIGHT, HATCH_APART):
            x, x2 = max(left, -shift), min(right, HEIGHT - shift)
            if x < x2:
                strokes.append((x, x + shift, x2, x2 + shift))
    schema = dict.fromkeys(("x", "y", "x2", "y2"), pl.Float64)
    seconds, centicents = span_s / WIDTH, (high_cc - low_cc) / HEIGHT
    return pl.DataFrame(strokes, schema=schema, orient="row").select(
        s=(pl.col("x") * seconds).round(2),
        cc=(low_cc + pl.col("y") * centicents).round(1),
        s2=(pl.col("x2") * seconds).round(2),
        cc2=(low_cc + pl.col("y2") * centicents).round(1),
    )


def _round_sizes(points):
    """Return the powers of ten that a legend of these contracts shows."""
    most = points["contracts"].max() or 1
    return [each for each in (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000) if each <= most]


class _Axes:
    """What all layers share: their span in time and price, and how seconds and centicents become both."""

    def __init__(self, start_ts, end_ts, low_cc, high_cc):
        self.span_s = (end_ts - start_ts).total_seconds()
        self.low_cc, self.high_cc = low_cc, high_cc
        self.start_ms = int(start_ts.timestamp() * 1_000)
        is_one_day = start_ts.date() == end_ts.date()
        self.title = f"UTC, {start_ts:%Y-%m-%d}" if is_one_day else "UTC"
        self.format = ("%H:%M:%S" if self.span_s < 600 else "%H:%M") if is_one_day else "%b %d %H:%M"
        self.times = [alt.DateTime(year=each.year, month=each.month, date=each.day, hours=each.hour,
                                   minutes=each.minute, seconds=each.second, utc=True)
                      for each in (start_ts, end_ts)]  # fmt: skip

    def chart(self, points):
        """Return a chart of points, with `ts` and `price` (and ts2, price2) worked out by the reader."""
        kinds = {name: "string" if dtype == pl.String else "number" for name, dtype in points.schema.items()}
        text = points.write_csv(null_value="")
        chart = alt.Chart(alt.InlineData(values=text, format=alt.CsvDataFormat(type="csv", parse=kinds)))
        told = {"s": "ts", "until": "ts2", "s2": "ts2"}
        for name in [each for each in told if each in points.columns]:
            chart = chart.transform_calculate(**{told[name]: f"{self.start_ms} + 1000 * datum.{name}"})
        prices = {"cc": "price", "cc2": "price2", "bid_cc": "bid", "ask_cc": "ask"}
        for name in [each for each in prices if each in points.columns]:
            told_price = f"isValid(datum.{name}) ? datum.{name} / 10000 : null"
            chart = chart.transform_calculate(**{prices[name]: told_price})
        return chart

    @property
    def x(self):
        return alt.X(
            "ts:T",
            title=self.title,
            scale=alt.Scale(type="utc", domain=self.times, nice=False),
            axis=alt.Axis(format=self.format, labelOverlap=True, grid=False),
        )

    def y(self, name="price"):
        return alt.Y(
            f"{name}:Q",
            title="YES price, dollars",
            scale=alt.Scale(domain=[self.low_cc / 10_000, self.high_cc / 10_000], nice=False, zero=False),
            axis=alt.Axis(format=".2f", grid=False),
        )


def _cells(axes, cells):
    points = cells.with_columns(cc2=pl.col("cc") + pl.col("tick_cc")).drop("tick_cc")
    return (
        axes.chart(points)
        .mark_rect(clip=True)
        .encode(
            x=axes.x,
            x2="ts2:T",
            y=axes.y(),
            y2="price2:Q",
            color=alt.Color(
                "contracts:Q",
                title="contracts resting",
                scale=alt.Scale(type="log", scheme="blues"),
                legend=alt.Legend(values=_round_sizes(cells), format=",d", gradientLength=110),
            ),
        )
    )


def _unknown(axes, gaps):
    points = gaps.select("s", "until", cc=pl.lit(axes.low_cc), cc2=pl.lit(axes.high_cc))
    return (
        axes.chart(points)
        .mark_rect(clip=True, color="#f1f1f1", opacity=1)
        .encode(x=axes.x, x2="ts2:T", y=axes.y(), y2="price2:Q")
    )


def _hatch(axes, gaps):
    strokes = hatching(gaps, span_s=axes.span_s, low_cc=axes.low_cc, high_cc=axes.high_cc)
    return (
        axes.chart(strokes)
        .mark_rule(clip=True, color=UNKNOWN, strokeWidth=1)
        .encode(x=axes.x, x2="ts2:T", y=axes.y(), y2="price2:Q")
    )


def _tops(axes, tops):
    lines, words = axes.chart(tops), {"ask": "best ask", "bid": "best bid"}
    scale = alt.Scale(domain=list(words.values()), range=[ASK, BID])
    return alt.layer(
        *(
            lines.transform_calculate(quote=f"'{told}'")
            .mark_line(clip=True, interpolate="step-after", strokeWidth=1.6)
            .encode(x=axes.x, y=axes.y(name), color=alt.Color("quote:N", title="quotes", scale=scale))
            for name, told in words.items()
        )
    )


def _trades(axes, trades):
    sides = ["bought YES", "bought NO"]
    return (
        axes.chart(trades)
        .mark_point(clip=True, filled=True, opacity=0.9, stroke="white", strokeWidth=0.6)
        .encode(
            x=axes.x,
            y=axes.y(),
            size=alt.Size(
                "contracts:Q",
                title="contracts traded",
                scale=alt.Scale(range=[24, 260]),
                legend=alt.Legend(
                    values=_round_sizes(trades),
                    format=",d",
                    symbolType="triangle-up",
                    symbolFillColor="#666666",
                ),
            ),
            color=alt.Color("taker:N", title="taker", scale=alt.Scale(domain=sides, range=[YES, NO])),
            shape=alt.Shape(
                "taker:N",
                title="taker",
                scale=alt.Scale(domain=sides, range=["triangle-up", "triangle-down"]),
            ),
        )
    )
