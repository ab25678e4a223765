"""Flows that bring the exchange's data into the lake: client, ingest, flows."""
