"""Sending orders: off unless asked for, checked before they leave, and never sent twice."""

from pipelines.client.trading.gateway import Trading
from pipelines.client.trading.lookup import Patience
from pipelines.client.trading.new_order import NewOrder, buy_no, buy_yes, sell_no, sell_yes
from pipelines.client.trading.outcomes import Outcome

__all__ = ["NewOrder", "Outcome", "Patience", "Trading", "buy_no", "buy_yes", "sell_no", "sell_yes"]
