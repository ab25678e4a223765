"""Spreads over time, boards of events, calibration: by hand, and nothing that was known later."""

from decimal import Decimal
from pathlib import Path
from random import Random
from statistics import mean

import pytest

from tests.warehouse.catalogs import Row, asked, lake_of, opened
from tests.warehouse.rows import a_candle, a_gap, a_market, a_quote, a_trade, an_event, at
from warehouse import Lake

SPREAD = (
    "select * exclude (bar_ts), epoch_us(bar_ts) - epoch_us(?) as from_us from spread('KXA-1', ?::interval)"
)


def spreads(lake: Lake, every: str | None) -> list[Row]:
    """Return the bars of KXA-1, `from_us` counted from noon."""
    with opened(lake) as connection:
        return asked(connection, SPREAD, at(0), every)


def test_an_older_quote_that_is_told_later_is_counted_and_shows_nothing(tmp_path: Path) -> None:
    """.05 for 30 s, .20 for 20 s: (1.5 + 4) / 50 = .11; another recorder tells at 40 s what was at 10 s."""
    quotes = [
        a_quote(0),
        a_quote(30, bid_cc=4_000, ask_cc=6_000),
        a_quote(10, session="late", received_ts=at(40), bid_cc=1_000, ask_cc=9_000),
        a_quote(50),
    ]
    (row,) = spreads(lake_of(tmp_path, quotes=quotes), "1 day")
    assert (float(row["mean_spread"]), float(row["max_spread"]), row["n_quotes"]) == (0.11, 0.2, 4)


def test_a_spread_counts_for_as_long_as_it_stood(tmp_path: Path) -> None:
    """.05 for 30 s, .20 for 20 s, no ask for 20 s, .02 for 30 s till the close: (1.5 + 4) / 50 = .11; .02."""
    quotes = [
        a_quote(0),
        a_quote(30, bid_cc=4_000, ask_cc=6_000),
        a_quote(50, ask_cc=None),
        a_quote(70, bid_cc=5_000, ask_cc=5_200),
        a_quote(100, bid_cc=1, ask_cc=9_999),
    ]
    lake = lake_of(tmp_path, quotes=quotes, markets=[a_market(close_ts=at(100))])
    first, second = spreads(lake, "1 minute")
    assert first == {
        "mean_spread": Decimal("0.11"),
        "min_spread": Decimal("0.05"),
        "max_spread": Decimal("0.20"),
        "mean_mid": Decimal("0.485"),
        "quoted_share": 0.833333,
        "n_quotes": 3,
        "from_us": 0,
    }
    assert second == {
        "mean_spread": Decimal("0.02"),
        "min_spread": Decimal("0.02"),
        "max_spread": Decimal("0.02"),
        "mean_mid": Decimal("0.51"),
        "quoted_share": 0.75,
        "n_quotes": 1,
        "from_us": 60_000_000,
    }
    (whole,) = spreads(lake, None)
    assert (whole["mean_spread"], whole["quoted_share"]) == (Decimal("0.07625"), 0.8)  # 6.1 / 80


def test_a_candle_that_ended_within_a_recording_counts_in_no_spread(tmp_path: Path) -> None:
    """.05 from 0 s to 120 s, as recorded; .02 from the minute's close after that to the market's at 240 s."""
    bars = [
        a_candle(period_s=60, end_ts=at(end), yes_bid_close_cc=5_000, yes_ask_close_cc=5_200)
        for end in (60, 180)
    ]
    quotes = [a_quote(0), a_quote(120)]
    lake = lake_of(tmp_path, quotes=quotes, candles=bars, markets=[a_market(close_ts=at(240))])
    (whole,) = spreads(lake, None)
    assert (whole["mean_spread"], whole["n_quotes"]) == (Decimal("0.0425"), 3)  # (180 * .05 + 60 * .02) / 240


def test_without_a_close_a_spread_is_known_until_the_last_quote(tmp_path: Path) -> None:
    """Two quotes 30 s apart and no listing: the second stands for no time; and no quotes, no bars."""
    lake = lake_of(tmp_path / "two", quotes=[a_quote(0), a_quote(30, bid_cc=1_000)])
    (bar,) = spreads(lake, "1 minute")
    assert (bar["mean_spread"], bar["max_spread"], bar["quoted_share"]) == (
        Decimal("0.05"),
        Decimal("0.4"),
        1.0,
    )
    assert spreads(lake_of(tmp_path / "none", markets=[a_market()]), "1 minute") == []


@pytest.mark.parametrize("every_s", [7, 60])
def test_spreads_are_the_mean_of_every_second(tmp_path: Path, every_s: int) -> None:
    """Quotes on whole seconds, a recording that ends, a close: each second by itself, averaged by bars."""
    chance = Random(every_s)
    seconds = sorted(chance.sample(range(300), 40))
    quotes = [
        a_quote(
            second, bid_cc=chance.choice([None, 3_000, 4_000]), ask_cc=chance.choice([None, 4_500, 3_900])
        )
        for second in seconds
    ]
    lake = lake_of(tmp_path, quotes=quotes, markets=[a_market(close_ts=at(330))])
    standing: dict[int, int | None] = {}
    for quote in quotes:
        start = int((quote["event_ts"] - at(0)).total_seconds())
        bid, ask = quote["bid_cc"], quote["ask_cc"]
        is_known = bid is not None and ask is not None and bid < ask
        standing |= dict.fromkeys(range(start, 330), ask - bid if is_known else None)
    bars: dict[int, list[int | None]] = {}
    for second, spread in sorted(standing.items()):
        bars.setdefault(bucket(second, every_s), []).append(spread)
    found = {row["from_us"] // 1_000_000: row for row in spreads(lake, f"{every_s} seconds")}
    assert found.keys() == bars.keys()
    for start, each in bars.items():
        known = [spread for spread in each if spread is not None]
        assert found[start]["quoted_share"] == round(len(known) / len(each), 6)
        if known:
            assert abs(float(found[start]["mean_spread"]) - mean(known) / 10_000) < 1e-6
        else:
            assert found[start]["mean_spread"] is None


def bucket(second: int, every_s: int) -> int:
    """Return the start of a second's bar, counted from noon: bars start at multiples since 2000-01-03."""
    origin = int((at(0) - at(0).replace(year=2000, month=1, day=3, hour=0)).total_seconds())
    return (second + origin) // every_s * every_s - origin


def an_events_rows() -> dict[str, list[Row]]:
    """Return two markets of an event at 0 s: .45 x .50 and .30 x .40; the third is listed an hour later."""
    return {
        "events": [an_event("KXA")],
        "markets": [
            a_market("KXA-1", floor_strike=5.0),
            a_market("KXA-2", floor_strike=3.0),
            a_market("KXA-3", observed_ts=at(3_600), created_ts=at(3_600), open_ts=at(3_600)),
            a_market("KXB-1", event_ticker="KXB"),
        ],
        "quotes": [a_quote(0), a_quote(0, ticker="KXA-2", bid_cc=3_000, ask_cc=4_000)],
        "trades": [a_trade("t1"), a_trade("t2", is_block_trade=True, yes_price_cc=9_000)],
    }


def later_rows() -> dict[str, list[Row]]:
    """Return what happened a minute later: a quote, a print, a result."""
    paid = {"status": "finalized", "result": "yes", "settlement_value_cc": 10_000, "settlement_ts": at(60)}
    return {
        "markets": [a_market("KXA-1", observed_ts=at(60), **paid)],
        "quotes": [a_quote(60, bid_cc=9_000, ask_cc=9_900)],
        "trades": [a_trade("t3", event_ts=at(60), yes_price_cc=9_900)],
    }


def test_a_board_shows_an_event_as_it_was_known(tmp_path: Path) -> None:
    """By strike; .35 + .475; selling all brings .75, buying all costs .90; 20 contracts, half a block."""
    rows = an_events_rows()
    with opened(lake_of(tmp_path / "then", **rows)) as connection:
        board = asked(connection, "from event_board('KXA', ?)", at(30))
    shown = [
        (row["ticker"], row["prob"], row["basis"], row["last"], row["volume"], row["result"]) for row in board
    ]
    assert shown == [
        ("KXA-2", 0.35, "mid", Decimal("0.48"), Decimal(0), ""),
        ("KXA-1", 0.475, "mid", Decimal("0.56"), Decimal(20), ""),
    ]
    sums = {(row["sum_prob"], row["sum_bid"], row["sum_ask"]) for row in board}
    assert sums == {(0.825, Decimal("0.75"), Decimal("0.90"))}
    whole = {name: [*given, *later_rows().get(name, [])] for name, given in rows.items()}
    with opened(lake_of(tmp_path / "now", **whole)) as connection:
        assert asked(connection, "from event_board('KXA', ?)", at(30)) == board
        paid = asked(connection, "select result, settlement_value, prob from event_board('KXA', ?)", at(60))
        assert [tuple(row.values()) for row in paid] == [("", None, 0.35), ("yes", Decimal(1), 0.945)]
        assert len(asked(connection, "from event_board('KXA', ?)", at(3_600))) == 3
        assert asked(connection, "from event_board('nothing', ?)", at(30)) == []


def test_a_missing_side_makes_the_events_sum_unknown(tmp_path: Path) -> None:
    """Without an ask in one market nobody can buy them all; the bids still add up."""
    rows = an_events_rows() | {"quotes": [a_quote(0), a_quote(0, ticker="KXA-2", bid_cc=3_000, ask_cc=None)]}
    with opened(lake_of(tmp_path, **rows)) as connection:
        board = asked(connection, "select distinct sum_bid, sum_ask from event_board('KXA', ?)", at(30))
    assert board == [{"sum_bid": Decimal("0.75"), "sum_ask": None}]


def test_calibration_holds_prices_against_what_came_to_pass(tmp_path: Path) -> None:
    """10 s before the close: .25 twice, of which one came true; .95, true. Brier (.0625 + .5625) / 2."""

    def settled(number: int, result: str, **changes: object) -> Row:
        paid = {"settlement_value_cc": {"yes": 10_000, "no": 0}.get(result, 5_000), "status": "finalized"}
        return a_market(f"KXA-{number}", close_ts=at(100), result=result, **(paid | changes))

    markets = [
        settled(1, "no"),
        settled(2, "yes", series_ticker=None),
        settled(3, "yes"),
        settled(4, "scalar"),
        settled(5, "yes"),
        settled(6, "yes", settlement_value_cc=5_000),
        a_market("KXA-7", close_ts=at(100)),
        settled(8, "yes", series_ticker="KXOTHER"),
    ]
    quotes = [a_quote(0, ticker=f"KXA-{number}", bid_cc=2_000, ask_cc=3_000) for number in (1, 2, 4, 7, 8)]
    quotes += [a_quote(0, ticker="KXA-3", bid_cc=9_400, ask_cc=9_600), a_quote(91, ticker="KXA-5")]
    lake = lake_of(tmp_path, events=[an_event("KXA")], markets=markets, quotes=quotes)
    with opened(lake) as connection:
        rows = connection.execute("from calibration('KX', interval 10 seconds)").fetchall()
        nothing = connection.execute("from calibration('nothing', '1 hour')").fetchall()
    assert rows == [
        ("0.2 to 0.3", 2, 0.25, 0.5, 0.3125, None, None),
        ("0.9 to 1.0", 1, 0.95, 1.0, 0.0025, None, None),
        ("all", 3, 0.483333, 0.666667, 0.209167, 2, 1),
    ]
    assert nothing == [("all", 0, None, None, None, 0, 0)]


def test_an_ended_recording_has_no_spread(tmp_path: Path) -> None:
    """.05 for 20 s, then the recording ends; the market closes at 40 s: half of the bar is quoted."""
    end = a_gap(2, cause="session_end", to_seq=None, from_ts=at(20))
    lake = lake_of(tmp_path, quotes=[a_quote(0)], book_gaps=[end], markets=[a_market(close_ts=at(40))])
    (bar,) = spreads(lake, "1 minute")
    assert (bar["mean_spread"], bar["quoted_share"], bar["n_quotes"]) == (Decimal("0.05"), 0.5, 1)
