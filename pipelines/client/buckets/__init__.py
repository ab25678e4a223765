"""Token buckets: the arithmetic, where its state is kept, and the waiting for a turn."""

from pipelines.client.buckets.bucket import TokenBucket, Usage
from pipelines.client.buckets.ledger import Flight
from pipelines.client.buckets.shared import SharedKeeper, budget_folder, can_share

__all__ = ["Flight", "SharedKeeper", "TokenBucket", "Usage", "budget_folder", "can_share"]
