"""Made-up runs for tests of metrics and reports: small, deterministic, true to the identities of `Run`."""

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import polars as pl

from backtest.results import SCHEMAS, Run

T0 = datetime(2026, 5, 11, tzinfo=UTC)
CASH = 1_000_000_000
FEE = 17_500


def a_frame(name: str, rows: Sequence[Mapping[str, Any]], params: Sequence[str] = ()) -> pl.DataFrame:
    """Return rows as the declared frame; columns that a row leaves out are null."""
    schema = dict.fromkeys(params, pl.Float64()) | dict(SCHEMAS[name])
    return pl.DataFrame([{column: row.get(column) for column in schema} for row in rows], schema=schema)


def names(event: int, series: str = "KXTEST") -> dict[str, str]:
    """Return the names of the only market of an event."""
    return {
        "ticker": f"{series}-{event:03d}-YES",
        "event_ticker": f"{series}-{event:03d}",
        "series_ticker": series,
    }


def a_fill(event: int = 0, **changes: object) -> dict[str, Any]:
    """Return a purchase of 10 YES at $0.50: $5.00 out, $0.175 of fee."""
    at = T0 + timedelta(hours=event)
    return {
        **names(event),
        "fill_id": event,
        "order_id": event,
        "decision_ts": at,
        "arrival_ts": at,
        "fill_ts": at,
        "action": "buy",
        "side": "yes",
        "price_cc": 5_000,
        "yes_price_cc": 5_000,
        "count_centi": 1_000,
        "cash_micros": -5_000_000,
        "fee_micros": 175_000,
        "evidence": "touch",
        "position_after_centi": 1_000,
        **changes,
    }


def a_settlement(event: int = 0, *, won: bool = True, **changes: object) -> dict[str, Any]:
    """Return the payout of `a_fill`: $10.00 or nothing, against a cost of $5.175."""
    payout = 10_000_000 if won else 0
    return {
        **names(event),
        "settled_ts": T0 + timedelta(hours=event, minutes=45),
        "position_centi": 1_000,
        "value_cc": 10_000 if won else 0,
        "payout_micros": payout,
        "is_assumed_time": False,
        "is_correction": False,
        "cost_micros": 5_175_000,
        "pnl_micros": payout - 5_175_000,
        **changes,
    }


def a_run(
    n_events: int = 30,
    params: Mapping[str, Sequence[float]] | None = None,
    *,
    seed: int = 7,
    edge: float = 0.05,
    **changes: object,
) -> Run:
    """Return a run that bought in every event and was paid in all but the last; one row per combination."""
    params = params or {}
    rows = [dict(zip(params, values, strict=True)) for values in product(*params.values())]
    parts = [_one(row, n_events, random.Random(f"{seed}{index}"), edge) for index, row in enumerate(rows)]
    frames = {
        name: a_frame(name, [row for part in parts for row in part[name]], tuple(params))
        for name in SCHEMAS
        if name != "coverage"
    }
    frames["coverage"] = a_frame("coverage", [_covered(event) for event in range(n_events)])
    told: dict[str, Any] = {
        "param_names": tuple(params),
        "frames": frames | {name: changes.pop(name) for name in SCHEMAS if name in changes},
        "assumptions": (
            "Fills are judged against recorded quotes (touch); depth beyond the best level is not used.",
            "An order reaches the exchange 250 ms after its decision.",
            "Fees follow the fee tables of the lake; KXTEST is quadratic with multiplier 1.",
            "Payouts arrive at the recorded settlement time; 1 market has none and is marked at its bid.",
        ),
        "manifest": {
            "strategy": "favourite_longshot",
            "code": "sha256:1f0c0b7d",
            "inputs": "sha256:9a4e51c2",
            "versions": {"markets": 12, "quotes": 88, "trades": 31},
            "packages": {"polars": "2.1.0", "numba": "0.68.1"},
            "config": {"fills": "touch", "latency": "250ms", "cash": 1_000},
        },
        **changes,
    }
    return Run(**told)


def _one(params: dict[str, Any], n_events: int, rng: random.Random, edge: float) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = {name: [] for name in SCHEMAS}
    cash, steps = CASH, [(T0, CASH, CASH, 0)]
    for event in range(n_events):
        count = 100 * rng.randint(1, 40)
        price = 100 * rng.randint(20, 92)
        fee = -(-7 * count * price * (10_000 - price) // 10**6)
        value = count * price
        is_last = event == n_events - 1 and n_events > 1
        cash -= value + fee
        at = T0 + timedelta(hours=event, minutes=rng.randint(0, 14))
        steps.append((at, cash, cash + value - 100 * count, value))
        amounts = {"count_centi": count, "price_cc": price, "yes_price_cc": price}
        rows["fills"].append(
            a_fill(
                event,
                **amounts,
                cash_micros=-value,
                fee_micros=fee,
                evidence=rng.choice(["touch", "touch", "touch:no-size"]),
                position_after_centi=count,
                decision_ts=at,
                arrival_ts=at,
                fill_ts=at,
            )
            | params
        )
        asked = count if rng.random() < 0.7 else count + 500
        rows["orders"].append(
            {
                **params,
                **names(event),
                "order_id": event,
                "decision_ts": at,
                "arrival_ts": at,
                "action": "buy",
                "side": "yes",
                "count_centi": asked,
                "tif": "ioc",
                "filled_centi": count,
                "status": "filled" if asked == count else "partial",
                "reason": None if asked == count else "no size left",
            }
        )
        if is_last:
            held = {"position_centi": count, "cost_micros": value + fee, "mark_cc": price - 100}
            held |= {"other_mark_cc": 10_000 - price}
            mark = count * (price - 100)
            rows["positions"].append(
                params | names(event) | held | {"marked_micros": mark, "pnl_micros": mark - value - fee}
            )
            continue
        won = rng.random() < price / 10_000 + edge
        paid = 10_000 * count if won else 0
        cash += paid
        steps.append((T0 + timedelta(hours=event, minutes=45), cash, cash, 0))
        rows["settlements"].append(
            a_settlement(
                event,
                won=won,
                position_centi=count,
                payout_micros=paid,
                cost_micros=value + fee,
                pnl_micros=paid - value - fee,
            )
            | params
        )
    rows["equity"] = [
        params | {"ts": ts, "cash_micros": held, "marked_micros": marked, "locked_micros": locked}
        for ts, held, marked, locked in steps
    ]
    rows["summary"] = [params | _summary(rows, cash, steps[-1][2])]
    n_settled = len(rows["settlements"])
    rows["attrition"] = [
        params
        | {
            "n_universe": n_events + 6,
            "n_with_data": n_events + 2,
            "n_with_intents": n_events,
            "n_with_fills": n_events,
            "n_settled": n_settled,
            "n_open": n_events - n_settled,
        }
    ]
    return rows


def _summary(rows: Mapping[str, list[Any]], cash: int, marked: int) -> dict[str, int]:
    return {
        "cash_start_micros": CASH,
        "cash_end_micros": cash,
        "marked_end_micros": marked,
        "pnl_micros": marked - CASH,
        "fees_micros": sum(row["fee_micros"] for row in rows["fills"]),
        "payouts_micros": sum(row["payout_micros"] for row in rows["settlements"]),
        "n_orders": len(rows["orders"]),
        "n_rejected": 0,
        "n_no_cash": 0,
        "n_fills": len(rows["fills"]),
        "filled_centi": sum(row["count_centi"] for row in rows["fills"]),
        "n_markets": len(rows["fills"]),
        "n_settled": len(rows["settlements"]),
        "n_open": len(rows["positions"]),
        "locked_max_micros": 60_000_000,
        "locked_dollar_days": 12.5,
    }


def _covered(event: int) -> dict[str, Any]:
    opened = T0 + timedelta(hours=event)
    gaps = event % 7 == 3
    return {
        **names(event),
        "open_ts": opened,
        "close_ts": opened + timedelta(minutes=30),
        "first_ts": opened + timedelta(seconds=2),
        "last_ts": opened + timedelta(minutes=30),
        "n_events": 1_200 + event,
        "n_gaps": 2 if gaps else 0,
        "known_share": 0.84 if gaps else 1.0,
    }
