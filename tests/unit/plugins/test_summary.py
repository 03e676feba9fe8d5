# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table at the end of a run, and the results file: what they say of each cluster, whatever was heard of it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tracestack.jaeger.plugins.callback.maintenance_summary import write_privately
from ansible_collections.tracestack.jaeger.plugins.plugin_utils._summary import (
    Summary,
    columns,
    cut,
    one_line,
    table,
)

WIDTH = 100
TURN = "the play ended before it was this cluster's turn"


def night(rolled: int = 0, hidden: int = 0, deleted: int = 0, kept: int = 0, **more: Any) -> dict[str, Any]:
    """A result of es_maintenance with so many actions of each kind."""
    kinds = {"rollover": rolled, "remove_alias": hidden, "delete_index": deleted}
    actions = [
        {"action": kind, "index": f"i-{number}"} for kind, count in kinds.items() for number in range(count)
    ]
    return {
        "changed": bool(actions),
        "actions": actions,
        "kept": [{"index": f"k-{number}", "reason": "young"} for number in range(kept)],
        "failures": [],
        "index_sets": [],
        **more,
    }


def state(*problems: str) -> dict[str, Any]:
    return {"changed": False, "cluster": {"version": "7.17.1"}, "index_sets": [{"problems": list(problems)}]}


def summary(*hosts: str) -> Summary:
    """One of a play that maintains these hosts."""
    one = Summary()
    one.start(hosts, True)
    return one


def cells(one: Summary, host: str, failed: tuple[str, ...] = ()) -> list[str]:
    """A host's line of the table, cell by cell."""
    return one.end(failed)[host].row(host)


NO_ANSWER = {**night(), "msg": "http://127.0.0.1:1: no answer"}


@pytest.mark.parametrize(
    ("outcome", "result", "check", "line"),
    [
        ("ok", night(3, 2, 1, 7), False, ["changed", "3", "2", "1", "7", ""]),
        ("ok", night(3, 2, 1, 7), True, ["would change", "3", "2", "1", "7", ""]),
        ("ok", night(kept=3), False, ["nothing to do", "0", "0", "0", "3", ""]),
        ("ok", night(kept=3), True, ["nothing to do", "0", "0", "0", "3", ""]),
        ("failed", NO_ANSWER, False, ["failed", "0", "0", "0", "0", "http://127.0.0.1:1: no answer"]),
        (
            "failed",
            {**night(2), "msg": "1 of 3 failed"},
            False,
            ["failed", "2", "0", "0", "0", "1 of 3 failed"],
        ),
        ("failed", {"msg": "no module"}, False, ["failed", "-", "-", "-", "-", "no module"]),
        ("failed", {"msg": "Task failed: no"}, False, ["failed", "-", "-", "-", "-", "no"]),
        ("failed", {}, False, ["failed", "-", "-", "-", "-", "no reason was given"]),
        ("unreachable", {"msg": "no ssh"}, False, ["unreachable", "-", "-", "-", "-", "no ssh"]),
        ("skipped", {}, False, ["skipped", "-", "-", "-", "-", ""]),
        ("ok", {"censored": "hidden", "changed": True}, False, ["changed", "-", "-", "-", "-", ""]),
        ("failed", {"censored": "hidden"}, False, ["failed", "-", "-", "-", "-", "hidden"]),
    ],
)
def test_a_line_for_each_outcome(outcome: str, result: dict[str, Any], check: bool, line: list[str]) -> None:
    one = summary("eu")
    one.maintenance("eu", outcome, result, check)
    assert cells(one, "eu")[1:] == line
    assert one.check == check


def test_an_index_that_two_steps_keep_is_one() -> None:
    """And what is kept without a name, such as a set that another run has rolled over, is no index."""
    one = summary("eu")
    kept = [{"index": "a"}, {"index": "a"}, {"index": "b"}, {"index": ""}]
    one.maintenance("eu", "ok", {**night(), "kept": kept})
    assert cells(one, "eu")[5] == "2"


def test_a_host_whose_turn_did_not_come() -> None:
    one = summary("canary", "eu", "us")
    one.maintenance("canary", "failed", NO_ANSWER)
    one.start(["canary", "eu", "us"], True)
    one.begin("us")
    assert cells(one, "eu") == ["eu", "not run", "-", "-", "-", "-", TURN]
    assert cells(one, "us") == [
        "us",
        "cut off",
        "-",
        "-",
        "-",
        "-",
        "the run was ended while it was under way",
    ]
    told = one.told()["clusters"]
    assert list(told) == ["canary", "eu", "us"]
    assert told["eu"] == {
        "failed": True,
        "unreachable": False,
        "msg": f"not run: {TURN}",
        "result": None,
        "state": None,
    }


def test_another_task_s_failure_is_the_host_s() -> None:
    """If it did end the host's work: what was rescued, and what came after in other plays, is none."""
    one = summary("eu", "us", "ap", "af")
    wrong = {"msg": "Validation of arguments failed:\nargument x"}
    one.other("eu", "failed", wrong)
    one.other("us", "failed", wrong)
    one.maintenance("us", "ok", night(1))
    one.other("ap", "unreachable", {"msg": "no ssh"})
    one.maintenance("af", "ok", night(1))
    one.start(["af"], False)
    one.other("af", "failed", wrong)
    one.end(["eu", "ap", "af"])
    outcomes = [cells(one, host, ("eu", "ap", "af"))[1] for host in ("eu", "us", "ap", "af")]
    assert outcomes == ["failed", "changed", "unreachable", "changed"]
    assert one.told()["clusters"]["eu"]["msg"] == wrong["msg"]


def test_a_failure_after_the_maintenance_in_its_play_is_the_host_s() -> None:
    one = summary("eu")
    one.maintenance("eu", "ok", night(1))
    one.other("eu", "failed", {"msg": "telling failed"})
    assert cells(one, "eu", ("eu",)) == ["eu", "failed", "1", "0", "0", "0", "telling failed"]


def test_a_play_that_was_not_known_to_maintain() -> None:
    """The role was included while it ran."""
    one = Summary()
    one.start(["eu", "us"], False)
    one.maintenance("us", "ok", night(1))
    assert {name: each.outcome for name, each in one.end([]).items()} == {"eu": "not run", "us": "changed"}


def test_a_play_without_maintenance_tells_nothing() -> None:
    one = Summary()
    one.start(["eu"], False)
    one.state("eu", "ok", state("something is wrong"))
    one.other("eu", "failed", {"msg": "no"})
    assert one.end(["eu"]) == {}


@pytest.mark.parametrize(
    ("problems", "remark"),
    [((), ""), (("red",), "red"), (("red", "blocked", "lost"), "red (and 2 more)")],
)
def test_problems_of_the_state(problems: tuple[str, ...], remark: str) -> None:
    one = summary("eu")
    one.maintenance("eu", "ok", night(1))
    one.state("eu", "ok", state(*problems))
    assert cells(one, "eu")[-1] == remark
    told = one.told()["clusters"]["eu"]
    assert (told["failed"], told["state"]["index_sets"]) == (False, [{"problems": list(problems)}])


def test_a_state_that_could_not_be_read_is_no_failure() -> None:
    """And a second look that went well makes good for the first one."""
    one = summary("eu", "us")
    for host in ("eu", "us"):
        one.maintenance(host, "ok", night(1))
        one.state(host, "failed", {"msg": "no answer"})
    one.state("us", "ok", state())
    assert cells(one, "eu")[1:] == ["changed", "1", "0", "0", "0", "its state is not known: no answer"]
    assert cells(one, "us")[-1] == ""
    told = one.told()["clusters"]
    assert [told[host]["failed"] for host in told] == [False, False]
    assert (told["eu"]["state"], told["us"]["state"]["cluster"]) == (None, {"version": "7.17.1"})


def test_rounds_of_a_loop_and_further_tasks_are_added_up() -> None:
    one = summary("eu")
    bad = {**night(), "failed": True, "msg": "second round"}
    one.maintenance(
        "eu", "failed", {"msg": "One or more items failed", "results": [night(1), bad, {"skipped": True}]}
    )
    one.maintenance("eu", "ok", night(1, deleted=2))
    assert cells(one, "eu") == ["eu", "failed", "2", "0", "2", "0", "second round"]
    told = one.told()["clusters"]["eu"]
    assert (told["result"]["changed"], len(told["result"]["actions"])) == (True, 4)


def test_only_the_module_s_own_words_are_told() -> None:
    one = summary("eu")
    more: dict[str, Any] = {
        "invocation": {"module_args": {"password": "x"}},
        "diff": {},
        "_ansible_no_log": False,
        "warnings": ["w"],
    }
    one.maintenance("eu", "ok", night(1, **more))
    told = one.told()["clusters"]["eu"]["result"]
    assert set(told) == {"changed", "actions", "kept", "failures", "index_sets", "warnings"}


def test_the_table() -> None:
    one = summary("traces-eu", "traces-eu-staging", "traces-us", "traces-ap")
    one.maintenance("traces-eu", "ok", night(3, 2, 2, 12))
    one.maintenance("traces-eu-staging", "ok", night(kept=3))
    one.maintenance(
        "traces-us", "failed", {**NO_ANSWER, "msg": "https://search-us.example.org:9200: no answer (refused)"}
    )
    assert [line for line, _outcome in table(one.end([]), WIDTH)] == [
        "cluster            result         rolled over  out of sight  deleted  kept  what is wrong",
        "traces-eu          changed                  3             2        2    12",
        "traces-eu-staging  nothing to do            0             0        0     3",
        "traces-us          failed                   0             0        0     0  https://search-us.examp…",
        "traces-ap          not run                  -             -        -     -  the play ended before i…",
        "4 clusters: 1 changed, 1 nothing to do, 1 failed, 1 not run",
    ]


def test_one_cluster_needs_no_sum() -> None:
    one = summary("eu")
    one.maintenance("eu", "ok", night(1))
    assert [outcome for _line, outcome in table(one.end([]), WIDTH)] == ["", "changed"]


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), max_size=60) | st.sampled_from(
    [
        "\x1b[2J\x1b[31mall is well",
        "a\r\nb ok",
        "\u202eflipped",
        "\u2028",
        "日本語" * 30,
        "e\u0301" * 60,
        "\x00\x07",
    ]
)


@given(HOSTILE, HOSTILE, st.integers(1, 200))
def test_hostile_names_and_messages_stay_in_their_line(name: str, message: str, width: int) -> None:
    one = summary(name, "other")
    one.maintenance(name, "failed", {"msg": message})
    lines = [line for line, _outcome in table(one.end([]), width)]
    assert len(lines) == 4
    assert all(line.isprintable() and columns(line) <= max(width, 104) for line in lines)
    json.dumps(one.told())


@given(HOSTILE, st.integers(1, 80))
def test_cut(text: str, width: int) -> None:
    line = one_line(text)
    short = cut(line, width)
    assert columns(short) <= width
    assert short == line or (short.endswith("…") and line.startswith(short[:-1]))


def test_the_results_file_is_replaced_as_a_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")
    path.chmod(0o644)
    write_privately(str(path), "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        write_privately(str(tmp_path / "folder"), "new")
    assert {each.name for each in tmp_path.iterdir()} == {"folder", "results.json"}
