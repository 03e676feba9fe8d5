# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role traced_api: what keeps it from starting is one sentence, and nothing is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.playbooks import processes, set_up


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"traced_api_method": "kubernetes"},
            "value of traced_api_method must be one of: process, got: kubernetes",
        ),
        (
            {"traced_api_type": "udp"},
            "value of traced_api_type must be one of: http, stdout, none, got: udp",
        ),
        ({"traced_api_port": 0}, "traced_api_port is 0: it must be a number from 1 to 65535."),
        (
            {"traced_api_metrics_port": 8000},
            (
                "traced_api_metrics_port is 8000: it must be a number from 1 to 65535 other than traced_api_port, or 0 for "
                "no metrics."
            ),
        ),
        ({"traced_api_workers": 0}, "traced_api_workers is 0: it must be a number from 1 to 64."),
        (
            {"traced_api_jaeger": "http://127.0.0.1:4318"},
            (
                "traced_api_jaeger is 'http://127.0.0.1:4318': "
                "it must be host:port, without http:// and path, such as 127.0.0.1:4318."
            ),
        ),
        (
            {"traced_api_python": "/no/such/python"},
            (
                "traced_api_python is '/no/such/python' on local-api: it must be a Python 3.11 or newer that can make "
                "virtual environments. Install one (Debian and Ubuntu: python3 and python3-venv), or set traced_api_python "
                "to its path."
            ),
        ),
    ],
    ids=["method", "type", "port", "metrics port", "workers", "Jaeger's address", "Python"],
)
def test_a_wrong_setting_changes_nothing(tmp_path: Path, variables: dict[str, Any], sentence: str) -> None:
    home = tmp_path / "home"
    run = set_up("traced_api", home, variables)
    assert run.error == sentence
    assert run.count("failed") == 1
    assert run.count("changed") == 0
    assert not home.exists()


@pytest.mark.xdist_group("home")
def test_a_taken_port(home: Path, taken_port: int, holder: str) -> None:
    run = set_up("traced_api", home, {"traced_api_port": taken_port})
    assert run.error == (
        f"traced-api cannot listen on 127.0.0.1: port {taken_port} (traced_api_port) is held by {holder}. "
        "Stop what holds it, or set the variable to another port."
    )
    assert not (home / "traced_api").exists()
    assert processes(home) == []
