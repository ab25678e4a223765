"""Whatever is odd on the real exchange happens in the odd series, and over HTTP it shows."""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache

import httpx
import pytest

from exchange.markets import Market
from exchange.ticks import STRUCTURES, is_on_grid
from exchange.trades import Side, Trade
from exchange.units import from_us, to_us
from sandbox.floor import Listener
from sandbox.lifecycle import LifecycleChange
from sandbox.matching import Fill
from sandbox.world import DEFAULT_END_TS, World
from tests.sandbox.places import a_client, a_copied_world, every_page

MIDNIGHT = DEFAULT_END_TS  # the last day's odd events open at 04:00 and close at 20:00 before it
HOUR = timedelta(hours=1)
DAY = "26MAR01"
OWN = 1_000


@cache
def an_odd_world() -> World:
    return World(3, days=6, activity=0.02, oddities=True)


@cache
def odd_world_at(hours_before: float) -> World:
    """Return the odd world some hours before its last midnight; it has lived through the day until then."""
    world, clock = a_copied_world(3, before=24 * HOUR, days=6, activity=0.02, oddities=True)
    clock.advance((24 - hours_before) * HOUR)
    world.floor.advance()
    return world


@cache
def seen(series: str, hours_before: float) -> Market:
    """Return the last market of a series at that time."""
    return odd_world_at(hours_before).floor.market(f"{series}-{DAY}-T0")


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with a_client(an_odd_world()) as (client, _):
        yield client


class Ear(Listener):
    """Keeps the steps of one market, and what of its book changed when."""

    def __init__(self, ticker: str) -> None:
        self.ticker = ticker
        self.steps: list[tuple[str, float]] = []
        self.emptied: dict[float, int] = {}
        self.trades_h: list[float] = []

    def changed(self, change: LifecycleChange) -> None:
        if change.ticker == self.ticker:
            self.steps.append((change.kind, self._hours(change.time_us)))

    def book_changed(
        self, ticker: str, time_us: int, side: Side, price_cc: int, delta_centi: int, order_id: int
    ) -> None:
        del side, price_cc, order_id
        if ticker == self.ticker and delta_centi < 0:
            at = self._hours(time_us)
            self.emptied[at] = self.emptied.get(at, 0) + 1

    def traded(self, trade: Trade, fill: Fill) -> None:
        del fill
        if trade.ticker == self.ticker:
            self.trades_h.append(self._hours(to_us(trade.created_ts)))

    @staticmethod
    def _hours(time_us: int) -> float:
        return round((MIDNIGHT - from_us(time_us)) / HOUR, 3)


@cache
def last_day(series: str) -> Ear:
    """Live through the last day and return what was heard of one market."""
    world, clock = a_copied_world(3, before=24 * HOUR, days=6, activity=0.02, oddities=True)
    ear = Ear(f"{series}-{DAY}-T0")
    world.floor.listen(ear)
    clock.advance(24 * HOUR)
    world.floor.advance()
    assert world.digest() == an_odd_world().digest()
    return ear


def test_the_ordinary_series_do_not_notice_the_odd_ones() -> None:
    """Markets of both worlds that are in both are equal."""
    plain = World(3, days=6, activity=0.02)
    odd = {each.ticker: each for each in an_odd_world().markets()}
    assert [odd[each.ticker] for each in plain.markets()] == list(plain.markets())


def test_a_provisional_market_that_nobody_touched_vanishes_from_every_route(client: httpx.Client) -> None:
    """While it lives it is listed as provisional; after settlement nothing is left, its traded twin stays."""
    ticker = f"KXODDPROV-{DAY}-T9"
    with a_client(odd_world_at(3)) as (before, _):
        assert before.get(f"/markets/{ticker}").json()["market"]["is_provisional"] is True
    listed = [
        each["ticker"]
        for path in ("/markets", "/historical/markets")
        for each in every_page(client, path, "markets", limit=1000)
    ]
    assert f"KXODDPROV-{DAY}-T0" in listed
    assert not [each for each in listed if each.startswith("KXODDPROV") and each.endswith("T9")]
    event = client.get(f"/events/KXODDPROV-{DAY}?with_nested_markets=true").json()["event"]
    assert [each["ticker"] for each in event["markets"]] == [f"KXODDPROV-{DAY}-T0"]
    for path in (f"/markets/{ticker}", f"/historical/markets/{ticker}", f"/markets/{ticker}/orderbook"):
        assert client.get(path).status_code == 404
    assert client.get(f"/markets?tickers={ticker}").json()["markets"] == []


def test_a_provisional_market_that_somebody_traded_stays() -> None:
    """Two strangers meet in it: at settlement it is paid like any other."""
    world, clock = a_copied_world(3, before=6 * HOUR, days=6, activity=0.02, oddities=True)
    ticker = f"KXODDPROV-{DAY}-T9"
    with a_client(world) as (client, _):
        world.floor.submit(ticker, side="no", limit_cc=9_000, count_centi=100, owner=OWN + 1, rests=True)
        world.floor.submit(ticker, side="yes", limit_cc=1_000, count_centi=100, owner=OWN, rests=True)
        clock.advance(6 * HOUR)
        assert client.get(f"/markets/{ticker}").json()["market"]["status"] == "finalized"


@pytest.mark.parametrize("n_more", [0, 1, 2])
def test_a_market_vanishes_between_two_pages_without_moving_other_rows(n_more: int) -> None:
    """Its place stays empty: whether it was told or not, the second page goes on where the first ended."""
    world, clock = a_copied_world(3, before=3 * HOUR, days=6, activity=0.02, oddities=True)
    with a_client(world) as (client, _):
        whole = [each["ticker"] for each in every_page(client, "/markets", "markets", limit=1000)]
        at = whole.index(f"KXODDPROV-{DAY}-T9")
        first = client.get(f"/markets?limit={at + n_more}").json()
        clock.advance(HOUR)
        rest = client.get(f"/markets?limit=1000&cursor={first['cursor']}").json()["markets"]
        told = [each["ticker"] for each in [*first["markets"], *rest]]
        assert [each for each in told if each != whole[at]] == [*whole[:at], *whole[at + 1 :]]
        assert len(told) == len(whole) - (n_more == 0)


@pytest.mark.long
def test_a_result_is_disputed_and_amended() -> None:
    """Determined at 21:00, disputed 20 minutes later, the other way round at 22:20, paid 30 minutes after."""
    determined, disputed, amended, final = (seen("KXODDDISPUTE", hours) for hours in (2.9, 2.5, 1.5, 1.0))
    assert [each.status for each in (determined, disputed, amended, final)] == [
        "determined", "disputed", "amended", "finalized",
    ]  # fmt: skip
    assert determined.result == disputed.result != amended.result == final.result
    assert {determined.result, final.result} == {"yes", "no"}
    assert determined.settlement_value_cc == 10_000 - (final.settlement_value_cc or 0)
    assert determined.expiration_value != final.expiration_value
    assert final.settlement_ts == MIDNIGHT - 70 * timedelta(minutes=1) + timedelta(microseconds=319_659)
    kinds = [kind for kind, _ in last_day("KXODDDISPUTE").steps]
    assert kinds == ["created", "opened", "closed", "determined", "disputed", "amended", "settled"]


def test_values_between_nothing_and_a_dollar() -> None:
    """A scalar market pays $0.24, one that was called off half a dollar; neither says yes or no."""
    scalar, void = seen("KXODDSCALAR", 0), seen("KXODDVOID", 0)
    assert (scalar.market_type, scalar.result, scalar.settlement_value_cc) == ("scalar", "scalar", 2_400)
    assert (void.market_type, void.result, void.settlement_value_cc) == ("binary", "scalar", 5_000)


def test_a_pause_stops_trading_and_its_end_cancels_every_order() -> None:
    """Inactive 09:00 to 11:00 and 19:00 to the close: nobody trades; at 11:00 the book empties."""
    states = [seen("KXODDPAUSE", hours).status for hours in (15.1, 15, 13.1, 13, 5, 4)]
    assert states == ["active", "inactive", "inactive", "active", "inactive", "closed"]
    ear = last_day("KXODDPAUSE")
    assert [step for step in ear.steps if "activated" in step[0]] == [
        ("deactivated", 15.0), ("activated", 13.0), ("deactivated", 5.0),
    ]  # fmt: skip
    assert ear.trades_h
    assert not [at for at in ear.trades_h if 13 < at <= 15 or at <= 5]
    before = odd_world_at(13.001).book(ear.ticker)
    assert ear.emptied[13.0] >= len([*before.bids(), *before.asks()]) > 0


@pytest.mark.long
def test_a_close_moves_earlier_and_later_and_opens_a_market_again() -> None:
    """Listed for 20:00; at 06:00 moved to 12:00; at 14:00 open again until 19:00."""
    said = [(each.status, each.close_ts) for each in (seen("KXODDMOVE", h) for h in (19, 18, 11, 10, 5))]
    close = {hour: MIDNIGHT - (24 - hour) * HOUR for hour in (12, 19, 20)}
    assert said == [
        ("active", close[20]), ("active", close[12]), ("closed", close[12]), ("active", close[19]),
        ("closed", close[19]),
    ]  # fmt: skip
    ear = last_day("KXODDMOVE")
    assert [kind for kind, _ in ear.steps] == [
        "created", "opened", "close_date_updated", "closed", "close_date_updated", "closed", "determined",
        "settled",
    ]  # fmt: skip
    assert not [at for at in ear.trades_h if 10 < at <= 12]
    assert odd_world_at(11.9).book(ear.ticker).total_centi() == 0
    assert odd_world_at(9).book(ear.ticker).total_centi() > 0


def test_a_grid_gets_finer_and_resting_orders_stay() -> None:
    """Cents until 08:00, then tenths, from 14:00 hundredths; prices printed before lie on the coarse grid."""
    names = [seen("KXODDGRID", hours).price_level_structure for hours in (17, 15, 9)]
    assert names == ["linear_cent", "deci_cent", "center_centi_edge_centi_cent"]
    assert seen("KXODDGRID", 15).price_ranges == STRUCTURES["deci_cent"]
    world = an_odd_world()
    tape = world.tape(f"KXODDGRID-{DAY}-T0")
    trades = tape.rows(0, len(tape))
    coarse = [each for each in trades if each.created_ts < MIDNIGHT - 16 * HOUR]
    assert coarse
    assert all(is_on_grid(each.yes_price_cc, STRUCTURES["linear_cent"]) for each in coarse)
    assert any(not is_on_grid(each.yes_price_cc, STRUCTURES["deci_cent"]) for each in trades)
    kinds = [kind for kind, _ in last_day("KXODDGRID").steps]
    assert kinds.count("price_level_structure_updated") == 2


def test_the_archive_tells_negative_sizes_and_forgets_values(client: httpx.Client) -> None:
    """Sizes below zero in archived rows; expiration_value in the list and not in the single market."""
    scalar = client.get("/historical/markets?series_ticker=KXODDSCALAR").json()["markets"][0]
    assert (scalar["yes_bid_size_fp"], scalar["yes_ask_size_fp"]) == ("-12.50", "-12.50")
    listed = client.get("/historical/markets?series_ticker=KXODDHIGH").json()["markets"]
    alone = [client.get(f"/historical/markets/{each['ticker']}").json()["market"] for each in listed]
    assert all(each["expiration_value"] for each in listed)
    assert {"expiration_value" in each for each in alone} == {True, False}
    for row, single in zip(listed, alone, strict=True):
        assert single.items() <= row.items()


def test_a_series_was_renamed_and_its_old_markets_keep_their_names(client: httpx.Client) -> None:
    """The filter by the new name finds both; no ticker tells its series."""
    found = [
        each["ticker"]
        for path in ("/markets", "/historical/markets")
        for each in every_page(client, path, "markets", limit=1000, series_ticker="KXODDHIGH")
    ]
    assert {each.split("-")[0] for each in found} == {"ODDHIGH", "KXODDHIGH"}


def test_an_event_with_parentheses_can_be_asked_for(client: httpx.Client) -> None:
    """It goes through paths and filters; its rules hold control characters, its strike float noise."""
    event = f"KXODDCITIES-{DAY}(CHI)(DEN)(PHIL)"
    told = client.get(f"/events/{event}?with_nested_markets=true").json()["event"]
    market = told["markets"][0]
    assert client.get("/markets", params={"event_ticker": event}).json()["markets"] == [market]
    assert client.get(f"/markets/{market['ticker']}").json()["market"] == market
    assert market["floor_strike"] == 67_628.899999
    assert "\u0007" in market["rules_primary"]


def test_fees_are_waived_for_a_while(client: httpx.Client) -> None:
    """Until noon of the day; the grid is sub-cent."""
    market = client.get(f"/markets/KXODDFREE-{DAY}-T0").json()["market"]
    assert market["fee_waiver_expiration_time"] == "2026-03-01T12:00:00Z"
    assert market["price_ranges"][0]["step"] == "0.0010"


def test_volumes_need_64_bits(client: httpx.Client) -> None:
    """More than 100 million contracts a day, in hundredths more than 2**32."""
    market = an_odd_world().floor.market(f"KXODDHUGE-{DAY}-T0")
    assert market.volume_centi > 100_000_000_00 > 2**32
    told = client.get(f"/markets/{market.ticker}").json()["market"]["volume_fp"]
    assert told == f"{market.volume_centi // 100}.{market.volume_centi % 100:02d}"
