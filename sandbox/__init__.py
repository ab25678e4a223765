"""A local exchange that speaks Kalshi's API: a deterministic world, or any lake, served over HTTP.

It shares no decoding, encoding or signing code with the client, so a mistake must be made twice to pass.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sandbox.app import create_app
    from sandbox.bulk import BulkSource
    from sandbox.bulk_plan import BulkSize
    from sandbox.fault_kinds import fault
    from sandbox.fault_script import read_faults
    from sandbox.faults import Faults
    from sandbox.recording import write_recording
    from sandbox.serve import Running, running
    from sandbox.source import Source, Tape
    from sandbox.world import World

__all__ = [
    "BulkSize",
    "BulkSource",
    "Faults",
    "Running",
    "Source",
    "Tape",
    "World",
    "create_app",
    "fault",
    "read_faults",
    "running",
    "write_recording",
]

# Loaded when asked for: `tapehouse --help` must not start a web server's imports.
_HOMES: Final = {
    "BulkSize": "bulk_plan",
    "BulkSource": "bulk",
    "Faults": "faults",
    "Running": "serve",
    "Source": "source",
    "Tape": "source",
    "World": "world",
    "create_app": "app",
    "fault": "fault_kinds",
    "read_faults": "fault_script",
    "running": "serve",
    "write_recording": "recording",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the module holds
    """Return a public name of the sandbox."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sandbox' has no attribute {name!r}")
    return getattr(import_module(f"sandbox.{_HOMES[name]}"), name)
