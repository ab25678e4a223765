"""docs/fills.md names every reason and every kind of evidence that frames can hold."""

from pathlib import Path

import pytest

from backtest.config import FILLS
from backtest.kernels.arrays import REASONS

PAGE = (Path(__file__).parents[2] / "docs" / "fills.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", [each for each in REASONS if each is not None])
def test_every_reason_is_explained(reason: str) -> None:
    assert reason in PAGE


@pytest.mark.parametrize(
    "evidence",
    [
        *FILLS,
        *(f"{each}:crossed" for each in ("touch", "trades", "book")),
        *(f"{each}:impact" for each in ("touch", "trades")),
        "touch:no-size",
        *("candle", "candle:impact", "candle:crossed"),
        "queue:through",
    ],
)
def test_every_evidence_is_explained(evidence: str) -> None:
    assert f"`{evidence}`" in PAGE
