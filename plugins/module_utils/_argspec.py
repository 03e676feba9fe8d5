# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# PRIVATE to the collection tracestack.jaeger: not an interface, may change in any release.
"""Argument specs as values that are merged, so that no module forgets a group's rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ansible.module_utils.common.parameters import env_fallback

from ansible_collections.tracestack.jaeger.plugins.module_utils._cutoffs import (
    UNITS,
    lookback_cutoff,
    retention_cutoff,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import ConfigurationError
from ansible_collections.tracestack.jaeger.plugins.module_utils._naming import RECORD_TYPES
from ansible_collections.tracestack.jaeger.plugins.module_utils._plans import AgeRule, RetentionRule

_DURATION = re.compile(r"(\d{1,5})([smhd])", re.ASCII)
_AGE = re.compile(r"\d{1,9}(?:d|h|m|s|ms|micros|nanos)", re.ASCII)
_SIZE = re.compile(r"(\d{1,15})(b|kb|mb|gb|tb|pb)", re.ASCII | re.IGNORECASE)
_SIZE_UNITS = ("b", "kb", "mb", "gb", "tb", "pb")
_DURATION_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class ArgumentSpec:
    """What AnsibleModule takes: options and the rules between them."""

    options: dict[str, Any] = field(default_factory=dict)
    mutually_exclusive: tuple[tuple[str, ...], ...] = ()
    required_together: tuple[tuple[str, ...], ...] = ()
    required_by: dict[str, tuple[str, ...]] = field(default_factory=dict)
    required_one_of: tuple[tuple[str, ...], ...] = ()

    def merge(self, other: ArgumentSpec) -> ArgumentSpec:
        """Both groups in one."""
        return ArgumentSpec(
            {**self.options, **other.options},
            self.mutually_exclusive + other.mutually_exclusive,
            self.required_together + other.required_together,
            {**self.required_by, **other.required_by},
            self.required_one_of + other.required_one_of,
        )

    def to_kwargs(self) -> dict[str, Any]:
        """Keyword arguments of AnsibleModule."""
        return {
            "argument_spec": self.options,
            "mutually_exclusive": self.mutually_exclusive,
            "required_together": self.required_together,
            "required_by": self.required_by,
            "required_one_of": self.required_one_of,
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
            "server_name": {"type": "str", "fallback": (env_fallback, ["ES_TLS_SERVER_NAME"])},
            "validate_certs": {"type": "bool", "default": True},
            "timeout": {"type": "int", "default": 120},
            "retries": {"type": "int", "default": 3},
            "otlp_endpoint": {"type": "str"},
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


def deletion_spec() -> ArgumentSpec:
    """The options of the doc fragment _deletion."""
    return ArgumentSpec(
        {
            "ignored_aliases": {"type": "list", "elements": "str", "default": []},
            "snapshot_repository": {"type": "str"},
            "snapshot_timeout": {"type": "int", "default": 3600},
        },
    )


CONDITIONS = {
    f"{bound}_{what}": {"type": kind}
    for bound in ("max", "min")
    for what, kind in (
        ("age", "str"),
        ("docs", "int"),
        ("size", "str"),
        ("primary_shard_size", "str"),
        ("primary_shard_docs", "int"),
    )
}
LOOKBACK = {
    "unit": {"type": "str", "choices": list(UNITS), "default": "days"},
    "unit_count": {"type": "int", "default": 1},
}
RETENTION = {
    "days": {"type": "int", "aliases": ["number_of_days"]},
    "max_size": {"type": "str"},
    "max_generations": {"type": "int"},
    "min_generations": {"type": "int", "default": 0},
    "only_unreadable": {"type": "bool", "default": True},
}
RETENTION_LIMITS = ("days", "max_size", "max_generations")


def checked_conditions(conditions: Mapping[str, Any], name: str = "conditions") -> dict[str, Any]:
    """The conditions that were given, each of a form that the server understands."""
    given = {option: value for option, value in conditions.items() if value is not None}
    if not given:
        raise ConfigurationError(
            f"{name} names none: give at least one, such as max_age: 2d; max_age: 0s always rolls over."
        )
    if all(option.startswith("min_") for option in given):
        raise ConfigurationError(
            f"{name} has min_ conditions only: at least one max_ condition says when to roll over, such as max_age: 2d."
        )
    for option, value in given.items():
        if CONDITIONS[option]["type"] == "int":
            not_negative(f"{name}.{option}", value)
        elif option.endswith("_age") and not _AGE.fullmatch(value):
            raise ConfigurationError(
                f"{name}.{option} is {value!r}: give a number and a unit, such as 2d or 12h."
            )
        elif option.endswith("_size"):
            size_in_bytes(f"{name}.{option}", value)
    return given


def size_in_bytes(name: str, value: str) -> int:
    """Bytes of a size such as 50gb, in Elasticsearch's units (1 kb is 1,024 b)."""
    found = _SIZE.fullmatch(value)
    if found is None:
        raise ConfigurationError(f"{name} is {value!r}: give a number and a unit, such as 50gb.")
    power: int = 1024 ** _SIZE_UNITS.index(found.group(2).lower())
    return int(found.group(1)) * power


def lookback_cutoff_of(lookback: Mapping[str, Any], name: str = "") -> Callable[[datetime], datetime]:
    """The cut-off for a time, as unit and unit_count say."""
    count = not_negative(f"{name}unit_count", lookback["unit_count"])
    return lambda now: lookback_cutoff(now, lookback["unit"], count)


def age_rule_of(params: Mapping[str, Any]) -> Callable[[datetime, datetime | None], AgeRule]:
    """The rule of age for a time and a cut-off, as age_from and service_cache_ttl say."""
    ttl = duration("service_cache_ttl", params["service_cache_ttl"])
    return lambda now, cutoff: AgeRule.at(now, cutoff, params["age_from"], ttl)


def retention_rule_of(
    params: Mapping[str, Any],
    retention: Mapping[str, Any],
    name: str = "",
    *,
    generations: bool = True,
    dated: bool = False,
) -> Callable[[datetime], RetentionRule]:
    """The rule of retention for a time. generations, dated: as in RetentionRule."""
    if all(retention[limit] is None for limit in RETENTION_LIMITS):
        raise ConfigurationError(
            f"{name.rstrip('.')}: no limit is given: give days, max_size or max_generations."
        )
    age = age_rule_of(params)
    days = retention["days"]
    if days is not None:
        not_negative(f"{name}days", days)
    if retention["max_generations"] is not None:
        not_negative(f"{name}max_generations", retention["max_generations"], least=1)
    least = not_negative(f"{name}min_generations", retention["min_generations"])
    size = retention["max_size"]
    max_size = None if size is None else size_in_bytes(f"{name}max_size", size)
    seconds = not_negative("snapshot_timeout", params["snapshot_timeout"], least=1)
    repository = checked_repository(params["snapshot_repository"])

    def rule(now: datetime) -> RetentionRule:
        return RetentionRule(
            age(now, None if days is None else retention_cutoff(now, days)),
            max_size,
            retention["max_generations"],
            least,
            retention["only_unreadable"],
            generations,
            dated,
            (repository, f"{now:%Y.%m.%d-%H.%M.%S}", seconds) if repository else None,
            tuple(params["ignored_aliases"]),
        )

    return rule


def checked_repository(name: str | None) -> str | None:
    """The name of a repository, or what is wrong with it."""
    if name is not None and not re.fullmatch(r"[^\s,*?\"<>|\\/#]+", name):
        raise ConfigurationError(
            f"snapshot_repository is {name!r}: give the name of one repository that is registered in the cluster."
        )
    return name


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
