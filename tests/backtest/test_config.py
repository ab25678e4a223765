"""CONFIG.toml: what is understood, and what is refused with which words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from backtest.config import FeeAssumption, read_config
from backtest.holdouts import Holdout
from backtest.slippage import Slippage
from exchange.errors import BadInput

LEAST = 'strategy = "favourite_longshot"\nfills = "touch"\n'


def a_config(folder: Path, text: str) -> Path:
    path = folder / "my.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_configuration_is_read(tmp_path: Path) -> None:
    config = read_config(
        a_config(
            tmp_path,
            LEAST
            + """
            lake = "data/lake"
            series = "KXBTC15M"
            start = 2026-05-11
            end = 2026-05-14T02:00:00+02:00
            latency = "1s"
            feed = "50ms"
            cash = 1_000
            per_event = 0.05
            per_series = 20
            netting = true
            maintenance = false
            extra_ticks = 1
            slippage = { half_spread_cc = { 0 = 50, 9000 = 20 }, impact = "sqrt", coefficient_cc = 4 }
            max_age = "5m"
            refill = "10s"
            payout_delay = "30m"
            fees = { type = "quadratic", multiplier = 0.5 }
            legs = "one by one"
            holdout = { since = 2026-09-01, log = "looks.jsonl" }
            out = "results/one"
            [params]
            beyond = [0.9, 0.95]
            """,
        )
    )
    assert config.strategy.name == "favourite_longshot"
    assert config.lake == str(tmp_path / "data/lake")
    assert config.selection == {
        "series": "KXBTC15M",
        "start": datetime(2026, 5, 11, tzinfo=UTC),
        "end": datetime(2026, 5, 14, tzinfo=UTC),
    }
    assert (config.latency, config.payout_delay) == (timedelta(seconds=1), timedelta(minutes=30))
    assert config.feed == timedelta(milliseconds=50)
    assert (config.cash, config.per_event, config.extra_ticks) == (1_000, 0.05, 1)
    assert (config.per_series, config.netting, config.maintenance) == (20, True, False)
    spread = {0: 50, 9_000: 20}
    assert config.slippage == Slippage(half_spread_cc=spread, impact="sqrt", coefficient_cc=4)
    assert (config.max_age, config.refill) == (timedelta(minutes=5), timedelta(seconds=10))
    assert config.fees == FeeAssumption(fee_type="quadratic", multiplier=0.5)
    assert (config.legs, config.forecast) == ("one by one", None)
    assert config.holdout == Holdout(datetime(2026, 9, 1, tzinfo=UTC), tmp_path / "looks.jsonl")
    assert config.out == tmp_path / "results/one"
    assert config.params == {"beyond": [0.9, 0.95], "horizon_minutes": 60, "count": 10}


@pytest.mark.parametrize("name", ["calibration_edge", "closing_drift", "cross_strike", "market_making"])
def test_the_example_of_a_strategy_is_a_configuration(name: str) -> None:
    """docs/examples; its results stay out of that folder."""
    folder = Path(__file__).parents[2] / "docs" / "examples"
    config = read_config(folder / f"{name.replace('_', '-')}.toml")
    assert config.strategy.name == name
    assert not config.out.resolve().is_relative_to(folder)


def test_series_may_have_slippages_of_their_own(tmp_path: Path) -> None:
    text = '[slippage.KXA]\nmax_age = "1h"\n[slippage.KXB]\nhalf_spread_cc = 100\n'
    config = read_config(a_config(tmp_path, LEAST + text))
    assert config.slippage == {"KXA": Slippage(max_age="1h"), "KXB": Slippage(half_spread_cc=100)}
    with pytest.raises(BadInput, match=r"slippage\.KXA: half_spread_cc=0: at least 1"):
        read_config(a_config(tmp_path, LEAST + "[slippage.KXA]\nhalf_spread_cc = 0\n"))


def test_what_is_left_out_is_left_to_the_engine(tmp_path: Path) -> None:
    config = read_config(a_config(tmp_path, LEAST))
    assert (config.lake, config.latency, config.cash, config.fees) == (None, None, None, None)
    assert config.selection == {}
    assert config.out == tmp_path / "results" / "my"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('fills = "touch"', "no strategy"),
        ('strategy = "favourite_longshot"', "no fills"),
        ('strategy = "favorite_longshot"\nfills = "touch"', "did you mean favourite_longshot"),
        (
            LEAST.replace("touch", "bar"),
            "fills = 'bar' is unknown; known are mid, touch, trades, book, queue",
        ),
        (LEAST + 'queue = "front"', """queue = 'front' is for fills = "queue\""""),
        (LEAST.replace("touch", "queue") + 'queue = "last"', "queue = 'last' is unknown; known are pess"),
        (LEAST + 'latancy = "1s"', "key 'latancy' is unknown; did you mean latency"),
        (LEAST + 'latency = "soon"', "latency: 'soon' is not a duration"),
        (LEAST + "latency = 5", "latency = 5 should be text"),
        (LEAST + "start = 2026-05-11T00:00:00", "start: .* has no time zone"),
        (LEAST + 'start = "2026-05-11T00:00:00"', "start: .* has no time zone"),
        (LEAST + "start = 10:00:00", "is not a date or time"),
        (LEAST + "start = 2026-05-11\nend = 2026-05-11", r"end \(2026-05-11\) must come after start"),
        (LEAST + "cash = 0", "cash = 0 should be dollars, more than 0"),
        (LEAST + "cash = nan", "cash = nan should be dollars"),
        (LEAST + "extra_ticks = 0.5", "extra_ticks = 0.5 should be a whole number"),
        (LEAST + "slippage = { impact = 4 }", "slippage: impact=4: use linear or sqrt, with coefficient_cc"),
        (LEAST + "netting = 1", "netting = 1 should be true or false"),
        (LEAST + 'legs = "at once"', "legs = 'at once' is unknown; known are together, one by one"),
        (LEAST + "holdout = 2026-09-01", "should be a table with both of them, such as { since = 2026-09-01"),
        (LEAST + "holdout = { since = 2026-09-01 }", 'log = "holdout.jsonl" }'),
        (LEAST + 'holdout = { since = 5, log = "x" }', "holdout.since: 5 is not a date or time"),
        (LEAST + 'holdout = { since = 2026-09-01, lok = "x", log = "y" }', "key of holdout 'lok' is unknown"),
        (LEAST + 'forecast = "mine.csv"', "favourite_longshot reads no forecast"),
        ('strategy = "calibration_edge"\nfills = "touch"', "calibration_edge reads a forecast"),
        (LEAST + "fees = 0.07", "fees = 0.07 should be a table"),
        (LEAST + 'fees = { type = "quadratic", m = 1 }', "key of fees 'm' is unknown"),
        (LEAST + 'fees = { type = "quadratic", multiplier = -1 }', "should be a number, 0 or more"),
        (
            LEAST + "[params]\nbejond = 0.9",
            "parameter of favourite_longshot 'bejond' is unknown; did you mean beyond",
        ),
        (LEAST + "[params]\nbeyond = []", "should be a number or a list of numbers"),
        (LEAST + '[params]\nbeyond = ["a"]', "should be a number or a list of numbers"),
        (LEAST + "[params]\nbeyond = [0.9, 0.9]", "names a value twice"),
        (LEAST + "params = 3", r"params should be a table"),
        (LEAST + "series = ", "not TOML"),
        (LEAST + 'series = "A"\nseries = "B"', "not TOML"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_file_and_what_comes_near(
    tmp_path: Path, text: str, said: str
) -> None:
    path = a_config(tmp_path, text)
    with pytest.raises(BadInput, match=said) as caught:
        read_config(path)
    assert str(caught.value).startswith(str(path))


def test_a_configuration_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        read_config(tmp_path / "none.toml")
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="not UTF-8"):
        read_config(path)
