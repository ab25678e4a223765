"""Strategies: functions from a lake and a selection to a plan of intents; see `registry.STRATEGIES`."""
