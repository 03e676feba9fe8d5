# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role elasticsearch_exposure and an OpenSearch that lets an anonymous user read."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.support.playbooks import play_on
from tests.support.secured import PASSWORD, Secured, secured

EXPOSE = """\
- name: Expose OpenSearch
  hosts: all
  gather_facts: false
  roles:
    - tracestack.jaeger.elasticsearch_exposure
"""


def asked_without_a_name(server: Secured, path: str) -> int:
    """The status of the answer to somebody who says no name."""
    try:
        with urllib.request.urlopen(
            f"{server.url}{path}", context=ssl.create_default_context(cafile=str(server.ca))
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


@pytest.mark.xdist_group("anonymous")
def test_no_tunnel_leads_to_what_an_anonymous_user_reads(tmp_path: Path) -> None:
    """The front page refuses that user, by 403, and Jaeger's spans do not."""
    (tmp_path / "expose.yml").write_text(EXPOSE)
    with secured(tmp_path / "server", "opensearch-2.19.4", anonymous=True) as server:
        server.admin.request("PUT", "/prod-jaeger-span-000001", {"aliases": {"prod-jaeger-span-read": {}}})
        assert asked_without_a_name(server, "/") == 403
        assert asked_without_a_name(server, "/prod-jaeger-span-read/_search") == 200
        wanted = {
            "method": "tunnel",
            "local_url": server.url,
            "username": "jaeger",
            "password": PASSWORD,
            "ca_path": str(server.ca),
        }
        host = {f"elasticsearch_exposure_{name}": value for name, value in wanted.items()}
        run = play_on(
            {"open": {"tracestack_home": str(tmp_path / "home"), **host}}, tmp_path / "expose.yml", {}
        )
    said = "lets anybody in: its answer to GET / without a password has the status 403, and only 401 refuses. A tunnel would show it"
    assert said in run.refusals()["open"]
    assert not (tmp_path / "home").exists()
