"""Older and other spellings of the same facts, brought to today's before decoding.

* historical candle: `yes_bid.open`, `price.mean`, `volume` and `open_interest` hold the text of `…_dollars`
  and `…_fp`;
* candle of Sep 2025 - Mar 2026: cents (`close`) beside `close_dollars`, and whole contracts (`volume` 5),
  which become "5.00"; the dollars win;
* market of Sep 2025 - Mar 2026: the same; the times and sizes that it lacks become null.

Cents alone (before Aug 2025) are not read: the decoder then names the missing `…_dollars` field.
`RETIRED` are fields that Kalshi has withdrawn; they say nothing that is needed and are dropped without a
word.

Source: KALSHI.md §5.4, §5.6, §13 and the recordings of 2025-09 and 2026 (read 2026-11-22).
"""

from typing import Any, Final

Json = dict[str, Any]

RETIRED: Final[dict[str, frozenset[str]]] = {
    "Market": frozenset(
        {
            "yes_bid",
            "yes_ask",
            "no_bid",
            "no_ask",
            "last_price",
            "previous_yes_bid",
            "previous_yes_ask",
            "previous_price",
            "liquidity",
            "liquidity_dollars",
            "notional_value",
            "settlement_value",
            "volume",
            "volume_24h",
            "open_interest",
            "tick_size",
            "category",
            "risk_limit_cents",
            "response_price_units",
            "fractional_trading_enabled",
        }
    ),
    "Event": frozenset({"available_on_brokers"}),
    "Quote": frozenset({"open", "high", "low", "close"}),
    "Price": frozenset({"open", "high", "low", "close", "mean", "previous", "min", "max"}),
    "Candle": frozenset({"volume", "open_interest"}),
}

_MARKET_COUNTS: Final = {
    "volume": "volume_fp",
    "volume_24h": "volume_24h_fp",
    "open_interest": "open_interest_fp",
}
_NOT_YET_IN_2025: Final = ("created_time", "updated_time", "yes_bid_size_fp", "yes_ask_size_fp")


def modern(raw: Json, owner: str) -> None:
    """Bring one object to today's spelling, in place; `owner` is the name of its struct."""
    if owner == "Market":
        _modern_market(raw)
    elif owner == "Candle":
        _modern_counts(raw, {"volume": "volume_fp", "open_interest": "open_interest_fp"})
    elif owner in {"Quote", "Price"}:
        _modern_prices(raw, owner)


def _modern_market(raw: Json) -> None:
    if "volume_fp" in raw or not _is_whole(raw.get("volume")):
        return
    _modern_counts(raw, _MARKET_COUNTS)
    for name in _NOT_YET_IN_2025:
        raw.setdefault(name, None)


def _modern_counts(raw: Json, names: dict[str, str]) -> None:
    for old, new in names.items():
        value = raw.get(old)
        if new in raw or value is None:
            continue
        if _is_whole(value):
            raw[new] = f"{value}.00"
        elif isinstance(value, str):
            raw[new] = value


def _modern_prices(raw: Json, owner: str) -> None:
    for old in RETIRED[owner]:
        value = raw.get(old)
        # An integer is cents: never read without its dollar twin.
        if f"{old}_dollars" not in raw and old in raw and (value is None or isinstance(value, str)):
            raw[f"{old}_dollars"] = value


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
