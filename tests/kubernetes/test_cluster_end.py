# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test cluster's last hour: a loss of power, the death of the test process, and an end that leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kubernetes.test_cluster import is_ready, reads, serve
from tests.kubernetes.test_traced_api import Api
from tests.support.kubernetes import CGROUPS, FIXED, WIRE, Cluster
from tests.support.kubernetes_parts import CGROUP
from tests.support.servers import ROOT, wait_for

FOLDER = Cluster().folder
# A test process of its own, to be killed.
RESTART = """
import sys, time
from pathlib import Path
from tests.support.kubernetes import Cluster
Cluster(Path(sys.argv[1])).restart_node()
print("up", flush=True)
time.sleep(600)
"""


def processes() -> list[str]:
    """The command lines that name a file of this cluster, and those in its cgroups."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            command = (each / "cmdline").read_bytes()
            cgroup = (each / "cgroup").read_text()
        except OSError:
            continue  # it has ended
        if bytes(FOLDER) in command or f"/{CGROUP}/" in cgroup:
            found.append(command.decode(errors="replace"))
    return found


def network_and_mounts() -> list[str]:
    """What is left of these."""
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(FOLDER) in line]
    return mounts + [str(each) for each in Path("/sys/class/net").glob(f"{WIRE}*")]


def files() -> list[str]:
    """The folders of a cluster that are there now outside of its own, its cgroups too."""
    places = [*map(Path, FIXED), *CGROUPS.glob(f"*/{CGROUP}"), *CGROUPS.glob(CGROUP)]
    return [str(place) for place in places if place.exists()]


def rules() -> str:
    """What this machine forwards, and how."""
    told = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    kept = [line for line in told.splitlines() if not line.startswith(("#", ":"))]
    return Path("/proc/sys/net/ipv4/ip_forward").read_text() + "\n".join(kept)


# Read as this file is, and so before any worker runs a test: a cluster may start at any time from then on.
BEFORE = (set(files()), rules())


@pytest.mark.skipif(
    "TRACESTACK_TEST_CLUSTER" in os.environ,
    reason="others use this cluster: it is neither restarted nor ended",
)
def test_a_loss_of_power_the_death_of_its_process_and_the_end(cluster: Cluster) -> None:
    """What ran comes back. What is tied to a process ends with it, and a new cluster starts over what that has left."""
    cluster.wait_for_the_others()
    api = Api(cluster, "test-of-the-end")
    cluster.images("traced-api")
    cluster.kubectl("create", "namespace", api.namespace)
    serve(cluster, api.namespace)
    api.ready()
    command = [sys.executable, "-c", RESTART, str(FOLDER)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        try:
            assert process.stdout.readline() == b"up\n"
            assert len(processes()) > 8
            wait_for(lambda: restarts(api) == 1)
            is_ready(cluster, api.namespace, "web")
            wait_for(lambda: reads(cluster, api.namespace, f"http://web.{api.namespace}/") == "hello")
            wait_for(lambda: api.status("/api/v1/users/b") == 200)
            again = api.run()
            assert (again.code, again.count("changed")) == (0, 0), again.output
        finally:
            process.kill()
    wait_for(lambda: not processes() and not network_and_mounts(), 20)
    assert FOLDER.exists()  # as nobody was there to remove it

    cluster.start(tied=True)
    assert cluster.get("nodes")["items"]
    cluster.stop()
    wait_for(lambda: not processes(), 20)
    assert not network_and_mounts()
    assert not FOLDER.exists()
    before, rules_before = BEFORE
    assert set(files()) - before == set()
    assert rules() == rules_before


def restarts(api: Api) -> int:
    """How often the container of the pod web was started again."""
    (container,) = api.get("pod/web")["status"]["containerStatuses"]
    return int(container["restartCount"])
