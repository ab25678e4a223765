"""What is wanted of a stream: kept by the client, so that it outlives every connection."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from difflib import get_close_matches
from typing import Any, Final, Literal

from pipelines.client.errors import RequestError
from pipelines.client.stream.channels import BOOKS, CHANNELS, Channel

MAX_SHARDS: Final = 100  # error 22 beyond [asyncapi.yaml, Sept 2026]
_OPTIONS: Final = (
    "use_yes_price",
    "send_initial_snapshot",
    "skip_ticker_ack",
    "user_filter",
    "shard_factor",
    "shard_key",
)


@dataclass(frozen=True, slots=True)
class Feed:
    """One channel, and what is wanted of it.

    A connection has one subscription per channel, whatever is subscribed twice is merged by the exchange; so
    two feeds of one channel with different options need two streams.

    Attributes:
        channel: such as `orderbook_delta`; the names are Kalshi's.
        names: market tickers, index ids or underlyings. Empty: every market, or no index yet. `("all",)`:
            every index or underlying.
        use_yes_price: of books, and always sent: NO levels in YES prices (True) or in NO prices (False, as
            REST spells them). Kalshi will make True the default and then the only way, so True is ours.
        send_initial_snapshot: of tickers: send the present state at once.
        skip_ticker_ack: confirmations without the list of everything that is subscribed.
        user_filter: of communications: `self` for own requests only.
        shard_factor: of communications: in how many parts the traffic is cut.
        shard_key: and which of them to get, from 0.

    Raises:
        RequestError: Kalshi would refuse this, or ignore a part of it.
    """

    channel: str
    names: tuple[str, ...] = ()
    _: KW_ONLY
    use_yes_price: bool | None = None
    send_initial_snapshot: bool | None = None
    skip_ticker_ack: bool | None = None
    user_filter: Literal["self"] | None = None
    shard_factor: int | None = None
    shard_key: int | None = None

    def __post_init__(self) -> None:
        kind = kind_of(self.channel)
        object.__setattr__(self, "names", checked_names(self.channel, self.names))
        if self.channel == BOOKS and self.use_yes_price is None:
            object.__setattr__(self, "use_yes_price", True)
        if kind.needs_names and not self.names:
            raise RequestError(f"{self.channel} needs market tickers: name them, or take the ticker channel")
        for option in self.options:
            if option not in kind.options:
                raise RequestError(
                    f"{self.channel} takes no {option}: leave it out "
                    f"({', '.join(sorted(kind.options)) or 'it has no options'})"
                )
        self._check_shards()

    def _check_shards(self) -> None:
        if self.shard_key is not None and self.shard_factor is None:
            raise RequestError("shard_key without shard_factor: say in how many parts")
        if self.shard_factor is None:
            return
        if not 1 <= self.shard_factor <= MAX_SHARDS:
            raise RequestError(f"shard_factor is {self.shard_factor}: give 1 to {MAX_SHARDS}")
        if self.shard_key is not None and not 0 <= self.shard_key < self.shard_factor:
            raise RequestError(f"shard_key is {self.shard_key}: give 0 to {self.shard_factor - 1}")

    @property
    def kind(self) -> Channel:
        """What its channel is."""
        return CHANNELS[self.channel]

    @property
    def options(self) -> Mapping[str, Any]:
        """The parameters besides channel and names."""
        given = {name: getattr(self, name) for name in _OPTIONS}
        return {name: value for name, value in given.items() if value is not None}

    def with_names(self, names: Iterable[str]) -> "Feed":
        """Return the feed with other names."""
        return replace(self, names=tuple(names))


def kind_of(channel: str) -> Channel:
    """Return what a channel is.

    Raises:
        RequestError: there is none of that name.
    """
    kind = CHANNELS.get(channel)
    if kind is None:
        close = get_close_matches(channel, CHANNELS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(CHANNELS))}"
        raise RequestError(f"there is no channel {channel!r}: {hint}")
    return kind


def checked_names(channel: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return names without repetitions, in order.

    Raises:
        RequestError: a text instead of a list, an empty name, or names where the channel takes none.
    """
    if isinstance(names, str):
        raise RequestError(f"names of {channel} is the text {names!r}: give a list of names")
    found = tuple(dict.fromkeys(names))
    if any(not isinstance(name, str) or not name.strip() for name in found):
        raise RequestError(f"a name of {channel} is empty or not text: give tickers as Kalshi spells them")
    if found and not kind_of(channel).named_by:
        raise RequestError(f"{channel} cannot be narrowed, Kalshi would ignore the names: leave them out")
    return found


class Wanted:
    """The feeds that are wanted, one per channel. Every change is returned as what must be told."""

    def __init__(self, feeds: Iterable[Feed] = ()) -> None:
        self._feeds: dict[str, Feed] = {}
        for feed in feeds:
            self.subscribe(feed)

    def __iter__(self) -> Iterator[Feed]:
        return iter(tuple(self._feeds.values()))

    def __bool__(self) -> bool:
        return bool(self._feeds)

    def get(self, channel: str) -> Feed | None:
        """Return the feed of a channel, None if it is not wanted."""
        return self._feeds.get(channel)

    def subscribe(self, feed: Feed) -> Feed | None:
        """Want a feed; returns what is new in it, None if nothing is.

        Raises:
            RequestError: the channel is wanted already, in a way that cannot be merged with this one.
        """
        here = self._feeds.get(feed.channel)
        if here is None:
            self._feeds[feed.channel] = feed
            return feed
        if here.options != feed.options:
            raise RequestError(
                f"{feed.channel} is subscribed with {dict(here.options) or 'no options'}, and one connection "
                f"has one subscription per channel: open another stream for {dict(feed.options)}"
            )
        if bool(here.names) != bool(feed.names) and feed.kind.all_by_default:
            raise RequestError(
                f"{feed.channel} is subscribed for {len(here.names) or 'all'} markets: "
                "unsubscribe it first, then subscribe what you want"
            )
        return self.add(feed.channel, feed.names) if feed.names else None

    def unsubscribe(self, channel: str) -> Feed | None:
        """Want a channel no more; returns the feed that was, None if there was none."""
        kind_of(channel)
        return self._feeds.pop(channel, None)

    def add(self, channel: str, names: Iterable[str]) -> Feed | None:
        """Want more names of a channel; returns a feed of the new ones, None if none is new.

        Raises:
            RequestError: the channel is not subscribed, or already sends everything.
        """
        here = self._subscribed(channel)
        new = [name for name in checked_names(channel, names) if name not in set(here.names)]
        if not new:
            return None
        self._feeds[channel] = here.with_names((*here.names, *new))
        return here.with_names(new)

    def remove(self, channel: str, names: Iterable[str]) -> Feed | None:
        """Want fewer names of a channel; returns a feed of those that were there, None if none was.

        The channel is wanted no more when its last name goes: without names it would mean everything.

        Raises:
            RequestError: the channel is not subscribed, or sends everything.
        """
        here = self._subscribed(channel)
        gone = set(checked_names(channel, names)) & set(here.names)
        if not gone:
            return None
        left = [name for name in here.names if name not in gone]
        if left:
            self._feeds[channel] = here.with_names(left)
        else:
            del self._feeds[channel]
        return here.with_names(name for name in here.names if name in gone)

    def _subscribed(self, channel: str) -> Feed:
        kind = kind_of(channel)
        here = self._feeds.get(channel)
        if here is None:
            raise RequestError(f"{channel} is not subscribed: subscribe it first")
        if not kind.named_by or (kind.all_by_default and not here.names):
            raise RequestError(f"{channel} is subscribed whole: there is nothing to add or remove")
        return here
