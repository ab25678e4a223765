"""Bars follow from trades and quotes."""

from datetime import UTC, datetime

from exchange.trades import Candle, Ohlc
from exchange.units import DOLLAR_CC, to_us
from sandbox.candles import bars, end_of_bar_us
from sandbox.history import History, Print, Quote
from tests.sandbox.places import a_world

MINUTE_US = 60_000_000
DAWN = datetime(1970, 1, 1, tzinfo=UTC)
LATE = datetime(1970, 1, 2, tzinfo=UTC)


def a_print(time_us: int, price_cc: int, count_centi: int, open_interest_centi: int) -> Print:
    return Print(
        time_us, price_cc, count_centi, "yes", is_block=False, open_interest_centi=open_interest_centi
    )


def test_a_bar_is_worked_out_by_hand() -> None:
    """Bid .40 -> .42 -> .41; trades 1 @ .45 and 3 @ .43: mean (45 + 3 x 43) / 4 = 43.5 cents."""
    history = History(
        prints=[a_print(20 * 10**6, 4_500, 100, 100), a_print(60 * 10**6, 4_300, 300, 350)],
        quotes=[
            Quote(0, 0, DOLLAR_CC),
            Quote(10 * 10**6, 4_000, 4_500),
            Quote(30 * 10**6, 4_200, 4_400),
            Quote(61 * 10**6, 4_100, 4_400),
        ],
    )
    made = bars("X", history, period_s=60, until_ts=LATE)
    assert [to_us(each.end_ts) // MINUTE_US for each in made] == [0, 1, 2]
    assert made[1] == Candle(
        ticker="X",
        period_s=60,
        end_ts=made[1].end_ts,
        yes_bid=Ohlc(0, 4_200, 0, 4_200),
        yes_ask=Ohlc(DOLLAR_CC, DOLLAR_CC, 4_400, 4_400),
        price=Ohlc(4_500, 4_500, 4_300, 4_300),
        price_mean_cc=4_350,
        price_previous_cc=None,
        volume_centi=400,
        open_interest_centi=350,
    )
    assert made[2].price is None
    assert made[2].price_previous_cc == 4_300
    assert made[2].yes_bid == Ohlc(4_200, 4_200, 4_100, 4_100)


def test_a_trade_at_the_very_end_belongs_to_the_bar_that_ends_there() -> None:
    """Ends are inclusive: 12:00:00.000000 is in the bar of 12:00, a microsecond later is not."""
    noon_us = to_us(datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert end_of_bar_us(noon_us, 3_600) == noon_us
    assert end_of_bar_us(noon_us + 1, 3_600) == noon_us + 3_600_000_000


def test_daily_bars_end_at_midnight_in_new_york() -> None:
    """05:00Z in winter, 04:00Z in summer, and the day the clocks change has 23 hours."""
    for given, wanted in (
        (datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 2, 5, tzinfo=UTC)),
        (datetime(2026, 3, 8, 12, tzinfo=UTC), datetime(2026, 3, 9, 4, tzinfo=UTC)),
        (datetime(2026, 7, 1, 4, tzinfo=UTC), datetime(2026, 7, 1, 4, tzinfo=UTC)),
    ):
        assert end_of_bar_us(to_us(given), 86_400) == to_us(wanted)


def test_bars_add_up_to_the_market() -> None:
    """Of settled markets, for each period: volumes sum to the market's, ends ascend, highs bound lows."""
    world = a_world()
    settled = [each for each in world.markets() if each.status == "finalized"]
    for market in settled:
        for period_s in (60, 3_600, 86_400):
            made = world.candles(market.ticker, period_s=period_s, start_ts=DAWN, end_ts=world.now_ts)
            if made and made[-1].end_ts < world.now_ts and period_s < 86_400:
                assert sum(each.volume_centi for each in made) == market.volume_centi
                assert made[-1].open_interest_centi == market.open_interest_centi
            assert [each.end_ts for each in made] == sorted({each.end_ts for each in made})
            for each in made:
                assert (each.price is None) == (each.volume_centi == 0)
                for ohlc in (each.yes_bid, each.yes_ask, each.price):
                    if ohlc is not None:
                        assert ohlc.low_cc <= min(ohlc.open_cc, ohlc.close_cc)
                        assert ohlc.high_cc >= max(ohlc.open_cc, ohlc.close_cc)


def test_minutes_fold_into_hours() -> None:
    """An hour's open, high, low, close and volume come from its minutes."""
    world = a_world()
    ticker = max(world.markets(), key=lambda market: market.volume_centi).ticker
    hours = world.candles(ticker, period_s=3_600, start_ts=DAWN, end_ts=world.now_ts)
    minutes = world.candles(ticker, period_s=60, start_ts=DAWN, end_ts=world.now_ts)
    for hour in hours:
        inside = [m for m in minutes if 0 <= (hour.end_ts - m.end_ts).total_seconds() < 3_600]
        assert hour.volume_centi == sum(each.volume_centi for each in inside)
        assert hour.yes_bid.close_cc == inside[-1].yes_bid.close_cc
        assert hour.yes_ask.high_cc == max(each.yes_ask.high_cc for each in inside)
        traded = [each.price for each in inside if each.price]
        if hour.price is not None:
            assert (hour.price.open_cc, hour.price.close_cc) == (traded[0].open_cc, traded[-1].close_cc)
