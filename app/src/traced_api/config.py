# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment, checked once and turned into a frozen value."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from traced_api import __version__

# An unset or empty variable takes its default; the variables with an empty default have none.
DEFAULTS: Mapping[str, str] = {
    "HOST": "127.0.0.1",
    "PORT": "8000",
    "ENV": "",
    "SVC": "api",
    "VER": f"v{__version__}",
    "TYPE": "",
    "JAEGER": "",
}

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")


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
    environment: str  # empty: the resource attribute is left out
    service: str
    version: str
    exporter: str  # "http" or "stdout"
    collector: str  # host:port of the OTLP/HTTP receiver; only needed by "http"


def from_environment(environ: Mapping[str, str]) -> Config:
    """Read the configuration; raise one ConfigError that names every fault there is."""
    values = {name: environ.get(name) or default for name, default in DEFAULTS.items()}
    problems = tuple(_problems(values))
    if problems:
        raise ConfigError(problems)
    return Config(
        host=values["HOST"],
        port=int(values["PORT"]),
        environment=values["ENV"],
        service=values["SVC"],
        version=values["VER"],
        exporter=values["TYPE"],
        collector=values["JAEGER"],
    )


def _problems(values: Mapping[str, str]) -> Iterator[str]:
    for name, (is_right, rule) in _RULES.items():
        value = values[name]
        if not is_right(value):
            yield f"{name} {_shown(value)}: it must be {rule}"
    if values["TYPE"] == "http" and not values["JAEGER"]:
        yield f"JAEGER is not set: with TYPE=http it must be {_RULES['JAEGER'][1]}"


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


def _is_port(value: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", value) is not None and 1 <= int(value) <= 65535


def _is_host_and_port(value: str) -> bool:
    try:
        parts = urlsplit(f"//{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    # What urlsplit takes away (a path, a query, white space) is no part of an address.
    return parts.netloc == value and "@" not in value and bool(port) and _is_host(host or "")


def _is_printable(value: str) -> bool:
    return value.isprintable()


_RULES: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "HOST": (_is_host, "an IP address or a host name to listen on, such as 127.0.0.1"),
    "PORT": (_is_port, "a number from 1 to 65535, such as 8000"),
    "ENV": (_is_printable, "printable UTF-8 text, such as production"),
    "SVC": (_is_printable, "printable UTF-8 text, such as api"),
    "VER": (_is_printable, "printable UTF-8 text, such as v0.0.1"),
    "TYPE": (
        ("http", "stdout").__contains__,
        "http (OTLP over HTTP to JAEGER) or stdout (one JSON object a span)",
    ),
    "JAEGER": (
        lambda value: not value or _is_host_and_port(value),
        "host:port of an OTLP/HTTP receiver without scheme or path, such as 127.0.0.1:4318",
    ),
}
