"""Other backtest engines, each in an environment of its own: `make bench` has them replay the same books."""

from typing import Final

from tests.foreign.clients import Foreign

# It resolves to numpy 2.2, older than ours.
HFTBACKTEST: Final = Foreign("hftbacktest", "2.4.4", ("python3.12", "python3.13", "python3.11"))
ENGINES: Final = (HFTBACKTEST,)
