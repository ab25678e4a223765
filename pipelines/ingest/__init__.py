"""From the exchange and from files into the lake: plain functions that have never heard of Prefect."""
