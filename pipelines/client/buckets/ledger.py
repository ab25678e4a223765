"""The arithmetic of one bucket, in integers: who may go when, and what refusals teach.

Everybody who asks gets a *place*: the number of tokens asked for so far, his own included. Tokens that have
come in so far form the *mark* (`reserved_tokens` plus `level_nano`, which is negative while somebody waits),
and a place may go once the mark has reached it. So the order is that of asking, whoever asks, and a refusal
that sets the mark back holds up those who wait already. Tokens leave the bucket when their place goes, not
when it may: who wakes late takes nothing from the law that the bucket never holds more than its capacity.

Nor does a network that is late. What has gone takes room in the bucket until its answer is there: the
exchange's bucket, once full, refills nothing before the first request arrives, and neither may ours. So our
bucket and all requests under way never hold more than the exchange's does when they arrive. A request without
an answer, whose program was killed or gave it up, is taken to have arrived after one to two seconds: longer
would hold up a cancel behind a batch for more than a refusal would.

A refusal (429) says that the exchange's bucket is empty, so what it accepted since the refusal before is what
it refilled in between: that is how a rate nobody published is measured. The pace follows it at once and then
climbs, slowly at first and faster the longer no refusal comes, until the published rate is found again.

Pure: no clock, no files, no waiting. Moments are nanoseconds of a clock that all who share the ledger read.
"""

from dataclasses import dataclass, fields
from typing import Final, NamedTuple

from pipelines.client.tiers import Limits

NANO: Final = 1_000_000_000
STAND_BACK_NS: Final = NANO // 2
"""Silence after a refusal: the exchange's bucket gets a head start, which is the headroom from then on."""

CLIMB_NS: Final = 40 * NANO
"""A learned pace doubles within this time after a refusal, climbing as the square of the time."""

_SOON_NS: Final = 10 * NANO
_LOST_NS: Final = 10 * NANO
_IDLE_NS: Final = 3_600 * NANO
_UNDER_WAY_NS: Final = NANO
_LOOK_AGAIN_NS: Final = NANO // 100
_MICRO: Final = 1_000_000
_MOST_TOKENS: Final = 1_000_000
_LEAST_SHARE: Final = 16
_LEAST_PER_S: Final = 20  # a tenth of Basic, the slowest tier there is [KALSHI.md §3]


class Flight(NamedTuple):
    """A request on its way to the exchange and back: what it costs, and the window in which it left."""

    cost_tokens: int
    window: int


class Place(NamedTuple):
    """A place in line: from which mark on it may go, for how many tokens, and in which line."""

    mark_tokens: int
    cost_tokens: int
    line: int


@dataclass(slots=True)
class Ledger:
    """One bucket's state; every attribute is an integer, so that it can be written down as it stands.

    Attributes:
        tokens_per_s, capacity_tokens, reserve_tokens: the limits, see `Limits`.
        is_adopted: 1 where the exchange itself named the limits, 0 where a tier did.
        level_nano: the mark minus all tokens ever reserved.
        filled_ns: when the level was right.
        reserved_tokens: all tokens ever reserved; the place of the last who asked.
        outstanding_tokens: reserved by places that have not gone yet.
        window: the time since the clock's zero, in units of `_UNDER_WAY_NS`.
        under_way_tokens: of requests that left within this window and have no answer yet.
        under_way_before_tokens: of those that left within the window before; older ones are forgotten.
        moved_ns: when a place was last given or went, or some were seen to wait for tokens still.
        line: names the line that places belong to; another one begins where somebody in it has died, see
            `still_in_line`, and where the ledger was lost.
        returned_tokens, returned_place: given back by those who left the line, and the place that the mark
            has to reach before anybody may have them.
        learned_per_s: the pace at the last event, an event being a refusal after a time without.
        event_ns: when that was; when the ledger was opened, before the first.
        standing_back_ns: until when refusals belong to that event.
        asked_tokens, n_asked, n_accepted: reserved, how often, and what the exchange took since the event.
        n_refused: refusals ever.
        allowed_micro: tokens, in millionths, that could have been taken since it was opened.
    """

    tokens_per_s: int
    capacity_tokens: int
    reserve_tokens: int
    is_adopted: int
    level_nano: int
    filled_ns: int
    reserved_tokens: int
    outstanding_tokens: int
    window: int
    under_way_tokens: int
    under_way_before_tokens: int
    moved_ns: int
    line: int
    returned_tokens: int
    returned_place: int
    learned_per_s: int
    event_ns: int
    standing_back_ns: int
    asked_tokens: int
    n_asked: int
    n_accepted: int
    n_refused: int
    allowed_micro: int

    @classmethod
    def opened(cls, limits: Limits, now_ns: int, *, is_full: bool = True) -> "Ledger":
        """Return a ledger that nobody has used; full, as the exchange's is, or empty where one was lost."""
        blank = dict.fromkeys((field.name for field in fields(cls)), 0)
        times = dict.fromkeys(("filled_ns", "moved_ns", "event_ns", "standing_back_ns", "line"), now_ns)
        level_tokens = limits.capacity_tokens if is_full else 0
        ledger = cls(
            **blank | times | {"level_nano": level_tokens * NANO, "allowed_micro": level_tokens * _MICRO}
        )
        ledger.limit(limits)
        return ledger

    @property
    def limits(self) -> Limits:
        """What it holds and how fast it refills as far as anybody has told us."""
        return Limits(
            tokens_per_s=self.tokens_per_s,
            capacity_tokens=self.capacity_tokens,
            reserve_tokens=self.reserve_tokens,
        )

    def limit(self, limits: Limits, *, is_adopted: bool = False) -> None:
        """Follow other limits; what is in the bucket stays. A new rate ends what refusals taught.

        A rate of zero is taken for one token a second: whoever asks shall hear a 429, not wait for ever.
        """
        tokens_per_s = min(max(limits.tokens_per_s, 1), _MOST_TOKENS)
        if tokens_per_s != self.tokens_per_s:
            self.learned_per_s = tokens_per_s
        self.tokens_per_s = tokens_per_s
        self.capacity_tokens = min(max(limits.capacity_tokens, 1), _MOST_TOKENS)
        self.reserve_tokens = limits.reserve_tokens
        self.is_adopted = int(is_adopted)
        # What is under way may be more than fits: it leaves no room, and no debt.
        least_nano = -self._in_line_tokens * NANO
        self.level_nano = min(self.level_nano, max(self._ceiling_nano(self.tokens_per_s), least_nano))

    def join(self, limits: Limits, now_ns: int) -> None:
        """Somebody opens it who knows a tier's limits only: the exchange's own word goes before, if fresh."""
        is_idle = now_ns - self.filled_ns > _IDLE_NS
        self.refill(now_ns)
        if is_idle or not self.is_adopted:
            self.limit(limits)

    def pace_per_s(self, now_ns: int) -> int:
        """Return the tokens per second that come in: what was learned, climbing to what was published."""
        if self.learned_per_s >= self.tokens_per_s:
            return self.tokens_per_s
        quiet_ns = max(now_ns - self.event_ns, 0)
        climbed_per_s = self.learned_per_s + self.learned_per_s * quiet_ns**2 // CLIMB_NS**2
        return min(climbed_per_s, self.tokens_per_s)

    def refill(self, now_ns: int) -> None:
        """Let in what has come since the last time, up to the ceiling."""
        if now_ns < self.filled_ns - NANO:
            self._clock_restarted(now_ns)
        now_ns = max(now_ns, self.filled_ns)
        window = now_ns // _UNDER_WAY_NS
        while self.window < window and self._under_way_tokens:
            self._let_in((self.window + 1) * _UNDER_WAY_NS)
            self.under_way_before_tokens, self.under_way_tokens = self.under_way_tokens, 0
            self.window += 1
        self.window = window
        pace_per_s = self._let_in(now_ns)
        if self.returned_tokens and self._has_reached(self.returned_place):
            returned_tokens, self.returned_tokens = self.returned_tokens, 0
            self._rise(returned_tokens * NANO, pace_per_s)
        # Whoever was killed while he waited never goes. As much has come in as can, for long, and nobody took
        # it: the line ends here, what lies in the bucket stays there, and who lives stands in line anew.
        if self.level_nano < min(0, self._ceiling_nano(pace_per_s)):
            self.moved_ns = now_ns
        elif self._in_line_tokens and now_ns - self.moved_ns > _LOST_NS:
            content_nano = self.level_nano + self._in_line_tokens * NANO
            self.outstanding_tokens = self.returned_tokens = 0
            self.level_nano = min(content_nano, max(self._ceiling_nano(pace_per_s), 0))
            self.line += 1

    def _let_in(self, until_ns: int) -> int:
        """Let in what comes until a moment, beside what is under way now; return the pace of it."""
        pace_per_s = self.pace_per_s(self.filled_ns)
        new_nano = (until_ns - self.filled_ns) * pace_per_s
        self.filled_ns = until_ns
        self.allowed_micro += new_nano // (NANO // _MICRO)
        self._rise(new_nano, pace_per_s)
        return pace_per_s

    def reserve(self, cost_tokens: int, now_ns: int) -> Place:
        """Take a place at the end of the line and return it."""
        self.refill(now_ns)
        self.reserved_tokens += cost_tokens
        self.level_nano -= cost_tokens * NANO
        self.outstanding_tokens += cost_tokens
        self.asked_tokens += cost_tokens
        self.n_asked += 1
        self.moved_ns = now_ns
        return Place(self.reserved_tokens, cost_tokens, self.line)

    def still_in_line(self, place: Place, now_ns: int) -> Place:
        """Return a place, or, where its line has ended, a new one in the line that there is now.

        One that waits for more than the exchange's bucket holds by now, for its limits have shrunk, ends the
        line as the dead do, and goes out when that bucket is full.
        """
        self.refill(now_ns)
        if place.line == self.line:
            return place
        return self.reserve(min(place.cost_tokens, self.limits.largest_tokens), now_ns)

    def wait_ns(self, place: Place, now_ns: int) -> int:
        """Return after how long a place should ask again; 0 when it may go.

        That is when its tokens are there if nothing else happens. Where requests under way leave them no room
        it is a while, for an answer makes room at any moment.
        """
        self.refill(now_ns)
        missing_nano = -(self.level_nano + (self.reserved_tokens - place.mark_tokens) * NANO)
        if missing_nano <= 0:
            return 0
        pace_per_s = self.pace_per_s(now_ns)
        is_full = self.level_nano >= self._ceiling_nano(pace_per_s)
        return max(-(-missing_nano // pace_per_s), _LOOK_AGAIN_NS if is_full else 0)

    def go(self, place: Place, now_ns: int) -> Flight:
        """Let a place go that has nothing to wait for: its tokens leave the bucket, and are under way."""
        self.outstanding_tokens -= place.cost_tokens
        self.under_way_tokens += place.cost_tokens
        self.moved_ns = now_ns
        return Flight(place.cost_tokens, self.window)

    def landed(self, flight: Flight, now_ns: int) -> None:
        """A request has its answer, or none is waited for any more: its tokens take no room from now on."""
        self.refill(now_ns)
        if flight.window == self.window:
            self.under_way_tokens = max(self.under_way_tokens - flight.cost_tokens, 0)
        elif flight.window == self.window - 1:
            self.under_way_before_tokens = max(self.under_way_before_tokens - flight.cost_tokens, 0)

    def give_back(self, place: Place, now_ns: int) -> None:
        """Take somebody out of the line; nobody goes before the moment that the tokens he had are due."""
        self.refill(now_ns)
        if place.line != self.line:
            return
        self.outstanding_tokens -= place.cost_tokens
        self.asked_tokens = max(self.asked_tokens - place.cost_tokens, 0)
        self.n_asked = max(self.n_asked - 1, 0)
        new_nano = place.cost_tokens * NANO
        if place.mark_tokens == self.reserved_tokens:
            self.reserved_tokens -= place.cost_tokens
        elif not self._has_reached(place.mark_tokens):
            self.returned_tokens += place.cost_tokens
            self.returned_place = max(self.returned_place, place.mark_tokens)
            new_nano = 0
        self._rise(new_nano, self.pace_per_s(now_ns))

    def accepted(self) -> None:
        """The exchange took a request."""
        self.n_accepted += 1

    def refused(self, now_ns: int) -> None:
        """The exchange said 429: it has nothing left, so neither have we, and somebody else may be spending.

        Refusals while we stand back belong to one event: requests under way together fail together.
        """
        self.refill(now_ns)
        self.n_refused += 1
        self.level_nano = min(self.level_nano, 0)
        if now_ns < self.standing_back_ns:
            return
        self.learned_per_s = self._learned(now_ns)
        self.event_ns = self.moved_ns = now_ns
        self.standing_back_ns = now_ns + STAND_BACK_NS
        self.level_nano -= STAND_BACK_NS * self.learned_per_s
        self.asked_tokens = self.n_asked = self.n_accepted = 0

    def _learned(self, now_ns: int) -> int:
        """Return the pace after a refusal: a twentieth below what was measured, within bounds.

        The measurement holds if the exchange was kept busy since the last event; an idle program measures too
        little, so a lone refusal costs at most a fifth of the pace, and one soon after another at most half.
        Refusals that no budget explains (a proxy's, a storm's) measure less from one to the next, without an
        end: less than a share of what was published, or two requests a second, is not believed.
        """
        pace_per_s, since_ns = self.pace_per_s(now_ns), max(now_ns - self.event_ns, 1)
        n_requests = self.n_accepted + 1  # one more than counted: short of one request the bucket was empty
        accepted_tokens = n_requests * self.asked_tokens // max(self.n_asked, 1)
        measured_per_s = accepted_tokens * NANO // since_ns
        least_per_s = pace_per_s // 2 if since_ns < _SOON_NS else pace_per_s * 4 // 5
        floor_per_s = min(max(self.tokens_per_s // _LEAST_SHARE, _LEAST_PER_S), pace_per_s)
        return max(min(measured_per_s, pace_per_s) * 19 // 20, least_per_s, floor_per_s)

    def _rise(self, new_nano: int, pace_per_s: int) -> None:
        ceiling_nano = self._ceiling_nano(pace_per_s)
        self.level_nano = max(self.level_nano, min(self.level_nano + new_nano, ceiling_nano))

    @property
    def _under_way_tokens(self) -> int:
        return self.under_way_tokens + self.under_way_before_tokens

    @property
    def _in_line_tokens(self) -> int:
        """Tokens that have a place in line, or had one and cannot be had by others yet."""
        return self.outstanding_tokens + self.returned_tokens

    def _has_reached(self, mark_tokens: int) -> bool:
        return self.level_nano + (self.reserved_tokens - mark_tokens) * NANO >= 0

    def _ceiling_nano(self, pace_per_s: int) -> int:
        """Return the highest level: what has not gone yet and what is under way take room.

        A bucket that learned to be slower is shallower as well. Those who wait for more than it is deep, a
        batch for example, may fill it up to what the exchange's bucket holds.
        """
        depth_tokens = max(self.capacity_tokens * pace_per_s // self.tokens_per_s, 1)
        taken_tokens = self._in_line_tokens + self._under_way_tokens
        free_tokens = depth_tokens - taken_tokens
        if free_tokens < 0:
            free_tokens = min(0, self.capacity_tokens + self.reserve_tokens - taken_tokens)
        return free_tokens * NANO

    def _clock_restarted(self, now_ns: int) -> None:
        """Begin again at `now_ns` with an empty bucket: the machine was started again, who waited is gone.

        Where the new clock is past the old moment already, more time went by than the difference shows, and
        nothing needs to be done.
        """
        self.filled_ns = self.moved_ns = now_ns
        self.event_ns = min(self.event_ns, now_ns)
        self.standing_back_ns = min(self.standing_back_ns, now_ns)
        self.level_nano = self.outstanding_tokens = self.returned_tokens = 0
        self.under_way_tokens = self.under_way_before_tokens = 0
        self.line += 1
