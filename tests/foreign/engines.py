"""Other backtest engines, each in an environment of its own: `make bench` measures them beside ours."""

from typing import Final

from tests.foreign.clients import Foreign

_PYTHONS: Final = ("python3.12", "python3.13", "python3.11")
# It resolves to numpy 2.2, older than ours.
HFTBACKTEST: Final = Foreign("hftbacktest", "2.4.4", _PYTHONS)
VECTORBT: Final = Foreign("vectorbt", "1.2.0", _PYTHONS)
BACKTESTING: Final = Foreign("backtesting", "0.6.6", _PYTHONS)
NAUTILUS: Final = Foreign("nautilus_trader", "1.231.0", ("python3.12", "python3.13"))
ENGINES: Final = (HFTBACKTEST, VECTORBT, BACKTESTING, NAUTILUS)
