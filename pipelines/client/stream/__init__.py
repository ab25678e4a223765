"""The WebSocket: feeds that are wanted, items that arrive in order, gaps that are told.

`client.stream(Feed(...))` makes a `Stream`; iterate it for the items of `pipelines.client.stream.items`.
"""

from pipelines.client.stream.channels import CHANNELS
from pipelines.client.stream.feeds import Feed
from pipelines.client.stream.items import (
    Connected,
    Disconnected,
    Gap,
    Item,
    Message,
    Refusal,
    Repeated,
    Reply,
    Stalled,
    Unknown,
    Unreadable,
)
from pipelines.client.stream.stream import RECONNECT, Stream

__all__ = [
    "CHANNELS",
    "RECONNECT",
    "Connected",
    "Disconnected",
    "Feed",
    "Gap",
    "Item",
    "Message",
    "Refusal",
    "Repeated",
    "Reply",
    "Stalled",
    "Stream",
    "Unknown",
    "Unreadable",
]
