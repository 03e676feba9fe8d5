# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role rollover_schedule hands on all that the nightly task of the role index_lifecycle has."""

from __future__ import annotations

from pathlib import Path

import yaml


def test_the_job_has_every_option_of_the_nightly_task(root: Path) -> None:
    lifecycle = root / "roles/index_lifecycle"
    connection = yaml.safe_load((lifecycle / "vars/main.yml").read_text())["_index_lifecycle_module_defaults"]
    task = yaml.safe_load((lifecycle / "tasks/main.yml").read_text())[0]["tracestack.jaeger.es_maintenance"]
    schedule = yaml.safe_load((root / "roles/rollover_schedule/vars/main.yml").read_text())
    assert {*connection, *task} <= set(schedule["_rollover_schedule_option_names"])
