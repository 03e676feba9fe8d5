# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time, whoever is killed; and an end for each run. Real processes, real locks, real signals."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from jaeger_es_maintenance.lock import Lock, LockError

from tests.support.scheduled import NOTHING_TO_DO, Runner
from tests.support.servers import wait_for

WAITING = 'echo $$ > {folder}/child; trap "exit 3" TERM; while :; do sleep 0.05; done'
BUSY = r"prod: another run \(pid \d+, its child \d+, since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\) is running: nothing to do\n"


def waiting(runner: Runner, **keys: Any) -> Path:
    """A job that works until it is told to end; its process number is in the file child."""
    script = WAITING.format(folder=runner.folder)
    return runner.playbook(script, lock=f"{runner.folder}/lock", **keys)


def busy_job(runner: Runner) -> Path:
    """The same job again, told on the standard output."""
    return waiting(runner, log={"stdout": True})


def child_of(runner: Runner) -> int:
    """The number of the child, once it works."""
    found = runner.folder / "child"
    wait_for(lambda: found.exists() and found.read_text().strip() != "", 20)
    return int(found.read_text())


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """How a runner ended, and what it said."""
    stdout, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stdout + stderr
    return process.returncode, stdout, stderr


def alive(pid: int) -> bool:
    """Whether there is such a process that is not dead yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_another_run_has_nothing_to_do(runner: Runner) -> None:
    first = runner.start(waiting(runner))
    child = child_of(runner)
    second = runner.run(busy_job(runner))
    assert (second.returncode, second.stderr) == (0, "")
    assert re.fullmatch(BUSY, second.stdout)
    assert f"pid {first.pid}, its child {child}," in second.stdout
    first.terminate()
    assert ended(first)[0] == 143
    assert runner.run(runner.playbook(NOTHING_TO_DO, lock=f"{runner.folder}/lock")).returncode == 0


def test_a_killed_runner_and_its_child(runner: Runner) -> None:
    """The lock is held as long as the child works, and free once it has ended, though nobody has tidied up."""
    first = runner.start(waiting(runner))
    child = child_of(runner)
    first.kill()
    ended(first)
    assert alive(child)
    assert re.fullmatch(BUSY, runner.run(busy_job(runner)).stdout)
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: not alive(child), 10)
    after = runner.run(runner.playbook(NOTHING_TO_DO, lock=f"{runner.folder}/lock", log={"stdout": True}))
    assert (after.returncode, after.stdout[:8]) == (0, "done in ")


def test_sixteen_at_once(runner: Runner) -> None:
    """One at a time: none begins while another works, and those that find it held say so."""
    script = (
        f"set -e; mkdir {runner.folder}/works; echo x >> {runner.folder}/done; sleep 0.3; "
        f"rmdir {runner.folder}/works; {NOTHING_TO_DO}"
    )
    job = runner.playbook(script, lock=f"{runner.folder}/lock", log={"stdout": True})
    outcomes = [ended(process) for process in [runner.start(job) for _each in range(16)]]
    assert {(code, stderr) for code, _stdout, stderr in outcomes} == {(0, "")}
    worked = [stdout for _code, stdout, _stderr in outcomes if stdout.startswith("done in ")]
    assert len(worked) == len((runner.folder / "done").read_text().split()) >= 1
    refused = [stdout for _code, stdout, _stderr in outcomes if "is running: nothing to do" in stdout]
    assert len(worked) + len(refused) == 16
    assert len(refused) >= 8


def test_a_lock_that_is_removed_is_no_second_lock(runner: Runner) -> None:
    """Whoever removes the file lets a second run begin; but then that one holds the new file, not the old one."""
    lock = runner.folder / "lock"
    first = runner.start(waiting(runner))
    child_of(runner)
    lock.unlink()
    second = runner.start(waiting(runner))
    wait_for(lambda: lock.exists() and str(second.pid) in lock.read_text(), 20)
    assert "another run" in runner.run(busy_job(runner)).stdout
    for process in (first, second):
        process.terminate()
        assert ended(process)[0] == 143


@pytest.mark.parametrize("kind", ["symlink", "folder", "fifo", "no folder", "read-only"])
def test_a_lock_that_cannot_be_used(runner: Runner, kind: str) -> None:
    lock, victim = runner.folder / "lock", runner.folder / "victim"
    victim.write_text("precious")
    if kind == "symlink":
        lock.symlink_to(victim)
    elif kind == "folder":
        lock.mkdir()
    elif kind == "fifo":
        os.mkfifo(lock)
    elif kind == "no folder":
        lock = runner.folder / "nosuch" / "lock"
    else:
        lock = Path("/sys/kernel/uevent_seqnum")  # nobody may write there, root neither
    said = {
        "symlink": "it is a symbolic link",
        "folder": "Is a directory",
        "fifo": "it is not a regular file",
        "no folder": "No such file or directory",
        "read-only": "(Permission denied|Read-only file system)",
    }[kind]
    done = runner.run(runner.playbook(f"touch {runner.folder}/ran", lock=str(lock)))
    assert done.returncode == 1
    assert re.fullmatch(
        rf"error: failed after 0\.0 s: prod: the lock file {lock} cannot be used: {said}\.\n", done.stderr
    )
    assert victim.read_text() == "precious"
    assert not (runner.folder / "ran").exists()


def test_max_runtime(runner: Runner) -> None:
    began = time.monotonic()
    done = runner.run(waiting(runner, max_runtime=1))
    assert done.returncode == 124
    assert "it took longer than max_runtime (1 s) and was ended" in done.stderr
    assert 1 <= time.monotonic() - began < 10
    assert not alive(child_of(runner))


def test_the_group_of_the_child_ends_with_it(runner: Runner) -> None:
    """A playbook has workers; they are not left behind."""
    script = f"sh -c 'trap \"\" TERM; echo $$ > {runner.folder}/worker; sleep 300' & trap 'exit 3' TERM; wait"
    assert runner.run(runner.playbook(script, max_runtime=1)).returncode == 124
    worker = int((runner.folder / "worker").read_text())
    wait_for(lambda: not alive(worker), 10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_the_child_works(runner: Runner, number: signal.Signals) -> None:
    """As Ctrl-C and as a supervisor does it, also from a shell whose background this test runs in."""
    process = runner.start(waiting(runner), launcher=["env", "--default-signal=INT"])
    child = child_of(runner)
    process.send_signal(number)
    code, stdout, stderr = ended(process)
    assert (code, stdout) == (143, "")
    assert "prod: ended from outside; what was begun, the next run finishes" in stderr
    assert not alive(child)


def test_a_signal_that_was_ignored_before(runner: Runner) -> None:
    """As Ctrl-C is in a shell's background: the run goes on."""
    job = runner.playbook(f"kill -INT $PPID; {NOTHING_TO_DO}")
    assert ended(runner.start(job, launcher=["env", "--ignore-signal=INT"]))[0] == 0


def test_a_signal_in_the_delay(runner: Runner) -> None:
    """Nothing was begun, and the lock was never taken."""
    job = runner.playbook(f"touch {runner.folder}/ran", random_delay=10**7, lock=f"{runner.folder}/lock")
    process = runner.start(job, now=False)
    blocked = re.compile(r"^SigBlk:\s*([0-9a-f]+)$", re.MULTILINE)

    def waits() -> bool:
        found = blocked.search(Path(f"/proc/{process.pid}/status").read_text())
        return found is not None and bool(int(found[1], 16) & 1 << signal.SIGCHLD - 1)

    wait_for(waits, 20)
    process.terminate()
    code, _stdout, stderr = ended(process)
    assert code == 143
    assert "ended from outside before it began" in stderr
    assert not (runner.folder / "ran").exists()
    assert not (runner.folder / "lock").exists()


def test_the_delay_is_random_and_ends(runner: Runner) -> None:
    began = time.monotonic()
    assert runner.run(runner.playbook(NOTHING_TO_DO, random_delay=0.5), now=False).returncode == 0
    assert time.monotonic() - began < 10
    assert runner.run(runner.playbook(NOTHING_TO_DO, random_delay=10**7)).returncode == 0  # --now


def test_signals_before_the_first_line_is_run(runner: Runner) -> None:
    """At whatever moment SIGTERM comes, the exit code is 143 or that of a signal, and nobody sees a traceback."""
    job = waiting(runner)
    for step in range(20):
        process = runner.start(job)
        time.sleep(step * 0.01)
        process.terminate()
        code, *_output = ended(process)
        assert code in (143, -signal.SIGTERM)


def test_a_signal_where_python_swallows_exceptions(runner: Runner) -> None:
    """An exception in a destructor or in a weak reference's callback, which importing has, is only printed."""
    code = """
import os, signal, sys
import jaeger_es_maintenance.__main__ as program

class Told:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

understand = program.understand
def told_first(*given):
    Told()
    return understand(*given)
program.understand = told_first
sys.exit(program.main())
"""
    ended = runner.python_run("-c", code, *runner.command(waiting(runner, max_runtime=5))[4:])
    assert (ended.returncode, ended.stdout) == (143, "")
    assert ended.stderr == "error: ended from outside. What was begun, the next run finishes.\n"


def test_a_program_that_is_not_there(runner: Runner) -> None:
    done = runner.run(runner.job(playbook={"command": ["/nosuch/ansible-playbook", "x.yml"]}))
    assert done.returncode == 1
    assert "/nosuch/ansible-playbook could not be started: No such file or directory" in done.stderr


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "exit 0",
            (
                "prod: it looked after no cluster (with a playbook: no host matched, or the callback "
                "tracestack.jaeger.maintenance_summary is not enabled)"
            ),
        ),
        ("echo first >&2; echo last >&2; exit 4", "prod: it ended with exit code 4: last"),
        ("echo told; exit 4", "prod: it ended with exit code 4: told"),
        ("exit 4", "prod: it ended with exit code 4"),
        ("kill -9 $$", "prod: it was ended by signal 9 (SIGKILL)"),
        ("yes | head -c 100000000; exit 5", "prod: it ended with exit code 5: y"),
    ],
)
def test_what_a_child_without_results_leaves(runner: Runner, script: str, said: str) -> None:
    done = runner.run(runner.playbook(script))
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"error: failed after \d+\.\d s: {re.escape(said)}\n", done.stderr)


def test_what_the_child_inherits(runner: Runner) -> None:
    """Its input is empty, and of files it has those of its own and the lock."""
    script = "import os, sys; print(repr(sys.stdin.read()), os.listdir('/proc/self/fd')); sys.exit(9)"
    command = ["/usr/bin/env", str(runner.python), "-c", script]
    told = runner.folder / "told"
    wrapped = ["sh", "-c", 'exec "$@" > "$0"', str(told), *command]
    assert runner.run(runner.job(playbook={"command": wrapped}, lock=f"{runner.folder}/lock")).returncode == 1
    assert told.read_text().startswith("'' [")
    assert told.read_text().count("', '") == 4  # three, the lock, and the folder that is read


@pytest.mark.parametrize(
    "launcher", [[], ["env", "--ignore-signal=ALRM,HUP,INT,TERM,XFSZ"]], ids=["as here", "ignored"]
)
def test_what_was_ignored_before_stays_ignored(runner: Runner, launcher: list[str]) -> None:
    """But for what ends a run (SIGALRM, SIGTERM) and what Python ignores (SIGPIPE, SIGXFSZ)."""
    told = runner.folder / "told"
    job = runner.job(playbook={"command": ["cp", "/proc/self/status", str(told)]})
    code, _stdout, stderr = ended(runner.start(job, launcher=launcher))
    assert code == 1, stderr  # it leaves no results
    before = masks(Path("/proc/self/status").read_text())["SigIgn"]
    before |= bit(signal.SIGHUP, signal.SIGINT) if launcher else 0
    expected = before & ~bit(signal.SIGALRM, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ)
    assert masks(told.read_text()) == {"SigBlk": 0, "SigIgn": expected}


def bit(*numbers: signal.Signals) -> int:
    """A mask of signals."""
    return sum(1 << (number - 1) for number in numbers)


def masks(status: str) -> dict[str, int]:
    """The signals that are blocked and ignored, of /proc/PID/status."""
    found = re.findall(r"^(Sig(?:Blk|Ign)):\s*(\w+)$", status, re.MULTILINE)
    return {name: int(mask, 16) for name, mask in found}


@pytest.mark.parametrize("times", [1, 1000])
def test_a_lock_that_is_replaced_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """Between opening it and holding it: what is held is the file that the next one opens, or nothing."""
    path = tmp_path / "lock"
    left = [times]

    def flock(fd: int, operation: int) -> None:
        real(fd, operation)
        if left[0]:
            left[0] -= 1
            path.unlink()

    real = fcntl.flock
    monkeypatch.setattr("jaeger_es_maintenance.lock.fcntl.flock", flock)
    if times > 1:
        with pytest.raises(LockError, match="it is replaced again and again"):
            Lock(str(path))
    else:
        assert os.path.samestat(os.fstat(Lock(str(path)).fd), path.stat())


def test_results_of_a_playbook(runner: Runner) -> None:
    """What the callback plugin writes is told, host by host; the folder with it is private, and gone afterwards."""
    good = {
        "failed": False,
        "unreachable": False,
        "msg": "",
        "result": {"actions": [{"action": "rollover"}] * 3 + [{"action": "delete_index"}]},
        "state": None,
    }
    bad = {"failed": False, "unreachable": True, "msg": "no route to host", "result": None, "state": None}
    results = runner.folder / "results.json"
    place = '"$TRACESTACK_MAINTENANCE_RESULTS"'
    script = f"stat -c %a $(dirname {place}); cp {results} {place}; echo {place} > {runner.folder}/place"
    results.write_text(json.dumps({"clusters": {"eu": good}}))
    done = runner.run(runner.playbook(script, log={"stdout": True}))
    assert done.returncode == 0
    assert re.fullmatch(r"done in 0\.\d s: eu: 3 rolled over, 1 deleted\n", done.stdout)
    assert not Path((runner.folder / "place").read_text().strip()).parent.exists()
    results.write_text(json.dumps({"clusters": {"eu": good, "us": bad}}))
    done = runner.run(runner.playbook(f"{script}; exit 4"))
    assert done.returncode == 1
    assert re.search(r"s: us: no route to host; eu: 3 rolled over, 1 deleted\n", done.stderr)
    for nobody in ("[1]", "{}"):
        results.write_text(f'{{"clusters": {nobody}}}')
        done = runner.run(runner.playbook(script))
        assert done.returncode == 1
        assert "prod: it looked after no cluster (" in done.stderr


def test_a_signal_after_the_work(runner: Runner) -> None:
    """The work is done and told; a SIGTERM that comes meanwhile does not make it a failure."""
    script = f'{NOTHING_TO_DO}; kill -TERM "$(cut -d " " -f 4 /proc/$$/stat)"; exit 0'
    done = runner.run(runner.playbook(script, log={"stdout": True}))
    assert done.returncode in (0, 143)  # the signal may come before the end of the child, or after it
    assert done.stdout.startswith("done in " if done.returncode == 0 else "error: failed after ")


@pytest.mark.parametrize("result", [[1], {"actions": [1, {}]}, {"actions": 1}, {"warnings": 7}])
def test_results_of_another_form(runner: Runner, result: object) -> None:
    """Whoever wrote them: what can be understood of them is, and nobody sees a traceback."""
    results = runner.folder / "results.json"
    results.write_text(
        json.dumps({"clusters": {"eu": {"failed": False, "result": result, "state": {"x": 1}}}})
    )
    script = f'cp {results} "$TRACESTACK_MAINTENANCE_RESULTS"'
    done = runner.run(runner.playbook(script, metrics={"textfile": f"{runner.folder}/x.prom"}))
    assert (done.returncode, done.stderr) == (0, "")


def test_no_folder_for_results(runner: Runner) -> None:
    done = runner.run(runner.playbook(NOTHING_TO_DO), {"TMPDIR": "/nosuch", "HOME": "/"})
    assert done.returncode == 0  # Python takes another one
