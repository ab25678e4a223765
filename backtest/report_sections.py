"""The parts of the report that speak of the whole run: assumptions, coverage, how to reproduce."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from backtest.metrics import known_time
from backtest.report_numbers import number, printer, share
from backtest.report_page import Markup, bars, facts, figures, section, sentences, table, text, titled
from backtest.results import as_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backtest.report_detail import Detail
    from backtest.results import Run

SENTENCES_MAX: Final = 60
_UNIT: Final = re.compile(r"_(us|micros)$")
_UNSAID: Final = {
    "fees": "as the lake's schedules say",
    "per_event_micros": "no cap",
    "legs": "no baskets",
    "slippage": "none",
    "refill_us": "never",
    "max_age_us": "none",
    "per_series_micros": "no cap",
    "queue": "not modelled",
    "start": "from the first row on",
    "end": "to the close",
}  # None means this
MANIFEST_MAX: Final = 100_000  # characters
WORST_MAX: Final = 12


def assumptions(run: Run) -> Markup:
    """Say what the numbers rest on, before any number."""
    said = run.assumptions[:SENTENCES_MAX] or ("The run states no assumptions.",)
    n_more = len(run.assumptions) - SENTENCES_MAX
    configured = _flat(run.manifest.get("config", {}))
    more = (f"… and {n_more:,} more of the same kind, in manifest.json.",) if n_more > 0 else ()
    return section(
        "Assumptions",
        sentences(f"{each[:1].upper()}{each[1:]}" for each in (*said, *more)),
        titled(
            "As configured",
            facts({name: said for name, said in configured.items() if not name.endswith("sha256")}),
        ),
        lead="What every number below rests on. If one of these is wrong, so are they.",
        anchor="assumptions",
    )


def coverage(run: Run, shown: Detail) -> Markup:
    """Say how much of the time was known, and what fell away between the plan and the payouts."""
    total = known_time(run.coverage)
    worst = run.coverage.sort("known_share", "ticker", nulls_last=False).head(WORST_MAX)
    titles = {
        "ticker": "Market",
        "first_ts": "First event (UTC)",
        "last_ts": "Last event (UTC)",
        "n_events": "Events",
        "n_gaps": "Gaps",
        "known_share": "Known",
    }
    which = f"{shown.label} ({shown.setting})." if shown.label else ""
    return section(
        "Coverage",
        figures(
            [
                ("Time known", share(total["known_share"]), "of open to close, all markets together", ""),
                ("Markets with gaps", number(total["n_with_gaps"]), f"of {total['n_markets']:,} markets", ""),
                ("Gaps", number(total["n_gaps"]), "nothing fills inside one", ""),
                ("Market events", number(total["n_events"]), "that orders could fill against", ""),
            ]
        ),
        titled("Markets, from the plan to the payout", _funnel(shown), note=which),
        titled(
            "Least known markets" if run.coverage.height > WORST_MAX else "Every market",
            table(worst, titles, meters={"known_share": 1.0}, nothing="The run saw no market."),
        ),
        lead="How much of the market the run could see, and what was left out on the way.",
        anchor="coverage",
    )


def _funnel(shown: Detail) -> Markup:
    names = {
        "n_universe": "in the plan",
        "n_with_data": "with anything to fill against",
        "n_with_intents": "where the strategy wanted something",
        "n_with_fills": "where something filled",
        "n_settled": "of these, settled",
        "n_open": "of these, still open at the end",
    }
    return bars({said: shown.attrition[name] for name, said in names.items() if name in shown.attrition})


def reproduce(run: Run) -> Markup:
    """Say what to run, on which data and with which versions, to get the same numbers."""
    told = {name: value for name, value in run.manifest.items() if name != "config"}
    whole = json.dumps(dict(run.manifest), indent=2, default=as_text, ensure_ascii=False, sort_keys=True)
    if len(whole) > MANIFEST_MAX:
        whole = f"{whole[:MANIFEST_MAX]}\n… the rest is in manifest.json"
    return section(
        "How to reproduce",
        facts(_flat(told)),
        Markup(f"<details><summary>The whole manifest</summary><pre>{text(whole)}</pre></details>"),
        lead="The same lake versions, configuration and code give the same numbers, to the micro-dollar.",
        anchor="reproduce",
    )


def _flat(told: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested facts as one level of "outer inner" names and printed values."""
    flat: dict[str, str] = {}
    for key, value in told.items():
        name = f"{prefix}{_UNIT.sub('', key)}".replace("_", " ")
        if isinstance(value, dict):
            flat |= _flat(value, f"{name} ")
        elif key != "params":  # a row of each setting, which have a table of their own
            flat[name] = _printed(key, value)
    return flat


def _printed(key: str, value: Any) -> str:  # noqa: ANN401 -- of a manifest
    if value is None and key in _UNSAID:
        return _UNSAID[key]
    if key == "fees":
        fee_type, multiplier_ppm = value
        return f"{fee_type} x {multiplier_ppm / 1_000_000:g}, where the lake knows none"
    return printer(key)(value)
