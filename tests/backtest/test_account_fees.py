"""Our fee model against fees that accounts were charged."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backtest.account_fees import audit_fees
from backtest.account_fills import AccountFill, read_fills
from exchange.errors import BadInput
from exchange.fees import MAKER, FeeTerms
from tests.realdata import DATA, needs_real_data

HEADER = "created_time,ticker,outcome_side,count_fp,yes_price_dollars,fee_cost,is_taker,order_group"
ROW = "2026-09-01T00:00:00Z,KXTEST-26SEP01-A,yes,1.00,0.5000,0.0175,true,o1"


def a_file(folder: Path, *rows: str, name: str = "fills.csv", header: str = HEADER) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def a_fill(
    fee_micros: int,
    *,
    ticker: str = "KXTEST-26SEP01-A",
    order: str = "o1",
    price_cc: int = 5_000,
    count_centi: int = 100,
    at_ts: datetime = datetime(2026, 9, 1, tzinfo=UTC),
    is_taker: bool = True,
) -> AccountFill:
    return AccountFill(
        where="fills.csv:2",
        order=order,
        fill_id=None,
        ticker=ticker,
        created_ts=at_ts,
        outcome="yes",
        price_cc=price_cc,
        count_centi=count_centi,
        is_taker=is_taker,
        fee_micros=fee_micros,
    )


@needs_real_data
def test_every_real_order_was_charged_what_the_model_says() -> None:
    """158 fills of three accounts, 2026-06-25 to 2026-09-28: 96 orders filled at once, 20 in parts."""
    files = [
        DATA / "fills" / "real_fills_A_2026-06-25_07-02.csv",
        DATA / "fills" / "real_fills_B_2026-09-28.csv",
        DATA / "fills" / "cockpit_portfolio_fills_redacted_2026-08.json",
    ]
    fills, n_repeated = read_fills(files)
    answer = audit_fees(fills, n_repeated=n_repeated).as_json()
    assert answer["fills"] == 158
    assert (answer["single_fill_orders"], answer["exact"]) == (96, 96)
    assert (answer["multi_fill_orders"], answer["multi_exact"]) == (20, 20)
    assert answer["differing"] == []
    assert answer["model_fee"] == answer["charged_fee"] == "11.902140"


@needs_real_data
def test_a_wrong_multiplier_is_noticed() -> None:
    """Six of the 33 orders are on KXMLBGAME, charged at half: at the full multiplier they differ."""
    fills, _ = read_fills([DATA / "fills" / "cockpit_portfolio_fills_redacted_2026-08.json"])
    audit = audit_fees(fills, multipliers_ppm={"KXMLBGAME": 1_000_000})
    assert (audit.n_single, audit.n_single_exact, len(audit.differing)) == (33, 27, 6)
    assert not audit.is_exact


def test_a_known_multiplier_holds_from_its_date_on_and_is_stated() -> None:
    """KXMLBGAME 1 @ 0.27: 0.035 x 0.1971 = 0.0068985, charged 0.0069 from 2026-08-10, twice that before."""
    after = a_fill(
        6_900, ticker="KXMLBGAME-26AUG14-X", price_cc=2_700, at_ts=datetime(2026, 8, 14, tzinfo=UTC)
    )
    before = a_fill(
        13_800, ticker="KXMLBGAME-26AUG01-X", price_cc=2_700, at_ts=datetime(2026, 8, 1, tzinfo=UTC)
    )
    assert audit_fees([after]).is_exact
    assert audit_fees([before]).is_exact
    assert "KXMLBGAME: quadratic, multiplier 0.5, from 2026-08-10 on" in audit_fees([after]).assumptions[0]


def test_the_given_multiplier_beats_the_lake_and_the_lake_beats_the_built_in_table() -> None:
    fill = a_fill(
        6_900, ticker="KXMLBGAME-26AUG14-X", price_cc=2_700, at_ts=datetime(2026, 8, 14, tzinfo=UTC)
    )

    def standard(_ticker: str, _at_ts: datetime) -> tuple[FeeTerms, str]:
        return FeeTerms("quadratic", 1_000_000), "from the lake's fee tables"

    assert not audit_fees([fill], terms_at=standard).is_exact
    assert audit_fees([fill], terms_at=standard, multipliers_ppm={"KXMLBGAME": 500_000}).is_exact


def test_maker_fills_are_free_unless_the_fee_type_charges_them() -> None:
    """0.0175 x 0.25 = 0.004375, and $0.50 + 0.004375 rounds up to 0.5044: a fee of 0.0044."""
    free, charged = a_fill(0, is_taker=False), a_fill(4_400, is_taker=False)
    assert audit_fees([free]).is_exact
    assert audit_fees([charged], terms_at=lambda *_: (FeeTerms(MAKER, 1_000_000), "said")).is_exact


def test_fills_of_one_timestamp_may_have_come_in_any_order() -> None:
    """Three fills of one moment share an accumulator; listed in the middle order they fit only permuted.

    1 @ 0.28 each: raw 0.014112, gross 0.0142 leaves 0.000088. The second leaves 0.000176: 0.0001 comes back
    (fee 0.0141), 0.000076 stays. The third makes 0.000164: 0.0001 back again. So: 0.0142, 0.0141, 0.0141.
    """
    listed = [a_fill(fee, price_cc=2_800) for fee in (14_100, 14_200, 14_100)]
    audit = audit_fees(listed)
    assert (audit.n_multi, audit.n_multi_exact) == (1, 1)


def test_fills_of_different_moments_keep_their_order() -> None:
    """The same three fees with distinct times fit neither oldest first nor newest first."""
    times = [datetime(2026, 9, 1, 0, 0, second, tzinfo=UTC) for second in range(3)]
    listed = [
        a_fill(fee, price_cc=2_800, at_ts=at_ts)
        for fee, at_ts in zip((14_100, 14_200, 14_100), times, strict=True)
    ]
    audit = audit_fees(listed)
    assert (audit.n_multi, audit.n_multi_exact) == (1, 0)
    assert audit.is_exact, "only orders filled at once decide"
    assert audit.differing[0].as_json()["charged_fee"] == "0.042400"


def test_a_differing_order_shows_both_fees(tmp_path: Path) -> None:
    path = a_file(tmp_path, ROW.replace("0.0175", "0.0200"))
    fills, _ = read_fills([path])
    answer = audit_fees(fills).as_json()
    assert answer["exact"] == 0
    assert answer["differing"] == [
        {
            "order": f"{path}:o1",
            "ticker": "KXTEST-26SEP01-A",
            "where": f"{path}:2",
            "n_fills": 1,
            "multiplier": 1.0,
            "model_fee": "0.017500",
            "charged_fee": "0.020000",
            "difference": "-0.002500",
        }
    ]


def test_order_groups_of_two_files_are_different_orders(tmp_path: Path) -> None:
    """Exports without ids number their orders afresh: order o1 of one file is not o1 of another."""
    files = [a_file(tmp_path, ROW, name=name) for name in ("a.csv", "b.csv")]
    fills, _ = read_fills(files)
    assert audit_fees(fills).n_single == 2


def test_overlapping_pages_count_a_fill_once(tmp_path: Path) -> None:
    row = {
        "fill_id": "f1",
        "order_id": "o1",
        "created_time": "2026-09-01T00:00:00Z",
        "ticker": "KXTEST-26SEP01-A",
        "side": "no",
        "action": "sell",
        "count_fp": "1.00",
        "yes_price_dollars": "0.2800",
        "no_price_dollars": "0.7200",
        "fee_cost": "0.0142",
        "is_taker": True,
    }
    page, wrapped = tmp_path / "page.json", tmp_path / "wrapped.json.gz"
    page.write_text(json.dumps({"fills": [row], "cursor": ""}))
    wrapped.write_bytes(gzip.compress(json.dumps({"payload": {"fills": [row]}}).encode()))
    fills, n_repeated = read_fills([page, wrapped])
    assert (len(fills), n_repeated) == (1, 1)
    assert fills[0].price_cc == 2_800, "selling NO acquires YES"
    assert "1 repeated fill ids were counted once" in audit_fees(fills, n_repeated=n_repeated).assumptions


@pytest.mark.parametrize(
    ("header", "row", "said"),
    [
        (HEADER.replace(",fee_cost", ""), ROW, ["fills.csv:1", "no column fee_cost"]),
        (HEADER, ROW.replace("0.5000", "0.50001"), ["fills.csv:2", "yes_price_dollars", "'0.50001'"]),
        (HEADER, ROW.replace("0.5000", "1.5000"), ["fills.csv:2", "yes_price_dollars", "'1.5000'"]),
        (HEADER, ROW.replace("1.00", "-1.00"), ["fills.csv:2", "count_fp", "'-1.00'"]),
        (HEADER, ROW.replace("0.0175", "a lot"), ["fills.csv:2", "fee_cost", "'a lot'"]),
        (HEADER, ROW.replace("true", "maybe"), ["fills.csv:2", "is_taker", "'maybe'"]),
        (HEADER, ROW.replace("00:00Z", "00:00"), ["fills.csv:2", "created_time", "no time zone"]),
        (HEADER, ROW.replace("yes", "both"), ["fills.csv:2", "outcome_side", "'both'"]),
        (HEADER, ROW + ",extra", ["fills.csv:2", "9 values", "8 columns"]),
        ("", "", ["fills.csv:1", "no column"]),
    ],
)
def test_bad_input_names_file_line_field_and_value(
    tmp_path: Path, header: str, row: str, said: list[str]
) -> None:
    path = a_file(tmp_path, row, header=header)
    with pytest.raises(BadInput) as caught:
        read_fills([path])
    assert caught.value.exit_code == 2
    assert all(words in str(caught.value) for words in said), str(caught.value)


def test_prices_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    header = HEADER.replace("fee_cost", "no_price_dollars,fee_cost")
    path = a_file(tmp_path, ROW.replace("0.0175", "0.4000,0.0175"), header=header)
    with pytest.raises(BadInput, match=r"no_price_dollars: '0.4000' should be \$1 minus the YES price"):
        read_fills([path])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"settlements": []}', 'no list "fills"'),
        (b'{"fills": [', "not JSON"),
        (b'{"fills": [3]}', r"fills\[0\]: 3 is not an object"),
        (b"\x1f\x8b\x08truncated", "cannot be read|damaged gzip"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_files_that_are_no_fills_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "page.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=said):
        read_fills([path])


def test_no_fills_at_all_is_an_exact_account() -> None:
    audit = audit_fees([])
    assert audit.is_exact
    assert audit.as_json()["fills"] == 0
