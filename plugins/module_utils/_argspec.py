# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""Argument specs as values that are merged, so that no module forgets a group's rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ansible.module_utils.common.parameters import env_fallback

from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import ConfigurationError
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import RECORD_TYPES

_DURATION = re.compile(r"(\d{1,5})([smhd])", re.ASCII)
_DURATION_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class ArgumentSpec:
    """What AnsibleModule takes: options and the rules between them."""

    options: dict[str, Any] = field(default_factory=dict)
    mutually_exclusive: tuple[tuple[str, ...], ...] = ()
    required_together: tuple[tuple[str, ...], ...] = ()
    required_by: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def merge(self, other: ArgumentSpec) -> ArgumentSpec:
        """Both groups in one."""
        return ArgumentSpec(
            {**self.options, **other.options},
            self.mutually_exclusive + other.mutually_exclusive,
            self.required_together + other.required_together,
            {**self.required_by, **other.required_by},
        )

    def to_kwargs(self) -> dict[str, Any]:
        """Keyword arguments of AnsibleModule."""
        return {
            "argument_spec": self.options,
            "mutually_exclusive": self.mutually_exclusive,
            "required_together": self.required_together,
            "required_by": self.required_by,
        }


def connection_spec() -> ArgumentSpec:
    """The options of the doc fragment _connection. Environment names are those of Jaeger's own binaries.

    Credentials come from the environment only where no option gives any: see ConnectionOptions.
    """
    return ArgumentSpec(
        {
            "server_urls": {
                "type": "list",
                "elements": "str",
                "required": True,
                "aliases": ["url", "hosts"],
                "fallback": (env_fallback, ["ES_SERVER_URLS"]),
            },
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "password_file": {"type": "path", "no_log": False},
            "api_key": {"type": "str", "no_log": True},
            "api_key_file": {"type": "path", "no_log": False},
            "bearer_token": {"type": "str", "no_log": True},
            "bearer_token_file": {"type": "path", "no_log": False},
            "ca_path": {"type": "path", "fallback": (env_fallback, ["ES_TLS_CA"])},
            "client_cert": {"type": "path", "fallback": (env_fallback, ["ES_TLS_CERT"])},
            "client_key": {"type": "path", "no_log": False, "fallback": (env_fallback, ["ES_TLS_KEY"])},
            "validate_certs": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 120},
            "retries": {"type": "int", "default": 3},
        },
        mutually_exclusive=(
            ("username", "api_key", "api_key_file", "bearer_token", "bearer_token_file"),
            ("password", "password_file"),
        ),
        required_together=(("client_cert", "client_key"),),
        required_by={"password": ("username",), "password_file": ("username",)},
    )


def index_set_spec() -> ArgumentSpec:
    """The options of the doc fragment _index_set."""
    return ArgumentSpec(
        {
            "index_prefix": {"type": "str"},
            "record_types": {"type": "list", "elements": "str", "choices": list(RECORD_TYPES)},
            "archive": {"type": "bool", "default": False},
        },
    )


def age_spec() -> ArgumentSpec:
    """The options of the doc fragment _age."""
    return ArgumentSpec(
        {
            "age_from": {"type": "str", "choices": ["written", "creation"], "default": "written"},
            "service_cache_ttl": {"type": "str", "default": "12h"},
        },
    )


def not_negative(name: str, value: int, least: int = 0) -> int:
    """The value, or what is wrong with it."""
    if value < least:
        raise ConfigurationError(f"{name} is {value}: it must be {least} or more.")
    return value


def duration(name: str, value: str) -> timedelta:
    """A duration such as 30s, 15m, 12h or 2d."""
    found = _DURATION.fullmatch(value)
    if found is None:
        raise ConfigurationError(f"{name} is {value!r}: give a number and one of s, m, h, d, such as 12h.")
    return timedelta(**{_DURATION_UNITS[found.group(2)]: int(found.group(1))})
