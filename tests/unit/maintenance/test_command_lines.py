# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drop-in image's command lines and environments, by table: what each is in the words of the modules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jaeger_es_maintenance import __version__
from jaeger_es_maintenance.commands import COMMANDS, Call, Help, Scheduled, understand
from jaeger_es_maintenance.flags import UsageError
from jaeger_es_maintenance.telling import index_lines, lines

ROOT = Path(__file__).resolve().parents[3]
URL = "http://es:9200"
TLS_URL = "https://es:9200"
THREE = ["span", "service", "dependencies"]
FOUR = [*THREE, "sampling"]
Row = tuple[str, dict[str, str], str, dict[str, Any]]

# What the operator 1.56 and the Helm chart give, and each of the tools' flags: arguments, environment, module, and those
# of its options that the row is about.
CALLS: dict[str, Row] = {
    "operator: init": (
        f"init {URL}",
        {"INDEX_PREFIX": "prod", "SHARDS": "2", "REPLICAS": "0"},
        "es_rollover_init",
        {"server_urls": [URL], "index_prefix": "prod", "shards": 2, "replicas": 0, "record_types": THREE},
    ),
    "operator: rollover": (
        f"rollover {URL}",
        {"INDEX_PREFIX": "prod", "CONDITIONS": '{"max_age":"1d","max_docs":1000}'},
        "es_rollover",
        {"index_prefix": "prod", "conditions": {"max_age": "1d", "max_docs": 1000}},
    ),
    "operator: lookback": (
        f"lookback {URL}",
        {"INDEX_PREFIX": "prod", "UNIT": "hours", "UNIT_COUNT": "168", "INDEX_DATE_SEPARATOR": "."},
        "es_lookback",
        {"unit": "hours", "unit_count": 168, "index_date_separator": ".", "record_types": THREE},
    ),
    "operator: cleaner with aliases": (
        f"7 {URL}",
        {"INDEX_PREFIX": "prod", "ROLLOVER": "true", "SKIP_DEPENDENCIES": "true"},
        "es_index_cleaner",
        {"days": 7, "index_prefix": "prod", "strategy": "manual_rollover", "record_types": FOUR},
    ),
    "operator: cleaner of dated indices": (
        f"7 {URL}",
        {"INDEX_DATE_SEPARATOR": "_"},
        "es_index_cleaner",
        {"days": 7, "index_prefix": None, "strategy": "periodic", "index_date_separator": "_"},
    ),
    "operator: OpenShift": (
        f"rollover {TLS_URL}",
        {
            "ES_TLS_ENABLED": "true",
            "ES_TLS_CA": "/c/ca",
            "ES_TLS_CERT": "/c/crt",
            "ES_TLS_KEY": "/c/key",
            "SKIP_DEPENDENCIES": "true",
        },
        "es_rollover",
        {
            "ca_path": "/c/ca",
            "client_cert": "/c/crt",
            "client_key": "/c/key",
            "record_types": ["span", "service"],
        },
    ),
    "operator: credentials from a Secret": (
        f"lookback {TLS_URL}",
        {"ES_USERNAME": "jaeger", "ES_PASSWORD": "s3cret"},
        "es_lookback",
        {"username": "jaeger", "password": "s3cret"},
    ),
    "chart: init": (
        f"init {URL} --index-prefix=prod --shards=3",
        {"ES_SERVER_URLS": URL, "ES_NODES": URL},
        "es_rollover_init",
        {"server_urls": [URL], "index_prefix": "prod", "shards": 3, "replicas": 1},
    ),
    "chart: rollover": (
        f"rollover {URL}",
        {"ES_SERVER_URLS": URL, "ES_NODES": URL, "CONDITIONS": '{"max_age": "1d"}'},
        "es_rollover",
        {"server_urls": [URL], "conditions": {"max_age": "1d"}},
    ),
    "chart: lookback": (
        f"lookback {URL}",
        {"UNIT": "days", "UNIT_COUNT": "7", "ES_USERNAME": "elastic", "ES_PASSWORD": "changeme"},
        "es_lookback",
        {"unit": "days", "unit_count": 7, "username": "elastic", "password": "changeme"},
    ),
    "chart: cleaner": (
        f"7 {URL} --rollover",
        {},
        "es_index_cleaner",
        {"days": 7, "strategy": "manual_rollover"},
    ),
    "chart: TLS without checks and without es.tls.enabled, which their tools refuse": (
        f"7 {TLS_URL}",
        {"ES_TLS_SKIP_HOST_VERIFY": "true"},
        "es_index_cleaner",
        {"validate_certs": False},
    ),
    "their defaults": (
        f"rollover {URL}",
        {},
        "es_rollover",
        {"index_prefix": None, "archive": False, "timeout": 120, "conditions": {"max_age": "2d"}},
    ),
    "their defaults of init": (f"init {URL}", {}, "es_rollover_init", {"shards": 5, "replicas": 1}),
    "their defaults of lookback": (f"lookback {URL}", {}, "es_lookback", {"unit": "days", "unit_count": 1}),
    "our semantics": (
        f"7 {URL} --rollover",
        {},
        "es_index_cleaner",
        {"age_from": "written", "service_cache_ttl": "12h", "only_unreadable": True},
    ),
    "their reckoning on demand": (
        f"7 {URL} --rollover --age-from=creation --service-cache-ttl 0s",
        {"ONLY_UNREADABLE": "false"},
        "es_index_cleaner",
        {"age_from": "creation", "service_cache_ttl": "0s", "only_unreadable": False},
    ),
    "a flag wins over its variable": (
        f"lookback {URL} --unit weeks",
        {"UNIT": "days", "UNIT_COUNT": "3"},
        "es_lookback",
        {"unit": "weeks", "unit_count": 3},
    ),
    "of one flag the last": (
        f"lookback --unit=days {URL} --unit=weeks",
        {},
        "es_lookback",
        {"unit": "weeks"},
    ),
    "an empty variable is none": (
        f"rollover {URL}",
        {"INDEX_PREFIX": "", "CONDITIONS": "", "ARCHIVE": "", "TIMEOUT": ""},
        "es_rollover",
        {"index_prefix": None, "conditions": {"max_age": "2d"}, "archive": False, "timeout": 120},
    ),
    "an empty flag is empty": (
        f"7 {URL} --index-date-separator= --index-prefix=",
        {"INDEX_PREFIX": "prod"},
        "es_index_cleaner",
        {"index_prefix": None, "index_date_separator": ""},
    ),
    "flags before the command": (
        f"--index-prefix prod --unit weeks lookback {URL}",
        {},
        "es_lookback",
        {"index_prefix": "prod", "unit": "weeks", "server_urls": [URL]},
    ),
    "after two dashes": (f"lookback -- {URL}", {}, "es_lookback", {"server_urls": [URL]}),
    "a negative number, for the module to refuse": (f"-- -5 {URL}", {}, "es_index_cleaner", {"days": -5}),
    "archive": (f"rollover {URL} --archive", {}, "es_rollover", {"archive": True}),
    "archive is never dated": (
        f"7 {URL} --archive",
        {},
        "es_index_cleaner",
        {"archive": True, "strategy": "manual_rollover"},
    ),
    "a truth value in their short form": (
        f"7 {URL} --rollover=T",
        {"ARCHIVE": "0"},
        "es_index_cleaner",
        {"archive": False},
    ),
    "adaptive sampling": (
        f"init {URL} --adaptive-sampling --skip-dependencies --priority-sampling-template=7",
        {},
        "es_rollover_init",
        {
            "record_types": ["span", "service", "sampling"],
            "template_priorities": {"span": 0, "service": 0, "dependencies": 0, "sampling": 7},
        },
    ),
    "ILM": (
        f"init {URL} --es.use-ilm",
        {"ES_ILM_POLICY_NAME": "mine"},
        "es_rollover_init",
        {"use_ilm": True, "ilm_policy_name": "mine"},
    ),
    "no condition, for the module to refuse": (
        f"rollover {URL} --conditions=",
        {},
        "es_rollover",
        {"conditions": {}},
    ),
    "a token": (f"rollover {URL} --es.token-file /t", {}, "es_rollover", {"bearer_token_file": "/t"}),
    "an API key": (f"rollover {URL}", {"ES_API_KEY_FILE": "/k"}, "es_rollover", {"api_key_file": "/k"}),
    "a password in a file": (
        f"rollover {URL}",
        {"ES_USERNAME": "jaeger", "ES_PASSWORD_FILE": "/p"},
        "es_rollover",
        {"username": "jaeger", "password_file": "/p"},
    ),
    "a server's name": (
        f"rollover {TLS_URL} --es.tls.enabled --es.tls.server-name=es.example.org",
        {},
        "es_rollover",
        {"server_name": "es.example.org"},
    ),
    "authorities, as Go takes them": (
        f"rollover {TLS_URL}",
        {"SSL_CERT_FILE": "/etc/mine.pem"},
        "es_rollover",
        {"ca_path": "/etc/mine.pem"},
    ),
    "the given authority wins": (
        f"rollover {TLS_URL}",
        {"SSL_CERT_FILE": "/etc/mine.pem", "ES_TLS_CA": "/ca"},
        "es_rollover",
        {"ca_path": "/ca"},
    ),
    "a trace of it": (
        f"rollover {URL} --otlp-endpoint http://jaeger:4318",
        {},
        "es_rollover",
        {"otlp_endpoint": "http://jaeger:4318"},
    ),
    "a trace of it, by its variable": (
        f"7 {URL}",
        {"OTLP_ENDPOINT": "http://jaeger:4318"},
        "es_index_cleaner",
        {"otlp_endpoint": "http://jaeger:4318"},
    ),
    "no trace": (f"lookback {URL}", {"OTLP_ENDPOINT": ""}, "es_lookback", {"otlp_endpoint": None}),
    "credentials in the URL, as Go takes them": (
        "rollover https://jaeger:p%40ss@es:9200/path",
        {},
        "es_rollover",
        {"server_urls": ["https://es:9200/path"], "username": "jaeger", "password": "p@ss"},
    ),
    "given ones win over those in the URL": (
        "rollover https://other:word@es:9200",
        {"ES_USERNAME": "jaeger", "ES_PASSWORD": "s3cret"},
        "es_rollover",
        {"server_urls": [TLS_URL], "username": "jaeger", "password": "s3cret"},
    ),
}


@pytest.mark.parametrize(("words", "environment", "module", "options"), CALLS.values(), ids=CALLS)
def test_what_a_command_line_asks_for(
    words: str, environment: dict[str, str], module: str, options: dict[str, Any]
) -> None:
    call = understand(words.split(), environment)
    assert isinstance(call, Call)
    assert call.module == module
    assert {name: call.options.get(name) for name in options} == options
    assert (call.check, call.json) == (False, False)


def test_conditions_with_spaces() -> None:
    """As one argument, which the table cannot have."""
    call = understand(["rollover", URL, "--conditions", '{"max_age": "3d"}'], {})
    assert isinstance(call, Call)
    assert call.options["conditions"] == {"max_age": "3d"}


def test_a_user_without_a_password_is_nobody() -> None:
    """As theirs, and as the chart without usePassword wants it."""
    call = understand(["rollover", URL], {"ES_USERNAME": "elastic"})
    assert isinstance(call, Call)
    assert not {"username", "password"} & set(call.options)


@pytest.mark.parametrize(
    ("words", "environment", "said"),
    [
        ("", {}, "there is no command"),
        ("rollback http://x", {}, "'rollback' is no command"),
        ("http://jaeger:s3cret@es:9200 rollover", {}, "that is no command"),
        ("DAYS http://x", {}, "that is no command"),
        ("rollover", {}, "arguments are wanted: 1, given: 0"),
        ("rollover http://x http://jaeger:s3cret@y", {}, "arguments are wanted: 1, given: 2"),
        ("7", {}, "arguments are wanted: 2, given: 1"),
        ("7.5 http://x", {}, "that is no command"),
        ("-7 http://x", {}, "there is no flag -7"),
        ("-index-prefix=s3cret rollover http://x", {}, "there is no flag -i"),
        ("rollover http://x --es.passwort=s3cret", {}, "there is no flag --es.passwort."),
        ("rollover http://x --unit days", {}, "there is no flag --unit"),
        ("7 http://x --skip-dependencies", {}, "there is no flag --skip-dependencies"),
        ("init http://x --shards", {}, "--shards needs a value"),
        ("init http://x --shards two", {}, "--shards is 'two': it must be a whole number"),
        ("init http://x", {"SHARDS": "two"}, "SHARDS is 'two': it must be a whole number"),
        ("init http://x --timeout 30s", {}, "--timeout is '30s'"),
        ("7 http://x --rollover=yes", {}, "--rollover is 'yes': it must be true or false"),
        ("7 http://x", {"ROLLOVER": "yes"}, "ROLLOVER is 'yes': it must be true or false"),
        ("7 http://x --rollover false", {}, "arguments are wanted: 2, given: 3"),
        ("rollover http://x --conditions {max_age:2d}", {}, "give a JSON object such as"),
        ("rollover http://x --conditions 5", {}, "give a JSON object such as"),
        ("rollover http://x", {"ES_PASSWORD": "s3cret"}, "es.password is given without es.username"),
        (
            "rollover http://x --es.token-file=/t",
            {"ES_USERNAME": "u", "ES_PASSWORD": "s3cret"},
            "only one of",
        ),
        (
            "rollover http://x --es.password-file=/p",
            {"ES_USERNAME": "u", "ES_PASSWORD": "s3cret"},
            "give one of them",
        ),
        ("rollover http://x", {"ES_TLS_CA": "/ca"}, "the URL is not https and es.tls.enabled is not true"),
        ("maintain", {}, "--options FILE is needed"),
        ("maintain http://x", {}, "arguments are wanted: 0, given: 1"),
        ("maintain --options /no/such/file", {}, "/no/such/file cannot be read: No such file"),
    ],
)
def test_what_is_refused(words: str, environment: dict[str, str], said: str) -> None:
    """In a sentence without secrets, and before anything is sent. What the modules refuse is tested with them."""
    with pytest.raises(UsageError) as refused:
        understand(words.split(), environment)
    assert said in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("words", ["--help", "-h", "lookback -h", "lookback http://x --unit=days --help"])
def test_help(words: str) -> None:
    call = understand(words.split(), {})
    assert isinstance(call, Help)
    told = "\n".join(call.lines())
    assert ("--unit-count" in told) is words.startswith("lookback")


def notes(words: str, **environment: str) -> tuple[str, ...]:
    call = understand(words.split(), environment)
    assert isinstance(call, Call)
    return call.notes


def test_what_is_worth_a_warning() -> None:
    assert notes(f"rollover {URL}", ES_INDEX_PREFIX="prod", INDEX_PREFIX="prod") == ()
    (said,) = notes(f"rollover {URL}", ES_INDEX_PREFIX="prod")
    assert said.startswith(
        "ES_INDEX_PREFIX is 'prod', but that is Jaeger's own variable. The prefix here is none"
    )
    (said,) = notes(f"rollover {URL}", ES_TLS_ENABLED="true", ES_TLS_CA="/ca")
    assert "nothing is encrypted" in said


def test_switches() -> None:
    call = understand(["rollover", URL, "--check"], {"JSON": "true"})
    assert isinstance(call, Call)
    assert (call.check, call.json) == (True, True)


@pytest.fixture(params=["json", "yaml"])
def options_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same options in both forms."""
    options = {"server_urls": URL, "index_sets": [{"index_prefix": "prod", "conditions": {"max_age": "1d"}}]}
    file = tmp_path / "options"
    file.write_text(json.dumps(options) if request.param == "json" else yaml.safe_dump(options))
    return file


def test_maintain(options_file: Path) -> None:
    call = understand(["maintain", "--options", str(options_file)], {})
    assert isinstance(call, Call)
    assert call.module == "es_maintenance"
    assert call.options["index_sets"] == [{"index_prefix": "prod", "conditions": {"max_age": "1d"}}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("password: s3cret\n  x: [", "is neither JSON nor YAML, line 2"),
        ("- s3cret", "is not a mapping"),
        ("", "is not a mapping"),
    ],
)
def test_options_that_are_none(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "options"
    file.write_text(content)
    with pytest.raises(UsageError, match=said) as refused:
        understand(["maintain"], {"OPTIONS": str(file)})
    assert "s3cret" not in str(refused.value)


def test_what_is_told() -> None:
    """A hostile reason stays in its line."""
    result = {
        "actions": [{"action": "remove_alias", "index": "jaeger-span-000001", "why": "old\n\x1b[31m"}],
        "kept": [{"index": "", "index_prefix": "prod", "record_type": "span", "reason": "why"}],
    }
    assert list(lines(result, check=False)) == [
        "take out of sight  jaeger-span-000001: old  [31m",
        "keep               prod span: why",
        "done: 1 change",
    ]
    assert list(lines(result, check=True))[-1] == "check: 1 change would be made, nothing was changed"
    assert list(lines({}, check=False)) == ["done: nothing to do"]


def test_the_page_has_every_flag_and_variable() -> None:
    page = (ROOT / "docs/drop-in.md").read_text()
    table = set(re.findall(r"^\| `--([a-z.-]+)` \| `([A-Z_]+)` \|", page, re.MULTILINE))
    assert table == {
        (flag.name, flag.variable) for one in COMMANDS.values() if one.module for flag in one.flags
    }


def test_its_version_is_the_collection_s() -> None:
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == __version__


@pytest.mark.parametrize(
    ("options", "prefix"),
    [
        ({"index_sets": [{"index_prefix": "a"}, {"index_prefix": "a"}]}, "a"),
        ({"index_sets": [{"index_prefix": "a"}, {"index_prefix": "b"}]}, None),
        ({"index_sets": [{"conditions": {}}]}, ""),
        ({"index_sets": [{"conditions": {}}], "index_prefix": "c"}, "c"),
        ({"index_sets": [{"index_prefix": "a"}, {}]}, None),
        ({}, None),
    ],
)
def test_info_asks_for_what_maintain_looks_after(
    tmp_path: Path, options: dict[str, Any], prefix: str | None
) -> None:
    file = tmp_path / "options.json"
    file.write_text(json.dumps({"server_urls": [URL], "timeout": 5, **options}))
    call = understand(["info", "--options", str(file), "--json"], {})
    assert call == Call(
        "es_index_info", {"server_urls": [URL], "timeout": 5, "index_prefix": prefix}, False, True
    )


def test_scheduled_does_not_heed_the_environment() -> None:
    """What cron has there says nothing about a job."""
    with pytest.raises(UsageError, match="scheduled needs --job FILE"):
        understand(["scheduled"], {"JOB": "/x", "NOW": "true"})
    assert understand(["scheduled", "--job", "/x"], {"NOW": "true"}) == Scheduled("/x", False)
    assert understand(["scheduled", "--now", "--job=/x"], {}) == Scheduled("/x", True)


def test_index_sets_in_lines() -> None:
    one = {
        "index_prefix": "prod",
        "record_type": "span",
        "strategy": "manual_rollover",
        "write_index": "prod-jaeger-span-000002",
        "indices": [{"readable": False}, {"readable": True}],
        "problems": ["something\nis wrong"],
    }
    assert list(index_lines({"index_sets": [one]})) == [
        "manual_rollover    prod span: 2 indices, 1 readable, written: prod-jaeger-span-000002",
        "problem            prod span: something is wrong",
    ]
