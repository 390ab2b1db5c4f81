"""What a running service counts, for Prometheus: the one place that knows its client.

Labels take few values that are known beforehand: routes, statuses, grades, features. Never a customer, never a path.
With several workers each writes into the folder of PROMETHEUS_MULTIPROC_DIR, and whoever is asked adds all up.
"""

from __future__ import annotations

import os
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from serving.api import DecisionAnswer

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_REGISTRY = CollectorRegistry()
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_REQUESTS = Histogram(
    "creditloop_request_seconds",
    "From the arrival of a request to its answer",
    ("route", "status"),
    buckets=_SECONDS,
    registry=_REGISTRY,
)
_REFUSED = Counter(
    "creditloop_refused", "Requests that ended in a problem, by its title", ("cause",), registry=_REGISTRY
)
_DECISIONS = Counter("creditloop_decisions", "Decisions made", ("product", "grade", "decision"), registry=_REGISTRY)
_FLAGS = Counter("creditloop_flags", "Decisions that carry a flag", ("product", "flag"), registry=_REGISTRY)
_REASONS = Counter(
    "creditloop_reasons", "Reasons given, by the feature that weighs most in each", ("product", "feature"),
    registry=_REGISTRY,
)  # fmt: skip
_COMMITS = Histogram(
    "creditloop_ledger_commit_seconds", "One transaction of the ledger", buckets=_SECONDS, registry=_REGISTRY
)
_RECORDS = Counter("creditloop_ledger_records", "Entries given to the ledger and durable there", registry=_REGISTRY)
_INSIDE = Gauge(
    "creditloop_requests_inside", "Requests let in and not yet answered",
    multiprocess_mode="livesum", registry=_REGISTRY,
)  # fmt: skip
_WAITING = Gauge(
    "creditloop_queue_depth", "Requests that wait for their turn", multiprocess_mode="livesum", registry=_REGISTRY
)
_AGE = Gauge(
    "creditloop_model_age_seconds", "Since the version that answers was made champion", ("product",),
    multiprocess_mode="livemax", registry=_REGISTRY,
)  # fmt: skip
_REFERRED = Gauge(
    "creditloop_refer_all", "1 where everything is referred to a person", ("product",),
    multiprocess_mode="livemax", registry=_REGISTRY,
)  # fmt: skip
_CANARY = Gauge(
    "creditloop_canary_share", "Share of the customers whom a challenger decides about", ("product",),
    multiprocess_mode="livemax", registry=_REGISTRY,
)  # fmt: skip
_DEGRADED = Gauge(
    "creditloop_degraded", "1 where the scorecard answers in the place of its model", ("product",),
    multiprocess_mode="livemax", registry=_REGISTRY,
)  # fmt: skip
_LOADS_FAILED = Counter(
    "creditloop_loads_failed", "Model versions that could not be loaded, each time", ("product",), registry=_REGISTRY
)


@cache
def _request(route: str, status: int) -> Histogram:
    return _REQUESTS.labels(route, str(status))


@cache
def _decision(product: str, grade: str, decision: str) -> Counter:
    return _DECISIONS.labels(product, grade, decision)


@cache
def _flag(product: str, flag: str) -> Counter:
    return _FLAGS.labels(product, flag)


@cache
def _reason(product: str, feature: str) -> Counter:
    return _REASONS.labels(product, feature)


def answered(route: str, status: int, seconds: float) -> None:
    """A request of a route ended with a status."""
    _request(route, status).observe(seconds)


def refused(cause: str) -> None:
    """A request ended in the problem of this title."""
    _REFUSED.labels(cause).inc()


def decided(answer: DecisionAnswer) -> None:
    """A decision was made and is durable."""
    _decision(answer.product, answer.grade, answer.decision).inc()
    for flag in answer.flags:
        _flag(answer.product, flag).inc()
    for reason in answer.reasons:
        if reason.features:
            _reason(answer.product, reason.features[0]).inc()


def committed(records: int, seconds: float) -> None:
    """The ledger committed so many entries."""
    _COMMITS.observe(seconds)
    _RECORDS.inc(records)


def queue(inside: int, waiting: int) -> None:
    """So many requests are inside, of which so many wait."""
    _INSIDE.set(inside)
    _WAITING.set(waiting)


def model_age(product: str, seconds: float) -> None:
    """The age of the version that answers for a product."""
    _AGE.labels(product).set(seconds)


def stands(product: str, referred: bool, canary_share: float, degraded: bool) -> None:
    """What stands between a product's champion and its answers."""
    _REFERRED.labels(product).set(referred)
    _CANARY.labels(product).set(canary_share)
    _DEGRADED.labels(product).set(degraded)


def load_failed(product: str) -> None:
    """A version that should answer for a product could not be loaded."""
    _LOADS_FAILED.labels(product).inc()


def exposition() -> bytes:
    """Everything counted, of all workers, in Prometheus's text form."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(_REGISTRY)
    together = CollectorRegistry()
    MultiProcessCollector(together)
    return generate_latest(together)
