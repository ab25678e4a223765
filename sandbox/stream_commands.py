"""Commands of a WebSocket: what they may say, and the number of the error when they say something else.

Source: KALSHI.md §10.2, §10.3 and §10.6 (asyncapi.yaml, 2026-08-22 and 2026-09-29; changelog, 2026-09-10).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MARKET_CHANNELS: Final = frozenset({"orderbook_delta", "ticker", "trade"})
LIFECYCLES: Final = frozenset({"market_lifecycle_v2", "multivariate_market_lifecycle"})
PRIVATE: Final = frozenset(
    {"fill", "user_orders", "market_positions", "order_group_updates", "communications"}
)
INDICES: Final = frozenset({"cfbenchmarks_value", "cfbenchmarks_value_5hz", "pyth_value"})
CHANNELS: Final = MARKET_CHANNELS | LIFECYCLES | PRIVATE | INDICES
ACTIONS: Final = frozenset({"add_markets", "delete_markets", "get_snapshot"})
# Channels whose frames are numbered; what is documented of the others is nothing.
NUMBERED: Final = (
    frozenset({"orderbook_delta", "trade", "order_group_updates", "communications"}) | LIFECYCLES
)

MAX_FRAME_BYTES: Final = 1 << 20
MAX_MARKETS: Final = 500_000

ERRORS: Final[dict[int, str]] = {
    1: "Unable to process message",
    2: "Params required",
    3: "Channels required",
    4: "Subscription IDs required",
    5: "Unknown command",
    7: "Unknown subscription ID",
    8: "Unknown channel name",
    9: "Authentication required",
    10: "Channel error",
    11: "Invalid parameter",
    12: "Exactly one subscription ID is required",
    13: "Unsupported action",
    14: "Market ticker required",
    15: "Action required",
    18: "Command timeout",
    25: "Subscription buffer overflow",
    26: "Market subscription limit exceeded",
    27: "Too many requests",
    28: "Underlying tickers required",
}


class CommandError(Exception):
    """A command that cannot be carried out: its number and, where it helps, a word more."""

    def __init__(self, code: int, detail: str = "", *, command_id: int = 0) -> None:
        super().__init__(f"{ERRORS[code]}{f': {detail}' if detail else ''}")
        self.code = code
        self.command_id = command_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command that makes sense by itself; `tickers` is None where a channel is wanted whole."""

    command_id: int
    name: str
    channels: tuple[str, ...] = ()
    sids: tuple[int, ...] = ()
    action: str = ""
    tickers: tuple[str, ...] | None = None
    use_yes_price: bool = False
    has_initial_snapshot: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def parsed(text: str | bytes) -> Command:
    """Read one frame of a client.

    Raises:
        CommandError: with the documented number.
    """
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise CommandError(1) from None
    if not isinstance(told, dict):
        raise CommandError(1)
    command_id = told.get("id", 0)
    if not isinstance(command_id, int) or isinstance(command_id, bool) or command_id < 0:
        raise CommandError(1, "id must be a whole number")
    try:
        return _read(command_id, told.get("cmd"), told.get("params"))
    except CommandError as error:
        error.command_id = command_id
        raise


def _read(command_id: int, name: object, params: object) -> Command:
    if name == "list_subscriptions":
        return Command(command_id=command_id, name=name)
    if name not in {"subscribe", "unsubscribe", "update_subscription"}:
        raise CommandError(5, str(name)[:40])
    assert isinstance(name, str)
    if not isinstance(params, dict) or not params:
        raise CommandError(2)
    if name == "subscribe":
        return _subscribe(command_id, params)
    if name == "unsubscribe":
        return Command(command_id=command_id, name=name, sids=_sids(params))
    return _update(command_id, params)


def _subscribe(command_id: int, params: Mapping[str, Any]) -> Command:
    channels = params.get("channels")
    if not isinstance(channels, list) or not channels:
        raise CommandError(3)
    for channel in channels:
        if not isinstance(channel, str) or channel not in CHANNELS:
            raise CommandError(8, str(channel)[:40])
    tickers = _tickers(params)
    if "orderbook_delta" in channels and not tickers:
        raise CommandError(14)
    if "pyth_value" in channels and not params.get("underlying_tickers"):
        raise CommandError(28)
    return Command(
        command_id=command_id,
        name="subscribe",
        channels=tuple(dict.fromkeys(channels)),
        tickers=tickers,
        use_yes_price=_flag(params, "use_yes_price"),
        has_initial_snapshot=_flag(params, "send_initial_snapshot"),
        options={"skip_ticker_ack": _flag(params, "skip_ticker_ack")},
    )


def _update(command_id: int, params: Mapping[str, Any]) -> Command:
    if "sid" in params and "sids" in params:
        raise CommandError(12)
    sids = _sids({"sids": [params["sid"]]} if "sid" in params else params)
    if len(sids) != 1:
        raise CommandError(12)
    action = params.get("action")
    if not action:
        raise CommandError(15)
    if action not in ACTIONS:
        raise CommandError(13, str(action)[:40])
    tickers = _tickers(params)
    if not tickers:
        raise CommandError(14)
    return Command(
        command_id=command_id,
        name="update_subscription",
        sids=sids,
        action=action,
        tickers=tickers,
        has_initial_snapshot=_flag(params, "send_initial_snapshot"),
    )


def _sids(params: Mapping[str, Any]) -> tuple[int, ...]:
    sids = params.get("sids")
    if not isinstance(sids, list) or not sids:
        raise CommandError(4)
    if any(not isinstance(sid, int) or isinstance(sid, bool) for sid in sids):
        raise CommandError(11, "sids")
    return tuple(sids)


def _tickers(params: Mapping[str, Any]) -> tuple[str, ...] | None:
    one, many = params.get("market_ticker"), params.get("market_tickers")
    if one is not None and many is not None:
        raise CommandError(11, "market_ticker and market_tickers exclude each other")
    wanted = [one] if one is not None else many
    if wanted is None:
        return None
    if not isinstance(wanted, list) or any(not isinstance(each, str) or not each for each in wanted):
        raise CommandError(11, "market_tickers")
    if len(wanted) > MAX_MARKETS:
        raise CommandError(26)
    return tuple(dict.fromkeys(wanted)) or None


def _flag(params: Mapping[str, Any], name: str) -> bool:
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise CommandError(11, name)
    return value
