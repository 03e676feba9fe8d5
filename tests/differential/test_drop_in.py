# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jaeger's own tools (v1.57.0) and the maintenance image's program with the same arguments and the same environment.

They are those that the operator 1.56 and the Helm chart give.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.drop_in import drop_in, start_drop_in
from tests.support.proxy import Fault, nth, proxy
from tests.support.servers import Elasticsearch, wait_for
from tests.support.twins import Twins

ROLLOVER, CLEANER = "es-rollover", "es-index-cleaner"
PASSWORD = "s3cret-4711"
URL = "URL"  # stands for the server's in the tables below


@dataclass(frozen=True)
class Step:
    """A run of a tool: when, which of theirs, the arguments, the environment."""

    clock: str
    tool: str
    arguments: str
    env: dict[str, str]


def operator(**more: dict[str, str]) -> list[Step]:
    """A custom resource with es.use-aliases: init before all else, then its three cron jobs. more: by step."""
    common = {"INDEX_PREFIX": "prod"}
    return [
        Step(
            "-20d", ROLLOVER, f"init {URL}", common | {"SHARDS": "2", "REPLICAS": "1"} | more.get("init", {})
        ),
        Step(
            "-10d",
            ROLLOVER,
            f"rollover {URL}",
            common | {"CONDITIONS": '{"max_age": "2d"}'} | more.get("any", {}),
        ),
        Step(
            "+0d",
            ROLLOVER,
            f"lookback {URL}",
            common | {"UNIT": "hours", "UNIT_COUNT": "168"} | more.get("any", {}),
        ),
        Step("+0d", CLEANER, f"7 {URL}", common | {"ROLLOVER": "true"} | more.get("any", {})),
    ]


def chart(flags: str, cleaner: str = "", **env: str) -> list[Step]:
    """The chart's hook and cron jobs with its default extraEnv; flags are cmdlineParams."""
    common = {"ES_SERVER_URLS": "http://elsewhere:9200", "ES_NODES": "http://elsewhere:9200"} | env
    return [
        Step("-20d", ROLLOVER, f"init {URL} {flags}", common),
        Step("-10d", ROLLOVER, f"rollover {URL} {flags}", common | {"CONDITIONS": '{"max_age": "1d"}'}),
        Step("+0d", ROLLOVER, f"lookback {URL} {flags}", common | {"UNIT": "days", "UNIT_COUNT": "7"}),
        Step("+0d", CLEANER, f"7 {URL} {cleaner or flags}", common | {"ROLLOVER": "true"}),
    ]


STORIES = {
    "operator": operator(),
    "operator without dependencies": operator(
        init={"SKIP_DEPENDENCIES": "true"}, any={"SKIP_DEPENDENCIES": "true"}
    ),
    "operator with a user from a Secret": operator(
        init={"ES_USERNAME": "jaeger", "ES_PASSWORD": PASSWORD},
        any={"ES_USERNAME": "jaeger", "ES_PASSWORD": PASSWORD},
    ),
    "chart": chart("--index-prefix=prod"),
    "chart without a prefix, with a user": chart("", ES_USERNAME="elastic", ES_PASSWORD="changeme"),
    "chart, archive": chart("--index-prefix=prod --archive"),
    "chart, adaptive sampling": chart(
        "--adaptive-sampling --index-prefix=prod --timeout=30", "--index-prefix=prod --timeout=30"
    ),
}


def theirs(twins: Twins, step: Step, url: str = "") -> int:
    """The exit code of Jaeger's own tool."""
    done = subprocess.run(
        [twins.tools / step.tool, *words(step, url or twins.theirs.url)],
        env={"TZ": "UTC", **step.env},
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.returncode


def ours(twins: Twins, step: Step, url: str = "") -> subprocess.CompletedProcess[str]:
    """The same for ours, on its own cluster; in the past with the server's clock, as it minds a wrong one."""
    clock = None if step.clock == "+0d" else twins.ours.clock
    return drop_in(*words(step, url or twins.ours.url), env=step.env, clock=clock)


def words(step: Step, url: str) -> list[str]:
    return [url if word == URL else word for word in step.arguments.split()]


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_the_same_calls_do_the_same(twins: Twins, story: list[Step]) -> None:
    """Ages are such that all reckonings agree: the first generation was written until ten days ago."""
    for step in story:
        twins.set_clock(step.clock)
        assert theirs(twins, step) == 0
        done = ours(twins, step)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert done.stdout.splitlines()[-1].startswith("done: ")
        assert PASSWORD not in done.stdout
        twins.assert_same()
    assert not any(name.endswith("-000001") for name in twins.ours.indices())
    assert twins.ours.indices()


def test_dated_indices(twins: Twins) -> None:
    """The operator's cleaner of a Jaeger without aliases."""
    for age in range(10):
        twins.set_clock(f"-{age}d")
        day = subprocess.check_output(["date", "-u", "-d", f"-{age} days", "+%Y-%m-%d"], text=True).strip()
        for kind in ("span", "service", "dependencies", "sampling"):
            twins.both("PUT", f"/prod-jaeger-{kind}-{day}")
    step = Step("+0d", CLEANER, f"7 {URL}", {"INDEX_PREFIX": "prod"})
    twins.set_clock(step.clock)
    assert theirs(twins, step) == ours(twins, step).returncode == 0
    assert twins.ours.indices() == twins.theirs.indices()
    assert len(twins.ours.indices()) == 4 * 7


PROD = {"INDEX_PREFIX": "prod"}
UP = {"CONDITIONS": '{"max_age": "2d"}'}
# Tool, arguments, environment, the exit codes of theirs and ours, what ours says. The set has two generations.
BAD = {
    "help": (ROLLOVER, "--help", {}, 0, 0, ""),
    "help of a command": (ROLLOVER, "lookback --help", {}, 0, 0, ""),
    "help of the cleaner": (CLEANER, "--help", {}, 0, 0, ""),
    "nothing, for the cleaner": (CLEANER, "", {}, 1, 1, "there is no command"),
    "nothing": (ROLLOVER, "", {}, 0, 1, "there is no command"),
    "no such command": (ROLLOVER, f"rollback {URL}", {}, 1, 1, "'rollback' is no command"),
    "no such flag": (ROLLOVER, f"lookback {URL} --units days", PROD, 1, 1, "there is no flag --units"),
    "a flag of another command": (ROLLOVER, f"rollover {URL} --unit days", PROD, 1, 1, "no flag --unit"),
    "a flag of another tool": (CLEANER, f"7 {URL} --skip-dependencies", PROD, 1, 1, "no flag --skip-dep"),
    "one dash": (ROLLOVER, f"lookback {URL} -unit days", PROD, 1, 1, "there is no flag -u"),
    "no URL": (ROLLOVER, "lookback", PROD, 1, 1, "arguments are wanted: 1, given: 0"),
    "no URL, cleaner": (CLEANER, "7", PROD, 1, 1, "arguments are wanted: 2, given: 1"),
    "two URLs": (ROLLOVER, f"lookback {URL} {URL}", PROD, 1, 1, "arguments are wanted: 1, given: 2"),
    "a truth value apart": (CLEANER, f"7 {URL} --rollover true", PROD, 1, 1, "wanted: 2, given: 3"),
    "a truth value that is none": (CLEANER, f"7 {URL} --rollover=yes", PROD, 1, 1, "true or false"),
    "no number": (CLEANER, f"week {URL}", PROD, 1, 1, "'week' is no command"),
    "no number of shards": (ROLLOVER, f"init {URL} --shards two", PROD, 1, 1, "a whole number"),
    "a negative number": (CLEANER, f"-5 {URL}", PROD, 1, 1, "there is no flag -5"),
    "conditions that are no JSON": (ROLLOVER, f"rollover {URL} --conditions x", PROD, 1, 1, "JSON object"),
    "conditions that are none": (
        ROLLOVER,
        f"rollover {URL}",
        PROD | {"CONDITIONS": '{"max_aeg": "2d"}'},
        1,
        1,
        "max_aeg",
    ),
    "no scheme": (ROLLOVER, "lookback es:9200", PROD, 1, 1, "is not a URL"),
    "nobody there": (ROLLOVER, "lookback http://127.0.0.1:1", PROD, 1, 1, "http://127.0.0.1:1: no answer"),
    "no such authority": (
        ROLLOVER,
        "lookback https://127.0.0.1:1 --es.tls.enabled --es.tls.ca=/no/such",
        PROD,
        1,
        1,
        "there is no file /no/such",
    ),
    "TLS without TLS": (ROLLOVER, f"lookback {URL}", PROD | {"ES_TLS_CA": "/ca"}, 1, 1, "is not https"),
    "rollover before init": (
        ROLLOVER,
        f"rollover {URL}",
        UP | {"INDEX_PREFIX": "prd"},
        1,
        1,
        "there is no index prd-",
    ),
    # What theirs take, and ours refuse: docs/differences.md and docs/drop-in.md.
    "row unit": (ROLLOVER, f"lookback {URL}", PROD | {"UNIT": "day"}, 0, 1, "value of unit must be one of"),
    "row negative": (CLEANER, f"--rollover -- -5 {URL}", PROD, 0, 1, "days is -5: it must be 0 or more"),
    "row negative, lookback": (ROLLOVER, f"lookback {URL} --unit-count=-5", PROD, 0, 1, "unit_count is -5"),
    "row no-condition": (
        ROLLOVER,
        f"rollover {URL}",
        PROD | {"CONDITIONS": "{}"},
        0,
        1,
        "conditions names none",
    ),
    "row wrong-prefix": (
        ROLLOVER,
        f"lookback {URL}",
        {"INDEX_PREFIX": "prd"},
        0,
        1,
        "there is no index prd-",
    ),
    "row wrong-prefix, cleaner": (
        CLEANER,
        f"7 {URL}",
        {"INDEX_PREFIX": "prd"},
        0,
        1,
        "there is no index prd-",
    ),
    "row names": (CLEANER, f"7 {URL} --rollover", {"INDEX_PREFIX": "prod*"}, 0, 1, "has the character '*'"),
    "row prefix-form": (ROLLOVER, f"init {URL}", {"INDEX_PREFIX": "prod-"}, 0, 1, "ends with '-'"),
    "a variable that is no number": (
        ROLLOVER,
        f"lookback {URL}",
        PROD | {"UNIT_COUNT": "seven"},
        0,
        1,
        "UNIT_COUNT is 'seven': it must be a whole number",
    ),
    "a variable that is no truth value": (
        CLEANER,
        f"0 {URL}",
        PROD | {"ROLLOVER": "yes"},
        0,
        1,
        "ROLLOVER is 'yes': it must be true or false",
    ),
    "a password for nobody": (
        ROLLOVER,
        f"lookback {URL}",
        PROD | {"ES_PASSWORD": PASSWORD},
        0,
        1,
        "es.username",
    ),
}


@pytest.mark.parametrize("row", BAD.values(), ids=BAD)
def test_bad_input(twins: Twins, row: tuple[str, str, dict[str, str], int, int, str]) -> None:
    """The same exit code but where it says otherwise; ours then does nothing, and says why in a sentence."""
    tool, arguments, env, code, our_code, said = row
    generations(twins)
    before = state(twins.ours)
    step = Step("+0d", tool, arguments, env)
    assert theirs(twins, step) == code
    done = ours(twins, step)
    assert done.returncode == our_code
    if our_code:
        reason, *rest = done.stderr.splitlines()
        assert reason.startswith("error: ")
        assert said in reason
        assert not rest
        assert done.stdout == ""
    assert state(twins.ours) == before


def generations(twins: Twins) -> None:
    """Two generations of prod on each cluster: from 20 days ago, and from 10 days ago."""
    for clock, command in (("-20d", ["init", "--shards", "1"]), ("-10d", ["rollover", "--conditions", "{}"])):
        twins.set_clock(clock)
        for server in twins.both_servers:
            twins.tool(ROLLOVER, command[0], server.url, *command[1:], "--index-prefix", "prod")
    twins.set_clock("+0d")


def state(server: Elasticsearch) -> tuple[set[str], set[tuple[str, str]]]:
    return server.indices(), server.aliases()


def test_refused_credentials(twins: Twins) -> None:
    """401: exit code 1 of both, and no secret in what ours says, however it was given."""
    denied = Fault(reaches=False, status=401, content='{"error": {"type": "security_exception"}}')
    with proxy(twins.ours.url, lambda _method, _path: denied) as front:
        env = {"ES_USERNAME": "jaeger", "ES_PASSWORD": PASSWORD}
        host = front.url.removeprefix("http://")
        for arguments, variables in (
            (f"lookback {URL}", env),
            (f"lookback {URL} --json", env),
            (f"lookback {URL} --es.username jaeger --es.password {PASSWORD}", {}),
            (f"lookback http://jaeger:{PASSWORD}@{host}", {}),
        ):
            step = Step("+0d", ROLLOVER, arguments, variables)
            if "--json" not in arguments:
                assert theirs(twins, step, front.url) == 1
            done = ours(twins, step, front.url)
            assert done.returncode == 1
            assert done.stderr.startswith(f"error: {front.url} refuses these credentials (401)")
            assert PASSWORD not in done.stdout + done.stderr
        assert len(front.authorizations) == 1


def test_a_secret_is_in_no_process_s_arguments_and_sigterm_ends_it(twins: Twins) -> None:
    secret = "only-here-4711"  # other tests, which may run at the same time, have theirs in an address
    generations(twins)
    with proxy(twins.ours.url, nth("GET", "jaeger", Fault(held=20))) as front:
        env = {"ES_USERNAME": "jaeger", "ES_PASSWORD": secret, **PROD}
        running = start_drop_in("lookback", front.url, env=env)
        wait_for(lambda: bool(front.faults))
        assert secret.encode() not in b"".join(map(arguments_of, Path("/proc").glob("[0-9]*")))
        running.terminate()
        assert running.wait(10) == 143
    assert running.stdout is not None
    with running.stdout:
        assert running.stdout.read() == "error: ended from outside. What was begun, the next run finishes.\n"


def arguments_of(process: Path) -> bytes:
    """A process's arguments; it may have ended meanwhile."""
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_what_check_tells_is_then_done(twins: Twins) -> None:
    generations(twins)
    before = state(twins.ours)
    told = {}
    for switch in ("--check", "--json"):
        done = drop_in("lookback", twins.ours.url, switch, env=PROD)
        assert done.returncode == 0, done.stderr
        told[switch] = done.stdout
        assert (state(twins.ours) == before) is (switch == "--check")
    plan = told["--check"].splitlines()
    assert plan[-1] == "check: 3 changes would be made, nothing was changed"
    did = json.loads(told["--json"])
    assert [line.split()[4] for line in plan[:3]] == [f"{action['index']}:" for action in did["actions"]]
    assert {line[:17] for line in plan[:3]} == {"take out of sight"}
    again = drop_in("lookback", twins.ours.url, env=PROD)
    assert again.stdout.splitlines()[-1] == "done: nothing to do"


def test_maintain(twins: Twins, tmp_path: Path) -> None:
    """The whole night from a file of options, the user from the environment; what fails is told first."""
    generations(twins)
    sets = [
        {
            "index_prefix": "prod",
            "conditions": {"max_age": "1d"},
            "lookback": {"unit": "days", "unit_count": 7},
            "retention": {"days": 8},
        }
    ]
    file = tmp_path / "options.json"
    file.write_text(json.dumps({"index_sets": sets}))
    env = {"ES_SERVER_URLS": twins.ours.url, "ES_USERNAME": "jaeger", "ES_PASSWORD": PASSWORD}
    done = drop_in("maintain", "--options", str(file), env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "done: 9 changes"
    assert twins.ours.indices() == {
        f"prod-jaeger-{kind}-{number:06d}"
        for kind in ("span", "service", "dependencies")
        for number in (2, 3)
    }
    file.write_text(json.dumps({"index_sets": [*sets, {**sets[0], "index_prefix": "prd"}]}))
    done = drop_in("maintain", "--options", str(file), env=env)
    assert done.returncode == 1
    assert done.stderr.startswith("error: 3 of 6 index sets failed: prd/span: there is no index prd-")
