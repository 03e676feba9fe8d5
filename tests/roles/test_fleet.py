# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scheduled playbook with several clusters: each one's failure its own, in every mode; the table; the results file.

The clusters are prefixes of one real server, each behind a proxy of its own, so that a test knows who asked for what and when.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.modules import run_module
from tests.support.playbooks import BIN, Run, play
from tests.support.proxy import Fault, proxy
from tests.support.servers import ROOT, Elasticsearch, free_port

ROLLOVER = "playbooks/rollover.yml"
TURN = "the play ended before it was this cluster's turn"
AT_ONCE = {"index_lifecycle_conditions": {"max_age": "0s"}}  # each run rolls over
SSH: dict[str, Any] = {  # to nobody, with the port of nobody
    "ansible_connection": "ssh",
    "ansible_host": "127.0.0.1",
    "ansible_port": "{{ closed_port }}",
    "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
}
LONG = 60  # seconds that nothing here takes


class Fleet:
    """An inventory of clusters. events are (host, request), in the order in which the requests came."""

    def __init__(self, es: Elasticsearch, folder: Path, stack: ExitStack) -> None:
        self.es, self.stack = es, stack
        self.inventory = folder / "hosts.yml"
        self.results = folder / "results.json"
        self.hosts: dict[str, dict[str, Any]] = {}
        self.events: list[tuple[str, str]] = []

    def add(
        self, *names: str, watch: Callable[[str], None] | None = None, prefix: str = "", **more: Any
    ) -> None:
        """Clusters with an index set each. watch hears of each request before the server does, and can hold it up."""
        for name in names:
            init = {"record_types": ["span"], "shards": 1, "replicas": 0}
            answer = run_module(
                "es_rollover_init", server_urls=self.es.url, index_prefix=prefix or name, **init
            )
            assert not answer.message
            self._list(name, self._proxy(name, watch), prefix or name, more)

    def add_dead(self, *names: str, **more: Any) -> None:
        """Clusters of which nobody answers, or with variables that are wrong."""
        for name in names:
            self._list(name, f"http://127.0.0.1:{free_port()}", name, more)

    def _proxy(self, name: str, watch: Callable[[str], None] | None) -> str:
        def note(method: str, path: str) -> Fault | None:
            self.events.append((name, f"{method} {path}"))
            if watch:
                watch(path)
            return None

        return self.stack.enter_context(proxy(self.es.url, note)).url

    def _list(self, name: str, url: str, prefix: str, more: dict[str, Any]) -> None:
        self.hosts[name] = {
            "elasticsearch_url": url,
            "index_lifecycle_index_prefix": prefix,
            "index_lifecycle_record_types": ["span"],
            "index_lifecycle_retries": 0,
            **AT_ONCE,
            "ansible_connection": "local",
            "ansible_python_interpreter": str(BIN / "python"),
            **more,
        }
        self.inventory.write_text(
            yaml.safe_dump({"all": {"children": {"elasticsearch": {"hosts": self.hosts}}}}, sort_keys=False)
        )

    def run(self, *arguments: str, **variables: Any) -> Run:
        """The scheduled playbook on all of them."""
        env = {"TRACESTACK_MAINTENANCE_RESULTS": str(self.results)}
        return play(ROLLOVER, variables, "-i", str(self.inventory), *arguments, env=env)

    def told(self) -> dict[str, Any]:
        """What the results file says of each cluster."""
        found: dict[str, Any] = json.loads(self.results.read_text())["clusters"]
        return found

    def generation(self, name: str) -> int:
        """Which generation of a cluster's spans is being written."""
        found = [index for alias, index in self.es.aliases() if alias == f"{name}-jaeger-span-write"]
        return int(found[0][-6:])

    def asked(self) -> list[str]:
        """Who asked the server, one after the other; requests of one cluster in a row count as one."""
        return [name for name, _events in groupby(name for name, _request in self.events)]


@pytest.fixture
def fleet(es: Elasticsearch, tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(es, tmp_path, stack)


def table(run: Run) -> dict[str, list[str]]:
    """The cells of each cluster's line at the end of a run."""
    _before, banner, after = run.output.partition("MAINTENANCE")
    assert banner, run.output
    lines = after.split("\n\n")[0].splitlines()[2:]
    return {cells[0]: cells[1:] for line in lines if len(cells := re.split(r"  +", line)) > 1}


def outcomes(run: Run) -> dict[str, str]:
    """What the table says of each cluster in a word."""
    return {name: cells[0] for name, cells in table(run).items()}


def is_look(path: str) -> bool:
    """Whether a request is one of es_index_info, which looks for any prefix."""
    return "*jaeger-*" in path.replace("%2A", "*")


@pytest.mark.parametrize(
    "mode",
    [
        {},
        {"rollover_at_once": 1},
        {"rollover_at_once": 2},
        {"rollover_canary": "us"},
    ],
    ids=str,
)
def test_each_failure_is_its_own(fleet: Fleet, mode: dict[str, Any]) -> None:
    """A cluster that does not answer, one with a wrong variable, one whose secret is missing: the others are looked after.

    One at a time: no request of one before the last of the one before it. The canary goes first, wherever it stands.
    A host that cannot be reached makes it 4, whatever else has failed.
    """
    failed = {"dead", "wrong", "locked"}
    fleet.add("eu")
    fleet.add_dead("dead")
    fleet.add_dead("wrong", index_lifecycle_lookback_unit="fortnights")
    fleet.add_dead(
        "locked", index_lifecycle_password="{{ vault_password }}", index_lifecycle_username="jaeger"
    )
    fleet.add("ap", "us")
    if not mode:
        fleet.add_dead("away", **SSH, closed_port=free_port())
    run = fleet.run("-f", "2", **mode)
    assert run.code == (2 if mode else 4), run.output
    expected = {name: "failed" if name in failed else "changed" for name in fleet.hosts}
    assert outcomes(run) == (expected if mode else {**expected, "away": "unreachable"})
    good = ("eu", "ap", "us")
    assert {name: fleet.generation(name) for name in good} == dict.fromkeys(good, 2)
    lines, told = table(run), fleet.told()
    assert lines["eu"] == ["changed", "1", "0", "0", "2"]
    assert lines["dead"][-1].startswith(fleet.hosts["dead"]["elasticsearch_url"] + ": no answer (")
    assert "index_lifecycle_lookback_unit must be one of" in told["wrong"]["msg"]
    assert "'vault_password' is undefined" in told["locked"]["msg"]
    assert {name for name, one in told.items() if one["failed"]} == set(told) - set(good)
    assert not any(one["state"] for one in told.values())
    if not mode:
        assert lines["away"][1:5] == ["-", "-", "-", "-"]
        assert "Connection refused" in told["away"]["msg"]
    if mode.get("rollover_at_once") == 1:
        assert fleet.asked() == ["eu", "ap", "us"]
    if mode.get("rollover_canary"):
        assert fleet.asked()[0] == "us"
        assert "us" not in fleet.asked()[1:]


def test_a_slow_cluster_holds_nobody_up(fleet: Fleet) -> None:
    """With two places: it takes one of them, and gets its first answer when the others are done, state and all."""
    others_done, seen, waited = threading.Event(), set(), []

    def hold(_path: str) -> None:
        waited.append(others_done.wait(0 if False in waited else LONG))

    def finish(name: str) -> Callable[[str], None]:
        def note(path: str) -> None:
            if is_look(path):
                seen.add(name)
            if seen == {"eu", "us", "ap"}:
                others_done.set()

        return note

    fleet.add("slow", watch=hold)
    for name in ("eu", "us", "ap"):
        fleet.add(name, watch=finish(name))
    run = fleet.run("-f", "2", rollover_state=True)
    assert run.code == 0, run.output
    assert set(outcomes(run).values()) == {"changed"}
    assert waited
    assert all(waited)
    assert {name: bool(one["state"]) for name, one in fleet.told().items()} == dict.fromkeys(
        fleet.hosts, True
    )


def test_clusters_are_looked_after_side_by_side(fleet: Fleet) -> None:
    """Each one's first answer waits until all have asked."""
    together, waited = threading.Barrier(3), []

    def meet(name: str) -> Callable[[str], None]:
        first = [True]

        def note(_path: str) -> None:
            if first.pop() if first else False:
                together.wait(LONG)
                waited.append(name)

        return note

    for name in ("eu", "us", "ap"):
        fleet.add(name, watch=meet(name))
    run = fleet.run()
    assert run.code == 0, run.output
    assert sorted(waited) == ["ap", "eu", "us"]


@pytest.mark.parametrize(
    ("variables", "code", "outcome"),
    [
        ({}, 2, "failed"),
        ({"index_lifecycle_conditions": "daily"}, 2, "failed"),
        (SSH, 4, "unreachable"),
    ],
    ids=["no answer", "wrong variable", "unreachable"],
)
def test_nothing_is_touched_after_a_canary_that_failed(
    fleet: Fleet, variables: dict[str, Any], code: int, outcome: str
) -> None:
    fleet.add("eu", "us")
    fleet.add_dead("canary", **variables, closed_port=free_port())
    run = fleet.run(rollover_canary="canary")
    assert run.code == code, run.output
    assert fleet.events == []
    assert outcomes(run) == {"canary": outcome, "eu": "not run", "us": "not run"}
    assert run.output.count(TURN) == 2
    told = fleet.told()
    assert [told["canary"][key] for key in ("failed", "unreachable")] == [True, outcome == "unreachable"]
    assert told["eu"] == {
        "failed": True,
        "unreachable": False,
        "msg": f"not run: {TURN}",
        "result": None,
        "state": None,
    }


@pytest.mark.parametrize(
    ("canary", "arguments"),
    [("ue", ()), ("all", ()), ("elasticsearch", ()), ("localhost", ()), ("*", ()), ("us", ("--limit", "eu"))],
)
def test_a_canary_that_is_none_of_the_clusters(fleet: Fleet, canary: str, arguments: tuple[str, ...]) -> None:
    fleet.add("eu", "us")
    run = fleet.run(*arguments, rollover_canary=canary)
    assert run.code == 4, run.output
    assert (
        f"rollover_canary is '{canary}', which is no host of the group elasticsearch, or --limit leaves it out. "
        "Nothing was done."
    ) in run.output
    assert fleet.events == []
    assert "MAINTENANCE" not in run.output


def test_check_mode_says_would(fleet: Fleet) -> None:
    """And touches nothing; what it says is what the real run then does."""
    fleet.add("eu", "us")
    checked = fleet.run("--check", "--diff")
    assert checked.code == 0, checked.output
    assert "MAINTENANCE: WHAT WOULD BE DONE" in checked.output
    assert outcomes(checked) == {"eu": "would change", "us": "would change"}
    assert (fleet.generation("eu"), fleet.generation("us")) == (1, 1)
    assert json.loads(fleet.results.read_text())["check_mode"] is True
    done = fleet.run()
    assert {name: cells[1:] for name, cells in table(done).items()} == {
        name: cells[1:] for name, cells in table(checked).items()
    }
    assert json.loads(fleet.results.read_text())["check_mode"] is False


def test_the_results_file(fleet: Fleet) -> None:
    """The modules' own results, for its owner only, with no secret; the state of a cluster that failed, too."""
    secret = "bm9ib2R5LXNlZXMtNDcxMQ"
    with_secret: dict[str, Any] = {"index_lifecycle_username": "jaeger", "index_lifecycle_password": secret}
    sets = [
        {"index_prefix": prefix, "record_types": ["span"], "conditions": {"max_age": "0s"}}
        for prefix in ("us", "no")
    ]
    fleet.add("eu", **with_secret)
    fleet.add("us", index_lifecycle_index_sets=sets, **with_secret)
    fleet.add_dead("dead", **with_secret)
    fleet.add_dead("wrong", index_lifecycle_lookback_unit="fortnights", **with_secret)
    fleet.add_dead("locked", **{**with_secret, "index_lifecycle_password": "{{ vault_password }}"})
    run = fleet.run("-vvvv", rollover_state=True)
    assert run.code == 2, run.output
    assert outcomes(run) == {name: "changed" if name == "eu" else "failed" for name in fleet.hosts}
    lines = table(run)
    assert lines["eu"] == ["changed", "1", "0", "0", "2"]
    assert lines["dead"][-1].startswith(fleet.hosts["dead"]["elasticsearch_url"] + ": no answer (")
    text = fleet.results.read_text()
    assert secret not in text + run.output
    assert stat.S_IMODE(fleet.results.stat().st_mode) == 0o600
    told = fleet.told()
    actions = {
        name: [each["action"] for each in told[name]["result"]["actions"]] for name in ("eu", "us", "dead")
    }
    assert actions == {"eu": ["rollover"], "us": ["rollover"], "dead": []}
    assert {name for name, one in told.items() if not one["failed"]} == {"eu"}
    assert "index_lifecycle_lookback_unit must be one of" in told["wrong"]["msg"]
    assert "'vault_password' is undefined" in told["locked"]["msg"]
    assert told["us"]["msg"].startswith("1 of 2 index sets failed: no/span: there is no index")
    assert told["dead"]["state"] is None
    assert {name for name, one in told.items() if one["state"]} == {"eu", "us"}
    for name in ("eu", "us"):
        known = {one["index_prefix"]: one["write_index"] for one in told[name]["state"]["index_sets"]}
        assert known[name] == f"{name}-jaeger-span-000002"
    assert "invocation" not in text


def test_a_limit_holds_and_nobody_looks_unless_the_state_is_wanted(fleet: Fleet) -> None:
    """One task, as few requests as the module needs: hello, the indices with aliases, the rollover."""
    fleet.add("us", "eu")
    run = fleet.run("--limit", "eu")
    assert run.code == 0, run.output
    assert fleet.asked() == ["eu"]
    assert outcomes(run) == {"eu": "changed"}
    assert set(fleet.told()) == {"eu"}
    plain = [request for _name, request in fleet.events]
    assert not any(is_look(request) for request in plain)
    fleet.events.clear()
    answer = run_module(
        "es_maintenance",
        server_urls=fleet.hosts["eu"]["elasticsearch_url"],
        index_sets=[{"index_prefix": "eu", "record_types": ["span"], "conditions": {"max_age": "0s"}}],
    )
    assert not answer.message
    assert [request.replace("000003", "000002") for _name, request in fleet.events] == plain


def test_a_run_says_what_is_unusual(fleet: Fleet) -> None:
    """And ends well: the same cluster twice, by oversight, of which the server lets one roll over; a blocked index; no folder."""
    fleet.add("eu", "again", prefix="eu", index_lifecycle_conditions={"max_docs": 1})
    fleet.es.request("PUT", "/eu-jaeger-span-write/_doc/1?refresh=true", {"traceID": "1"})
    fleet.add("blocked", index_lifecycle_conditions={"max_age": "9d"})
    before = {"index_prefix": "blocked", "record_types": ["span"], "conditions": {"max_age": "0s"}}
    assert run_module("es_rollover", server_urls=fleet.es.url, **before).changed
    blocks = {"index.blocks.read_only_allow_delete": True}
    fleet.es.request("PUT", "/blocked-jaeger-span-000001/_settings", blocks)
    fleet.results = fleet.results.parent / "missing" / "results.json"
    run = fleet.run(rollover_state=True)
    assert run.code == 0, run.output
    assert fleet.es.indices() == {
        f"{prefix}-jaeger-span-00000{number}" for prefix in ("eu", "blocked") for number in (1, 2)
    }
    assert fleet.generation("eu") == 2
    lines = table(run)
    assert sorted((lines["eu"][0], lines["again"][0])) == ["changed", "nothing to do"]
    assert lines["blocked"][0] == "nothing to do"
    assert "blocked-jaeger-span-000001 is blocked (read_only_allow_delete)" in lines["blocked"][-1]
    assert "[WARNING]: the results of the maintenance could not be written: " in run.output


def test_a_run_that_is_ended_leaves_what_it_knows(fleet: Fleet) -> None:
    """SIGTERM, as at the end of a scheduled run's time, while one cluster does not answer and one waits for its turn."""
    asked, over = threading.Event(), threading.Event()

    def hang(_path: str) -> None:
        asked.set()
        over.wait(LONG)

    fleet.add("eu")
    fleet.add("hung", watch=hang)
    fleet.add("later")
    command = [str(BIN / "ansible-playbook"), ROLLOVER, "-i", str(fleet.inventory), "-f", "1"]
    environment = {"TRACESTACK_MAINTENANCE_RESULTS": str(fleet.results)}
    process = subprocess.Popen(
        [*command, "-e", json.dumps(AT_ONCE)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert asked.wait(LONG)
        process.send_signal(signal.SIGTERM)
        output, _nothing = process.communicate(timeout=LONG)
    finally:
        over.set()
        process.kill()
    assert process.returncode == -signal.SIGTERM, output
    assert "Traceback" not in output
    told = fleet.told()
    assert told["eu"]["result"]["changed"]
    assert not told["eu"]["failed"]
    assert told["hung"]["msg"] == "cut off: the run was ended while it was under way"
    assert told["later"]["msg"] == f"not run: {TURN}"


def test_other_plays_tell_nothing(fleet: Fleet, tmp_path: Path) -> None:
    """One without maintenance, and one whose tags leave it out, even if something in it fails."""
    fleet.add("eu")
    wanted: dict[str, Any] = {
        "tracestack.jaeger.es_maintenance": {"server_urls": "{{ elasticsearch_url }}", "index_sets": []},
        "tags": ["nightly"],
    }
    minor = {"ansible.builtin.fail": {"msg": "never mind"}, "ignore_errors": True}
    other = {"ansible.builtin.fail": {"msg": "no"}, "tags": ["other"]}
    playbook = tmp_path / "other.yml"
    playbook.write_text(
        yaml.safe_dump([{"hosts": "elasticsearch", "gather_facts": False, "tasks": [minor, other, wanted]}])
    )
    env = {"TRACESTACK_MAINTENANCE_RESULTS": str(fleet.results)}
    run = play(playbook, {}, "-i", str(fleet.inventory), "--tags", "other", env=env)
    assert run.code == 2
    assert "MAINTENANCE" not in run.output
    looked = play(
        "playbooks/report.yml",
        {"report_path": str(tmp_path / "page.html")},
        "-i",
        str(fleet.inventory),
        env=env,
    )
    assert looked.code == 0, looked.output
    assert "MAINTENANCE" not in looked.output
    assert not fleet.results.exists()
    whole = play(playbook, {}, "-i", str(fleet.inventory), env=env)
    assert outcomes(whole) == {"eu": "failed"}
    assert fleet.told()["eu"]["msg"] == "no"
