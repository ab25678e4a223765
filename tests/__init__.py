"""Tests mirror the code: one folder an area, one file a subject."""
