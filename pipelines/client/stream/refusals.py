"""Error frames: what each number means for us, and what to do about it.

Source: KALSHI.md §10.6 (asyncapi.yaml, 2026-09-29; changelog, 2026-09-10). It does not list 23 and 24, which
asyncapi.yaml of Sept 2026 has; 6, 16 and 17 are retired.
"""

from typing import Final

from pipelines.client.errors import CommandRefused

CHANNEL_FAILED: Final = 10
OVERFLOW: Final = 25
TERMINAL: Final = frozenset({CHANNEL_FAILED, OVERFLOW})
"""The subscription is dead; only subscribing again helps."""

TIMED_OUT: Final = 18
TOO_MANY: Final = 27

_OURS: Final = "the command was malformed, which is our mistake: report it with this message"
_ADVICE: Final[dict[int, str]] = {
    7: "this subscription is over: subscribe again",
    8: "the exchange has no such channel (any more): compare the changelog at docs.kalshi.com",
    9: "this key may not read the channel: check its scopes, and KALSHI_ENV (demo and prod share no keys)",
    CHANNEL_FAILED: "the channel failed on the exchange's side: it is subscribed again",
    11: "the exchange does not take one of the names: check the tickers",
    13: "this channel cannot be changed so: unsubscribe, then subscribe what you want",
    14: "name the markets",
    TIMED_OUT: "the exchange was too busy for the command: try again later",
    23: "name the matches",
    24: "name the indices, or all",
    OVERFLOW: (
        "we read too slowly and messages were lost: subscribe to less per stream, or do less per message; "
        "it is subscribed again"
    ),
    26: "too many markets for one subscription: spread them over several streams",
    TOO_MANY: "too many commands: name more markets per command, less often",
    28: "name the underlyings, or all",
}


def advice(code: int) -> str:
    """Return what to do about an error."""
    return _ADVICE.get(code, _OURS)


def refused(what: str, *, code: int, said: str) -> CommandRefused:
    """Return the error of a command; `what` names it, such as `subscribe orderbook_delta`."""
    return CommandRefused(f"{what}: error {code} ({said}); {advice(code)}", code=code)
