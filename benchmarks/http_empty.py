"""The empty service, where `bentoml serve` finds it."""

from benchmarks.http_services import empty_service

Empty = empty_service()
