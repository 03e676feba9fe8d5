# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input ends with one clear sentence, and nothing that changes anything is sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.modules import run_module, run_module_with
from tests.support.proxy import proxy
from tests.support.servers import Elasticsearch

ALL = ("es_rollover_init", "es_rollover", "es_lookback", "es_index_cleaner")


def required(module: str) -> dict[str, Any]:
    return {"days": 0} if module == "es_index_cleaner" else {}


@pytest.mark.every_server("each server has its own answer about an index that is not there")
def test_wrong_prefix_is_an_error(es: Elasticsearch) -> None:
    for module in ALL[1:]:
        with proxy(es.url) as seen:
            answer = run_module(module, server_urls=seen.url, index_prefix="prd", **required(module))
        assert "there is no index prd-jaeger-span-*" in answer.message, module
        assert "check index_prefix, or run es_rollover_init first" in answer.message, module
        assert seen.changes() == [], module


@pytest.mark.every_server("each server has its own answer to a path that it does not know")
def test_wrong_path_of_the_url(es: Elasticsearch) -> None:
    said = {
        path: run_module("es_index_info", server_urls=es.url + path).message
        for path in ("/wrong/path", "/_cat")
    }
    assert {
        path: words
        for path, words in said.items()
        if not re.search("wrong path|neither Elasticsearch", words)
    } == {}


@pytest.mark.every_server("each server ends a connection of TLS in its own way")
def test_https_on_a_http_port(es: Elasticsearch) -> None:
    answer = run_module("es_index_info", server_urls=es.url.replace("http:", "https:"), retries=0)
    assert "TLS failed" in answer.message
    assert "whether the server speaks https" in answer.message


@pytest.mark.every_server("each server has its own way with credentials that it does not ask for")
def test_secrets_are_not_shown(es: Elasticsearch, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("from-the-file-4711\n")
    for options in (
        {"username": "u", "password": "hunter2-4711"},
        {"username": "u", "password_file": str(file)},
        {"api_key": "bXkta2V5LTQ3MTE="},
        {"bearer_token": "token-4711"},
    ):
        answer = run_module("es_rollover_init", server_urls=es.url, index_prefix="prod", shards=1, **options)
        assert not answer.message
        for secret in ("hunter2-4711", "from-the-file-4711", "bXkta2V5LTQ3MTE=", "token-4711"):
            assert secret not in answer.output


def test_options_from_the_environment(es: Elasticsearch) -> None:
    answer = run_module_with({"ES_SERVER_URLS": f"{es.url},{es.url}"}, "es_index_info")
    assert answer.result["cluster"]["version"] == es.version


def test_an_index_where_an_alias_belongs_changes_nothing(es: Elasticsearch) -> None:
    """Fault 5 of the peers: a collector that wrote before init."""
    es.request("POST", "/prod-jaeger-span-write/_doc?refresh=true", {"traceID": "1"})
    with proxy(es.url) as seen:
        answer = run_module(
            "es_rollover_init", server_urls=seen.url, index_prefix="prod", record_types=["span"]
        )
    assert "prod-jaeger-span-write is an index, not an alias" in answer.message
    assert seen.changes() == []
    info = run_module("es_index_info", server_urls=es.url).result["index_sets"][0]
    assert "prod-jaeger-span-write is an index where an alias belongs" in info["problems"][0]
