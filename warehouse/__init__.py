"""Rows: tables declared as data, the lake that keeps them, the catalog that analysts open."""

from warehouse.lake import Commit, Lake

__all__ = ["Commit", "Lake"]
