"""The catalog beside a lake, after rows went in."""

from warehouse.lake import Lake


def publish(lake: Lake) -> None:
    """Publish the catalog of a lake in a folder; a lake in a bucket has none, a lake without rows neither."""
    if lake.exists() and lake.place.is_local:
        lake.publish()
