# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that are wrong are found before anything is sent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.tracestack.jaeger.plugins.module_utils._actions import conditions_met
from ansible_collections.tracestack.jaeger.plugins.module_utils._argspec import (
    checked_conditions,
    connection_spec,
    duration,
    not_negative,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._connection import (
    ConnectionOptions,
    secrets_in_urls,
)
from ansible_collections.tracestack.jaeger.plugins.module_utils._errors import ConfigurationError


def params(**options: Any) -> dict[str, Any]:
    """Options as AnsibleModule hands them over, with their defaults."""
    spec = connection_spec().options
    return {
        **{name: option.get("default") for name, option in spec.items()},
        "server_urls": ["http://a:9200"],
        **options,
    }


@pytest.mark.parametrize(
    ("url", "used"),
    [
        ("http://localhost:9200", "http://localhost:9200"),
        ("http://localhost:9200/", "http://localhost:9200"),
        ("http://localhost", "http://localhost:80"),
        ("https://search.example.org/es/", "https://search.example.org:443/es"),
        ("http://[::1]:9200", "http://[::1]:9200"),
    ],
)
def test_url(url: str, used: str) -> None:
    assert ConnectionOptions.from_params(params(server_urls=[url]), {}).server_urls == (used,)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"server_urls": []}, "server_urls is empty"),
        ({"server_urls": ["localhost:9200"]}, "is not a URL of the form http://localhost:9200"),
        ({"server_urls": ["ftp://localhost"]}, "is not a URL of the form"),
        ({"server_urls": ["http://"]}, "is not a URL of the form"),
        ({"server_urls": ["http://localhost:port"]}, "is not a URL of the form"),
        ({"server_urls": ["http://localhost:99999"]}, "is not a URL of the form"),
        ({"server_urls": ["http://a:9200/?pretty"]}, "has a query or a fragment"),
        ({"server_urls": ["http://a b:1"]}, "is not a URL of the form"),
        ({"server_urls": ["http://a..b:1"]}, "is not a URL of the form"),
        ({"server_urls": ["http://[fe80::zz]:1"]}, "is not a URL of the form"),
        ({"server_urls": ["http://" + "a" * 64 + ":1"]}, "is not a URL of the form"),
        ({"timeout": 0}, "timeout is 0"),
        ({"retries": -1}, "retries is -1"),
        ({"ca_path": "/nowhere/ca.pem"}, "ca_path: there is no file /nowhere/ca.pem"),
        ({"password_file": "/nowhere/password"}, "password_file: /nowhere/password cannot be read"),
    ],
)
def test_bad_connection(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        ConnectionOptions.from_params(params(**options), {})
    assert said in str(refused.value)


@pytest.mark.parametrize("url", ["http://user:hunter2@localhost:9200", "http://user:hunter2@localhost:port"])
def test_credentials_in_a_url_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        ConnectionOptions.from_params(params(server_urls=[url]), {})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((n, v) for n in ("username", "password") for v in ("hunter2\nX-Evil: 1", "hunter2\x00")),
        *(
            (n, v)
            for n in ("api_key", "bearer_token")
            for v in ("hunter2\nX", "h\u00fcnter2", "hunter2\u20ac")
        ),
    ],
)
def test_what_does_not_fit_into_a_header_is_refused_and_not_shown(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} has a character that cannot be sent") as refused:
        ConnectionOptions.from_params(params(**{name: value}), {})
    assert "nter2" not in str(refused.value)


def test_a_password_may_have_any_letter() -> None:
    options = ConnectionOptions.from_params(params(username="u", password="pässwört€"), {})
    assert options.password == "pässwört€"


def test_a_password_in_the_environment_without_a_user_is_told() -> None:
    with pytest.raises(ConfigurationError, match="ES_PASSWORD is set without ES_USERNAME"):
        ConnectionOptions.from_params(params(), {"ES_PASSWORD": "x"})


def test_the_environment_counts_only_where_no_option_is_given() -> None:
    env = {"ES_USERNAME": "from-env", "ES_PASSWORD": "p", "ES_API_KEY": ""}
    assert ConnectionOptions.from_params(params(), env).username == "from-env"
    options = ConnectionOptions.from_params(params(api_key="k\n"), env)
    assert (options.username, options.password, options.api_key) == (None, None, "k")
    assert options.secrets == {"k"}


def test_what_urls_carry_is_secret() -> None:
    urls = ["http://user:hunter2@a:9200", "http://a:9200/?token=4711&x", "http://a:9200"]
    assert secrets_in_urls(urls) == {"user", "hunter2", "4711", "x"}


def test_secret_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2\n")
    assert (
        ConnectionOptions.from_params(params(username="u", password_file=str(file)), {}).password == "hunter2"
    )


@pytest.mark.parametrize(
    ("conditions", "kept"),
    [
        ({"max_age": "2d", "max_docs": None}, {"max_age": "2d"}),
        ({"max_size": "50gb", "min_docs": 0}, {"max_size": "50gb", "min_docs": 0}),
    ],
)
def test_conditions(conditions: dict[str, Any], kept: dict[str, Any]) -> None:
    assert checked_conditions(conditions) == kept


@pytest.mark.parametrize(
    "conditions",
    [
        {"max_age": "2 days"},
        {"max_age": "-1d"},
        {"max_age": "2"},
        {"max_size": "50"},
        {"max_size": "5 gb"},
        {"max_docs": -1},
    ],
)
def test_bad_conditions(conditions: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^conditions\.max_"):
        checked_conditions(conditions)


@pytest.mark.parametrize(
    ("found", "met"),
    [
        ({}, True),
        ({"[max_age: 1d]": False}, False),
        ({"[max_age: 1d]": False, "[max_docs: 1]": True}, True),
        ({"[max_age: 1d]": True, "[min_docs: 1]": False}, False),
        ({"[max_age: 1d]": True, "[min_docs: 1]": True}, True),
        ({"[min_docs: 1]": True}, False),
    ],
)
def test_conditions_met(found: dict[str, bool], met: bool) -> None:
    assert conditions_met(found) is met


def test_duration() -> None:
    assert [duration("ttl", text) for text in ("0s", "12h", "2d")] == [
        timedelta(0),
        timedelta(hours=12),
        timedelta(days=2),
    ]


@pytest.mark.parametrize("text", ["", "12", "-1h", "1.5h", "12 h", "h", "1w", "٣h", "9999999999d"])
def test_bad_duration(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^ttl is "):
        duration("ttl", text)


def test_not_negative() -> None:
    assert not_negative("days", 0) == 0
    with pytest.raises(ConfigurationError, match="days is -1: it must be 0 or more"):
        not_negative("days", -1)
