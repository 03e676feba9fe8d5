# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of docs/differences.md and the tests name the same differences."""

from __future__ import annotations

import re
from pathlib import Path

from tests.differential.oracle import ROWS
from tests.support.servers import ROOT

TABLE = ROOT / "docs" / "differences.md"


def rows() -> list[str]:
    """The first column of the table."""
    return re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| [^|]+ \| [^|]*\|$", TABLE.read_text(), re.MULTILINE)


def named_by_tests() -> set[str]:
    """The rows in the marks of the tests beside this one."""
    tests = Path(__file__).parent.glob("test_*.py")
    return {row for test in tests for row in re.findall(r'mark\.difference\("([a-z-]+)"\)', test.read_text())}


def test_each_row_has_a_name_of_its_own() -> None:
    """Every line of the table is understood."""
    table = TABLE.read_text().partition("\n\nFlags")[0]
    assert len(set(rows())) == len(rows()) == len(re.findall(r"^\| `", table, re.MULTILINE)) > 20


def test_each_row_is_shown_and_nothing_else() -> None:
    """By a random case (test_random.py sees to it that each of ROWS comes up) or by a test that is marked with it."""
    assert named_by_tests() | ROWS == set(rows())
