# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service's processes: start and end them, and read from /proc what they used."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.say import BenchmarkError, say

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 20


@dataclass(frozen=True)
class Cores:
    """Who runs on which processors: the service has one for itself, all else has the others."""

    service: str
    others: str

    @classmethod
    def of_this_machine(cls) -> Cores:
        """The last processor is the service's. With a single one, everybody shares it."""
        *others, service = sorted(os.sched_getaffinity(0))
        return cls(str(service), ",".join(map(str, others or [service])))


def pinned_to(cores: str, command: Sequence[str]) -> list[str]:
    """This command, kept on these processors."""
    return ["taskset", "-c", cores, *command]


@dataclass(frozen=True)
class Running:
    """A service that runs."""

    pid: int
    port: int

    def cpu(self) -> float:
        """Seconds of processor time that its processes have used, in user and kernel mode."""
        return sum(cpu_ticks((PROC / str(pid) / "stat").read_text()) for pid in tree(self.pid)) / TICKS

    def peak(self) -> int:
        """The largest resident sets of its processes, added up, in bytes: pages they share count for each."""
        return sum(peak_bytes((PROC / str(pid) / "status").read_text()) for pid in tree(self.pid))


def tree(pid: int) -> list[int]:
    """This process and all its descendants."""
    found = [pid]
    for task in (PROC / str(pid) / "task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


def cpu_ticks(stat: str) -> int:
    """User and system time in /proc/PID/stat, whose second field may hold spaces and brackets."""
    fields = stat.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def peak_bytes(status: str) -> int:
    """VmHWM in /proc/PID/status."""
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@contextmanager
def running(
    command: Sequence[str], environment: Mapping[str, str], port: int, log: Path, folder: Path
) -> Iterator[Running]:
    """Run a service until the block ends; then it has SIGTERM, and some seconds to export its last spans."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_until_it_listens(process, port, log)
        yield Running(process.pid, port)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            say(f"killed, as it did not end within {STOP_SECONDS} s: {command_of(process)}")
            os.killpg(process.pid, signal.SIGKILL)  # the group is this service's own
            process.wait()


def wait_until_it_listens(
    process: subprocess.Popen[bytes], port: int, log: Path, seconds: float = 30
) -> None:
    """Until the service accepts a connection."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise BenchmarkError(f"{command_of(process)} does not listen:\n{log.read_text(errors='replace')[-3000:]}")


def command_of(process: subprocess.Popen[bytes]) -> str:
    """The command line of a process, for messages."""
    return " ".join(map(str, process.args)) if isinstance(process.args, list) else str(process.args)
