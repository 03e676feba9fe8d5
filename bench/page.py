# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/benchmarks.md: a section for each part of the benchmark."""

from __future__ import annotations

import re

from tests.support.servers import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
HEAD = """\
<!--
SPDX-FileCopyrightText: 2026 tracestack contributors
SPDX-License-Identifier: GPL-3.0-or-later
-->
# Benchmarks

Made by `make bench`; [bench/README.md](../bench/README.md) says what is measured and how.
"""
START = re.compile(r"^(?=## )", re.MULTILINE)  # of a section, whose parts have deeper headings


def whole(sections: list[str]) -> str:
    """A page of exactly these sections."""
    return "\n".join([HEAD, *sections])


def replaced(page: str, section: str) -> str:
    """The page with this section in place of the one with the same heading, or else at its end."""
    head, *there = START.split(page)
    heading = section.partition("\n")[0]
    kept = [each.rstrip() + "\n" for each in there]
    places = [number for number, each in enumerate(kept) if each.partition("\n")[0] == heading]
    if places:
        kept[places[0]] = section
    else:
        kept.append(section)
    return "\n".join([head.rstrip() + "\n", *kept])
