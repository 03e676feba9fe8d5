# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of its own inside this one, for daemons that have one place for their files, such as cron and systemd.

It has this machine's files, but what is written goes into memory and is gone at its end (overlayfs); it has processes of its
own, and this machine's network. So nothing that a role writes to /etc or /opt, no user that it makes, and no daemon that
reads /etc/cron.d touches this machine. Needs root. The folder shared is the same in both.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.support.playbooks import BIN, Run
from tests.support.servers import ROOT, wait_for
from tests.support.warm_python import VARIABLE

PYTHON = "/usr/bin/python3"  # of its modules
_NAMESPACES = "import sitecustomize; print(sitecustomize.namespaces())"
# As the first process: reaps, and ends with SIGTERM. For systemd: what it wants to find.
_INIT = "trap 'exit 0' TERM; touch /run/machine-is-up; while :; do sleep 600 & wait; done"
_START = r"""
set -eu
layers=$1 shared=$2 root=$1/root kind=$3
mount -t tmpfs tmpfs "$layers"
mkdir "$layers/upper" "$layers/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$layers/upper,workdir=$layers/work" "$root"
mkdir -p "$root$shared"
mount --bind "$shared" "$root$shared"
for folder in $4; do mkdir -p "$root$folder"; mount --bind "$folder" "$root$folder"; mount -o remount,ro,bind "$root$folder"; done
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -m 1777 "$root/run/lock"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do touch "$root/dev/$node"; mount --bind "/dev/$node" "$root/dev/$node"; done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
rm -f "$root"/etc/cron.d/* "$root"/var/spool/cron/crontabs/*
if [ "$kind" = systemd ]; then
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
  mount --bind "$root/proc/sys" "$root/proc/sys"
  mount -o remount,ro,bind "$root/proc/sys"
  # Nothing that cleans, tunes or updates a machine runs here, whatever it would reach.
  for unit in tmpfiles-setup tmpfiles-setup-dev tmpfiles-clean sysctl modules-load udevd udev-trigger random-seed; do
    ln -sf /dev/null "$root/etc/systemd/system/systemd-$unit.service"
  done
  rm -f "$root"/etc/systemd/system/timers.target.wants/* "$root"/lib/systemd/system/timers.target.wants/*
fi
# Not chroot: who is in one can make no user namespace, and so no unit with PrivateUsers.
cd "$root"
pivot_root . .
umount -l .
cd /
for folder in / /tmp /var/tmp /run /dev /var/log /etc /etc/cron.d /etc/systemd /opt; do
  case $(findmnt --noheadings --output FSTYPE --target "$folder") in
    overlay | tmpfs) ;;
    *) echo "$folder is not this machine's own: nothing is started" >&2; exit 1 ;;
  esac
done
[ "$kind" != systemd ] || exec env -i container=tracestack PATH="$PATH" /lib/systemd/systemd --unit=basic.target
exec bash -c "$5"
"""


@dataclass
class Machine:
    """The machine, up and running.

    pid: its first process, as this machine numbers it. warm: the variables by which plays find the Python of warm_python().
    """

    pid: int
    shared: Path
    started: list[subprocess.Popen[Any]] = field(default_factory=list)
    warm: dict[str, str] = field(default_factory=dict)

    def command(self, words: Sequence[str], env: Mapping[str, str] | None = None) -> list[str]:
        """The command line that runs something there, with nothing of this environment but what is given."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--ipc", "--uts", "--wdns=/"]
        plain = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        variables = [f"{name}={value}" for name, value in {**plain, **(env or {})}.items()]
        return [*enter, "env", "--ignore-environment", *variables, *words]

    def run(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run something there to its end; its standard error comes with its output."""
        return subprocess.run(
            self.command(words, env),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def __call__(self, *words: str) -> str:
        """Run something there that goes well; what it prints."""
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.stdout}"
        return done.stdout

    def start(
        self, *words: str, log: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[Any]:
        """Start something there. It ends with the machine."""
        with log.open("ab") if log else open(os.devnull, "wb") as output:
            process = subprocess.Popen(
                self.command(words, env), cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.started.append(process)
        return process

    def path(self, path: str) -> Path:
        """Where a file of the machine is to be found from here."""
        return Path(f"/proc/{self.pid}/root{path}")

    def play(
        self, playbook: str | Path, variables: Mapping[str, Any], *arguments: str, folder: Path = ROOT
    ) -> Run:
        """Run a playbook there, from a clone."""
        words = self.play_words(playbook, variables, *arguments, folder=folder)
        done = self.run(*words, env=_play_environment() | self.warm)
        assert "Traceback" not in done.stdout, done.stdout
        return Run(done.returncode, done.stdout)

    def warm_python(self) -> None:
        """Fork root's modules from a Python of this machine that keeps its library loaded, where the tests do so at all."""
        if VARIABLE not in os.environ:
            return
        path = f"{self.shared}/warm-python"
        serve = f"cd {ROOT} && exec {PYTHON} -m tests.support.warm_python {path}"
        self.start("sh", "-c", serve, env=_play_environment())
        namespaces = self.run(PYTHON, "-c", _NAMESPACES, env=_play_environment()).stdout.strip()
        wait_for(Path(path).exists)
        self.warm[VARIABLE] = f"{PYTHON}:{namespaces}:{path}"

    def start_play(
        self, playbook: str | Path, variables: Mapping[str, Any], *arguments: str, folder: Path = ROOT
    ) -> Path:
        """Start one in a process group of its own; the file that tells the group's number."""
        number = self.shared / "play.pid"
        number.unlink(missing_ok=True)
        words = self.play_words(playbook, variables, *arguments, folder=folder)
        grouped = [
            "setsid",
            "sh",
            "-c",
            f'echo $$ >{number}.new && mv {number}.new {number} && exec "$@"',
            "sh",
            *words,
        ]
        self.start(*grouped, log=self.shared / "play.log", env=_play_environment())
        wait_for(number.exists)
        return number

    def play_words(
        self, playbook: str | Path, variables: Mapping[str, Any], *arguments: str, folder: Path
    ) -> list[str]:
        """The command line of a playbook. Its variables are in a file, as secrets have to be."""
        file = self.shared / "variables.json"
        file.write_text(json.dumps(variables))
        words = [str(BIN / "ansible-playbook"), str(playbook), "-e", f"@{file}", *arguments]
        return ["sh", "-c", 'cd "$0" && exec "$@"', str(folder), *words]


def _play_environment() -> dict[str, str]:
    kept = ("PIP_", "SSL_", "PYTHONPATH")
    ours = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    own = {"ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8", "PATH": f"{BIN}:/usr/sbin:/usr/bin:/sbin:/bin"}
    return {**ours, **own}


@contextmanager
def machine(*, systemd: bool = False) -> Iterator[Machine]:
    """Start one, and end it with the block."""
    if os.getuid() != 0:
        raise AssertionError("the tests of daemons need root: each has a machine of its own in namespaces")
    with tempfile.TemporaryDirectory(prefix="tracestack-machine-", dir="/var/tmp") as name:
        layers, shared = Path(name, "layers"), Path(name, "shared")
        layers.mkdir()
        shared.mkdir()
        for folder in (Path(name), shared):
            folder.chmod(0o755)
        others = [str(ROOT)] if ROOT.stat().st_dev != Path("/").stat().st_dev else []
        kind = "systemd" if systemd else "plain"
        words = [str(layers), str(shared), kind, " ".join(others), _INIT]
        own_groups = ["--cgroup"] if systemd else []
        namespaces = ["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--propagation=private"]
        with _control_group(systemd) as enter:
            log = Path(name, "log")
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [*enter, "unshare", *namespaces, *own_groups, "sh", "-c", _START, "sh", *words],
                    cwd="/",
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                )
            try:
                running = Machine(_first_process(process, log), shared)
                wait_for(lambda: _is_up(running, systemd), 60)
                yield running
                os.kill(running.pid, signal.SIGKILL)  # and so all that runs there
                process.wait(20)
            finally:
                process.kill()  # and by --kill-child its child
                process.wait()


def _first_process(process: subprocess.Popen[Any], log: Path) -> int:
    """The child of unshare."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if found := children.read_text().split():
            return int(found[0])
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _is_up(running: Machine, systemd: bool) -> bool:
    if systemd:
        return running.run("systemctl", "is-active", "--quiet", "basic.target").returncode == 0
    return running.path("/run/machine-is-up").exists()


@contextmanager
def _control_group(systemd: bool) -> Iterator[list[str]]:
    """A group of processes of its own, which is all that a systemd there sees and manages; how a command enters it."""
    if not systemd:
        yield []
        return
    group = Path(tempfile.mkdtemp(prefix="tracestack-", dir=_control_groups()))
    try:
        yield ["sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "sh"]
    finally:
        for folder in (*sorted(group.rglob("*/"), reverse=True), group):
            if folder.is_dir():
                wait_for(partial(_removed, folder), 10)


def _control_groups() -> str:
    """Where they are mounted."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return next(place for _device, place, kind, *_more in mounts if kind == "cgroup2")


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
