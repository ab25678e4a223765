"""What the client does, counted twice: for OpenTelemetry, and for the summary of one run.

Without an OpenTelemetry SDK its API does nothing, so instruments cost next to nothing. Attributes are few and
never secret: endpoints without tickers, statuses, buckets, kinds of faults.

| instrument | kind | attributes |
|---|---|---|
| tapehouse.client.requests | counter | http.request.method, http.route, and status_code or error.type |
| tapehouse.client.request.duration | histogram, s | http.request.method, http.route |
| tapehouse.client.response.size | counter, By | http.route |
| tapehouse.client.retries | counter | http.route, error.type |
| tapehouse.client.tokens | counter | bucket |
| tapehouse.client.tokens.wait | histogram, s | bucket |
| tapehouse.client.breaker | counter | server.address, state (the one entered) |
| tapehouse.client.anomalies | counter | kind, where |
| tapehouse.client.stream | counter | event, channel |

Events of a stream: connected, lost, unreachable, resubscribed, gap, repeated, unreadable, stalled, error, and
paused (the consumer is slower than the exchange).
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry import metrics

_SCOPE: Final = "tapehouse.client"


class Telemetry:
    """Counts of one client; the same events go to OpenTelemetry's meter provider."""

    def __init__(self, provider: metrics.MeterProvider | None = None) -> None:
        meter = (provider or metrics.get_meter_provider()).get_meter(_SCOPE)
        self.counts = Counts()
        self._requests = meter.create_counter(
            f"{_SCOPE}.requests", "{request}", "Requests sent, tries included."
        )
        self._duration = meter.create_histogram(
            f"{_SCOPE}.request.duration", "s", "From sending to the last byte, per try."
        )
        self._bytes = meter.create_counter(f"{_SCOPE}.response.size", "By", "Bytes of bodies received.")
        self._retries = meter.create_counter(
            f"{_SCOPE}.retries", "{retry}", "Tries that were followed by another."
        )
        self._tokens = meter.create_counter(f"{_SCOPE}.tokens", "{token}", "Tokens of the budget spent.")
        self._waits = meter.create_histogram(
            f"{_SCOPE}.tokens.wait", "s", "Time that a request waited for tokens."
        )
        self._breaker = meter.create_counter(
            f"{_SCOPE}.breaker", "{change}", "Changes of the breaker's state."
        )
        self._anomalies = meter.create_counter(
            f"{_SCOPE}.anomalies",
            "{anomaly}",
            "Unknown fields and values, broken bodies, unreadable payloads.",
        )
        self._stream = meter.create_counter(f"{_SCOPE}.stream", "{event}", "What happened to a WebSocket.")

    def answered(self, method: str, route: str, outcome: str, *, duration_s: float, n_bytes: int) -> None:
        """Count one try; `outcome` is an HTTP status, or the name of what happened instead of an answer."""
        key = "http.response.status_code" if outcome.isdigit() else "error.type"
        value: str | int = int(outcome) if outcome.isdigit() else outcome
        where = {"http.request.method": method, "http.route": route}
        self._requests.add(1, where | {key: value})
        self._duration.record(duration_s, where)
        self.counts.requests[f"{method} {route}", outcome] += 1
        self.counts.busy_s += duration_s
        if n_bytes:
            self._bytes.add(n_bytes, {"http.route": route})
            self.counts.n_bytes += n_bytes

    def tried_again(self, route: str, reason: str) -> None:
        """Count a try that is followed by another."""
        self._retries.add(1, {"http.route": route, "error.type": reason})
        self.counts.retries[reason] += 1

    def paid(self, bucket: str, *, n_tokens: int, waited_s: float) -> None:
        """Count tokens taken from the budget and the time waited for them."""
        self._tokens.add(n_tokens, {"bucket": bucket})
        self._waits.record(waited_s, {"bucket": bucket})
        self.counts.tokens[bucket] += n_tokens
        self.counts.waited_s += waited_s

    def breaker_became(self, host: str, state: str) -> None:
        """Note that the breaker of a host opened, let a probe through, or closed."""
        self._breaker.add(1, {"server.address": host, "state": state})
        self.counts.breaker[state] += 1

    def anomaly(self, kind: str, where: str, n_seen: int = 1) -> None:
        """Count something in a payload that no document lists, or that could not be read."""
        self._anomalies.add(n_seen, {"kind": kind, "where": where})
        self.counts.anomalies[kind, where] += n_seen

    def stream(self, event: str, channel: str = "", n: int = 1) -> None:
        """Count what happened to a WebSocket."""
        self._stream.add(n, {"event": event, "channel": channel})
        self.counts.stream[event] += n

    def summary(self) -> dict[str, Any]:
        """Return the counts as one JSON object: what a run did, for `--json` and logs."""
        counts = self.counts
        endpoints: dict[str, dict[str, int]] = {}
        for (endpoint, outcome), n in sorted(counts.requests.items()):
            endpoints.setdefault(endpoint, {})[outcome] = n
        return {
            "n_requests": counts.requests.total(),
            "n_retries": counts.retries.total(),
            "n_refused_429": sum(n for (_, outcome), n in counts.requests.items() if outcome == "429"),
            "n_bytes": counts.n_bytes,
            "busy_s": round(counts.busy_s, 3),
            "tokens": dict(sorted(counts.tokens.items())),
            "waited_for_tokens_s": round(counts.waited_s, 3),
            "requests": endpoints,
            "retries": dict(sorted(counts.retries.items())),
            "breaker": dict(sorted(counts.breaker.items())),
            "anomalies": {f"{kind} {where}": n for (kind, where), n in sorted(counts.anomalies.items())},
            "stream": dict(sorted(counts.stream.items())),
        }


@dataclass(slots=True)
class Counts:
    """What happened since the client was made."""

    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    retries: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    breaker: Counter[str] = field(default_factory=Counter)
    anomalies: Counter[tuple[str, str]] = field(default_factory=Counter)
    stream: Counter[str] = field(default_factory=Counter)
    n_bytes: int = 0
    busy_s: float = 0.0
    waited_s: float = 0.0
