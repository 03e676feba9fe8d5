# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/clean_data.yml deletes the data of an Elasticsearch that has stopped, and nothing else."""

from __future__ import annotations

from pathlib import Path

from tests.support.playbooks import files, play
from tests.support.servers import elasticsearch

MARKER = ".made-by-tracestack"
PLAYBOOK = "playbooks/clean_data.yml"


def test_data_in_use_is_kept_and_deleted_afterwards(tmp_path: Path) -> None:
    data = tmp_path / "elasticsearch" / "data"
    data.mkdir(parents=True)
    (data / MARKER).touch()
    with elasticsearch(data.parent) as server:
        server.request("PUT", "/prod-jaeger-span-000001")
        run = play(PLAYBOOK, {"tracestack_home": str(tmp_path)})
        assert run.error == (
            f"Nothing was deleted. A running server holds the data folder {data} "
            f"(fuser '{data}/data/nodes/0/node.lock' names it): stop that one first."
        )
        assert run.count("changed") == 0
        assert server.indices() == {"prod-jaeger-span-000001"}
    checked = play(PLAYBOOK, {"tracestack_home": str(tmp_path)}, "--check")
    assert (checked.code, checked.count("changed")) == (0, 1)
    assert (data / MARKER).exists()
    beside = files(tmp_path) - {str(path.relative_to(tmp_path)) for path in data.rglob("*")}
    first = play(PLAYBOOK, {"tracestack_home": str(tmp_path)})
    assert (first.code, first.count("changed")) == (0, 1)
    assert not data.exists()
    assert files(tmp_path) == beside == {"elasticsearch/server.log"}
    second = play(PLAYBOOK, {"tracestack_home": str(tmp_path)})
    assert (second.code, second.count("changed")) == (0, 0)


def test_a_folder_of_somebody_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / "to-ada.txt").write_text("Dear Ada")
    run = play(PLAYBOOK, {"elasticsearch_data_dir": str(tmp_path)})
    assert run.error == f"{tmp_path} was not made by this role ({MARKER} is not in it): nothing was deleted."
    assert run.count("changed") == 0
    assert files(tmp_path) == {"to-ada.txt"}
