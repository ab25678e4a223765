"""Whatever arrives, decoding gives structs or one of two documented errors, and takes little memory."""

import json
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.client import WireError, wire
from pipelines.client.decode import BrokenBody, decode
from pipelines.client.drift import Drift
from tests.client.payloads import Json, a_candle, a_market, a_series, a_trade, an_event
from tests.client.payloads_metadata import (
    a_calibration,
    a_collection,
    a_forecast,
    a_milestone,
    a_program,
    a_target,
    a_weather,
)

A_POINT: Final[Json] = {"t": 1, "v": 88.16, "status": "normal"}
A_CHANGE: Final[Json] = {
    "id": "1",
    "series_ticker": "KXS",
    "fee_type": "quadratic",
    "fee_multiplier": 0.5,
    "scheduled_ts": "",
}
SHAPES: Final[list[tuple[type[msgspec.Struct], Json]]] = [
    (wire.TradesPage, {"trades": [a_trade(1), a_trade(2)], "cursor": "x"}),
    (wire.EventsPage, {"events": [an_event(markets=[a_market()])], "milestones": [a_milestone()]}),
    (wire.SeriesPage, {"series": [a_series(fee_multiplier=0.5)]}),
    (wire.CandlesReply, {"candlesticks": [a_candle()], "ticker": "KX-1"}),
    (
        wire.EventCandles,
        {"market_tickers": ["A"], "market_candlesticks": [[a_candle()]], "adjusted_end_ts": 1},
    ),
    (
        wire.BooksReply,
        {"orderbooks": [{"ticker": "A", "orderbook_fp": {"yes_dollars": [["0.5000", "1.00"]]}}]},
    ),
    (wire.FeeChangesReply, {"series_fee_change_arr": [A_CHANGE]}),
    (wire.StructuredTargetsPage, {"structured_targets": [a_target()], "cursor": ""}),
    (wire.EventCollectionsPage, {"multivariate_contracts": [a_collection()], "cursor": ""}),
    (wire.IncentiveProgramsPage, {"incentive_programs": [a_program()]}),
    (wire.WeatherIndex, a_weather(A_POINT)),
    (wire.WeatherCalibrations, {"city": "a", "units": "celsius", "calibrations": [a_calibration()]}),
    (wire.ForecastReply, {"forecast_history": [a_forecast()]}),
    (
        wire.SportFiltersReply,
        {
            "filters_by_sports": {"A": {"scopes": ["x"], "competitions": {"B": {"scopes": []}}}},
            "sport_ordering": [],
        },
    ),
    (wire.ApiKeysReply, {"api_keys": [{"api_key_id": "a", "name": "b", "scopes": ["read"]}]}),
]
SHAPE_NAMES: Final = [shape.__name__ for shape, _ in SHAPES]
FREE_FORM: Final = {"details", "custom_strike", "product_metadata", "filters_by_sports", "competitions"}

NUMBERS: Final = [
    "1e999999999",
    "-1e999999999",
    "1e9999999999999999999",
    "1e-999999999",
    "0e999999999",
    "1e400",
    "9" * 5_000,
    "9" * 4_000,
    f"0.{'1' * 4_000}",
    "9223372036854775808",
    "1.5",
]
SCALARS: Final = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
ANY_JSON: Final = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
QUICK: Final = settings(max_examples=150)


def read(body: bytes, shape: type[msgspec.Struct]) -> msgspec.Struct | None:
    """Return what a body says, None where it is refused in a documented way."""
    drift = Drift()
    try:
        found = decode(body, shape, path="/fuzz", drift=drift)
    except (BrokenBody, WireError) as error:
        found, said = None, str(error)
    else:
        said = ""
    assert len(said) < 1_000, "an error is for people"
    assert len(drift.to_json()) < 1_000_000
    return found


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401  JSON
    """Yield the path of every value inside a payload."""
    yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else [])
    for step, below in inner:
        yield from places(below, (*here, step))


def changed(value: Any, place: tuple[Any, ...], new: object) -> Any:  # noqa: ANN401  JSON
    """Return a payload with one value replaced."""
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = changed(value[place[0]], place[1:], new)
    return copy


def grown(value: Any, name: object = "") -> tuple[Any, int]:  # noqa: ANN401  JSON
    """Return a payload with one more field in every object that is not free-form, and how many these are."""
    n_objects = 0
    if isinstance(value, list):
        value = [*value]
    if isinstance(value, dict):
        n_objects = int(name not in FREE_FORM)
        value = value | ({"brand_new": 1} if n_objects else {})
    for step in value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0):
        value[step], n_below = grown(value[step], step)
        n_objects += n_below
    return value, n_objects


def is_exact(value: object) -> bool:
    """Whether every number in free-form objects and Decimal fields is finite and of bounded size."""
    if isinstance(value, Decimal):
        return value.is_finite() and abs(value.adjusted()) <= 300
    if isinstance(value, dict):
        return all(map(is_exact, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_exact, value))
    return True


@given(
    body=st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()), which=st.sampled_from(SHAPES)
)
@QUICK
@example(body=b'{"trades": [], "trades": [1]}', which=SHAPES[0])
@example(body=b'{"trades": NaN}', which=SHAPES[0])
@example(body=b'{"trades": "\xff"}', which=SHAPES[0])
@example(body=b'{"trades": "\\ud800"}', which=SHAPES[0])
@example(body=b"\xef\xbb\xbf{}", which=SHAPES[0])
def test_any_body_is_read_or_refused(body: bytes, which: tuple[type[msgspec.Struct], Json]) -> None:
    read(body, which[0])


@given(data=st.data(), which=st.sampled_from(SHAPES), new=ANY_JSON)
@QUICK
def test_a_real_shape_with_one_other_value_is_read_or_refused(
    data: st.DataObject, which: tuple[type[msgspec.Struct], Json], new: object
) -> None:
    shape, payload = which
    place = data.draw(st.sampled_from(list(places(payload))))
    found = read(json.dumps(changed(payload, place, new)).encode(), shape)
    if found is not None:
        assert is_exact(msgspec.to_builtins(found, builtin_types=(Decimal,)))


@given(data=st.data(), which=st.sampled_from(SHAPES))
@QUICK
def test_a_body_cut_anywhere_is_never_read(
    data: st.DataObject, which: tuple[type[msgspec.Struct], Json]
) -> None:
    """The way may end at any byte; what was there so far must not look like an answer."""
    body = json.dumps(which[1]).encode()
    assert read(body[: data.draw(st.integers(0, len(body) - 1))], which[0]) is None


@given(
    data=st.data(), which=st.sampled_from(SHAPES), bits=st.lists(st.integers(1, 255), min_size=1, max_size=3)
)
@QUICK
def test_a_body_with_flipped_bits_is_read_or_refused(
    data: st.DataObject, which: tuple[type[msgspec.Struct], Json], bits: list[int]
) -> None:
    body = bytearray(json.dumps(which[1]).encode())
    for bit in bits:
        body[data.draw(st.integers(0, len(body) - 1))] ^= bit
    read(bytes(body), which[0])


@pytest.mark.parametrize(("shape", "payload"), SHAPES, ids=SHAPE_NAMES)
def test_every_shape_reads_its_payload_and_survives_growth(
    shape: type[msgspec.Struct], payload: Json
) -> None:
    """One unknown field in every object changes nothing of what is read, and each is counted."""
    plain = read(json.dumps(payload).encode(), shape)
    assert plain is not None
    new, n_objects = grown(payload)
    drift = Drift()
    assert decode(json.dumps(new).encode(), shape, path="/grown", drift=drift) == plain
    assert sum(one.n_seen for one in drift.report()) == n_objects


@pytest.mark.parametrize("number", NUMBERS, ids=range(len(NUMBERS)))
@pytest.mark.parametrize(("shape", "payload"), SHAPES, ids=SHAPE_NAMES)
def test_a_number_of_any_size_in_any_place_is_read_exactly_or_refused(
    shape: type[msgspec.Struct], payload: Json, number: str
) -> None:
    for place in places(payload):
        body = json.dumps(changed(payload, place, "@@")).replace('"@@"', number).encode()
        found = read(body, shape)
        if found is not None:
            assert is_exact(msgspec.to_builtins(found, builtin_types=(Decimal,)))


@pytest.mark.parametrize("depth", [100, 990, 5_000, 200_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
@pytest.mark.parametrize(("shape", "payload"), SHAPES[:2], ids=SHAPE_NAMES[:2])
def test_nesting_of_any_depth_in_any_place_is_read_or_refused(
    shape: type[msgspec.Struct], payload: Json, opening: str, depth: int
) -> None:
    """1,000 brackets once were a RecursionError that ended a collector."""
    closing = "]" if opening == "[" else "}"
    deep = opening * depth + "1" + closing * depth
    bodies = [json.dumps(changed(payload, place, "@@")).replace('"@@"', deep) for place in places(payload)]
    bodies.append(json.dumps(payload | {"brand_new": "@@"}).replace('"@@"', deep))
    for body in bodies:
        read(body.encode(), shape)


def test_what_a_body_costs_is_in_proportion_to_its_size() -> None:
    """A dozen bytes of exponent must not become a gigabyte; 1 MB is a hundred times enough."""
    raw = json.dumps({"series": [a_series(fee_multiplier="@@")]})
    bodies = [raw.replace('"@@"', number).encode() for number in NUMBERS]
    for body in bodies:
        read(body, wire.SeriesPage)
    tracemalloc.start()
    for body in bodies:
        read(body, wire.SeriesPage)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1_000_000
