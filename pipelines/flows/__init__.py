"""Prefect around the plain functions of ingest and backtest; nothing else of Tapehouse imports Prefect.

sync_trades       trades.py       holes of the tape between a start and now
sync_reference    reference.py    series, events, markets and fee changes as they are now
sync_candles      candles.py      holes of the bars
backfill          backfill.py     the past of trades or candles, newest or oldest first; no schedule
upkeep            upkeep.py       few files instead of many, and none for ever
check_lake        checks.py       does the lake agree with itself, and with what the exchange tells
nightly_backtest  backtests.py    one configuration, replayed and reported
check_key         keys.py         the age of the API key

`prefect.yaml` deploys them; docs/operate.md says how to run them for months.
"""

from pipelines.client.keys import block
from pipelines.flows.blocks import read_secret

block.read_with(read_secret)
