"""Traces by OpenTelemetry, where the extra `tracing` is installed and OTEL_EXPORTER_OTLP_ENDPOINT says where they go."""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, Protocol

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
_NOWHERE = nullcontext()


class Observed(Protocol):
    """What a trace says of a request."""

    operation: str
    kind: str
    status: int


def span(observed: Observed, headers: Mapping[str, str]) -> AbstractContextManager[None]:
    """This will trace what the block does, as part of the caller's trace if it names one; nothing where traces go nowhere."""
    tracer = _tracer()
    return _NOWHERE if tracer is None else _traced(tracer, observed, headers)


def is_traced() -> bool:
    """This will say whether traces go anywhere."""
    return _tracer() is not None


@contextmanager
def _traced(tracer: Any, observed: Observed, headers: Mapping[str, str]) -> Iterator[None]:
    from opentelemetry.propagate import extract  # noqa: PLC0415 - an extra

    with tracer.start_as_current_span("graphql", context=extract(dict(headers))) as current:
        try:
            yield
        finally:
            if observed.operation or observed.kind:
                current.update_name(f"{observed.kind} {observed.operation}".strip())
                current.set_attribute("graphql.operation.name", observed.operation)
                current.set_attribute("graphql.operation.type", observed.kind)
            current.set_attribute("http.response.status_code", observed.status)


@cache
def _tracer() -> Any:
    if not os.environ.get(ENDPOINT):
        return None
    try:
        from opentelemetry import trace  # noqa: PLC0415 - an extra
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError as error:
        raise RuntimeError(
            f"{ENDPOINT} is set, and traces need the extra: pip install decision-ledger[tracing]"
        ) from error
    provider = TracerProvider(resource=Resource.create({"service.name": "decision-ledger"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return trace.get_tracer("decision-ledger")
