# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input that needs no server ends with one clear sentence, and nothing is sent; tests/integration has the rest."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.modules import run_module
from tests.support.proxy import proxy
from tests.support.servers import free_port

ALL = ("es_rollover_init", "es_rollover", "es_lookback", "es_index_cleaner")


def required(module: str) -> dict[str, Any]:
    return {"days": 0} if module == "es_index_cleaner" else {}


def one(**changed: Any) -> dict[str, Any]:
    """Options of es_maintenance with one index set."""
    return {"index_sets": [{"index_prefix": "prod", "retention": {"days": 1}, **changed}]}


Case = tuple[str, dict[str, Any], str]


def refuse(cases: Iterable[Case], *, begins: bool = False) -> None:
    """Each of these fails with its words, or begins with them, and sends nothing; the failure has each that does not."""
    wrong: list[str] = []
    with proxy(f"http://127.0.0.1:{free_port()}") as seen:
        for module, options, said in cases:
            seen.requests.clear()
            answer = run_module(module, server_urls=seen.url, **{"index_prefix": "prod", **options})
            fits = answer.message.startswith(said) if begins else said in answer.message
            if seen.requests or not fits:
                wrong.append(f"{module} {options}: {answer.message!r}, not {said!r}; sent {seen.requests}")
    assert not wrong, "\n".join(wrong)


def test_hostile_prefix() -> None:
    prefixes = ("", "*", "prod*", "prod,dev", "pr od", "Prod", "-prod", "prod-", "_all", "../x")
    cases = [
        (module, {"index_prefix": prefix, **required(module)}, f"index_prefix {prefix!r} ")
        for module in ALL
        for prefix in prefixes
    ]
    refuse(cases, begins=True)


def test_what_a_url_carries_is_not_shown_by_whoever_refuses_another_option() -> None:
    """Ansible checks the options first, and its answer has all of them (-vvv shows that); the module would refuse such a URL."""
    url = "http://jaeger:pw-4711@es:9200/x?apikey=key-4711&more"
    places: tuple[dict[str, Any], ...] = (
        {"server_urls": url},
        {"server_urls": ["http://es:9200", url]},
        {"server_urls": [f"http://jaeger:pw//4711@es,http://{url}"]},
        {"url": f"{url},http://es:9200"},
        {"hosts": [url]},
        {"otlp_endpoint": url},
        {"server_urls": {"first": url}},
        {"server_url": url},
        {"server_urls": "jaeger:pw-4711@es:9200"},
    )
    shown = []
    for module in ("es_rollover", "es_maintenance", "es_index_info"):
        for place in places:
            answer = run_module(module, timeout="soon", **place)
            assert answer.message
            shown += [(module, place, answer.output)] * ("4711" in answer.output)
    assert not shown


BAD: tuple[Case, ...] = (
    ("es_rollover_init", {"shards": 0}, "shards is 0: it must be 1 or more"),
    ("es_rollover_init", {"shards": -1}, "shards is -1"),
    ("es_rollover_init", {"replicas": -1}, "replicas is -1: it must be 0 or more"),
    (
        "es_rollover_init",
        {"shards": "two"},
        "argument 'shards' is of type str and we were unable to convert to int",
    ),
    ("es_rollover_init", {"template_priorities": {"spam": 1}}, "Unsupported parameters"),
    ("es_rollover", {"conditions": "max_age"}, "dictionary requested, could not parse"),
    ("es_rollover", {"conditions": ["max_age"]}, "dictionary requested"),
    ("es_rollover", {"conditions": {"max_ages": "2d"}}, "Unsupported parameters"),
    ("es_rollover", {"conditions": {"max_age": "2 days"}}, "conditions.max_age is '2 days'"),
    ("es_rollover", {"conditions": {"max_size": "50"}}, "conditions.max_size is '50'"),
    ("es_rollover", {"conditions": {"max_docs": -5}}, "conditions.max_docs is -5"),
    ("es_rollover", {"record_types": ["spans"]}, "value of record_types must be one or more of"),
    ("es_lookback", {"unit": "day"}, "value of unit must be one of: seconds, minutes, hours, days"),
    ("es_lookback", {"unit": "fortnights"}, "value of unit must be one of"),
    ("es_lookback", {"unit_count": -1}, "unit_count is -1"),
    ("es_lookback", {"age_from": "birth"}, "value of age_from must be one of"),
    ("es_lookback", {"service_cache_ttl": "soon"}, "service_cache_ttl is 'soon'"),
    ("es_index_cleaner", {}, "one of the following is required: days, max_size, max_generations"),
    ("es_index_cleaner", {"days": -1}, "days is -1"),
    ("es_index_cleaner", {"days": "all"}, "argument 'days' is of type str"),
    ("es_index_cleaner", {"days": 1, "strategy": "rollover"}, "value of strategy must be one of"),
    (
        "es_rollover",
        {"username": "a", "api_key": "b"},
        "parameters are mutually exclusive: username|api_key",
    ),
    (
        "es_rollover",
        {"client_cert": "/tmp/a"},
        "parameters are required together: client_cert, client_key",
    ),
    ("es_rollover", {"timeout": 0}, "timeout is 0"),
    ("es_rollover", {"conditions": {}}, "conditions names none: give at least one"),
    ("es_rollover", {"conditions": {"max_age": None}}, "conditions names none: give at least one"),
    ("es_index_cleaner", {"days": 0, "record_types": []}, "record_types is empty"),
    ("es_index_cleaner", {"days": 0, "index_date_separator": "/"}, "index_date_separator is '/'"),
    ("es_lookback", {"service_cache_ttl": "999999d"}, "service_cache_ttl is '999999d'"),
    ("es_rollover", {"password": "x"}, "missing parameter(s) required by 'password': username"),
    ("es_rollover", {"conditions": {"min_docs": 5}}, "conditions has min_ conditions only"),
    ("es_rollover", {"conditions": {"max_primary_shard_size": "1"}}, "conditions.max_primary_shard_size"),
    ("es_rollover", {"conditions": {"max_docs": "many"}}, "unable to convert to int"),
    ("es_rollover", {"retries": -1}, "retries is -1"),
    ("es_rollover", {"ca_path": "/nowhere/ca.pem"}, "ca_path: there is no file /nowhere/ca.pem"),
    (
        "es_rollover",
        {"username": "a", "password_file": "/nowhere"},
        "password_file: /nowhere cannot be read",
    ),
    ("es_rollover", {"validate_certs": "perhaps"}, "unable to convert to bool"),
    ("es_rollover_init", {"template_priorities": {"span": -1}}, "template_priorities.span is -1"),
    ("es_rollover_init", {"adopt": ["everything"]}, "value of adopt must be one or more of"),
    ("es_rollover_init", {"use_ilm": True, "archive": True}, "use_ilm with archive"),
    ("es_rollover_init", {"use_ilm": True, "ilm_policy_name": "a,b"}, "ilm_policy_name is 'a,b'"),
    ("es_rollover_init", {"use_ilm": True, "ilm_policy_name": ""}, "ilm_policy_name is ''"),
    ("es_rollover_init", {"index_date_separator": "x"}, "index_date_separator is 'x'"),
    ("es_index_cleaner", {"max_size": "50"}, "max_size is '50': give a number and a unit"),
    ("es_index_cleaner", {"max_size": "-1gb"}, "max_size is '-1gb'"),
    ("es_index_cleaner", {"max_size": "1gib"}, "max_size is '1gib'"),
    ("es_index_cleaner", {"max_generations": 0}, "max_generations is 0: it must be 1 or more"),
    ("es_index_cleaner", {"max_generations": -3}, "max_generations is -3"),
    ("es_index_cleaner", {"days": 1, "min_generations": -1}, "min_generations is -1"),
    ("es_index_cleaner", {"days": 1, "snapshot_repository": "a,b"}, "snapshot_repository is 'a,b'"),
    ("es_index_cleaner", {"days": 1, "snapshot_repository": "*"}, "snapshot_repository is '*'"),
    ("es_index_cleaner", {"days": 1, "snapshot_timeout": 0}, "snapshot_timeout is 0"),
    ("es_maintenance", {}, "missing required arguments: index_sets"),
    ("es_maintenance", {"index_sets": []}, "index_sets is empty"),
    ("es_maintenance", {"index_sets": "prod"}, "dictionary requested, could not parse"),
    ("es_maintenance", {"index_sets": [{}]}, "index_sets[0]: nothing to do"),
    ("es_maintenance", {"index_sets": [{"index_prefix": "a"}]}, "index_sets[0]: nothing to do"),
    ("es_maintenance", one(index_prefix=""), "index_sets[0]: index_prefix '' is empty"),
    ("es_maintenance", one(index_prefix="a*"), "index_sets[0]: index_prefix 'a*' has the character '*'"),
    ("es_maintenance", one(record_types=[]), "index_sets[0]: record_types is empty"),
    ("es_maintenance", one(record_types=["spans"]), "value of record_types must be one or more of"),
    ("es_maintenance", one(strategy="rollover"), "value of strategy must be one of"),
    ("es_maintenance", one(conditions={}), "index_sets[0].conditions names none"),
    ("es_maintenance", one(conditions={"max_age": "1 d"}), "index_sets[0].conditions.max_age is '1 d'"),
    ("es_maintenance", one(strategy="periodic", conditions={"max_age": "1d"}), "with strategy periodic"),
    (
        "es_maintenance",
        one(strategy="auto_rollover", conditions={"max_age": "1d"}),
        "strategy auto_rollover",
    ),
    ("es_maintenance", one(strategy="data_stream", lookback={}), "a data stream has no read alias"),
    (
        "es_maintenance",
        one(strategy="data_stream", record_types=["service"]),
        "a data stream of spans only",
    ),
    ("es_maintenance", one(strategy="data_stream", archive=True), "a data stream of spans only"),
    ("es_maintenance", one(lookback={"unit": "day"}), "value of unit must be one of"),
    ("es_maintenance", one(lookback={"unit_count": -1}), "index_sets[0].lookback.unit_count is -1"),
    ("es_maintenance", one(retention={}), "index_sets[0].retention: no limit is given"),
    ("es_maintenance", one(retention={"days": -1}), "index_sets[0].retention.days is -1"),
    ("es_maintenance", one(retention={"max_size": "big"}), "index_sets[0].retention.max_size is 'big'"),
    (
        "es_maintenance",
        one(retention={"max_generations": 0}),
        "index_sets[0].retention.max_generations is 0",
    ),
    ("es_maintenance", one(index_date_separator="*"), "index_date_separator is '*'"),
    ("es_maintenance", {"index_sets": [*one()["index_sets"] * 2]}, "prod-jaeger-span was named before"),
    ("es_maintenance", {**one(), "snapshot_repository": "a b"}, "snapshot_repository is 'a b'"),
    ("es_maintenance", {**one(), "age_from": "birth"}, "value of age_from must be one of"),
    ("es_maintenance", {**one(), "service_cache_ttl": "12"}, "service_cache_ttl is '12'"),
    ("es_index_info", {"index_sets": [{}]}, "index_sets[0]: nothing to do"),
)


def test_bad_option() -> None:
    refuse(BAD)


def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for module in ALL:
        answer = run_module(module, server_urls=url, index_prefix="prod", retries=1, **required(module))
        assert answer.message.startswith(f"{url}: no answer ("), module
        assert "refused" in answer.message, module


def test_no_such_host() -> None:
    answer = run_module("es_index_info", server_urls="http://no-such-host.invalid:9200", retries=0)
    assert answer.message.startswith("http://no-such-host.invalid:9200: no answer (")


class Stranger(BaseHTTPRequestHandler):
    """A web server that is no Elasticsearch: an HTML page, JSON of its own, or a login wall."""

    def do_GET(self) -> None:
        kind = self.path.strip("/").split("/")[0]
        content = {"html": b"<html>Hello</html>", "json": b'{"status": "ok"}'}.get(kind, b"no")
        self.send_response(401 if kind == "wall" else 200)
        self.send_header("Content-Type", "application/json" if kind == "json" else "text/html")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        pass


def test_not_elasticsearch() -> None:
    cases = {
        "html": "answers, but is neither Elasticsearch (7.14 or later) nor OpenSearch",
        "json": "answers, but is neither Elasticsearch (7.14 or later) nor OpenSearch",
        "wall": "refuses these credentials (401): check username, password, api_key",
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        answers = {
            path: run_module("es_rollover_init", server_urls=f"{url}/{path}", index_prefix="prod").message
            for path in cases
        }
    finally:
        server.shutdown()
        server.server_close()
    assert {path: words for path, words in answers.items() if cases[path] not in words} == {}


def test_secrets_of_a_wrong_form_are_not_shown() -> None:
    for options in (
        {"server_urls": "http://u:hunter2-4711@127.0.0.1:9"},
        {"server_urls": "http://127.0.0.1:9/?token=hunter2-4711"},
        {"bearer_token": "hunter2-4711\nsecond line"},
        {"username": "u", "password": "hunter2-4711\x01"},
        {"api_key": "hunter2-4711€"},
    ):
        wanted = {"server_urls": "http://127.0.0.1:9", "index_prefix": "prod", **options}
        answer = run_module("es_rollover_init", **wanted)
        assert answer.message, options
        assert "no answer" not in answer.message, options
        assert "hunter2-4711" not in answer.output
