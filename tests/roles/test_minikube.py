# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role minikube, against recorded answers of the real Minikube 1.32.0 (tests/support/minikube/README.md).

The programs are fetched from a real web server. What the recordings do not have is not tested: a command that was
not recorded ends in a failure.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbooks import Run, path_without, play, play_on
from tests.support.servers import ROOT
from tests.support.serving import serving

PLAYER = ROOT / "tests/support/minikube/recorded_minikube.py"
ANSWERS = ROOT / "tests/support/minikube/answers"
RECORDED: dict[str, Any] = {
    "minikube_driver": "none",
    "minikube_kubernetes_version": "v1.28.15",
    "minikube_container_runtime": "containerd",
    "minikube_extra_arguments": [
        "--force",
        "--wait-timeout=3m",
        "--extra-config=kubeadm.ignore-preflight-errors=HTTPProxyCIDR,SystemVerification",
    ],
    "minikube_executable": str(PLAYER),
    "minikube_kubectl_executable": shutil.which("true"),  # the role links kubectl and does not use it
}
DOCKER: dict[str, Any] = {"minikube_driver": "docker", "minikube_extra_arguments": []}
ABSENT: dict[str, Any] = {"minikube_state": "absent"}
# Each host has a recorded cluster of its own.
PLAYBOOK = """
- hosts: all
  gather_facts: false
  environment: "{{ machine_environment }}"
  roles:
    - role: tracestack.jaeger.minikube
"""
STARTED = ["version", "status", "start", "status", "profile list"]
COMPARED = ["version", "status", "profile list"]


READ_REASONS = """
- hosts: localhost
  gather_facts: false
  vars_files: ["{{ role }}/vars/main.yml"]
  tasks:
    - ansible.builtin.set_fact:
        found: "{{ found | default({}) | combine({item.key: [_minikube_advice, _minikube_quote]}) }}"
      loop: "{{ said | dict2items }}"
      vars:
        _minikube_said: "{{ item.value }}"
    - ansible.builtin.copy:
        content: "{{ found | to_json }}"
        dest: "{{ file }}"
        mode: "0600"
"""


@dataclass
class Machine:
    """A host of a play: the state of its recorded cluster, and the commands that were given to it."""

    folder: Path
    variables: dict[str, Any]
    environment: dict[str, str]

    @property
    def programs(self) -> Path:
        return self.folder / "programs"

    @property
    def state(self) -> str:
        return (self.folder / "state").read_text()

    def has_programs(self) -> None:
        """The programs are linked as a first run leaves them."""
        self.programs.mkdir()
        (self.programs / "minikube").symlink_to(PLAYER)
        (self.programs / "kubectl").symlink_to(RECORDED["minikube_kubectl_executable"])

    def takes(self, seconds: int) -> None:
        """A start and a deletion take this long."""
        (self.folder / "seconds").write_text(str(seconds))

    def finds(self, program: str, target: Path | str) -> Path:
        """A program of this machine, in a folder of its own in the PATH."""
        found = self.folder / "found"
        found.mkdir()
        shutil.copy(target, found / program)
        self.environment["PATH"] = f"{found}:{self.environment['PATH']}"
        return found / program

    def calls(self) -> list[dict[str, Any]]:
        """The calls since take_commands."""
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def take_commands(self) -> list[str]:
        """The commands since the last time, each by its first words, or as it is if it was not recorded."""
        commands = []
        for call in self.calls():
            words = call["arguments"][2:] if call["arguments"][0] == "--profile" else call["arguments"]
            known = call["recording"] is not None
            commands.append(
                " ".join(words).split(" -", maxsplit=1)[0] if known else f"UNRECORDED {' '.join(words)}"
            )
        (self.folder / "calls").unlink(missing_ok=True)
        return commands


@dataclass
class Machines:
    """The hosts of a play, by their names."""

    folder: Path
    path: dict[str, str]
    hosts: dict[str, Machine] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Machine:
        return self.hosts[name]

    def add(
        self, name: str, *changes: dict[str, Any], state: str = "absent-with-images", installed: bool = False
    ) -> Machine:
        """A host whose recorded cluster is in this state, with the recorded variables and these changes to them.

        Where the programs are installed already, the role has nothing to link.
        """
        folder = self.folder / name
        folder.mkdir()
        (folder / "state").write_text(state)
        variables = {**RECORDED, "minikube_install_dir": str(folder / "programs")}
        for change in changes:
            variables |= change
        machine = Machine(folder, variables, {**self.path, "RECORDED_MINIKUBE": str(folder)})
        if installed:
            machine.has_programs()
            machine.variables["minikube_executable"] = str(machine.programs / "minikube")
            machine.variables["minikube_kubectl_executable"] = str(machine.programs / "kubectl")
        self.hosts[name] = machine
        return machine

    def run(self, *names: str, arguments: tuple[str, ...] = ()) -> Run:
        """The role on all of them, or on these, side by side."""
        (self.folder / "playbook.yml").write_text(PLAYBOOK)
        environment = {**self.path, "RECORDED_MINIKUBE_ANSWERS": str(ANSWERS)}
        hosts = {
            name: {**self[name].variables, "machine_environment": self[name].environment}
            for name in names or self.hosts
        }
        forks = ("--forks", "20")
        return play_on(hosts, self.folder / "playbook.yml", {}, *forks, *arguments, env=environment)

    def states(self) -> dict[str, str]:
        return {name: machine.state for name, machine in self.hosts.items()}

    def take_commands(self) -> dict[str, list[str]]:
        return {name: machine.take_commands() for name, machine in self.hosts.items()}


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A PATH without the Minikube and the kubectl that this machine may have."""
    return path_without(tmp_path_factory.mktemp("path") / "bin", "minikube", "kubectl")


@pytest.fixture
def machines(tmp_path: Path, path: dict[str, str]) -> Machines:
    return Machines(tmp_path, path)


def test_a_profile_becomes_what_is_wanted_and_stays_so(machines: Machines) -> None:
    """The recorded deletion says `Failed to delete cluster` and has deleted it. A start that failed is repaired by the next run."""
    home = str(machines.folder / "minikube home")
    machines.add("new", {"minikube_home": home})
    machines.add("no images", state="absent")
    for state in ("stopped", "kubelet-stopped"):
        machines.add(state, state=state, installed=True)
    machines.add("delete", ABSENT, state="running")

    run = machines.run()
    assert run.errors == {
        "no images": (
            "Minikube cannot start the profile minikube: an image of Kubernetes cannot be pulled. Check the network and the "
            "proxy of this machine, or name a mirror (minikube_extra_arguments, --image-repository=…); the next run goes on "
            "from here. It says: failed to pull image registry.k8s.io/kube-apiserver:v1.28.15"
        )
    }
    counts = run.changed
    assert {name: counts[name] for name in ("stopped", "kubelet-stopped", "delete")} == {
        "stopped": 1,
        "kubelet-stopped": 1,
        "delete": 1,
    }
    assert machines.states() == {
        **dict.fromkeys(machines.hosts, "running"),
        "no images": "stopped",
        "delete": "deleted",
    }
    assert {call["home"] for call in machines["new"].calls()} == {home}
    assert machines.take_commands() == {
        "new": STARTED,
        "no images": ["version", "status", "start"],
        "stopped": STARTED,
        "kubelet-stopped": STARTED,
        "delete": ["version", "status", "delete", "status"],
    }

    machines["new"].variables["minikube_driver"] = "native"  # the driver's other name
    run = machines.run("new", "no images", "delete")
    assert run.code == 0, run.output
    assert run.changed == {"new": 0, "no images": 1, "delete": 0}
    assert machines["no images"].state == "running"
    commands = machines.take_commands()
    assert commands["new"] == COMPARED
    assert commands["no images"] == STARTED
    assert commands["delete"] == ["version", "status"]


def test_what_minikube_does_not_do_is_a_sentence(machines: Machines) -> None:
    """It refuses, cannot change it, or takes too long. The profile stays as it is."""
    cannot = "Minikube cannot start the profile minikube: "
    docker = "Docker does not answer. Start it, and check that `docker info` works for this user. It says: "
    refused = ["version", "status", "start"]
    sentences: dict[str, str] = {}
    commands: dict[str, list[str]] = {}

    def case(name: str, sentence: str, calls: list[str], state: str, *changes: dict[str, Any]) -> Machine:
        sentences[name], commands[name] = sentence, calls
        return machines.add(name, *changes, state=state, installed=True)

    case(
        "unknown driver",
        f"{cannot}there is no such driver for this machine. Set minikube_driver to docker, kvm2, qemu2 or none, or to nothing "
        "for Minikube's choice. It says: DRV_UNSUPPORTED_OS: The driver 'nosuch' is not supported on linux/amd64",
        refused,
        "absent",
        DOCKER,
        {"minikube_driver": "nosuch"},
    )
    case(
        "no Docker",
        f"{cannot}{docker}"
        'PROVIDER_DOCKER_NOT_RUNNING: "docker version --format <no value>-<no value>:<no value>" exit status 1: '
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        refused,
        "absent",
        DOCKER,
        {"minikube_container_runtime": "", "minikube_kubernetes_version": ""},
    )
    case(
        "no Docker, forced",
        f"{cannot}{docker}MK_USAGE: Ensure your Docker is running and is healthy.",
        refused,
        "absent",
        {**DOCKER, "minikube_extra_arguments": ["--force"]},
    )
    # Whether a slow one has come as far as to note its command in 2 s is the machine's affair.
    two = {"minikube_start_timeout": 2}
    case(
        "slow start",
        "The profile minikube was not started within 2 s (minikube_start_timeout). "
        "Look at `minikube logs`, or give it more time; the next run goes on from here.",
        [],
        "absent-with-images",
        two,
    ).takes(30)
    case(
        "slow deletion",
        "Minikube did not delete the profile minikube (Host Running, Kubelet Running, APIServer Running, Kubeconfig "
        "Configured). It was stopped after 2 s (minikube_start_timeout).",
        [],
        "running",
        {**ABSENT, **two},
    ).takes(30)
    machines.add("too much memory", DOCKER, {"minikube_memory": 10**9}, installed=True)
    newer = {"minikube_kubernetes_version": "v1.29.1"}
    machines.add("newer Kubernetes", newer, state="running", installed=True)
    different = {
        "minikube_memory": (6000, "4000 MB of memory, but 6000 MB is wanted"),
        "minikube_cpus": (4, "2 processors, but 4 is wanted"),
        "minikube_driver": ("docker", "the driver none, but docker is wanted"),
        "minikube_container_runtime": ("cri-o", "the container runtime containerd, but cri-o is wanted"),
        "minikube_kubernetes_version": (
            "1.28.3",
            "Kubernetes v1.28.15, but the older v1.28.3 is wanted",
        ),
    }
    wanted = {variable: value for variable, (value, _difference) in different.items()}
    machines.add("different", wanted, state="running", installed=True)
    before = machines.states()

    run = machines.run()
    errors = run.errors
    found = re.fullmatch(
        r"minikube_memory is 1000000000 \(MB\), but this machine has only (\d+): set it lower, but not below 1800\.",
        errors.pop("too much memory"),
    )
    assert found, run.output
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    assert abs(int(found[1]) - memory) < 100
    # No upgrade was recorded: it is seen that it is asked for, and that an unknown failure is Minikube's own words.
    assert errors.pop("newer Kubernetes").startswith(
        "Minikube cannot start the profile minikube. It says: recorded_minikube.py has no answer"
    )
    # Each difference is a sentence of its own, of which errors has the last.
    assert re.findall(r"^\[ERROR\]: .*?(The profile minikube has .*)$", run.output, re.MULTILINE) == [
        f"The profile minikube has {difference}, and Minikube cannot change that: "
        f"set {variable} to what it has, or delete the profile first (minikube_state absent; all that is in it is lost)."
        for variable, (_value, difference) in different.items()
    ]
    assert errors.pop("different")
    assert errors == sentences
    assert machines.states() == before

    # The tutorial's command, with the role's defaults and nothing else.
    starts = [call["arguments"] for call in machines["no Docker"].calls() if "start" in call["arguments"]]
    assert starts == [
        ["--profile", "minikube", "start", "--memory", "4000", "--cpus", "2", "--driver", "docker"]
    ]
    asked = machines.take_commands()
    asked |= {"slow start": [], "slow deletion": []}
    *first, start = asked.pop("newer Kubernetes")
    assert first == COMPARED
    assert start.startswith("UNRECORDED start")
    assert "--kubernetes-version v1.29.1" in start
    assert asked == {**commands, "too much memory": ["version", "status"], "different": COMPARED}


def test_each_reason_has_its_advice(tmp_path: Path) -> None:
    """The codes are Minikube's own; no answer of Minikube is made up for them, only the role's table is read."""
    about = {
        "PROVIDER_DOCKER_NEWGRP": "group docker",
        "PROVIDER_KVM2_NOT_FOUND": "not installed",
        "PROVIDER_QEMU2_NOT_RUNNING": "does not work on this machine",
        "HOST_VIRT_UNAVAILABLE": "no virtualisation",
        "HOST_VTX_DISABLED": "no virtualisation",
        "DRV_AS_ROOT": "must not be used by root",
        "DRV_NEEDS_ROOT": "needs root",
        "DRV_NOT_DETECTED": "no driver of Minikube works",
        "GUEST_DRIVER_MISMATCH": "made with another driver",
        "RSRC_INSUFFICIENT_CONTAINER_MEMORY": "Docker itself has too little memory",
        "RSRC_DOCKER_MEMORY": "Docker itself has too little memory",
        "RSRC_INSUFFICIENT_SYS_MEMORY": "this machine has too little memory",
        "RSRC_OVER_ALLOC_MEM": "this machine has too little memory",
        "RSRC_KVM_OOM": "this machine has too little memory",
        "RSRC_INSUFFICIENT_CORES": "too few processors",
        "RSRC_DOCKER_STORAGE": "disk is full",
        "K8S_DOWNGRADE_UNSUPPORTED": "cannot go back",
        "K8S_NEW_UNSUPPORTED": "does not support that Kubernetes",
        "GUEST_MISSING_CONNTRACK": "is not installed",
        "NOT_FOUND_CRI_DOCKERD": "is not installed",
        "INET_CACHE_KUBECTL": "cannot download",
        "HOST_HOME_PERMISSION": "not this user's",
        "GUEST_NODE_START": "-",
    }
    said = {code: f"* some line\nX Exiting due to {code}: at http://ada:secret-4711@proxy" for code in about}
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(READ_REASONS)
    run = play(
        playbook, {"said": said, "role": str(ROOT / "roles/minikube"), "file": str(tmp_path / "found")}
    )
    assert run.code == 0, run.output
    found: dict[str, list[str]] = json.loads((tmp_path / "found").read_text())
    assert set(found) == set(about)
    for code, (advice, quote) in found.items():
        assert about[code] in (advice or "-"), code
        assert quote == f"{code}: at http://***@proxy"


def test_bad_input_changes_nothing(machines: Machines) -> None:
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "memory is no number": (
            {"minikube_memory": "lots"},
            "argument 'minikube_memory' is of type str and we were unable to convert to int",
        ),
        "memory": (
            {"minikube_memory": 400},
            "minikube_memory is 400: Kubernetes needs at least 1800 (MB).",
        ),
        "processors": ({"minikube_cpus": 0}, "minikube_cpus is 0: Kubernetes needs at least 2."),
        "state": (
            {"minikube_state": "paused"},
            "value of minikube_state must be one of: started, absent, got: paused",
        ),
        "profile": (
            {"minikube_profile": "-x"},
            (
                "minikube_profile is '-x': a profile has two or more letters, digits and dashes, "
                "and does not begin with a dash."
            ),
        ),
        "version": (
            {"minikube_version": "newest"},
            "minikube_version is 'newest': a version is like v1.32.0.",
        ),
        "version of Kubernetes": (
            {"minikube_kubernetes_version": "1.28", "minikube_kubectl_version": "1.28.3"},
            "minikube_kubernetes_version is '1.28': a version is like v1.28.3.",
        ),
        "version of kubectl": (
            {"minikube_kubectl_version": "1"},
            "minikube_kubectl_version is '1': a version is like v1.28.3.",
        ),
        "timeout": (
            {"minikube_start_timeout": 0},
            "minikube_start_timeout is 0: it must be a number of seconds above 0.",
        ),
        "executable": (
            {"minikube_executable": "no-such-minikube"},
            "minikube_executable is no-such-minikube: that is no minikube that can be run here.",
        ),
    }
    for name, (variables, _sentence) in cases.items():
        machines.add(name, variables)
    refusals = machines.run().refusals()
    wrong = {
        name: refusals.get(name)
        for name, (_variables, sentence) in cases.items()
        if sentence not in refusals.get(name, "")
    }
    assert wrong == {}
    commands = machines.take_commands()
    assert not any(commands.values()), commands
    assert [name for name in cases if machines[name].programs.exists()] == []


def test_absent_without_a_minikube(machines: Machines) -> None:
    """Nothing is fetched for a deletion; but a profile that is there is not forgotten, wherever its home begins."""
    sentences = {}
    for home, profile in (("home", "one"), ("home/.minikube", "two")):
        folder = f"home/.minikube/profiles/{profile}"
        own = {**ABSENT, "minikube_executable": "", "minikube_profile": profile}
        for there in (False, True):
            name = f"{profile} {there}"
            machine = machines.add(name, own, {"minikube_home": str(machines.folder / name / home)})
            if there:
                (machine.folder / folder).mkdir(parents=True)
                (machine.folder / folder / "config.json").write_text("{}")
                sentences[name] = (
                    f"The profile {profile} is there, but no Minikube that could delete it: "
                    "set minikube_executable to one."
                )
    run = machines.run()
    assert run.errors == sentences
    assert run.changed == dict.fromkeys(machines.hosts, 0)


class Release(BaseHTTPRequestHandler):
    """Serves programs, and beside each its checksum as Minikube's and Kubernetes' releases do: that and nothing else."""

    server: Releases

    def do_GET(self) -> None:
        folder, file = self.path[1:].split("/")
        self.server.requests[folder].append(file)
        name = file.removesuffix(".sha256")
        programs = self.server.programs
        content = programs.get(f"{folder}/{name}", programs.get(name))
        if content is not None and name != file:
            content = self.server.checksums.get(
                f"{folder}/{name}", hashlib.sha256(content).hexdigest()
            ).encode()
        self.send_response(200 if content is not None else 404)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_args: object) -> None:
        pass


@dataclass
class Releases(ThreadingHTTPServer):
    """A web server with releases: the same programs in each folder, but for what a folder has of its own.

    requests are the files that were asked for, by folder.
    """

    programs: dict[str, bytes]
    checksums: dict[str, str] = field(default_factory=dict)
    requests: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Release)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def release() -> Iterator[Releases]:
    """Minikube, which is the player of recorded answers, and kubectl, which is not run."""
    server = Releases({"minikube": PLAYER.read_bytes(), "kubectl": b"#!/bin/sh\nexit 1\n"})
    with serving(server):
        yield server


def from_release(release: Releases, name: str) -> dict[str, Any]:
    """The programs are fetched, from a folder of this name."""
    return {
        "minikube_executable": "",
        "minikube_url": f"{release.url}/{name}/minikube",
        "minikube_kubectl_executable": "",
        "minikube_kubectl_url": f"{release.url}/{name}/kubectl",
    }


def test_check_mode(machines: Machines, release: Releases) -> None:
    for state in ("absent", "stopped"):
        machines.add(state, state=state, installed=True)
    machines.add("running", state="running").has_programs()
    machines.add("delete", ABSENT, state="running", installed=True)
    machines.add("nothing to delete", ABSENT, state="absent", installed=True)
    machines.add("fetch", from_release(release, "fetch"))
    before = machines.states()
    run = machines.run(arguments=("--check", "--diff"))
    assert run.code == 0, run.output
    counts = run.changed
    assert counts.pop("fetch") > 0
    assert counts == {"absent": 1, "stopped": 1, "running": 0, "delete": 1, "nothing to delete": 0}
    assert machines.states() == before
    commands = machines.take_commands()
    assert commands.pop("fetch") == []
    assert {name: asked for name, asked in commands.items() if {"start", "delete"} & set(asked)} == {}
    assert dict(release.requests) == {}
    assert not machines["fetch"].programs.exists()


def test_no_secret_is_shown(machines: Machines, release: Releases) -> None:
    """Neither one in an argument of Minikube nor the password of a mirror."""
    secret = "--docker-env=HTTP_PROXY=http://ada:secret-4711@proxy:3128"
    for state in ("absent", "running"):
        machines.add(state, DOCKER, {"minikube_extra_arguments": [secret]}, state=state, installed=True)
    mirror = release.url.replace("//", "//ada:secret-4711@")
    machines.add("mirror", from_release(release, "mirror"), {"minikube_url": f"{mirror}/none"})
    run = machines.run(arguments=("-vvvv", "--diff"))
    assert set(run.errors) == set(machines.hosts)
    assert run.errors["mirror"].startswith("minikube v1.32.0 cannot be fetched from http://***@127.0.0.1:")
    assert "secret-4711" not in run.output
    assert "DockerEnv" not in run.output


def test_programs_are_fetched_where_the_right_ones_are_not(machines: Machines, release: Releases) -> None:
    """One in the PATH is linked; a new version is fetched beside it, not over it. Another run fetches nothing."""
    useless = "#!/bin/sh\nexit 1\n"
    machines.add("nothing", from_release(release, "nothing"))
    for name, content in (("broken", useless), ("text", "no program")):
        machine = machines.add(name, from_release(release, name), state="running")
        machine.programs.mkdir()
        (machine.programs / "minikube").write_text(content)
        (machine.programs / "minikube").chmod(0o755)
    kubectl = {"minikube_kubectl_executable": RECORDED["minikube_kubectl_executable"]}
    found, outdated = (
        machines.add(name, from_release(release, name), kubectl, state="running").finds("minikube", PLAYER)
        for name in ("found", "outdated")
    )
    outdated.write_text(useless)
    linked = machines["outdated"].programs / "minikube"
    linked.parent.mkdir()
    linked.symlink_to(outdated)

    run = machines.run()
    assert run.code == 0, run.output
    fetched = ("nothing", "broken", "text")
    files = ["minikube.sha256", "minikube", "kubectl.sha256", "kubectl"]
    assert release.requests == {**dict.fromkeys(fetched, files), "outdated": files[:2]}
    for name in fetched:
        for file, program_content in release.programs.items():
            program = machines[name].programs / file
            assert program.read_bytes() == program_content, name
            assert program.stat().st_mode & 0o777 == 0o755, name
    # Each but the new profile runs already: the fetched program is the one that was asked for it.
    assert machines["nothing"].state == "running"
    commands = machines.take_commands()
    assert {name: commands[name][-2:] for name in fetched} == dict.fromkeys(fetched, COMPARED[-2:])
    assert (machines["found"].programs / "minikube").resolve() == found
    assert not linked.is_symlink()
    assert outdated.read_text() == useless

    release.requests.clear()
    run = machines.run("nothing", "found")
    assert run.code == 0, run.output
    assert run.changed == {"nothing": 0, "found": 0}
    assert not {"minikube", "kubectl"} & set(release.requests["nothing"] + release.requests["found"])


def test_the_kubectl_of_the_machine_is_taken_if_it_fits(machines: Machines, release: Releases) -> None:
    """A real kubectl, of whatever version: it is linked for a cluster one minor version newer, not for one two newer."""
    built = (str(program) for program in ROOT.glob(".local/kubernetes/dist/*/kubectl"))
    kubectl = next(built, None) or shutil.which("kubectl")
    if not kubectl:
        pytest.skip("there is no kubectl on this machine")
    asked = subprocess.run(
        [kubectl, "version", "--client", "-o", "json"], capture_output=True, check=True, timeout=60
    )
    minor = int(json.loads(asked.stdout)["clientVersion"]["minor"].rstrip("+"))
    for name, newer in (("one-newer", 1), ("two-newer", 2)):
        own = {"minikube_executable": str(PLAYER), "minikube_kubectl_version": f"v1.{minor + newer}.0"}
        machines.add(name, from_release(release, name), own, state="running").finds("kubectl", kubectl)
    run = machines.run()
    assert run.code == 0, run.output
    assert release.requests == {"two-newer": ["kubectl.sha256", "kubectl"]}


def test_a_program_that_cannot_be_fetched(machines: Machines, release: Releases) -> None:
    """Nothing is left of it, and nothing is run; of one that is not as wanted, it is not started."""
    wrong, right = "0" * 64, hashlib.sha256(PLAYER.read_bytes()).hexdigest()
    release.checksums["mistaken/minikube"] = wrong
    release.programs["text/minikube"] = b"no program"
    not_equal = f"its checksum is {right}, but {wrong} is expected"
    url = release.url
    cases: dict[str, tuple[dict[str, str], str]] = {
        "mistaken": ({}, f"{url}/mistaken/minikube: {not_equal}"),
        "checksum": ({"minikube_checksum": f"sha256:{wrong}"}, f"{url}/checksum/minikube: {not_equal}"),
        "missing": (
            {"minikube_url": f"{url}/missing/none"},
            f"{url}/missing/none.sha256: HTTP Error 404: Not Found",
        ),
        "no-checksum": (
            {"minikube_checksum": "none"},
            f"{url}/no-checksum/minikube: The checksum parameter has to be in format <algorithm>:<checksum",
        ),
    }
    for name, (variables, _reason) in cases.items():
        machines.add(name, from_release(release, name), variables)
    machines.add("other-version", from_release(release, "other-version"), {"minikube_version": "v1.33.0"})
    machines.add("text", from_release(release, "text"))
    github = machines.add("default address", {"minikube_executable": ""})
    github.environment |= {"https_proxy": "http://127.0.0.1:9", "no_proxy": ""}

    run = machines.run()
    errors = run.errors
    machine_type = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)
    unreachable = errors.pop("default address")
    assert unreachable.startswith(
        "minikube v1.32.0 cannot be fetched from https://github.com/kubernetes/minikube/releases/download/v1.32.0/"
        f"minikube-linux-{machine_type}.sha256: "
    )
    assert "Connection refused" in unreachable
    assert errors == {
        **{
            name: f"minikube v1.32.0 cannot be fetched from {reason}. Set minikube_url and minikube_checksum to what can "
            "be fetched, or minikube_executable to a program that is here."
            for name, (_variables, reason) in cases.items()
        },
        "other-version": "What was fetched as minikube v1.33.0 says that it is v1.32.0: check minikube_version and minikube_url.",
        "text": "What was fetched as minikube v1.32.0 cannot be run here: check minikube_version and minikube_url.",
    }
    left = {name: list(machines[name].programs.iterdir()) for name in (*cases, "default address")}
    assert not any(left.values()), left
    commands = machines.take_commands()
    assert commands.pop("other-version") == ["version"]
    assert not any(commands.values()), commands
