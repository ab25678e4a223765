"""A small lake by hand, in which everything that a check explains is there once, and nothing is wrong."""

from pathlib import Path
from typing import Any, Final

from tests.warehouse.rows import a_market, a_trade, at, frame
from warehouse import Lake
from warehouse.digests import row_digests, summed_up
from warehouse.tables import EVENTS, FEE_CHANGES, MARKETS, SERIES, TRADES

DAY_S: Final = 86_400


def final(ticker: str, **changes: object) -> dict[str, Any]:
    """Return a market that traded from yesterday's noon to noon, said no, and had ten contracts of volume."""
    return a_market(
        ticker,
        close_ts=at(),
        observed_ts=at(3_600),
        status="finalized",
        result="no",
        settlement_value_cc=0,
        settlement_ts=at(1_800),
        source="rest",
    ) | dict(changes)


def a_row(trade_id: str, ticker: str, seconds: float = -3_600, **changes: object) -> dict[str, Any]:
    """Return a trade of ten contracts an hour before noon, pulled ten minutes after it."""
    return a_trade(
        trade_id, ticker=ticker, event_ts=at(seconds), source="rest", fetched_ts=at(600), **changes
    )


TRADES_OF: Final = (
    a_row("plain", "KXA-PLAIN"),
    a_row("book", "KXA-BLOCK"),
    a_row("block", "KXA-BLOCK", -3_500, is_block_trade=True, yes_price_cc=5_637),
    a_row("early", "KXB-EARLY"),
    a_row("combo", "KXMVEX-1", yes_price_cc=5_637),
    a_row("after", "KXA-OPEN", DAY_S + 120, yes_price_cc=5_637),
    a_row("unlisted", "KXC-NEW"),
)
WHOLE: Final = (at(-3_600), at(3_600))


def an_explained_lake(folder: Path) -> Lake:
    """Make it."""
    lake = Lake(folder, now=lambda: at(DAY_S))
    lake.commit(TRADES, frame(TRADES, *TRADES_OF))
    lake.commit(TRADES, frame(TRADES, *(each | {"fetched_ts": None} for each in _rounded())))
    lake.commit(MARKETS, frame(MARKETS, *_markets()))
    _ledger(lake)
    _reference(lake)
    return lake


def _rounded() -> list[dict[str, Any]]:
    """Return two trades of the weeks in which fractions began, as a reader of whole counts kept them."""
    return [
        a_trade(
            f"whole-{n}",
            ticker="KXOLD-1",
            event_ts=at(n, days=-45),
            count_centi=300,
            source="import:tape.csv",
        )
        for n in range(2)
    ]


def _markets() -> list[dict[str, Any]]:
    void = {"result": "scalar", "settlement_value_cc": 5_000, "event_ticker": "KXVOID"}
    old = {"open_ts": at(days=-50), "close_ts": at(days=-40), "settlement_ts": at(days=-40)}
    ancient = {"open_ts": at(days=-800), "close_ts": at(days=-790), "settlement_ts": at(days=-789)}
    return [
        final("KXA-PLAIN"),
        final("KXA-BLOCK"),  # ten contracts: Kalshi left the block trade out
        final("KXB-EARLY", open_ts=at(days=-400), volume_centi=5_000, series_ticker="KXB"),
        final("KXA-LATE", close_ts=at(), volume_centi=700),
        final("KXOLD-1", volume_centi=671, source="import:tape.csv", series_ticker="KXOLD", **old),
        a_market("KXA-OPEN", source="rest"),
        a_market(
            "KXQ-STUCK", series_ticker="KXQ", close_ts=at(days=-9), open_ts=at(days=-10), volume_centi=0
        ),
        final("KXV-1", volume_centi=0, **void),
        final("KXV-2", volume_centi=0, **void),
        final("KXZ-1", volume_centi=0, result="", settlement_value_cc=None, **ancient),
        final("KXN-1", volume_centi=0, result="yes", settlement_value_cc=None),
    ]


def _ledger(lake: Lake) -> None:
    rows = frame(TRADES, *(each for each in TRADES_OF if each["ticker"].startswith("KXA")))
    inside = rows.filter(rows["event_ts"].is_between(*WHOLE, closed="left"))
    n_rows, digest = summed_up(row_digests(TRADES, inside))
    for start_ts, end_ts, n, said in (
        (at(days=-2), WHOLE[0], 0, summed_up(row_digests(TRADES, TRADES.empty()))[1]),
        (*WHOLE, n_rows, digest),
    ):
        lake.record_window("trades", "series:KX", start_ts, end_ts, n_rows=n, digest=said, asked_ts=at(300))
    lake.record_window(
        "trades", "series:KX", at(-7_200), at(-3_600), n_rows=0, digest="", status="failed", reason="503"
    )


def _reference(lake: Lake) -> None:
    void = {"series_ticker": "KX", "mutually_exclusive": True, "observed_ts": at(), "source": "rest"}
    events = [void | {"ticker": ticker} for ticker in ("KXVOID", "KXA")]
    lake.commit(EVENTS, frame(EVENTS, *events))
    terms = {"fee_type": "quadratic", "fee_multiplier_ppm": 1_000_000, "source": "rest"}
    lake.commit(SERIES, frame(SERIES, terms | {"ticker": "KX", "observed_ts": at()}))
    change = terms | {"scope": "series", "ticker": "KX", "effective_ts": at(-600), "fee_multiplier_ppm": 0}
    lake.commit(FEE_CHANGES, frame(FEE_CHANGES, change))
