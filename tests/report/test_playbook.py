# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/report.yml against real clusters: what it writes, when it says changed, what it does with a dead one."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.report.conftest import ENTRY, NIGHTS, PICTURES, Opened, inventory
from tests.support.playbooks import Run, play
from tests.support.proxy import Fault, proxy
from tests.support.servers import Elasticsearch, free_port

REPORT = "playbooks/report.yml"
# Names that Elasticsearch takes, each of which is something else in a template, in an attribute or in a text.
TURN = "\u202e"  # from here on, text would run the other way
HOSTILE = (
    "{{7+7}}",
    "{{lipsum.__globals__['os'].popen('id').read()}}",
    "'onmouseover='alert(1)",
    "&lt;img-src=x-onerror=alert(1)&gt;",
    "`${alert(1)}`",
    f"{TURN}gnp.تقرير",
    "l" + "o" * 190 + "ng",
)


def hosts_of(es: Elasticsearch) -> dict[str, dict[str, Any]]:
    return {"traces-eu": {"elasticsearch_url": es.url, "index_lifecycle_index_sets": [ENTRY]}}


def report(folder: Path, hosts: dict[str, dict[str, Any]], *arguments: str, **variables: Any) -> Run:
    own = {"report_path": str(folder / "out" / "index.html"), **variables}
    return play(REPORT, own, "-i", str(inventory(folder, hosts)), *arguments)


@pytest.fixture(scope="module")
def page(nights: Elasticsearch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a healthy cluster."""
    folder = Path(tmp_path_factory.mktemp("report"))
    run = report(folder, hosts_of(nights))
    assert run.code == 0, run.output
    assert run.count("changed") == 2, run.output  # the folder and the page
    assert "All is well. The page is " in " ".join(run.output.split())
    return folder / "out" / "index.html"


def test_it_is_written_for_its_owner_alone_and_changed_only_if_it_tells_something_new(
    nights: Elasticsearch, page: Path
) -> None:
    folder = page.parents[1]
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    before = page.stat().st_mtime_ns
    again = report(folder, hosts_of(nights))
    assert again.count("changed") == 0
    assert page.stat().st_mtime_ns > before, "the time stamp is to be fresh"
    other = report(folder, hosts_of(nights), report_title="Traces", report_mode="0644")
    assert other.count("changed") == 1
    assert stat.S_IMODE(page.stat().st_mode) == 0o644
    report(folder, hosts_of(nights))


def test_check_mode_writes_nothing(nights: Elasticsearch, tmp_path: Path) -> None:
    checked = report(tmp_path, hosts_of(nights), "--check", "--diff")
    assert checked.code == 0, checked.output
    assert checked.count("changed") == 1
    assert not (tmp_path / "out").exists()
    report(tmp_path, hosts_of(nights))
    written = (tmp_path / "out" / "index.html").read_bytes()
    assert report(tmp_path, hosts_of(nights), "--check").count("changed") == 0
    assert (tmp_path / "out" / "index.html").read_bytes() == written


def test_the_report_changes_nothing_on_the_cluster(nights: Elasticsearch, tmp_path: Path) -> None:
    with proxy(nights.url) as seen:
        hosts = {"traces-eu": {**hosts_of(nights)["traces-eu"], "elasticsearch_url": seen.url}}
        assert report(tmp_path, hosts).code == 0
    assert seen.requests
    assert seen.changes() == []


def test_it_tells_what_the_next_run_does(page: Path, opened: Opened) -> None:
    with opened(page, color_scheme="light") as shown:
        assert shown.locator(".verdict strong").inner_text() == "All is well"
        rows = shown.locator("article").first.locator("tbody tr")
        newest = rows.first.inner_text()
        assert f"{NIGHTS:06d}" in newest
        assert "being written" in newest
        assert "rolled over" in newest
        tonight = shown.locator("section[aria-labelledby=tonight]").inner_text()
        assert f"{NIGHTS:06d} → {NIGHTS + 1:06d}" in tonight
        assert "its conditions are met" in tonight
        assert "older than the cut-off" in tonight
        gone = [row for row in rows.all() if "deleted" in row.inner_text().split()]
        assert gone
        shown.screenshot(path=PICTURES / "well-light.png", full_page=True)
    with opened(page, color_scheme="dark") as shown:
        shown.screenshot(path=PICTURES / "well-dark.png", full_page=True)


def test_a_cluster_that_does_not_answer_is_a_problem_on_the_page(
    nights: Elasticsearch, tmp_path: Path, opened: Opened
) -> None:
    html = "<html><script>alert('from the proxy')</script><h1>502 Bad Gateway</h1></html>"
    answer = Fault(reaches=False, status=502, content=html)
    with proxy(nights.url, lambda _method, _path: answer) as broken:
        hosts = {
            **hosts_of(nights),
            "traces-us": {
                "elasticsearch_url": f"http://127.0.0.1:{free_port()}",
                "index_lifecycle_retries": 0,
            },
            "<script>alert('host')</script>": {"elasticsearch_url": broken.url, "index_lifecycle_retries": 0},
            "traces-asia": {
                **hosts_of(nights)["traces-eu"],
                "index_lifecycle_index_sets": [{**ENTRY, "index_prefix": "prd"}],
            },
        }
        run = report(tmp_path, hosts)
    assert run.code == 0, run.output
    assert "problems need attention" in run.output
    with opened(tmp_path / "out" / "index.html") as shown:
        told = shown.locator("ul.problems").first.inner_text()
        assert told.count("This cluster could not be looked at") == 2
        assert "Check server_urls and whether the server runs" in told
        assert "Tonight's run would fail" in told
        assert "there is no index prd-jaeger-" in told
        assert shown.locator("article").count() == 3, "what can be seen is still shown, once"
        shown.screenshot(path=PICTURES / "problems-light.png", full_page=True)
    with opened(tmp_path / "out" / "index.html", color_scheme="dark") as shown:
        shown.screenshot(path=PICTURES / "problems-dark.png", full_page=True)


@pytest.mark.parametrize("bypass_csp", [False, True], ids=["with-policy", "without-policy"])
def test_a_hostile_name_is_shown_and_executes_nothing(
    nights: Elasticsearch, tmp_path: Path, opened: Opened, bypass_csp: bool
) -> None:
    """Neither in Ansible nor in the browser, where the escaping alone has to hold."""
    names = [f"{prefix}-jaeger-span-000001" for prefix in HOSTILE]
    paths = {name: f"/{quote(name, safe='')}" for name in names}
    try:
        for name, path in paths.items():
            alias = f"{name.removesuffix('-000001')}-write"
            body = {"settings": {"number_of_replicas": 0}, "aliases": {alias: {}}}
            nights.request("PUT", path, body)
        run = report(tmp_path, hosts_of(nights))
    finally:
        for path in paths.values():
            nights.request("DELETE", f"{path}?ignore_unavailable=true")
    assert run.code == 0, run.output
    assert f"uid={os.getuid()}" not in run.output
    file = tmp_path / "out" / "index.html"
    with opened(file, bypass_csp=bypass_csp) as shown:
        text = shown.locator("body").text_content() or ""
        for prefix in HOSTILE:
            assert f"{prefix.replace(TURN, '[U+202E]')}-jaeger-span" in text
        assert TURN not in text
        assert f"uid={os.getuid()}" not in text
        assert "14-jaeger" not in text
        assert shown.locator("script, img, [onmouseover], [onerror]").count() == 0
        for element in shown.locator("bdi").all()[:50]:
            element.hover(trial=True, force=True)
        width = shown.evaluate("document.documentElement.scrollWidth")
        assert width <= 1280, "a long name does not make the page wider than the window"
        shown.screenshot(path=PICTURES / "hostile-light.png", full_page=True)
