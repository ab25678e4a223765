"""What a listing asks for and what it leaves out: archive, unlisted markets, omitted series, combos."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.ingest import market_states
from pipelines.ingest.errors import BadRequest
from pipelines.ingest.market_states import may_hide
from pipelines.ingest.windows import Receipt
from tests.client.loopback import Asked, Reply
from tests.client.payloads import a_market, a_series, a_trade
from tests.ingest.scripted import DAY_TS, TICKER, Scripted, synced
from warehouse import Lake
from warehouse.tables import MARKETS, SERIES, TRADES, WINDOWS

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
COMBO = "KXMVEA-1-Z"


class Heard:
    """Counts what a scripted exchange is asked, and lets a test answer first."""

    def __init__(
        self, scripted: Scripted, answer: Callable[[Asked], Reply | None] = lambda _asked: None
    ) -> None:
        self.asked: list[Asked] = []
        self._answer = answer
        scripted.hook = self._hear

    def paths(self, *, by_name: bool = False) -> list[str]:
        """Return the routes of markets that were asked since the last look, whole listings or by name."""
        found = [
            each.path
            for each in self.asked
            if each.path.endswith("/markets") and ("tickers" in each.query) == by_name
        ]
        self.asked = [each for each in self.asked if ("tickers" in each.query) != by_name]
        return found

    def _hear(self, asked: Asked) -> Reply | None:
        self.asked.append(asked)
        return self._answer(asked)


def listed(scripted: Scripted, lake: Lake, **asked: Any) -> Receipt:  # noqa: ANN401 -- as sync takes them
    (receipt,) = synced(scripted, lake, ["markets"], **asked)
    return receipt


def latest(lake: Lake, ticker: str = TICKER) -> dict[str, Any]:
    return lake.scan(MARKETS).sort("observed_ts").collect().filter(ticker=ticker).row(-1, named=True)


@pytest.mark.parametrize(
    ("proven", "border", "expected"),
    [
        (None, "2026-09-01", True),  # never listed
        ("2026-11-01", "2026-10-31T00:00:01", True),  # less than a day between: clocks differ, listings lag
        ("2026-11-01", "2026-10-31", False),
        ("2026-08-31", "2026-09-01", True),  # away for so long that what settled meanwhile was never seen
    ],
)
def test_the_archive_hides_something_only_from_who_was_away(
    proven: str | None,
    border: str,
    expected: bool,  # noqa: FBT001 - a row of the table
) -> None:
    """Who listed everything after all of the archive had settled has seen all of it."""
    proven_ts = None if proven is None else datetime.fromisoformat(proven).replace(tzinfo=UTC)
    assert may_hide(proven_ts, datetime.fromisoformat(border).replace(tzinfo=UTC)) is expected


def test_the_archive_is_listed_again_when_the_border_overtakes_the_last_listing(tmp_path: Path) -> None:
    """Listed, not listed again, and after months away listed again: a market was born and archived there."""
    scripted, lake = Scripted(), Lake(tmp_path / "lake")
    heard = Heard(scripted)
    assert listed(scripted, lake).notes == ()
    assert heard.paths() == ["/markets", "/historical/markets"]
    scripted.archived = [a_market("KX-OLD", status="finalized", result="no")]
    assert listed(scripted, lake).notes == ("the archive was not listed: all it has was seen before",)
    assert heard.paths() == ["/markets"]
    scripted.cutoff = "2126-01-01T00:00:00Z"
    assert listed(scripted, lake).n_new == 1
    assert heard.paths() == ["/markets", "/historical/markets"]
    assert latest(lake, "KX-OLD")["result"] == "no"


def test_a_listing_that_failed_proves_nothing(tmp_path: Path) -> None:
    """The archive could not be read in the first run; the second run reads it."""
    scripted, lake = Scripted(), Lake(tmp_path / "lake")
    scripted.hook = lambda asked: Reply(status=500, body={}) if "historical/m" in asked.path else None
    assert listed(scripted, lake).status == "failed"
    heard = Heard(scripted)
    assert listed(scripted, lake).status == "complete"
    assert heard.paths() == ["/markets", "/historical/markets"]


def test_a_market_that_no_listing_shows_is_asked_by_name_until_it_is_final(tmp_path: Path) -> None:
    """Missing from the live pages, then archived: found by name live, then in the archive, then done."""
    scripted, lake = Scripted(), Lake(tmp_path / "lake")
    listed(scripted, lake)
    missing = {"markets": [], "cursor": ""}
    heard = Heard(
        scripted,
        lambda asked: None if "tickers" in asked.query or asked.path != "/markets" else Reply(body=missing),
    )
    scripted.markets = [a_market(TICKER, status="closed")]
    assert "markets found by name only: 1" in listed(scripted, lake).notes
    assert heard.paths(by_name=True) == ["/markets"]
    assert latest(lake)["status"] == "closed"
    scripted.archived, scripted.markets = [a_market(TICKER, status="finalized", result="yes")], []
    assert "markets found by name only: 1" in listed(scripted, lake).notes
    assert heard.paths(by_name=True) == ["/markets", "/historical/markets"]
    assert (latest(lake)["status"], latest(lake)["result"]) == ("finalized", "yes")
    listed(scripted, lake)
    assert heard.paths(by_name=True) == []
    statuses = lake.scan(MARKETS).sort("observed_ts").collect()["status"].to_list()
    assert statuses == ["active", "closed", "finalized"]


def test_a_market_that_vanished_is_asked_for_a_day_and_comes_back_when_it_is_listed(tmp_path: Path) -> None:
    """Kept and flagged once, asked twice on the first day, never after it; the flag goes with its return."""
    scripted, lake = Scripted(), Lake(tmp_path / "lake")
    start_ts = datetime.now(UTC)
    listed(scripted, lake)
    gone, scripted.markets = scripted.markets, []
    heard = Heard(scripted)
    for hours, n_asked in ((1, 2), (2, 2), (24.9, 2), (25.1, 0), (400, 0)):
        receipt = listed(scripted, lake, now=lambda at=start_ts + hours * DAY / 24: at)
        assert len(heard.paths(by_name=True)) == n_asked
        assert any("neither tier knows" in note for note in receipt.notes) == (n_asked > 0)
    states = lake.scan(MARKETS).sort("observed_ts").select("status", "has_vanished").collect().rows()
    assert states == [("active", None), ("active", True)]
    scripted.markets = gone
    listed(scripted, lake, now=lambda: start_ts + 401 * DAY / 24)
    assert latest(lake)["has_vanished"] is None
    assert lake.scan(MARKETS).collect().height == 3


def test_more_unlisted_markets_than_a_run_asks_for_wait_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three vanished, two are asked for; the third is the next run's."""
    monkeypatch.setattr(market_states, "ASKED_MAX", 2)
    scripted = Scripted(markets=[a_market(f"KX-{number}") for number in (1, 2, 3)])
    lake = Lake(tmp_path / "lake")
    listed(scripted, lake)
    scripted.markets = []
    assert "unlisted markets that wait for the next run: 1" in listed(scripted, lake).notes
    listed(scripted, lake)
    assert lake.scan(MARKETS).collect()["has_vanished"].sum() == 3


def test_a_listing_of_one_series_asks_by_name_for_its_own_markets_only(tmp_path: Path) -> None:
    """KX-1 of series KXS vanished; a listing of another series is none of its business."""
    scripted = Scripted(series=[a_series(), a_series("KXOTHER")])
    lake = Lake(tmp_path / "lake")
    listed(scripted, lake)
    scripted.markets = []
    heard = Heard(scripted)
    listed(scripted, lake, series="KXOTHER")
    assert heard.paths(by_name=True) == []
    listed(scripted, lake, series="KXS")
    assert heard.paths(by_name=True) == ["/markets", "/historical/markets"]


def test_series_that_the_listing_omits_are_fetched_by_name(tmp_path: Path) -> None:
    """Fee changes name two that are not listed; one of them exists. The receipt says so."""
    scripted, lake = Scripted(), Lake(tmp_path / "lake")
    change = {"id": "1", "fee_type": "quadratic", "fee_multiplier": 1, "scheduled_ts": "2026-01-01T00:00:00Z"}
    named = [change | {"series_ticker": name} for name in ("KXS", "KXHID", "KXNONE")]

    def answer(asked: Asked) -> Reply | None:
        if asked.path == "/series/fee_changes":
            return Reply(body={"series_fee_change_arr": named})
        return Reply(body={"series": a_series("KXHID")}) if asked.path == "/series/KXHID" else None

    Heard(scripted, answer)
    (receipt,) = synced(scripted, lake, ["series"])
    assert receipt.notes == ("series named but not listed: 2, of them fetched: 1",)
    assert sorted(lake.scan(SERIES).collect()["ticker"]) == ["KXHID", "KXS"]


def test_combos_are_left_out_unless_they_are_asked_for(tmp_path: Path) -> None:
    """Trap 15: tape and listing have one; then it comes with `combos`, for covered hours too."""
    scripted = Scripted(
        trades=[a_trade(1, ticker=TICKER), a_trade(2, ticker=COMBO)],
        markets=[*Scripted().markets, a_market(COMBO, event_ticker="KXMVEA-1")],
    )
    lake, heard = Lake(tmp_path / "lake"), Heard(scripted)
    span: dict[str, Any] = {"start": DAY_TS, "end": DAY_TS + DAY}
    for combos, tickers in ((False, {TICKER}), (True, {TICKER, COMBO})):
        receipts = synced(scripted, lake, ["markets", "trades"], combos=combos, **span)
        assert [each.n_rows for each in receipts] == [len(tickers)] * 2
        assert set(lake.scan(TRADES).collect()["ticker"]) == tickers
        assert set(lake.scan(MARKETS).collect()["ticker"]) == tickers
    synced(scripted, lake, ["events"], combos=True)
    assert [each.path for each in heard.asked][-2:] == ["/events", "/events/multivariate"]
    filters = [each.query.get("mve_filter") for each in heard.asked if each.path == "/markets"]
    assert filters == [["exclude"], None]
    assert set(lake.scan(WINDOWS).collect()["scope"]) == {"all", "all+combos"}
    assert synced(scripted, lake, ["trades"], **span) == []


def test_combos_of_one_series_are_asked_for_by_its_name(tmp_path: Path) -> None:
    """`combos` widens the whole exchange; a combo itself needs no permission."""
    lake = Lake(tmp_path / "lake")
    with pytest.raises(BadRequest, match="--combos and --series exclude each other"):
        synced(Scripted(), lake, ["trades"], series="KXS", combos=True)
    scripted = Scripted(trades=[a_trade(2, ticker=COMBO)], markets=[a_market(COMBO)])
    (receipt,) = synced(scripted, lake, ["trades"], ticker=COMBO, start=DAY_TS, end=DAY_TS + DAY)
    assert receipt.n_new == 1
