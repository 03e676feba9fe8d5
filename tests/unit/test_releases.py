# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role rollover_schedule removes of the folder that a user has given it: nothing but its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "roles" / "rollover_schedule" / "files" / "release.py"
OLD = "0123456789abcdef"


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """The folder is one of somebody else's, with names like ours in it."""
    theirs = ["notes.txt", "backup.tar.gz", "releases/v1.0/program", "jobs/7/2026/report", "jobs/mine/3/data"]
    ours = [f"releases/{OLD}/complete", "jobs/prod/1/job.json"]
    for name in (*theirs, *ours):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    command = [sys.executable, str(PROGRAM), "prune", str(tmp_path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    left = sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file())
    assert left == sorted([*theirs, ".lock"])
    assert {Path(line).name for line in told.splitlines()} == {OLD, "1"}
