"""Worlds and clients that the tests of the sandbox share."""

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import httpx

from exchange.units import to_us
from sandbox.access import KeyFacts
from sandbox.app import Keys
from sandbox.bucket import ANONYMOUS, Allowance, read_allowance
from sandbox.clock import Stepped
from sandbox.serve import Running, running
from sandbox.source import Source
from sandbox.world import DEFAULT_END_TS, World

Json = dict[str, Any]


@cache
def a_world(seed: int = 7) -> World:
    """Return a small world: ten days, every kind of market, a quarter of the usual trading."""
    return World(seed, activity=0.25)


def a_standing_world(seed: int = 7, **more: Any) -> World:  # noqa: ANN401
    """Return a world for one test alone that no clock moves: made once and copied, like the next."""
    copied: World = pickle.loads(_standing(seed, tuple(sorted(more.items()))))  # noqa: S301
    return copied


@cache
def _standing(seed: int, more: tuple[tuple[str, Any], ...]) -> bytes:
    return pickle.dumps(World(seed, **dict(more)))


def a_copied_world(seed: int = 7, *, before: timedelta, **more: Any) -> tuple[World, Stepped]:  # noqa: ANN401
    """Return a world for one test alone, and its clock: it stands some time before the world's end.

    A world is made once and copied, which takes a sixth of the time.
    """
    copied: tuple[World, Stepped] = pickle.loads(_made(seed, before, tuple(sorted(more.items()))))  # noqa: S301
    return copied


@cache
def _made(seed: int, before: timedelta, more: tuple[tuple[str, Any], ...]) -> bytes:
    clock = Stepped(to_us(DEFAULT_END_TS - before))
    return pickle.dumps((World(seed, clock=clock, **dict(more)), clock))


def first_settled() -> str:
    """Return the market that was settled first: only the archive knows it."""
    settled = [(each.settlement_ts, each.ticker) for each in a_world().markets() if each.settlement_ts]
    return min(settled)[1]


@contextmanager
def a_client(
    source: Source | None = None,
    *,
    tier: str = "prestige",
    keys: Keys | None = None,
    key_facts: Mapping[str, KeyFacts] | None = None,
) -> Iterator[tuple[httpx.Client, Running]]:
    """Serve a source on a real socket and hand out a client that knows where."""
    with (
        running(source or a_world(), tier=tier, keys=keys, key_facts=key_facts) as server,
        httpx.Client(base_url=server.base_url) as client,
    ):
        yield client, server


def fill_no_more(server: Running, account: str = ANONYMOUS) -> None:
    """Refill a bucket for reads no more: after Basic's 60 it is empty, however slowly they are asked."""
    server.state.buckets.read.allow(account, Allowance(0, read_allowance("basic").capacity))


def every_page(client: httpx.Client, path: str, key: str, **params: str | int) -> list[Json]:
    """Follow cursors to the end and return all rows."""
    rows: list[Json] = []
    cursor = ""
    while True:
        answer = client.get(path, params={**params, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        rows += body[key]
        cursor = body["cursor"]
        if not cursor:
            return rows
