# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page in a real Chromium: accessible, in light and dark, on paper, on a small screen, and with 30,000 generations."""

from __future__ import annotations

import re
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from ansible_collections.tracestack.jaeger.plugins.plugin_utils._report_page import draw, gather
from tests.report.conftest import PICTURES, Opened
from tests.report.told import NOW, entry, told
from tests.support.servers import ROOT

TEMPLATES = str(ROOT / "roles/report/templates")
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\x00{{7*7}}"


def make(folder: Path, hosts: dict[str, Any]) -> Path:
    file = folder / "report.html"
    file.write_text(
        draw(gather(hosts, NOW, TEMPLATES, "Jaeger's indices"), NOW, TEMPLATES, "Jaeger's indices")
    )
    return file


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page with something of everything on it."""
    found = told({"prod": 40, "staging": 9}, [entry("prod")])
    found["info"]["index_sets"][0]["problems"] = [
        "no index is behind the write alias prod-jaeger-span-write: es_rollover_init"
    ]
    dead = {"failed": True, "msg": "https://search.example.org: no answer (Connection refused)."}
    return make(tmp_path, {"traces-eu": found, "traces-us": {"info": dead}})


def unfold(shown: Page) -> None:
    """Open all that is folded, as somebody does who looks at everything."""
    shown.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Path, opened: Opened, scheme: str) -> None:
    """The rules of axe-core, all of them: WCAG 2.2 A and AA with contrast, and what is good practice."""
    with opened(page, color_scheme=scheme) as shown:
        unfold(shown)
        found = Axe().run(shown)
        print(
            f"axe-core {found.response['testEngine']['version']}: {len(found.response['passes'])} rules passed"
        )
        assert found.violations_count == 0, found.generate_report()


def test_the_page_can_be_walked_by_keyboard(page: Path, opened: Opened) -> None:
    with opened(page) as shown:
        shown.keyboard.press("Tab")
        assert shown.evaluate("document.activeElement.textContent") == "To the report"
        assert shown.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
        shown.keyboard.press("Enter")
        assert shown.evaluate("document.activeElement.id") == "main"
        seen = []
        for _press in range(12):
            shown.keyboard.press("Tab")
            seen.append(
                shown.evaluate("[document.activeElement.tagName, document.activeElement.textContent.trim()]")
            )
        assert ["A", "traces-us"] in seen
        assert ["A", "traces-eu, prod-jaeger-span"] in seen
        shown.locator("summary").first.focus()
        before = shown.locator("details").first.get_attribute("open")
        shown.keyboard.press("Enter")
        assert shown.locator("details").first.get_attribute("open") != before


def test_a_screen_reader_hears_what_the_pictures_show(page: Path, opened: Opened) -> None:
    with opened(page) as shown:
        assert shown.locator("html").get_attribute("lang") == "en"
        levels = [
            int(name[1])
            for name in shown.locator("h1, h2, h3, h4").evaluate_all("all => all.map(e => e.tagName)")
        ]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
        picture = shown.locator("svg[role=img]").first.aria_snapshot()
        assert "Sizes of the generations of prod-jaeger-span along time" in picture
        words = shown.locator("svg[role=img] desc").first.text_content() or ""
        assert "000001 to 000032 are hidden; 000033 to 000039 are readable; 000040 is being written" in words
        first = shown.locator("article").first.locator("tbody tr").first.locator("th, td").all_inner_texts()
        assert first[0] == "000040"
        assert "being written" in first


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures(page: Path, opened: Opened, scheme: str) -> None:
    with opened(page, color_scheme=scheme) as shown:
        shown.screenshot(path=PICTURES / f"everything-{scheme}.png", full_page=True)
        shown.screenshot(path=PICTURES / f"first-sight-{scheme}.png")


def test_a_small_screen_has_nothing_to_scroll_sideways(page: Path, opened: Opened) -> None:
    with opened(page, viewport={"width": 390, "height": 800}, color_scheme="light") as shown:
        assert shown.evaluate("document.documentElement.scrollWidth") <= 390
        shown.screenshot(path=PICTURES / "small-light.png")


def test_it_prints(page: Path, opened: Opened) -> None:
    """In dark mode, too, paper stays white."""
    with opened(page, color_scheme="dark") as shown:
        paper = shown.pdf(path=PICTURES / "report.pdf", prefer_css_page_size=True, print_background=True)
        assert paper.startswith(b"%PDF")
        sheets = len(re.findall(rb"/Type\s*/Page\b", paper))
        print(f"{sheets} sheets")
        assert 2 <= sheets <= 12
        shown.emulate_media(media="print")
        assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        shown.set_viewport_size({"width": 1050, "height": 740})
        shown.screenshot(path=PICTURES / "print.png")


@pytest.mark.parametrize("bypass_csp", [False, True], ids=["with-policy", "without-policy"])
def test_nothing_that_was_told_is_executed(tmp_path: Path, opened: Opened, bypass_csp: bool) -> None:
    """In every text that comes from outside, names that Elasticsearch refuses among them."""
    found = told({"prod": 30})

    def poison(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: poison(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [poison(each, key) for each in value]
        kept = ("created", "written_until", "service_cache_ttl", "unit", "age_from", "distribution", "action")
        return f"{value}{EVIL}" if isinstance(value, str) and key not in kept else value

    found = poison(found)
    for one in found["info"]["index_sets"]:
        one["problems"] = [EVIL]
        one["next"]["failures"] = [{"msg": EVIL}]
    hosts = {
        EVIL: {"info": {**found["info"], "warnings": [EVIL]}, "asked": found["asked"]},
        f"dead{EVIL}": {"info": {"failed": True, "msg": EVIL}},
    }
    file = tmp_path / "report.html"
    file.write_text(draw(gather(hosts, NOW, TEMPLATES, EVIL), NOW, TEMPLATES, EVIL))
    with opened(file, bypass_csp=bypass_csp) as shown:
        unfold(shown)
        assert shown.locator("script, img").count() == 0
        assert shown.locator("article").count() == 3
        assert "<script>alert(1)</script>" in (shown.locator("h1").text_content() or "")


@pytest.mark.parametrize("each", [100, 1000], ids=["3000-generations", "30000-generations"])
def test_ten_prefixes_stay_usable(tmp_path: Path, opened: Opened, each: int) -> None:
    """Figures, no bounds on seconds: the machine may be busy."""
    hosts = {"traces-eu": told({f"team{number}": each for number in range(10)})}
    start = time.monotonic()
    file = make(tmp_path, hosts)
    drawn = time.monotonic() - start
    with opened(file, color_scheme="light") as shown:
        timing = shown.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
        start = time.monotonic()
        shown.locator("section[aria-labelledby=overview] a[href='#set-1-30']").click()
        assert shown.locator("#set-1-30").is_visible()
        jumped = time.monotonic() - start
        last = shown.locator("article").last
        start = time.monotonic()
        for number in range(2):  # the newest, the older ones
            last.locator("summary").nth(number).click()
        last.locator("details details details summary").last.click()
        assert last.get_by_text("000001", exact=True).is_visible()
        unfolded = time.monotonic() - start
        elements = shown.evaluate("document.querySelectorAll('*').length")
        shown.screenshot(path=PICTURES / f"ten-prefixes-{30 * each}.png")
    print(
        f"{30 * each:,} generations: {file.stat().st_size / 2**20:.1f} MB, drawn in {drawn:.1f} s, {elements:,} elements, "
        f"interactive after {timing['domInteractive'] / 1000:.2f} s, loaded after {timing['loadEventEnd'] / 1000:.2f} s, "
        f"jump to the last set {jumped:.2f} s, its oldest generation unfolded {unfolded:.2f} s"
    )
    assert file.stat().st_size < 600 * 30 * each + 2**20
