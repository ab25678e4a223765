"""How old the key is: as declared, else as the source dates it, else unknown.

Kalshi's API does not tell when a key was made (`GET /api_keys`, OpenAPI 3.34.0), so somebody else has to.
A source's date is that of the copy, not of the key: a key that was copied yesterday looks young.
KALSHI_KEY_CREATED is exact.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, Literal

from pipelines.client.keys.sources import variable

if TYPE_CHECKING:
    from pipelines.client.settings import Settings

Verdict = Literal["ok", "warn", "expired", "unknown"]

WARN_DAYS: Final = 75
MAX_DAYS: Final = 90

_ZONES: Final = timedelta(days=1)  # a date is a day somewhere on earth; further ahead it is a mistake


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAge:
    """How old a key is and what follows.

    Attributes:
        days: whole days, None if unknown.
        since_ts: what they are counted from.
        source: whose date that is.
        verdict: `ok`; `warn` from 75 days on; `expired` from 90; `unknown` without a usable date.
        sentence: all of it for the person who must act, without secrets.
    """

    days: int | None
    since_ts: datetime | None
    source: str
    verdict: Verdict
    sentence: str


def key_age(settings: "Settings", now_ts: datetime, *, is_next: bool = False) -> KeyAge | None:
    """Return the age of the current or of the next key, None where there is no such key.

    Reads the source only where no date is declared; that may ask a network, so keep it off an event loop.

    Raises:
        SettingsError: the source cannot be read.
    """
    declared = settings.next_key_created if is_next else settings.key_created
    created = variable("key_created", is_next=is_next)
    if not settings.has_next_key if is_next else not settings.has_key:
        return None
    if declared is not None:
        since_ts: datetime | None = datetime.combine(declared, time(), UTC)
        source = created
    else:
        held = settings.read_key(is_next=is_next)
        since_ts, source = held.stored_ts, held.dated_by
    whose = "the next key" if is_next else "the key"
    if since_ts is None:
        return _unknown(f"the age of {whose} is unknown: its source keeps no date", created, None, source)
    if since_ts > now_ts + _ZONES:
        said = f"the age of {whose} is unknown: it is dated {since_ts:%Y-%m-%d} ({source}), which is to come"
        return _unknown(said, created, since_ts, source)
    days = max(0, (now_ts - since_ts).days)
    verdict, advice = _verdict(days, has_next=settings.has_next_key and not is_next)
    said = f"{whose} is {_days(days)} old (since {since_ts:%Y-%m-%d}, {source}){advice}"
    return KeyAge(days=days, since_ts=since_ts, source=source, verdict=verdict, sentence=said)


def _unknown(said: str, created: str, since_ts: datetime | None, source: str) -> KeyAge:
    sentence = f"{said}; write {created}=YYYY-MM-DD, the day it was made"
    return KeyAge(days=None, since_ts=since_ts, source=source, verdict="unknown", sentence=sentence)


def _verdict(days: int, *, has_next: bool) -> tuple[Verdict, str]:
    if days < WARN_DAYS:
        return "ok", ""
    how = (
        "make the next key, which is set already, the current one, and delete the old one at Kalshi"
        if has_next
        else "make a new one in Kalshi's web interface and set it as the next key (docs/operate.md, Keys)"
    )
    if days < MAX_DAYS:
        return "warn", f": rotate it within {_days(MAX_DAYS - days)}: {how}"
    return "expired", f": a key lives {MAX_DAYS} days at most; rotate it now: {how}"


def _days(n: int) -> str:
    return "1 day" if n == 1 else f"{n} days"
