"""One method per endpoint, grouped as Kalshi's documentation groups them; `Client` inherits the groups.

The groups are mixins so that a caller types `client.trades(…)` and each file stays one subject. They hold
nothing: all state is in the session.
"""
