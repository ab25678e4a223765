"""Trades and candles over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from exchange.trades import Candle, Ohlc, Trade
from sandbox.encoding import moment, trade_text
from sandbox.routes_candles import archived_json, live_json
from tests.sandbox.places import a_client, a_world, every_page, first_settled

DAY_S = 86_400
END_S = 1_772_409_600  # 2026-03-02T00:00Z, where the clock of the world stands
CUTOFF_S = END_S - 5 * DAY_S


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """One server for the module."""
    with a_client() as (client, _):
        yield client


def the_trades() -> list[Trade]:
    tape = a_world().tape(None)
    return list(tape.rows(*tape.span(0, 2**62)))


def test_a_trade_is_printed_as_documented() -> None:
    """Strings with 4 and 2 decimals, both prices, three spellings of the side, trailing zeros trimmed."""
    trade = Trade(
        trade_id="id",
        ticker="X",
        created_ts=datetime(2026, 1, 2, 3, 4, 5, 962_210, tzinfo=UTC),
        yes_price_cc=5_610,
        count_centi=1_050,
        taker_side="no",
        is_block_trade=None,
    )
    assert trade_text(trade) == (
        '{"trade_id":"id","ticker":"X","count_fp":"10.50","yes_price_dollars":"0.5610",'
        '"no_price_dollars":"0.4390","taker_outcome_side":"no","taker_book_side":"ask","taker_side":"no",'
        '"created_time":"2026-01-02T03:04:05.96221Z"}'
    )


@pytest.mark.parametrize(
    ("microsecond", "wanted"),
    [(0, "2026-01-02T03:04:05Z"), (500_000, "2026-01-02T03:04:05.5Z"), (1, "2026-01-02T03:04:05.000001Z")],
)
def test_times_lose_only_trailing_zeros(microsecond: int, wanted: str) -> None:
    """20 to 27 characters, never a zero too few."""
    assert moment(datetime(2026, 1, 2, 3, 4, 5, microsecond, tzinfo=UTC)) == wanted


@pytest.mark.parametrize("limit", [100, 1000])
def test_tiers_together_hold_every_trade(client: httpx.Client, limit: int) -> None:
    """Live and historical overlap by some hours; without duplicates they are the tape, newest first."""
    live = every_page(client, "/markets/trades", "trades", limit=limit)
    archived = every_page(client, "/historical/trades", "trades", limit=limit)
    ids = [each["trade_id"] for each in [*live, *archived]]
    assert set(ids) == {each.trade_id for each in the_trades()}
    assert len(ids) > len(set(ids))
    wanted = [each.trade_id for each in reversed(the_trades())]
    assert [each["trade_id"] for each in live] == wanted[: len(live)]


def test_the_cutoff_splits_the_tiers(client: httpx.Client) -> None:
    """No live trade is older than the cutoff; archived ones reach six hours past it."""
    oldest = every_page(client, "/markets/trades", "trades", limit=1000)[-1]["created_time"]
    newest = client.get("/historical/trades?limit=1").json()["trades"][0]["created_time"]
    assert oldest >= "2026-02-25T00:00"
    assert "2026-02-25T00:00" < newest < "2026-02-25T06:00"


def test_time_bounds_are_after_and_before(client: httpx.Client) -> None:
    """Both bounds are excluded, so only windows that overlap lose nothing."""
    whole = [each.created_ts.timestamp() for each in the_trades()]
    low_s, high_s = CUTOFF_S + DAY_S, CUTOFF_S + 2 * DAY_S
    found = every_page(client, "/markets/trades", "trades", limit=1000, min_ts=low_s, max_ts=high_s)
    assert len(found) == sum(low_s < at < high_s for at in whole) > 0
    assert client.get(f"/markets/trades?min_ts={high_s}&max_ts={low_s}").json() == {
        "trades": [],
        "cursor": "",
    }


def test_tickers_and_blocks_filter_the_tape(client: httpx.Client) -> None:
    """One market's tape is its part of the whole; block trades are in by default and can be had alone."""
    live = every_page(client, "/markets/trades", "trades", limit=1000)
    ticker = "KXSIMFED-MAR-H0"
    assert every_page(client, "/markets/trades", "trades", limit=10, ticker=ticker) == [
        each for each in live if each["ticker"] == ticker
    ]
    for flag in ("true", "false"):
        found = every_page(client, "/markets/trades", "trades", limit=500, is_block_trade=flag)
        assert found == [each for each in live if each["is_block_trade"] is (flag == "true")]
    assert client.get("/markets/trades?ticker=NOPE").json() == {"trades": [], "cursor": ""}
    assert client.get("/markets/trades?is_block_trade=perhaps").status_code == 400


def test_wrong_limits_and_cursors_of_the_tape_are_refused(client: httpx.Client) -> None:
    """Bounds are 0 to 1000; a cursor of the live route means nothing to the archive."""
    assert client.get("/markets/trades?limit=1001").status_code == 400
    assert client.get("/markets/trades?min_ts=2026-01-01").status_code == 400
    cursor = client.get("/markets/trades?limit=1").json()["cursor"]
    assert client.get(f"/historical/trades?limit=1&cursor={cursor}").json() == {
        "code": "invalid_parameters",
        "message": "invalid cursor",
    }


def a_candle(price: Ohlc | None = None) -> Candle:
    return Candle(
        ticker="X",
        period_s=60,
        end_ts=datetime(2026, 3, 1, tzinfo=UTC),
        yes_bid=Ohlc(1, 2, 0, 1),
        yes_ask=Ohlc(10_000, 10_000, 5, 5),
        price=price,
        price_mean_cc=2 if price else None,
        price_previous_cc=300,
        volume_centi=150 if price else 0,
        open_interest_centi=99,
    )


def test_candles_have_two_spellings() -> None:
    """Live: suffixes, nulls left out. Archive: no suffixes, nulls printed."""
    quiet, busy = a_candle(), a_candle(Ohlc(1, 3, 1, 2))
    assert live_json(quiet)["price"] == {"previous_dollars": "0.0300"}
    assert live_json(busy) == {
        "end_period_ts": 1_772_323_200,
        "yes_bid": {
            "open_dollars": "0.0001",
            "low_dollars": "0.0000",
            "high_dollars": "0.0002",
            "close_dollars": "0.0001",
        },
        "yes_ask": {
            "open_dollars": "1.0000",
            "low_dollars": "0.0005",
            "high_dollars": "1.0000",
            "close_dollars": "0.0005",
        },
        "price": {
            "open_dollars": "0.0001",
            "low_dollars": "0.0001",
            "high_dollars": "0.0003",
            "close_dollars": "0.0002",
            "mean_dollars": "0.0002",
            "previous_dollars": "0.0300",
        },
        "volume_fp": "1.50",
        "open_interest_fp": "0.99",
    }
    assert archived_json(quiet)["price"] == {
        "open": None,
        "low": None,
        "high": None,
        "close": None,
        "mean": None,
        "previous": "0.0300",
    }
    assert archived_json(busy)["volume"] == "1.50"
    assert archived_json(busy)["yes_bid"]["low"] == "0.0000"


def test_candle_windows_include_both_ends(client: httpx.Client) -> None:
    """Bars whose end lies in [start, end]; the volume of all of them is what traded."""
    path = "/series/KXSIMFED/markets/KXSIMFED-MAR-H0/candlesticks"
    whole = client.get(f"{path}?start_ts=0&end_ts={END_S}&period_interval=1440").json()
    assert whole["code"] == "invalid_parameters"  # more bars than 5,000 could lie in there
    window = f"start_ts={END_S - 20 * DAY_S}&end_ts={END_S}"
    bars = client.get(f"{path}?{window}&period_interval=60").json()["candlesticks"]
    edge = f"start_ts={bars[0]['end_period_ts']}&end_ts={bars[2]['end_period_ts']}&period_interval=60"
    assert client.get(f"{path}?{edge}").json()["candlesticks"] == bars[:3]
    volume_centi = sum(round(float(bar["volume_fp"]) * 100) for bar in bars)
    assert volume_centi == next(m for m in a_world().markets() if m.ticker == "KXSIMFED-MAR-H0").volume_centi


def test_a_synthetic_bar_carries_the_last_close(client: httpx.Client) -> None:
    """include_latest_before_start adds one bar without trades, priced by the last close before the window."""
    path = "/series/KXSIMFED/markets/KXSIMFED-MAR-H0/candlesticks"
    bars = client.get(f"{path}?start_ts={END_S - DAY_S}&end_ts={END_S}&period_interval=60").json()[
        "candlesticks"
    ]
    last, end_s = bars[-1], END_S + 3_600
    window = f"start_ts={last['end_period_ts'] + 1}&end_ts={end_s}&period_interval=60"
    synthetic = client.get(f"{path}?{window}&include_latest_before_start=true").json()["candlesticks"]
    assert len(synthetic) == 1
    assert synthetic[0]["volume_fp"] == "0.00"
    assert synthetic[0]["price"].keys() == {"previous_dollars"}
    assert synthetic[0]["yes_bid"]["open_dollars"] == last["yes_bid"]["close_dollars"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("start_ts=0&end_ts=300060&period_interval=1", 400),  # 5,002 bars
        ("start_ts=0&end_ts=299940&period_interval=1", 200),  # 5,000 bars
        ("start_ts=10&end_ts=0&period_interval=1", 400),
        ("start_ts=0&end_ts=10&period_interval=5", 400),
        ("end_ts=10&period_interval=1", 400),
    ],
)
def test_candle_requests_have_limits(client: httpx.Client, query: str, status: int) -> None:
    """At most 5,000 bars, three periods, all three parameters, start before end."""
    path = f"/series/KXSIMFED/markets/KXSIMFED-MAR-H0/candlesticks?{query}"
    assert client.get(path).status_code == status


def test_candles_of_the_archive_use_their_own_route(client: httpx.Client) -> None:
    """What settled first: 404 on the live route, the other spelling on the historical one."""
    oldest = first_settled()
    series = oldest.split("-")[0]
    window = f"start_ts={END_S - 20 * DAY_S}&end_ts={END_S}&period_interval=60"
    assert client.get(f"/series/{series}/markets/{oldest}/candlesticks?{window}").status_code == 404
    bars = client.get(f"/historical/markets/{oldest}/candlesticks?{window}").json()["candlesticks"]
    assert bars
    assert bars[0].keys() == {"end_period_ts", "yes_bid", "yes_ask", "price", "volume", "open_interest"}
    wrong = f"/series/KXSIMCPI/markets/KXSIMFED-MAR-H0/candlesticks?{window}"
    assert client.get(wrong).status_code == 404


def test_several_markets_and_whole_events_have_candles(client: httpx.Client) -> None:
    """The batch leaves unknown tickers out; the event gives parallel arrays; both equal the single route."""
    window = f"start_ts={END_S - DAY_S}&end_ts={END_S}&period_interval=60"
    single = client.get(f"/series/KXSIMFED/markets/KXSIMFED-MAR-H0/candlesticks?{window}").json()
    batch = client.get(f"/markets/candlesticks?market_tickers=KXSIMFED-MAR-H0,NOPE&{window}").json()[
        "markets"
    ]
    assert batch == [{"market_ticker": "KXSIMFED-MAR-H0", "candlesticks": single["candlesticks"]}]
    event = client.get(f"/series/KXSIMFED/events/KXSIMFED-MAR/candlesticks?{window}").json()
    at = event["market_tickers"].index("KXSIMFED-MAR-H0")
    assert event["market_candlesticks"][at] == single["candlesticks"]
    assert event["adjusted_end_ts"] == END_S
    many = ",".join(["KXSIMFED-MAR-H0"] * 101)
    assert client.get(f"/markets/candlesticks?market_tickers={many}&{window}").status_code == 400


def test_an_event_with_too_many_bars_is_cut_with_where_to_go_on(client: httpx.Client) -> None:
    """Following adjusted_end_ts gives every bar once, never more than 5,000 at a time."""
    path = "/series/KXSIMFED/events/KXSIMFED-MAR/candlesticks"
    start_s, seen = END_S - 12 * DAY_S, 0
    cuts = 0
    while start_s <= END_S:
        answer = client.get(f"{path}?start_ts={start_s}&end_ts={END_S}&period_interval=1").json()
        n_bars = sum(map(len, answer["market_candlesticks"]))
        assert n_bars <= 5_000
        seen += n_bars
        cuts += answer["adjusted_end_ts"] < END_S
        start_s = answer["adjusted_end_ts"] + 1
    world = a_world()
    dawn = datetime(1970, 1, 1, tzinfo=UTC)
    tickers = [each.ticker for each in world.markets() if each.event_ticker == "KXSIMFED-MAR"]
    made = [world.candles(t, period_s=60, start_ts=dawn, end_ts=world.now_ts) for t in tickers]
    assert seen == sum(map(len, made))
