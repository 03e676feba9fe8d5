# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test cluster leaves nothing behind: not when it is stopped, and not when the test process is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.kubernetes import CGROUPS, FIXED, WIRE, Cluster
from tests.support.kubernetes_parts import CGROUP
from tests.support.servers import ROOT, wait_for

# A test process of its own, to be killed.
UP = """
import sys, time
from pathlib import Path
from tests.support.kubernetes import Cluster
Cluster(Path(sys.argv[1])).start(tied=True)
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that was not started yet."""
    if "TRACESTACK_TEST_CLUSTER" in os.environ:
        pytest.skip(
            "This test starts a cluster, and TRACESTACK_TEST_CLUSTER names one that runs: one at a time."
        )
    mine = Cluster(tmp_path / "run")
    mine.stop()  # what another that was killed has left is not ours to be judged by
    yield mine
    mine.stop()


def processes(folder: Path) -> list[str]:
    """The command lines that name a file of this cluster, and those in its cgroups."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            command = (each / "cmdline").read_bytes()
            cgroup = (each / "cgroup").read_text()
        except OSError:
            continue  # it has ended
        if bytes(folder) in command or f"/{CGROUP}/" in cgroup:
            found.append(command.decode(errors="replace"))
    return found


def network_and_mounts(folder: Path) -> list[str]:
    """What is left of these."""
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line]
    return mounts + [str(each) for each in Path("/sys/class/net").glob(f"{WIRE}*")]


def files(folder: Path) -> list[str]:
    """The folders of a cluster that are there now, its cgroups too."""
    places = [folder, *map(Path, FIXED), *CGROUPS.glob(f"*/{CGROUP}"), *CGROUPS.glob(CGROUP)]
    return [str(place) for place in places if place.exists()]


def rules() -> str:
    """What this machine forwards, and how."""
    told = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    kept = [line for line in told.splitlines() if not line.startswith(("#", ":"))]
    return Path("/proc/sys/net/ipv4/ip_forward").read_text() + "\n".join(kept)


def test_nothing_is_left(stopped: Cluster) -> None:
    folder = stopped.folder
    before = (files(folder), network_and_mounts(folder), rules())
    command = [sys.executable, "-c", UP, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == b"up\n"
            assert len(processes(folder)) > 8
        finally:
            process.kill()
    wait_for(lambda: not processes(folder) and not network_and_mounts(folder), 20)
    assert folder.exists()  # as nobody was there to remove it

    stopped.start(tied=True)
    assert stopped.get("nodes")["items"]
    stopped.stop()
    wait_for(lambda: not processes(folder), 20)
    assert (files(folder), network_and_mounts(folder), rules()) == before
