"""What happens in the world outside, as the exchange tells it: games, releases, and who takes part in them.

Made from the events of any source: a sports event is a game between the teams its markets are named for, an
economic one a release. Scores are read off prices, and the winner of a decided game has more points.
Source: KALSHI.md §5.8 (OpenAPI 3.28.0, August 2026); fields as in TypeScript SDK 3.30.0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from exchange.markets import Event, Market
from exchange.units import DOLLAR_CC
from sandbox.catalog import Catalog, is_combo
from sandbox.encoding import Json, moment, moment_or_unset

TYPES: Final = {"Sports": "basketball_game", "Economics": "economic_release"}
COMPETITION: Final = "Simulated League"
SPORT: Final = "Basketball"
SCOPES: Final = ("Games",)
GAME: Final = timedelta(hours=3)
POINTS: Final = 100  # what both teams of a game score together, less the half point nobody can score


@dataclass(frozen=True, slots=True)
class Milestone:
    """One thing that happens: a game or a release, with the event about it."""

    event: Event
    markets: Sequence[Market]
    category: str

    @property
    def id(self) -> str:
        """Kalshi's kind of id; the same for the same event, always."""
        return thing_id("milestone", self.event.ticker)

    @property
    def type(self) -> str:
        """The schema of its live data."""
        return TYPES[self.category]

    @property
    def is_game(self) -> bool:
        """Tell whether two sides play."""
        return self.category == "Sports"

    @property
    def start_ts(self) -> datetime | None:
        """When it begins: a game three hours before its markets are expected to be decided."""
        end_ts = self.end_ts
        return None if end_ts is None else end_ts - (GAME if self.is_game else timedelta(0))

    @property
    def end_ts(self) -> datetime | None:
        """When it is over, as far as anybody can know."""
        ends = [each.expected_expiration_ts or each.close_ts for each in self.markets]
        return max((each for each in ends if each is not None), default=None)

    @property
    def updated_ts(self) -> datetime | None:
        """When its description last changed."""
        times = [each.created_ts for each in self.markets if each.created_ts is not None]
        return self.event.last_updated_ts or min(times, default=None)

    def json(self) -> Json:
        """Return the payload."""
        told: Json = {
            "id": self.id,
            "category": self.category,
            "type": self.type,
            "start_date": moment_or_unset(self.start_ts),
            "related_event_tickers": [self.event.ticker],
            "primary_event_tickers": [self.event.ticker],
            "title": self.event.title,
            "notification_message": "",
            "source_id": f"sim-{self.event.ticker}",
            "source_ids": {"sandbox": f"sim-{self.event.ticker}"},
            "details": self._details(),
            "last_updated_ts": moment_or_unset(self.updated_ts),
        }
        if self.end_ts is not None:
            told["end_date"] = moment(self.end_ts)
        return told

    def live_json(self, now_ts: datetime) -> Json:
        """Return how it stands."""
        details: Json = {"status": self._status(now_ts), "last_updated_ts": moment(now_ts)}
        if self.is_game:
            details |= {f"{side}_points": points for side, points in self._points().items()}
        return {"type": self.type, "milestone_id": self.id, "details": details}

    def play_by_play(self, now_ts: datetime) -> Json | None:
        """Return what happened in a game that has begun; None for what is no game."""
        if not self.is_game:
            return None
        if self._status(now_ts) == "scheduled":
            return {"periods": []}
        scores = [
            {"team": side, "points": points, "description": f"{side} has {points} points"}
            for side, points in self._points().items()
        ]
        return {"periods": [{"events": scores}]}

    def _status(self, now_ts: datetime) -> str:
        if all(each.result for each in self.markets):
            return "final"
        return "live" if self.start_ts is not None and now_ts >= self.start_ts else "scheduled"

    def _points(self) -> dict[str, int]:
        """Share the points of a game by what the first market says of its team."""
        first = self.markets[0]
        share_cc = first.last_price_cc or DOLLAR_CC // 2
        if first.result in {"yes", "no"}:
            share_cc = max(share_cc, 5_100) if first.result == "yes" else min(share_cc, 4_900)
        points = POINTS * share_cc // DOLLAR_CC
        return {"home": points, "away": POINTS - points}

    def _details(self) -> Json:
        if not self.is_game:
            return {}
        teams = {side: target_id(each.yes_sub_title) for side, each in self.sides().items()}
        return {"league": COMPETITION, **{f"{side}_team_id": team for side, team in teams.items()}}

    def sides(self) -> dict[str, Market]:
        """Return the market of each side of a game."""
        return dict(zip(("home", "away"), self.markets, strict=False)) if self.is_game else {}


def milestones(catalog: Catalog) -> list[Milestone]:
    """Return everything that happens, in the order in which its events were created."""
    found = []
    for event in catalog.event_rows:
        series = catalog.series.get(event.series_ticker)
        category = event.category or (series.category if series else "")
        markets = catalog.of_event(event.ticker)
        if category in TYPES and markets and not is_combo(event):
            found.append(Milestone(event, markets, category))
    return found


def targets(catalog: Catalog) -> list[Json]:
    """Return the teams of all games, each once, in the order of their first game."""
    told: dict[str, Json] = {}
    for milestone in milestones(catalog):
        for market in milestone.sides().values():
            name = market.yes_sub_title
            if name not in told:
                told[name] = {
                    "id": target_id(name),
                    "name": name,
                    "type": "basketball_team",
                    "details": {"league": COMPETITION, "image_url": ""},
                    "source_id": f"sim-{name}",
                    "source_ids": {"sandbox": f"sim-{name}"},
                    "last_updated_ts": moment_or_unset(milestone.updated_ts),
                }
    return list(told.values())


def target_id(name: str) -> str:
    """Return the id of a team."""
    return thing_id("target", name)


def thing_id(kind: str, name: str) -> str:
    """Return an id in the form of a UUID that depends on kind and name alone."""
    return str(uuid5(NAMESPACE_URL, f"sandbox/{kind}/{name}"))
