"""Makes the environments of the foreign clients, runs every story, and prints what came of each step.

The readers of the catalog are only made here: `tests/foreign/test_readers.py` holds them against our DuckDB.
So are other engines, which `make bench` compares ours with.
"""

import sys
import time
from collections.abc import Sequence

from tests.foreign.clients import CLIENTS, CannotMake, Foreign
from tests.foreign.driver import Checked, run_story
from tests.foreign.engines import ENGINES
from tests.foreign.readers import READERS


def main(names: Sequence[str]) -> int:
    """Run the clients of these names, or all; return how many steps disagree or could not be run."""
    known = [each.name for each in (*CLIENTS, *READERS, *ENGINES)]
    unknown = set(names) - set(known)
    if unknown:
        sys.exit(f"{', '.join(sorted(unknown))}: no such client; there are {', '.join(known)}")
    n_bad = sum(not _made(each) for each in (*READERS, *ENGINES) if not names or each.name in names)
    for client in CLIENTS:
        if names and client.name not in names:
            continue
        if not _made(client):
            n_bad += 1
            continue
        for kind in client.keys:
            start_s = time.monotonic()
            checks = run_story(client, kind)
            n_bad += sum(not each.agrees for each in checks)
            _show(client, kind, checks, time.monotonic() - start_s)
    return n_bad


def _made(client: Foreign) -> bool:
    try:
        client.make()
    except CannotMake as error:
        _say(f"{client.name} {client.version}: not made: {error}")
        return False
    _say(f"{client.name} {client.version}: made")
    return True


def _show(client: Foreign, kind: str, checks: Sequence[Checked], took_s: float) -> None:
    n_good = sum(each.agrees for each in checks)
    _say(f"{client.name} {client.version}, {kind}: {n_good} of {len(checks)} steps agree, {took_s:.0f} s")
    for each in checks:
        _say(f"  {each.step:<18}{each.size:>8}  {'agrees' if each.agrees else 'DIFFERS: ' + each.differs}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
