# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection options against servers that check them: TLS, users, API keys, tokens, client certificates."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import key_of
from tests.support.modules import Answer, check_module, run_module, run_module_with
from tests.support.secured import PASSWORD, SERVER_NAME, Secured

WRONG = "wrong-4711"


def init(server: Secured, **options: Any) -> Answer:
    wanted = {"server_urls": server.url, "ca_path": str(server.ca), "index_prefix": "prod", "retries": 0}
    return run_module("es_rollover_init", **{**wanted, "record_types": ["span"], "shards": 1, **options})


def basic(user: str) -> dict[str, Any]:
    return {"username": user, "password": PASSWORD}


def assert_done(server: Secured, answer: Answer, *secrets: str) -> None:
    assert not answer.message
    assert answer.changed
    assert server.admin.indices() >= {"prod-jaeger-span-000001"}
    assert_hidden(answer, *secrets)


def assert_refused(server: Secured, answer: Answer, *secrets: str) -> None:
    assert answer.message.startswith(f"{server.url} refuses these credentials (401): check ")
    assert_nothing_done(server)
    assert_hidden(answer, *secrets)


def assert_nothing_done(server: Secured) -> None:
    assert "prod-jaeger-span-000001" not in server.admin.indices()
    assert "prod-jaeger-span" not in server.admin.templates()


def assert_hidden(answer: Answer, *secrets: str) -> None:
    for secret in secrets:
        assert secret not in answer.output


def in_file(folder: Path, secret: str) -> str:
    file = folder / "secret"
    file.write_text(secret + "\n")
    file.chmod(0o600)
    return str(file)


def test_password(server: Secured) -> None:
    assert_done(server, init(server, **basic("jaeger")), PASSWORD)


def test_password_in_a_file(server: Secured, tmp_path: Path) -> None:
    answer = init(server, username="jaeger", password_file=in_file(tmp_path, PASSWORD))
    assert_done(server, answer, PASSWORD)


def test_password_and_authority_in_the_environment(server: Secured) -> None:
    env = {"ES_USERNAME": "jaeger", "ES_PASSWORD": PASSWORD, "ES_TLS_CA": str(server.ca)}
    answer = run_module_with(
        env, "es_rollover_init", server_urls=server.url, index_prefix="prod", record_types=["span"]
    )
    assert_done(server, answer, PASSWORD)


def test_api_key(server: Secured, tmp_path: Path) -> None:
    """OpenSearch 2 has no API keys: it refuses one as it refuses any credentials that it does not know."""
    if server.admin.distribution == "opensearch":
        assert_refused(server, init(server, api_key="bXkta2V5LTQ3MTE="), "bXkta2V5LTQ3MTE=")
        return
    key = server.api_key()
    assert_done(server, init(server, api_key=key), key)
    server.admin.wipe()
    assert_done(server, init(server, api_key_file=in_file(tmp_path, key)), key)


def test_bearer_token(server: Secured, tmp_path: Path) -> None:
    token = server.bearer_token()
    assert_done(server, init(server, bearer_token=token), token)
    server.admin.wipe()
    assert_done(server, init(server, bearer_token_file=in_file(tmp_path, token)), token)


def test_client_certificate(server: Secured) -> None:
    certificate = {"client_cert": str(server.client_cert), "client_key": str(key_of(server.client_cert))}
    assert_done(server, init(server, **certificate))


def test_client_certificate_of_another_authority(server: Secured) -> None:
    """It names the right user, and nobody believes it."""
    stranger = {"client_cert": str(server.stranger_cert), "client_key": str(key_of(server.stranger_cert))}
    answer = init(server, **stranger)
    assert answer.message.startswith(f"{server.url}")
    assert answer.message.endswith(".")
    assert_nothing_done(server)


@pytest.mark.parametrize(
    "credentials",
    [
        {},
        {"username": "jaeger", "password": WRONG},
        {"username": "nobody", "password": WRONG},
        {"api_key": "d3Jvbmc6d3JvbmctNDcxMQ=="},
        {"bearer_token": WRONG},
    ],
    ids=["none", "wrong password", "no such user", "wrong API key", "wrong token"],
)
def test_wrong_credentials_are_refused(server: Secured, credentials: dict[str, str]) -> None:
    assert_refused(server, init(server, **credentials), WRONG, "d3Jvbmc6d3JvbmctNDcxMQ==")


def test_what_the_user_may_not_do_is_named(server: Secured) -> None:
    answer = init(server, **basic("reader"))
    assert f"{server.url}: this user may not do " in answer.message
    assert "(403): " in answer.message
    assert "reader" in answer.message
    assert_nothing_done(server)
    assert_hidden(answer, PASSWORD)


def test_a_reader_can_ask_for_information(server: Secured) -> None:
    init(server, **basic("jaeger"))
    answer = run_module(
        "es_index_info",
        server_urls=server.url,
        ca_path=str(server.ca),
        index_prefix="prod",
        **basic("reader"),
    )
    assert not answer.message
    assert answer.result["cluster"] == {
        "distribution": server.admin.distribution,
        "version": server.admin.version,
    }
    assert [one["write_index"] for one in answer.result["index_sets"]] == ["prod-jaeger-span-000001"]


def test_the_whole_life_with_just_the_rights_that_it_takes(server: Secured) -> None:
    init(server, **basic("jaeger"))
    connection = {"server_urls": server.url, "ca_path": str(server.ca), **basic("jaeger")}
    time.sleep(1.1)  # the cut-off of 0 seconds is the beginning of this second
    for module, options in (
        ("es_rollover", {"conditions": {"max_age": "0s"}}),
        ("es_lookback", {"unit": "seconds", "unit_count": 0, "age_from": "creation"}),
        ("es_index_cleaner", {"days": 0, "only_unreadable": False}),
    ):
        for runner in (check_module, run_module):
            answer = runner(module, index_prefix="prod", record_types=["span"], **connection, **options)
            assert not answer.message
            assert answer.changed
            assert_hidden(answer, PASSWORD)
    assert server.admin.indices() >= {"prod-jaeger-span-000002"}
    assert "prod-jaeger-span-000001" not in server.admin.indices()


@pytest.mark.parametrize("authority", ["none", "wrong"])
def test_a_certificate_of_an_unknown_authority_is_not_believed(server: Secured, authority: str) -> None:
    answer = init(server, ca_path=None if authority == "none" else str(server.wrong_ca), **basic("jaeger"))
    assert answer.message.startswith(f"{server.url}: TLS failed: ")
    assert "certificate verify failed" in answer.message
    assert "Check ca_path" in answer.message
    assert_nothing_done(server)
    assert_hidden(answer, PASSWORD)


@pytest.mark.parametrize("authority", ["none", "wrong"])
def test_without_validation_any_certificate_will_do(server: Secured, authority: str) -> None:
    ca_path = None if authority == "none" else str(server.wrong_ca)
    answer = init(server, ca_path=ca_path, validate_certs=False, **basic("jaeger"))
    assert_done(server, answer, PASSWORD)
    assert "InsecureRequestWarning" not in answer.output


def by_another_name(server: Secured) -> str:
    """The same server by a name that its certificate does not have."""
    return server.url.replace("127.0.0.1", "localhost")


def test_a_server_of_another_name_is_not_believed(server: Secured) -> None:
    answer = init(server, server_urls=by_another_name(server), **basic("jaeger"))
    assert answer.message.startswith(f"{by_another_name(server)}: TLS failed: ")
    assert "localhost" in answer.message.split("TLS failed: ")[1]
    assert_nothing_done(server)
    assert_hidden(answer, PASSWORD)


def test_the_name_in_the_certificate_can_be_given(server: Secured) -> None:
    answer = init(server, server_urls=by_another_name(server), server_name=SERVER_NAME, **basic("jaeger"))
    assert_done(server, answer, PASSWORD)


def test_a_given_name_that_is_not_in_the_certificate_is_not_believed(server: Secured) -> None:
    answer = init(server, server_name="other.test.internal", **basic("jaeger"))
    assert answer.message.startswith(f"{server.url}: TLS failed: ")
    assert "other.test.internal" in answer.message
    assert_nothing_done(server)


def test_http_on_a_https_port(server: Secured) -> None:
    url = server.url.replace("https:", "http:")
    answer = init(server, server_urls=url, **basic("jaeger"))
    assert answer.message.startswith(f"{url}")
    assert_nothing_done(server)
    assert_hidden(answer, PASSWORD)
