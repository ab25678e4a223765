"""Older and other spellings of the same facts, brought to today's before decoding.

* historical candle: `yes_bid.open`, `price.mean`, `volume` and `open_interest` hold the text of `…_dollars`
  and `…_fp`;
* candle of Sep 2025 - Mar 2026: cents (`close`) beside `close_dollars`, and whole contracts (`volume` 5),
  which become "5.00"; the dollars win;
* market of Sep 2025 - Mar 2026: the same; the times and sizes that it lacks become null.

Cents alone (before Aug 2025) are not read: the decoder then names the missing `…_dollars` field.
`RETIRED` are fields that Kalshi has withdrawn, each with the reason why it says nothing that is needed.

Source: KALSHI.md §5.4, §5.6, §13 and the recordings of 2025-09 and 2026 (read 2026-11-22).
"""

from typing import Any, Final

Json = dict[str, Any]

_IN_DOLLARS: Final = "integer cents, withdrawn 2026-01-15: the same stands in ..._dollars"
_IN_FP: Final = "whole contracts, withdrawn 2026-03-12: the same stands in ..._fp"
_NO_DOLLARS: Final = "read into ..._dollars where it is text; cents beside dollars say the same"
_NO_FP: Final = "read into ..._fp"

RETIRED: Final[dict[str, dict[str, str]]] = {
    "Market": {
        "yes_bid": _IN_DOLLARS,
        "yes_ask": _IN_DOLLARS,
        "no_bid": _IN_DOLLARS,
        "no_ask": _IN_DOLLARS,
        "last_price": _IN_DOLLARS,
        "previous_yes_bid": _IN_DOLLARS,
        "previous_yes_ask": _IN_DOLLARS,
        "previous_price": _IN_DOLLARS,
        "notional_value": _IN_DOLLARS,
        "settlement_value": _IN_DOLLARS,
        "volume": _IN_FP,
        "volume_24h": _IN_FP,
        "open_interest": _IN_FP,
        "liquidity": "cents, frozen at 0 since 2026-02-13",
        "liquidity_dollars": "frozen at 0 since 2026-02-13, withdrawn 2026-10-01",
        "tick_size": "withdrawn 2026-05-07: price_ranges says more",
        "category": "withdrawn 2026-01-08: belongs to the series",
        "risk_limit_cents": "withdrawn 2026-01-08: a limit of accounts, not of the market",
        "response_price_units": "withdrawn 2026-07-09: always dollars now",
        "fractional_trading_enabled": "withdrawn 2026-07-09: every market is fractional",
    },
    "Event": {"available_on_brokers": "withdrawn 2026-09-10: who else sells it does not change the event"},
    "Quote": dict.fromkeys(("open", "high", "low", "close"), _NO_DOLLARS),
    "Price": dict.fromkeys(("open", "high", "low", "close", "mean", "previous", "min", "max"), _NO_DOLLARS),
    "Candle": dict.fromkeys(("volume", "open_interest"), _NO_FP),
}
"""Known and ignored: per struct, the fields that are dropped without a word, each with the reason."""

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
