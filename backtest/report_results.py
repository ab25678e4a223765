"""The parts of the report that speak of one parameter row: figures, equity, events, costs, settlements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from backtest.charts import equity_chart, profit_bars
from backtest.metrics import shortfalls
from backtest.report_baskets import baskets
from backtest.report_costs import costs
from backtest.report_exposures import exposures
from backtest.report_numbers import contracts, dollars, number, several, share, when
from backtest.report_page import Markup, figures, joined, section, table, text, titled

if TYPE_CHECKING:
    from backtest.report_detail import Detail

EXTREMES: Final = 10
_EQUITY_LEAD: Final = (
    "Positions are marked at their bid. The dashed line is the starting cash. Times are UTC. Falls are "
    "looked for after changes of cash (about 1,000 of a run), at midnights and at the end: one in between "
    "may have been deeper."
)
_EVENT_TITLES: Final = {
    "event_ticker": "Event",
    "day": "Day (UTC)",
    "n_fills": "Fills",
    "stake_micros": "Bought for",
    "fees_micros": "Fees",
    "gross_micros": "Gross",
    "net_micros": "Net",
}
_SETTLEMENT_TITLES: Final = {
    "ticker": "Market",
    "settled_ts": "Paid (UTC)",
    "position_centi": "Position",
    "value_cc": "YES paid",
    "payout_micros": "Payout",
    "cost_micros": "Cost",
    "pnl_micros": "P&L",
}
_POSITION_TITLES: Final = {
    "ticker": "Market",
    "position_centi": "Position",
    "mark_cc": "Bid",
    "marked_micros": "Marked",
    "cost_micros": "Cost",
    "pnl_micros": "P&L",
}


def results(detail: Detail) -> Markup:
    """Return every section on one parameter row, under a band that names it if there are several."""
    band = Markup("")
    if detail.label:
        band = Markup(
            f'<div class="band" id="{detail.key}"><h2>{text(detail.label)}</h2>'
            f"<p>{text(detail.setting)}</p></div>"
        )
    parts = [band, headline(detail), orders(detail), baskets(detail)]
    if not detail.fills.is_empty():
        parts += [equity(detail), events(detail), exposures(detail), costs(detail), settlements(detail)]
    return joined(parts)


def headline(detail: Detail) -> Markup:
    """Return the figures people look for first, each with what it is made of."""
    net, interval, tied = detail.profit["net_micros"], detail.interval, detail.exposure
    rate, fall = detail.fill_rate, detail.drawdown
    settled = detail.settled_drawdown["max_drawdown_micros"]
    tone = "loss" if net < 0 else "gain" if net > 0 else ""
    mean = interval["mean_micros"]
    band = "an interval needs two days"
    if interval["low_micros"] is not None:
        low, high = (dollars(interval[side], is_signed=True) for side in ("low_micros", "high_micros"))
        allowing = f", allowing for {interval['n_tried']:,} tries" if interval["n_tried"] > 1 else ""
        band = f"{share(interval['level'], 0)} interval {low} to {high}, drawn by day{allowing}"
    cells = [
        ("Net P&L", dollars(net, is_signed=True), _of_cash(net, detail.cash_start_micros), tone),
        (
            "Gross P&L",
            dollars(detail.profit["gross_micros"], is_signed=True),
            "before fees, after the spread",
            "",
        ),
        ("Fees", dollars(detail.profit["fees_micros"]), _fee_load(detail), ""),
        ("Mean per event", dollars(mean, is_signed=True), band, ""),
        ("Events traded", number(interval["n_events"]), _trials(detail), ""),
        ("Filled", share(rate["filled_share"]), _filled(rate), ""),
        (
            "Deepest fall",
            dollars(fall["max_drawdown_micros"]),
            f"{share(fall['max_drawdown_share'])} of its peak; {dollars(settled)} of settled cash",
            "",
        ),
        ("Return per capital-day", share(tied["return_per_capital_day"], 2), _tied(tied), ""),
    ]
    return section(
        "Result",
        figures(cells),
        lead="Net is cash after fees and payouts, plus what is still held at its mark.",
        anchor=f"{detail.key}-result",
    )


def orders(detail: Detail) -> Markup:
    """Show why orders got less than they asked for; nothing when all were filled."""
    short = shortfalls(detail.orders)
    if short.is_empty():
        return Markup("")
    titles = {
        "reason": "Reason",
        "status": "Status",
        "n_orders": "Orders",
        "missing_centi": "Contracts missed",
        "missing_share": "Of all asked for",
    }
    return section(
        "What did not fill",
        table(short, titles, meters={"missing_share": 1.0}),
        lead="What is not filled earns and loses nothing here, and might have live.",
    )


def equity(detail: Detail) -> Markup:
    """Draw cash plus open positions at their mark, and how much of it was tied up."""
    curve = detail.equity.sort("ts", maintain_order=True).drop_nulls("marked_micros")
    if curve.height < 2:  # noqa: PLR2004 - a line needs two points
        return Markup("")
    chart = equity_chart(
        curve["ts"].dt.epoch("us").to_list(),
        curve["marked_micros"].to_list(),
        curve["locked_micros"].fill_null(0).to_list(),
        start_micros=detail.cash_start_micros,
        key=detail.key,
    )
    fall = detail.drawdown
    note = _EQUITY_LEAD
    if fall["peak_ts"] is not None:
        note += f" Deepest fall: {when(fall['peak_ts'])} to {when(fall['trough_ts'])}."
    return section("Equity", Markup(chart), lead=note)


def events(detail: Detail) -> Markup:
    """Show net P&L per event: all of them drawn, the extremes as a table, and sums per series."""
    ranked = detail.events.sort("net_micros", "event_ticker")
    caption = f"{several(ranked.height, 'event')}, from the worst to the best"
    chart = profit_bars(ranked["event_ticker"].to_list(), ranked["net_micros"].to_list(), caption=caption)
    signed = frozenset({"gross_micros", "net_micros"})
    n = ranked.height
    if n <= 2 * EXTREMES:
        tables = titled("Every event", table(ranked.reverse(), _EVENT_TITLES, signed=signed))
    else:
        best = titled(
            f"Best {EXTREMES}", table(ranked.reverse().head(EXTREMES), _EVENT_TITLES, signed=signed)
        )
        worst = titled(f"Worst {EXTREMES}", table(ranked.head(EXTREMES), _EVENT_TITLES, signed=signed))
        tables = joined([best, worst])
    per_series = {"series_ticker": "Series", "n_events": "Events", "n_days": "Days", **_EVENT_TITLES}
    del per_series["event_ticker"], per_series["day"]
    parts = [Markup(chart), tables, titled("By series", table(detail.series, per_series, signed=signed))]
    return section("P&L by event", *parts, lead=_event_lead(detail))


def settlements(detail: Detail) -> Markup:
    """Show what positions paid, and what is still open."""
    rows = detail.settlements.sort("settled_ts", "ticker")
    n_assumed = int(rows["is_assumed_time"].sum() or 0)
    note = f"{several(n_assumed, 'payout time')} assumed, not observed." if n_assumed else ""
    shown = table(
        rows,
        _SETTLEMENT_TITLES,
        signed=frozenset({"pnl_micros"}),
        nothing="Nothing settled in this run.",
    )
    held = table(
        detail.positions.sort("ticker"),
        _POSITION_TITLES,
        signed=frozenset({"pnl_micros"}),
        nothing="Nothing: every position was closed or paid.",
    )
    return section(
        "Settlements",
        titled("Paid", shown, note=note) if note else shown,
        titled("Still open at the end", held),
        lead="Position is in contracts, NO negative. Payouts are cash only from the moment they are paid.",
    )


def _of_cash(net_micros: int, start_micros: int) -> str:
    part = net_micros / start_micros if start_micros else None
    return f"{share(part, 2)} of {dollars(start_micros)}"


def _fee_load(detail: Detail) -> str:
    gross, fees = detail.profit["gross_micros"], detail.profit["fees_micros"]
    if gross > 0:
        return f"{share(fees / gross)} of gross"
    traded = int(detail.fills["cash_micros"].abs().sum() or 0)
    return f"{share(fees / traded, 2)} of what was traded" if traded else "nothing was traded"


def _trials(detail: Detail) -> str:
    markets = int(detail.fills["ticker"].n_unique()) if not detail.fills.is_empty() else 0
    days = several(detail.interval["n_days"], "day")
    return f"on {days}, the effective n; {several(markets, 'market')}, {several(detail.fills.height, 'fill')}"


def _filled(rate: dict[str, int]) -> str:
    part = f"{contracts(rate['filled_centi'])} of {contracts(rate['asked_centi'])} contracts"
    return f"{part}, {several(rate['n_orders'], 'order')}"


def _tied(tied: dict[str, float]) -> str:
    return f"{tied['capital_days']:,.1f} dollar-days; at most {dollars(tied['max_locked_micros'])} locked"


def _event_lead(detail: Detail) -> str:
    nets = detail.events["net_micros"]
    n_won = int((nets > 0).sum() or 0)
    won = f"{n_won} of {nets.len()} events gained."
    shared = "Markets of one event settle together, and events of one day can share a cause"
    return f"{won} {shared}: the interval draws whole days, by each event's last fill or payout."


__all__ = ["results"]
