# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jaeger's own es-rollover (v1.57.0) and the maintenance image's program, with the TLS and users of operator and chart."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.certificates import key_of
from tests.support.drop_in import drop_in
from tests.support.secured import PASSWORD, Secured
from tests.support.servers import jaeger_programs

USER = {"ES_USERNAME": "jaeger", "ES_PASSWORD": PASSWORD}
TLS = {"ES_TLS_ENABLED": "true", "ES_TLS_CA": "CA"}
CERTIFICATE = {"ES_TLS_CERT": "CERT", "ES_TLS_KEY": "KEY"}
ANY = {"ES_TLS_SKIP_HOST_VERIFY": "true"}
# Environment, exit codes of theirs and ours.
CALLS = {
    "user": (TLS | USER, 0, 0),
    "client certificate": (TLS | CERTIFICATE, 0, 0),
    "authority of the system": (USER | {"SSL_CERT_FILE": "CA"}, 0, 0),
    "no validation": ({"ES_TLS_ENABLED": "true"} | ANY | USER, 0, 0),
    "no validation, as the chart has it": (ANY | USER, 1, 0),
    "nobody": (TLS, 1, 1),
    "wrong password": (TLS | USER | {"ES_PASSWORD": "wrong-4711"}, 1, 1),
    "wrong authority": (TLS | USER | {"ES_TLS_CA": "WRONG"}, 1, 1),
    "no authority": (USER, 1, 1),
}


@pytest.mark.parametrize(("env", "code", "our_code"), CALLS.values(), ids=CALLS)
def test_init(server: Secured, env: dict[str, str], code: int, our_code: int) -> None:
    """The same exit code, and no secret in what ours says."""
    files = {
        "CA": server.ca,
        "WRONG": server.wrong_ca,
        "CERT": server.client_cert,
        "KEY": key_of(server.client_cert),
    }
    env = {name: str(files.get(value, value)) for name, value in env.items()} | {"SHARDS": "1"}
    tool = jaeger_programs("es-rollover") / "es-rollover"
    words = ["init", server.url, "--index-prefix"]
    assert subprocess.run([tool, *words, "theirs"], env=env, check=False).returncode == code
    done = drop_in(*words, "ours", env=env)
    assert done.returncode == our_code, done.stderr
    assert ("ours-jaeger-span-000001" in server.admin.indices()) is (our_code == 0)
    assert PASSWORD not in done.stdout + done.stderr
