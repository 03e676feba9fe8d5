# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Chromium, and a real Elasticsearch with three weeks of nights behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from tests.support.modules import run_module
from tests.support.servers import ROOT, Elasticsearch

CHROMIUM = "/usr/bin/chromium"
PICTURES = ROOT / ".local" / "test" / "report"
NIGHTS = 21
ENTRY = {
    "index_prefix": "prod",
    "conditions": {"max_age": "12h"},
    "lookback": {"unit": "days", "unit_count": 7},
    "retention": {"days": 14},
}

Opened = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Without a sandbox, which root may not have; the pages are our own."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def opened(browser: Browser) -> Opened:
    """Opens a page and, at the end, sees that nothing was asked for but the file, said on the console or executed."""

    @contextmanager
    def opening(file: Path, **options: Any) -> Iterator[Page]:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        page = context.new_page()
        asked: list[str] = []
        heard: list[str] = []
        network = context.new_cdp_session(page)
        network.send("Network.enable")
        network.on("Network.requestWillBeSent", lambda event: asked.append(event["request"]["url"]))
        page.on("console", lambda message: heard.append(message.text))
        page.on("pageerror", lambda error: heard.append(str(error)))

        def dismiss(dialog: Dialog) -> None:
            heard.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", dismiss)
        page.goto(file.as_uri())
        yield page
        page.wait_for_timeout(100)
        context.close()
        assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
        assert heard == []

    return opening


@pytest.fixture(scope="session")
def nights(server: Elasticsearch) -> Elasticsearch:
    """Elasticsearch after so many nights of maintenance, each with a day's documents, and one night yet to come."""
    server.wipe()
    connection = {"server_urls": server.url}
    server.set_clock(f"-{NIGHTS}d")
    run_module("es_rollover_init", **connection, index_prefix="prod", shards=1, replicas=0)
    for ago in range(NIGHTS, 0, -1):
        server.set_clock(f"-{ago}d")
        if ago < NIGHTS:
            done = run_module("es_maintenance", **connection, index_sets=[ENTRY])
            assert done.message == ""
        write(server, 40 + 3 * (NIGHTS - ago))
    server.set_clock("+0d")
    return server


def write(server: Elasticsearch, count: int) -> None:
    """So many documents in each write alias."""
    for kind in ("span", "service", "dependencies"):
        for number in range(count if kind == "span" else 1):
            body = {"traceID": f"{number:032x}", "operationName": f"work {number}", "startTime": number}
            server.request("POST", f"/prod-jaeger-{kind}-write/_doc", body)
    server.request("POST", "/prod-jaeger-*/_refresh")


def inventory(folder: Path, hosts: dict[str, dict[str, Any]]) -> Path:
    """An inventory of clusters, each host with its variables."""
    file = folder / "hosts.json"
    shared = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    file.write_text(
        json.dumps({"all": {"vars": shared, "children": {"elasticsearch": {"hosts": hosts}}}}, indent=1)
    )
    return file
