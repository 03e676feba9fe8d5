# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment, checked once and turned into a frozen value.

The short names are the tutorial's; where one is not set, OpenTelemetry's variable of the same meaning holds. The SDK
reads the other OTEL_* variables itself; those that it would only complain about later are checked here.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

# Variables of the same meaning: the first that is set wins. OpenTelemetry's words for TYPE are other ones.
_SAME: Mapping[str, tuple[str, ...]] = {
    "TYPE": ("TYPE", "OTEL_TRACES_EXPORTER"),
    "SVC": ("SVC", "OTEL_SERVICE_NAME"),
    "METRICS_HOST": ("METRICS_HOST", "OTEL_EXPORTER_PROMETHEUS_HOST"),
    "METRICS_PORT": ("METRICS_PORT", "OTEL_EXPORTER_PROMETHEUS_PORT"),
}
_EXPORTERS: Mapping[str, str] = {"otlp": "http", "console": "stdout"}
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

# An unset or empty variable takes its default; the variables with an empty default have none.
DEFAULTS: Mapping[str, str] = {
    "HOST": "127.0.0.1",
    "PORT": "8000",
    "WORKERS": "1",
    "METRICS_HOST": "127.0.0.1",
    "METRICS_PORT": "9464",
    "ENV": "",
    "SVC": "",
    "VER": "",
    "TYPE": "",
    "JAEGER": "",
    # bench/api: the SDK's 2048 spans are full after a tenth of a second when the collector pauses.
    "OTEL_BSP_MAX_QUEUE_SIZE": "16384",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "512",
    "OTEL_BSP_SCHEDULE_DELAY": "1000",
}

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*")


class ConfigError(Exception):
    """The environment cannot be used; `problems` holds one sentence for each fault."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Config:
    """Where the API listens, what it calls itself, and where its spans go."""

    host: str
    port: int
    workers: int  # processes
    metrics_host: str
    metrics_port: int  # 0: no metrics
    environment: str  # empty: the resource attribute is left out
    service: str  # empty: as OTEL_RESOURCE_ATTRIBUTES says, or api
    version: str  # empty: as OTEL_RESOURCE_ATTRIBUTES says, or the package's
    exporter: str  # "http", "stdout" or "none"
    collector: str  # host:port of the OTLP/HTTP receiver; empty: as OTEL_EXPORTER_OTLP_ENDPOINT says
    queue_size: int  # spans that wait for the exporter, in each worker; a further one pushes the oldest out, which is counted
    batch_size: int  # spans in one request to the collector
    schedule_delay: int  # milliseconds that a span waits at the most for others to go with


def from_environment(environ: Mapping[str, str]) -> Config:
    """Read the configuration; raise one ConfigError that names every fault there is."""
    values = {
        name: _first(environ, _SAME.get(name, (name,))) or default for name, default in DEFAULTS.items()
    }
    if not environ.get("TYPE"):
        values["TYPE"] = _EXPORTERS.get(values["TYPE"], values["TYPE"])
    problems = tuple(_problems(values, environ))
    if problems:
        raise ConfigError(problems)
    return Config(
        host=values["HOST"],
        port=int(values["PORT"]),
        workers=int(values["WORKERS"]),
        metrics_host=values["METRICS_HOST"],
        metrics_port=int(values["METRICS_PORT"]),
        environment=values["ENV"],
        service=values["SVC"],
        version=values["VER"],
        exporter=values["TYPE"],
        collector=values["JAEGER"],
        queue_size=int(values["OTEL_BSP_MAX_QUEUE_SIZE"]),
        batch_size=int(values["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"]),
        schedule_delay=int(values["OTEL_BSP_SCHEDULE_DELAY"]),
    )


def _first(environ: Mapping[str, str], names: Sequence[str]) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")


def _problems(values: Mapping[str, str], environ: Mapping[str, str]) -> Iterator[str]:
    right = True
    for name, (is_right, rule) in _RULES.items():
        value = values.get(name, environ.get(name, ""))
        if (value or name in values) and not is_right(value):
            right = False
            told = next((other for other in _SAME.get(name, ()) if environ.get(other)), name)
            yield f"{told} {_shown(value)}: it must be {rule}"
    if values["TYPE"] == "http" and not values["JAEGER"] and not _first(environ, _ENDPOINTS):
        yield f"JAEGER is not set: with TYPE=http it must be {_RULES['JAEGER'][1]}"
    if right and values["PORT"] == values["METRICS_PORT"]:
        yield f"PORT and METRICS_PORT are both {values['PORT']}: each needs one of its own"
    if right and int(values["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"]) > int(values["OTEL_BSP_MAX_QUEUE_SIZE"]):
        yield "OTEL_BSP_MAX_EXPORT_BATCH_SIZE is more than OTEL_BSP_MAX_QUEUE_SIZE: a batch must fit into the queue"


def _shown(value: str) -> str:
    if not value:
        return "is not set"
    return f"is {value!a}" if len(value) <= 80 else f"is {value[:80]!a} and so on"


def _is_host(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return _HOST_NAME.fullmatch(value) is not None
    return True


def _is_number(low: int, high: int) -> Callable[[str], bool]:
    return lambda value: re.fullmatch(r"[0-9]{1,9}", value) is not None and low <= int(value) <= high


def _is_share(value: str) -> bool:
    return re.fullmatch(r"[01]|0?\.[0-9]{1,17}|1\.0{1,17}", value) is not None


def _is_host_and_port(value: str) -> bool:
    try:
        parts = urlsplit(f"//{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    # What urlsplit takes away (a path, a query, white space) is no part of an address.
    return parts.netloc == value and "@" not in value and bool(port) and _is_host(host or "")


def _is_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and parts.port != 0 and _is_host(parts.hostname or "")
    except ValueError:
        return False


def _is_printable(value: str) -> bool:
    return value.isprintable()


def _are_propagators(value: str) -> bool:
    return {name.strip() for name in value.split(",")} <= {"tracecontext", "baggage", "none"}


def _is_file(value: str) -> bool:
    return os.access(value, os.R_OK) and os.path.isfile(value)


def _are_headers(value: str) -> bool:
    return value.isascii() and all(
        re.fullmatch(r"\s*[!-+\--<>-~]+=[ -~]*", pair) for pair in value.split(",")
    )


def _one_of(*words: str) -> tuple[Callable[[str], bool], str]:
    return words.__contains__, f"one of {', '.join(words)}"


_URL = (_is_url, "the URL of an OTLP/HTTP receiver, such as http://127.0.0.1:4318")
_PROTOCOL = (("http/protobuf").__eq__, "http/protobuf, the one protocol that is spoken here")
_SECONDS = (_is_number(1, 3600), "a whole number of seconds from 1 to 3600")
_COUNT = (_is_number(1, 10_000_000), "a whole number from 1 to 10000000")
_RULES: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "HOST": (_is_host, "an IP address or a host name to listen on, such as 127.0.0.1"),
    "PORT": (_is_number(1, 65535), "a number from 1 to 65535, such as 8000"),
    "WORKERS": (_is_number(1, 64), "a number of processes from 1 to 64"),
    "METRICS_HOST": (_is_host, "an IP address or a host name to listen on, such as 127.0.0.1"),
    "METRICS_PORT": (_is_number(0, 65535), "a number from 1 to 65535, such as 9464, or 0 for no metrics"),
    "ENV": (_is_printable, "printable UTF-8 text, such as production"),
    "SVC": (_is_printable, "printable UTF-8 text, such as api"),
    "VER": (_is_printable, "printable UTF-8 text, such as v0.0.1"),
    "TYPE": (
        ("http", "stdout", "none").__contains__,
        "http (OTLP over HTTP to JAEGER), stdout (one JSON object a span) or none (no tracing)",
    ),
    "JAEGER": (
        lambda value: not value or _is_host_and_port(value),
        "host:port of an OTLP/HTTP receiver without scheme or path, such as 127.0.0.1:4318",
    ),
    "OTEL_EXPORTER_OTLP_ENDPOINT": _URL,
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": _URL,
    "OTEL_EXPORTER_OTLP_PROTOCOL": _PROTOCOL,
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": _PROTOCOL,
    "OTEL_EXPORTER_OTLP_TIMEOUT": _SECONDS,
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": _SECONDS,
    "OTEL_EXPORTER_OTLP_COMPRESSION": _one_of("none", "gzip", "deflate"),
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": _one_of("none", "gzip", "deflate"),
    "OTEL_TRACES_SAMPLER": _one_of(
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ),
    "OTEL_TRACES_SAMPLER_ARG": (_is_share, "a share from 0 to 1, such as 0.25"),
    "OTEL_PROPAGATORS": (_are_propagators, "a list of tracecontext and baggage, or none"),
    "OTEL_BSP_MAX_QUEUE_SIZE": _COUNT,
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": _COUNT,
    "OTEL_BSP_SCHEDULE_DELAY": (_is_number(1, 3_600_000), "a whole number of milliseconds from 1 to 3600000"),
    "OTEL_BSP_EXPORT_TIMEOUT": (_is_number(1, 3_600_000), "a whole number of milliseconds from 1 to 3600000"),
    **dict.fromkeys(
        [f"OTEL_EXPORTER_OTLP_{kind}HEADERS" for kind in ("", "TRACES_")],
        (_are_headers, "a list of name=value in ASCII, with commas in between"),
    ),
    **dict.fromkeys(
        [
            f"OTEL_EXPORTER_OTLP_{kind}{file}"
            for kind in ("", "TRACES_")
            for file in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")
        ],
        (_is_file, "a file that can be read"),
    ),
    **dict.fromkeys(
        [
            *("OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
            *("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"),
            *("OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT"),
            *("OTEL_SPAN_LINK_COUNT_LIMIT", "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT"),
        ],
        (_is_number(0, 10_000_000), "a whole number from 0 to 10000000"),
    ),
    # Ways to load code that is not here.
    **dict.fromkeys(
        [
            "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER",
            "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER",
        ],
        (lambda _value: False, "unset: there is no such provider here"),
    ),
    "OTEL_PYTHON_CONTEXT": _one_of("contextvars_context"),
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": _one_of("otel", "process", "os", "host", "*"),
}
