# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers with security: TLS, users, roles, client certificates, and tokens or API keys.

Users: ``admin`` may everything, ``jaeger`` what the modules need, ``reader`` only read. The client certificate is
that of ``jaeger``, by its common name.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.certificates import Authority, key_of
from tests.support.servers import DIST, Elasticsearch, free_port, helper, stop, wait_for

RELEASES = ("elasticsearch-8.19.21", "opensearch-2.19.4")
PASSWORD = "hunter2-4711"
_BCRYPT = "$2a$06$tracestacktracestacktueC511W4t5L4X0Kr5.5XFQu.0wlj.N.q"  # of PASSWORD
_SIGNING_KEY = b"tracestack tests sign their tokens with this key, which is long enough for HS512"
# The certificate's names besides 127.0.0.1. Nothing resolves it, so it needs the option server_name.
SERVER_NAME = "search.test.internal"
READING = ["read", "indices_monitor", "indices:admin/get", "indices:admin/aliases/get"]


@dataclass(frozen=True)
class Secured:
    """A running server with security. ``admin`` talks to it with all rights."""

    admin: Elasticsearch
    ca: Path
    wrong_ca: Path
    client_cert: Path
    stranger_cert: Path

    @property
    def url(self) -> str:
        """Its URL, by the address that the certificate names."""
        return self.admin.url

    def api_key(self) -> str:
        """A new API key, in the form in which it is sent. Elasticsearch only."""
        return str(self.admin.request("POST", "/_security/api_key", {"name": "jaeger"})["encoded"])

    def bearer_token(self) -> str:
        """A token of the user jaeger: Elasticsearch makes it, OpenSearch takes a signed one."""
        if self.admin.distribution == "opensearch":
            return signed_token({"sub": "jaeger", "exp": int(time.time()) + 3600})
        wanted = {"grant_type": "password", "username": "jaeger", "password": PASSWORD}
        return str(self.admin.request("POST", "/_security/oauth2/token", wanted)["access_token"])


@contextmanager
def secured(folder: Path, release: str, *, anonymous: bool = False) -> Iterator[Secured]:
    """Run a secured server on a free port until the block ends. anonymous (OpenSearch): who says no name can read Jaeger's indices."""
    config = folder / "data" / "config"
    config.mkdir(parents=True)
    subprocess.run(helper("build", release, security=True), check=True, capture_output=True)
    authority = Authority(config, "ca")
    server_cert = authority.issue("server", ("127.0.0.1",), (SERVER_NAME,))
    client_cert = authority.issue("jaeger")
    port = free_port()
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    stranger = Authority(elsewhere, "stranger-ca")
    configure = configure_opensearch if release.startswith("opensearch") else configure_elasticsearch
    settings = [f"--setting={line}" for line in configure(config, server_cert)]
    if anonymous:
        allow_anonymous_reading(config / "opensearch-security")
    command = helper(
        *("run", release, "--data", str(folder / "data"), "--port", str(port), *settings), security=True
    )
    basic = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    admin = Elasticsearch(
        f"https://127.0.0.1:{port}",
        release=release,
        tls=ssl.create_default_context(cafile=str(authority.path)),
        headers={"Authorization": f"Basic {basic}"},
    )
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: process.poll() is not None or is_ready(admin), 300)
        assert process.poll() is None, (folder / "server.log").read_text()
        server = Secured(admin, authority.path, stranger.path, client_cert, stranger.issue("jaeger"))
        if admin.distribution != "opensearch":
            # Elasticsearch makes its index of keys and roles after its start, and refuses everybody until that can be searched.
            server.api_key()
        yield server
    finally:
        stop(process)


def is_ready(admin: Elasticsearch) -> bool:
    """Whether it lets its administrator in."""
    try:
        return admin.get("/_cluster/health")["status"] in ("yellow", "green")
    except (AssertionError, OSError, urllib.error.URLError):
        return False


def configure_elasticsearch(config: Path, server_cert: Path) -> list[str]:
    """Users in files; a trial licence, without which there are neither client certificates nor tokens."""
    users = ("admin", "jaeger", "reader")
    (config / "users").write_text("".join(f"{name}:{_BCRYPT}\n" for name in users))
    (config / "users_roles").write_text("superuser:admin\nkeeper:jaeger\nreader:reader\n")
    indices = ["*jaeger-*"]
    roles = {
        "keeper": {
            "cluster": ["monitor", "manage_index_templates"],
            "indices": [{"names": indices, "privileges": ["all"]}],
        },
        "reader": {
            "cluster": ["monitor"],
            "indices": [{"names": indices, "privileges": ["read", "view_index_metadata", "monitor"]}],
        },
    }
    lines = [f"{name}: {json.dumps(role)}\n" for name, role in roles.items()]  # it looks for one a line
    (config / "roles.yml").write_text("".join(lines))
    (config / "role_mapping.yml").write_text(json.dumps({"keeper": ["CN=jaeger"]}))
    pki = "xpack.security.authc.realms.pki.certificates"
    return [
        "xpack.security.enabled=true",
        "xpack.security.autoconfiguration.enabled=false",
        "xpack.license.self_generated.type=trial",
        "xpack.security.authc.token.enabled=true",
        "xpack.security.authc.realms.file.users.order=0",
        f"{pki}.order=1",
        f"{pki}.certificate_authorities=ca.pem",
        "xpack.security.http.ssl.enabled=true",
        f"xpack.security.http.ssl.certificate={server_cert.name}",
        f"xpack.security.http.ssl.key={key_of(server_cert).name}",
        "xpack.security.http.ssl.certificate_authorities=ca.pem",
        "xpack.security.http.ssl.client_authentication=optional",
    ]


def configure_opensearch(config: Path, server_cert: Path) -> list[str]:
    """The plugin's own configuration with our users, and with tokens and client certificates switched on."""
    own = config / "opensearch-security"
    plugin = DIST / "opensearch-2.19.4-security" / "plugins" / "opensearch-security"
    shutil.copytree(plugin / "config", own)
    indices = ["*jaeger-*"]
    change(
        own / "roles.yml",
        keeper={
            "cluster_permissions": ["cluster_monitor", "cluster_manage_index_templates"],
            "index_permissions": [{"index_patterns": indices, "allowed_actions": ["indices_all"]}],
        },
        reader={
            "cluster_permissions": ["cluster_monitor"],
            "index_permissions": [{"index_patterns": indices, "allowed_actions": READING}],
        },
    )
    change(
        own / "roles_mapping.yml",
        keeper={"users": ["jaeger"]},
        reader={"users": ["reader"]},
    )
    admin = {"hash": _BCRYPT, "reserved": True, "backend_roles": ["admin"]}
    users = {"jaeger": {"hash": _BCRYPT}, "reader": {"hash": _BCRYPT}}
    change(own / "internal_users.yml", admin=admin, **users)
    settings: dict[str, Any] = yaml.safe_load((own / "config.yml").read_text())
    domains = settings["config"]["dynamic"]["authc"]
    for name in ("jwt_auth_domain", "clientcert_auth_domain"):
        domains[name]["http_enabled"] = True
    tokens = domains["jwt_auth_domain"]["http_authenticator"]["config"]
    tokens["signing_key"] = base64.b64encode(_SIGNING_KEY).decode()
    (own / "config.yml").write_text(json.dumps(settings))
    ssl_settings = {
        "transport.enforce_hostname_verification": "false",
        "http.enabled": "true",
        "http.clientauth_mode": "OPTIONAL",
    }
    for layer in ("transport", "http"):
        ssl_settings[f"{layer}.pemcert_filepath"] = server_cert.name
        ssl_settings[f"{layer}.pemkey_filepath"] = key_of(server_cert).name
        ssl_settings[f"{layer}.pemtrustedcas_filepath"] = "ca.pem"
    return [
        *(f"plugins.security.ssl.{name}={value}" for name, value in ssl_settings.items()),
        "plugins.security.allow_default_init_securityindex=true",
        "plugins.security.authcz.admin_dn=CN=nobody",
    ]


def allow_anonymous_reading(own: Path) -> None:
    """Switch on OpenSearch's anonymous user, who is a reader."""
    settings: dict[str, Any] = yaml.safe_load((own / "config.yml").read_text())
    settings["config"]["dynamic"]["http"]["anonymous_auth_enabled"] = True
    (own / "config.yml").write_text(json.dumps(settings))
    role = {"index_permissions": [{"index_patterns": ["*jaeger-*"], "allowed_actions": READING}]}
    change(own / "roles.yml", anybody=role)
    change(
        own / "roles_mapping.yml",
        anybody={"backend_roles": ["opendistro_security_anonymous_backendrole"]},
    )


def change(file: Path, **entries: Any) -> None:
    """Put these entries into a YAML file, in place of those of the same name: as JSON, its parser knows no anchors."""
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    file.write_text(json.dumps({**content, **entries}))
    os.chmod(file, 0o600)


def signed_token(claims: dict[str, Any]) -> str:
    """A JSON web token, signed by HMAC."""
    parts = [encoded(json.dumps(part).encode()) for part in ({"alg": "HS512", "typ": "JWT"}, claims)]
    signature = hmac.new(_SIGNING_KEY, ".".join(parts).encode(), hashlib.sha512).digest()
    return ".".join([*parts, encoded(signature)])


def encoded(content: bytes) -> str:
    """Base64 as tokens have it."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
