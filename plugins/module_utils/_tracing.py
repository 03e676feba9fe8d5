# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""A run as one OpenTelemetry trace: the run, its steps, and each request to the server. Nothing of it is imported otherwise.

The spans are kept until the end of the run and then exported by OTLP/HTTP, within some seconds. What goes wrong with
that is a warning. Names are those of OpenTelemetry's semantic conventions for HTTP and Elasticsearch, else tracestack.*.
"""

from __future__ import annotations

import logging
import re
import threading
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import (
    JaegerStorageError,
    MissingLibraryError,
)

SERVICE = "jaeger-es-maintenance"
LIBRARIES = "opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http, for otlp_endpoint"
_SECONDS = 5  # for the export, whatever the endpoint does
_MOST_REQUESTS = 2000  # an adoption of a million documents has as many: a span has 1 KB
_LONGEST_ATTRIBUTE = 1024  # a request may name 4 KB of indices
_PATH = "v1/traces"

# Every request that is sent: the server's own name of the operation, its method and its path.
OPERATIONS = (
    ("info", "GET", "/"),
    ("cat.tasks", "GET", "/_cat/tasks"),
    ("cat.indices", "GET", "/_cat/indices/{index}"),
    ("cluster.state", "GET", "/_cluster/state/metadata/{index}"),
    ("cluster.health", "GET", "/_cluster/health/{index}"),
    ("ilm.get_lifecycle", "GET", "/_ilm/policy/{policy}"),
    ("indices.simulate_index_template", "POST", "/_index_template/_simulate_index/{name}"),
    ("indices.get_index_template", "GET", "/_index_template/{name}"),
    ("indices.put_index_template", "PUT", "/_index_template/{name}"),
    ("indices.get_template", "GET", "/_template/{name}"),
    ("indices.put_template", "PUT", "/_template/{name}"),
    ("indices.update_aliases", "POST", "/_aliases"),
    ("scroll", "POST", "/_search/scroll"),
    ("clear_scroll", "DELETE", "/_search/scroll"),
    ("snapshot.get_repository", "GET", "/_snapshot/{repository}"),
    ("snapshot.create", "PUT", "/_snapshot/{repository}/{snapshot}"),
    ("snapshot.get", "GET", "/_snapshot/{repository}/{snapshot}"),
    ("snapshot.restore", "POST", "/_snapshot/{repository}/{snapshot}/_restore"),
    ("indices.rollover", "POST", "/{alias}/_rollover"),
    ("indices.rollover", "POST", "/{alias}/_rollover/{new_index}"),
    ("indices.get_settings", "GET", "/{index}/_settings"),
    ("indices.put_settings", "PUT", "/{index}/_settings"),
    ("indices.add_block", "PUT", "/{index}/_block/write"),
    ("indices.refresh", "POST", "/{index}/_refresh"),
    ("indices.stats", "GET", "/{index}/_stats"),
    ("search", "POST", "/{index}/_search"),
    ("count", "GET", "/{index}/_count"),
    ("bulk", "POST", "/{index}/_bulk"),
    ("indices.get", "GET", "/{index}"),
    ("indices.create", "PUT", "/{index}"),
    ("indices.delete", "DELETE", "/{index}"),
)


class Request:
    """A request to the server that is not traced."""

    span: Any = None

    def answered(self, status: int) -> None:
        """The server's status has come."""

    def sent_to_opensearch(self) -> None:
        """It was no Elasticsearch."""


class Trace:
    """A run that is not traced. Here is what code that could be traced calls, whether it is or not."""

    id = ""

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        """What is done in the block, within what is being done around it."""
        yield

    def tell(self, **facts: Any) -> None:
        """Facts about what is being done now."""

    def fail(self, reason: str) -> None:
        """What is being done now has failed."""

    @contextmanager
    def request(self, method: str, path: str, attempt: int) -> Iterator[Request]:
        """A request to the server, sent for the first time (attempt 0) or again."""
        yield Request()


@contextmanager
def traced_run(
    name: str,
    endpoint: str | None,
    secrets: Collection[str],
    environment: Mapping[str, str],
    warn: Callable[[str], None],
) -> Iterator[Trace]:
    """What is done in the block, as a trace of its own or, where the environment has TRACEPARENT, as a part of that one.

    endpoint is the base URL of OTLP/HTTP; without one nothing is traced. secrets are never in it.
    """
    trace = _start(endpoint, secrets, warn) if endpoint else None
    if trace is None:
        yield Trace()
        return
    try:
        with trace.run(name, environment):
            yield trace
    finally:
        if problem := trace.export():
            warn(
                f"The trace of this run could not be exported to {endpoint}: {problem}. The run itself is not affected."
            )


def _start(endpoint: str, secrets: Collection[str], warn: Callable[[str], None]) -> _Recorded | None:
    try:
        return _Recorded(endpoint, secrets)
    except ImportError:
        raise MissingLibraryError(LIBRARIES, traceback.format_exc()) from None
    except Exception as refused:  # by OpenTelemetry, which reads a dozen variables
        name = type(refused).__name__
        warn(
            f"This run is not traced: OpenTelemetry fails ({name}). Check its variables (OTEL_…) and libraries."
        )
        return None


class _Recorded(Trace):
    """A run whose spans are kept in memory until they are exported."""

    def __init__(self, endpoint: str, secrets: Collection[str]) -> None:
        from opentelemetry import trace as api
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import SpanLimits, TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        # What OpenTelemetry would write to stderr is told by the warning.
        log = logging.getLogger("opentelemetry")
        log.addHandler(logging.NullHandler())
        log.propagate = False
        self._api = api
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)
        self._operations = [(name, method, path, _expression(path)) for name, method, path in OPERATIONS]
        self._requests = 0
        self._memory = InMemorySpanExporter()
        self._session = _session()
        url = endpoint if endpoint.endswith(f"/{_PATH}") else f"{endpoint}/{_PATH}"
        self._exporter = OTLPSpanExporter(endpoint=url, timeout=_SECONDS, session=self._session)
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
        attributes = {"service.name": SERVICE, **OTELResourceDetector().detect().attributes}
        provider = TracerProvider(
            resource=Resource.create(attributes),
            span_limits=SpanLimits(max_attribute_length=_LONGEST_ATTRIBUTE),
            shutdown_on_exit=False,
        )
        provider.add_span_processor(SimpleSpanProcessor(self._memory))
        self._tracer = provider.get_tracer("tracestack.jaeger")

    @contextmanager
    def run(self, name: str, environment: Mapping[str, str]) -> Iterator[None]:
        """The span of the whole run, within the one that the environment names, if it names any."""
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        names = ("traceparent", "tracestate")
        carrier = {one: environment[one.upper()] for one in names if environment.get(one.upper())}
        with self._span(name, TraceContextTextMapPropagator().extract(carrier)) as span:
            if span.is_recording():
                self.id = self._api.format_trace_id(span.get_span_context().trace_id)
            try:
                yield
            finally:
                if self._requests > _MOST_REQUESTS:
                    self.tell(requests_left_out=self._requests - _MOST_REQUESTS)

    @contextmanager
    def span(self, name: str) -> Iterator[None]:
        with self._span(name):
            yield

    def tell(self, **facts: Any) -> None:
        told = {f"tracestack.{name}": fact for name, fact in facts.items()}
        self._api.get_current_span().set_attributes(told)

    def fail(self, reason: str) -> None:
        self.tell(failed=True)
        self._api.get_current_span().set_status(self._api.StatusCode.ERROR, self._shown(reason))

    @contextmanager
    def request(self, method: str, path: str, attempt: int) -> Iterator[Request]:
        self._requests += 1
        if self._requests > _MOST_REQUESTS:
            yield Request()
            return
        name, attributes = self._operation(method, path)
        if attempt:
            attributes["http.request.resend_count"] = attempt
        with self._tracer.start_as_current_span(
            name,
            kind=self._api.SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            sent = _TracedRequest(span)
            try:
                yield sent
            except BaseException as problem:
                sent.fail(self._api.StatusCode.ERROR, problem)
                raise

    def export(self) -> str:
        """Send what was recorded. Returns what went wrong, if anything did."""
        spans = self._memory.get_finished_spans()
        if not spans:
            return ""  # the parent is not sampled

        def send() -> None:
            with suppress(Exception):
                self._exporter.export(spans)

        # The exporter's own time limit counts from byte to byte, and not for the look-up of a name.
        sender = threading.Thread(target=send, name="otlp", daemon=True)
        sender.start()
        sender.join(_SECONDS)
        return "" if self._session.delivered else str(self._session.outcome)

    @contextmanager
    def _span(self, name: str, context: Any = None) -> Iterator[Any]:
        with self._tracer.start_as_current_span(
            name, context, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield span
            except JaegerStorageError as problem:
                self.fail(str(problem))
                raise
            except BaseException as problem:  # whose words may hold a secret, as in clear_errors
                self.fail(type(problem).__name__)
                raise

    def _operation(self, method: str, path: str) -> tuple[str, dict[str, Any]]:
        """The name of a request, and what is known of it before it is sent."""
        attributes: dict[str, Any] = {"db.system.name": "elasticsearch", "http.request.method": method}
        for name, its_method, template, expression in self._operations:
            found = expression.fullmatch(path) if method == its_method else None
            if found:
                attributes["db.operation.name"] = name
                attributes["url.template"] = template
                for part, value in found.groupdict().items():
                    attributes[f"db.operation.parameter.{part}"] = value
                if "index" in found.groupdict():
                    attributes["db.collection.name"] = found["index"]
                return name, attributes
        return method, attributes

    def _shown(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "********")
        return text[:_LONGEST_ATTRIBUTE]


class _TracedRequest(Request):
    """A request to the server, and its span."""

    def __init__(self, span: Any) -> None:
        self.span = span
        self._status = 0

    def answered(self, status: int) -> None:
        self._status = status
        self.span.set_attribute("http.response.status_code", status)
        self.span.set_attribute("db.response.status_code", str(status))

    def sent_to_opensearch(self) -> None:
        self.span.set_attribute("db.system.name", "opensearch")

    def fail(self, error: Any, problem: BaseException) -> None:
        """The kind of error: the status if it is one, else the library's own error, which ours was made of."""
        refused = not 200 <= self._status < 300 and self._status
        kind = str(self._status) if refused else type(problem.__context__ or problem).__name__
        self.span.set_attribute("error.type", kind)
        self.span.set_status(error)


def _expression(template: str) -> re.Pattern[str]:
    """What fits a path's template. A name in it never begins with an underscore, but for what stands after one."""
    return re.compile(
        re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template.replace("/{index}", "/(?!_){index}", 1))
    )


def _session() -> Any:
    """The exporter's connection, which keeps what came of the last request. The exporter takes a redirection for success."""
    import requests

    class Session(requests.Session):
        outcome = f"no answer within {_SECONDS} s"
        delivered = False

        def request(self, *args: Any, **kwargs: Any) -> requests.Response:
            try:
                answer = super().request(*args, **kwargs)
            except requests.Timeout:
                raise
            except Exception as failed:
                reason = getattr(failed.args[0] if failed.args else None, "reason", failed)
                self.outcome = f"no answer ({' '.join(str(reason).split())})"
                raise
            self.outcome = f"the answer is {answer.status_code} {answer.reason}"
            self.delivered = 200 <= answer.status_code < 300
            return answer

    return Session()
