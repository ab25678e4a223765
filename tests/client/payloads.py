"""Hand-made payloads in today's spelling, with our own encoder: a test changes what it is about."""

from typing import Any

Json = dict[str, Any]


def a_trade(number: int = 1, **changes: object) -> Json:
    return {
        "trade_id": f"trade-{number}",
        "ticker": "KX-1",
        "created_time": "2026-10-01T12:00:00.5Z",
        "count_fp": "10.50",
        "yes_price_dollars": "0.5600",
        "no_price_dollars": "0.4400",
        "taker_outcome_side": "yes",
        "taker_book_side": "bid",
        "is_block_trade": False,
    } | changes


def a_market(ticker: str = "KX-1", **changes: object) -> Json:
    times = ("created_time", "updated_time", "open_time", "close_time", "latest_expiration_time")
    prices = ("yes_bid", "yes_ask", "no_bid", "no_ask", "last_price")
    return {
        "ticker": ticker,
        "event_ticker": "KX",
        "market_type": "binary",
        "status": "active",
        "yes_sub_title": "Yes",
        "no_sub_title": "No",
        **dict.fromkeys(times, "2026-10-01T12:00:00Z"),
        "settlement_timer_seconds": 60,
        **{f"{name}_dollars": "0.5000" for name in prices},
        "yes_bid_size_fp": "1.00",
        "yes_ask_size_fp": "2.00",
        "volume_fp": "0.00",
        "volume_24h_fp": "0.00",
        "open_interest_fp": "0.00",
        "notional_value_dollars": "1.0000",
        "result": "",
        "expiration_value": "",
        "can_close_early": True,
        "rules_primary": "",
        "rules_secondary": "",
        "price_level_structure": "linear_cent",
        "price_ranges": [{"start": "0.0000", "end": "1.0000", "step": "0.0100"}],
    } | changes


def an_event(ticker: str = "KX", **changes: object) -> Json:
    return {
        "event_ticker": ticker,
        "series_ticker": "KXS",
        "title": "Which?",
        "sub_title": "",
        "collateral_return_type": "MECNET",
        "mutually_exclusive": True,
    } | changes


def a_series(ticker: str = "KXS", **changes: object) -> Json:
    return {
        "ticker": ticker,
        "title": "Series",
        "category": "Crypto",
        "frequency": "daily",
        "fee_type": "quadratic",
        "fee_multiplier": 1,
        "tags": None,
    } | changes


def a_candle(end_s: int = 1_790_000_000, **changes: object) -> Json:
    quote = {f"{name}_dollars": "0.5000" for name in ("open", "high", "low", "close")}
    return {
        "end_period_ts": end_s,
        "yes_bid": quote,
        "yes_ask": quote,
        "price": {"previous_dollars": "0.5000"},
        "volume_fp": "0.00",
        "open_interest_fp": "3.00",
    } | changes
