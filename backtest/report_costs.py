"""The part of the report on what trading cost: fees, spread, and what the fills rested on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from backtest.report_page import Markup, section, table, titled

if TYPE_CHECKING:
    from backtest.report_detail import Detail

_RATES: Final = {
    "series_ticker": "Series",
    "role": "Role",
    "fee_rate": "Rate",
    "n_fills": "Fills",
    "count_centi": "Contracts",
    "model_micros": "By the formula",
    "fee_micros": "Charged",
}
_MIDDLE: Final = {
    "role": "Role",
    "n_fills": "Fills",
    "known_share": "Middle known",
    "spread_micros": "Paid to the spread",
    "after_5s_micros": "After 5 s",
    "after_60s_micros": "1 min",
    "after_600s_micros": "10 min",
}
_MIDDLE_NOTE: Final = (
    "A contract, on average: what its price was worse than the middle, and how far the middle then went our "
    "way; a dash where it was known of less than half of them, as after the close. A maker who loses it at "
    "once was picked off."
)
_MOVES: Final = frozenset({"after_5s_micros", "after_60s_micros", "after_600s_micros"})
_EVIDENCE_NOTE: Final = (
    "touch: the best quote of that moment, up to its size. touch:no-size: a quote without a recorded size. "
    "candle: the close of a candle, where nobody recorded quotes. trades: a touch made of the last trades. "
    "book: displayed depth, walked level by level. …:impact: prices beyond the touch that the slippage model "
    "says. …:crossed: an order that waited until the other side came."
)
_RATES_NOTE: Final = (
    "The formula: rate times price times (1 - price) times contracts. What was charged beyond it is rounding."
)


def costs(detail: Detail) -> Markup:
    """Show what the fees were and what each fill's price rested on."""
    by_kind = (
        detail.fills.group_by("series_ticker", "action")
        .agg(
            n_fills=pl.len().cast(pl.Int64),
            count_centi=pl.col("count_centi").sum(),
            traded_micros=pl.col("cash_micros").abs().sum(),
            fees_micros=pl.col("fee_micros").sum(),
        )
        .with_columns(
            per_contract_micros=(pl.col("fees_micros") * 100 // pl.col("count_centi").clip(1)),
            fee_share=pl.col("fees_micros") / pl.col("traded_micros").clip(1),
        )
        .sort("series_ticker", "action")
    )
    fee_titles = {
        "series_ticker": "Series",
        "action": "Action",
        "n_fills": "Fills",
        "count_centi": "Contracts",
        "traded_micros": "Traded",
        "fees_micros": "Fees",
        "per_contract_micros": "Fee per contract",
        "fee_share": "Of traded",
    }
    rests_on = {
        "evidence": "Evidence",
        "n_fills": "Fills",
        "count_centi": "Contracts",
        "count_share": "Share",
    }
    return section(
        "Costs and evidence",
        titled("Fees", table(by_kind, fee_titles)),
        titled(
            "Against the middle", table(detail.against_the_middle, _MIDDLE, signed=_MOVES), note=_MIDDLE_NOTE
        ),
        titled("Fees by rate", table(detail.fees, _RATES), note=_RATES_NOTE),
        titled(
            "What the fills rested on",
            table(detail.evidence, rests_on, meters={"count_share": 1.0}),
            note=_EVIDENCE_NOTE,
        ),
        lead="The spread is inside the prices: purchases fill at the ask, sales at the bid.",
    )
