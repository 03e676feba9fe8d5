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
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbooks import Run, path_without, play
from tests.support.servers import ROOT

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
PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  roles:
    - role: tracestack.jaeger.minikube
"""


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
    """Where the role runs: the state of the recorded cluster, and the commands that were given."""

    folder: Path
    path: dict[str, str]

    @property
    def programs(self) -> Path:
        return self.folder / "programs"

    @property
    def state(self) -> str:
        return (self.folder / "state").read_text()

    def becomes(self, state: str) -> None:
        (self.folder / "state").write_text(state)

    def has_programs(self) -> None:
        """The programs are linked as a first run leaves them."""
        self.programs.mkdir()
        (self.programs / "minikube").symlink_to(PLAYER)
        (self.programs / "kubectl").symlink_to(RECORDED["minikube_kubectl_executable"])

    def run(
        self, *changes: dict[str, Any], arguments: tuple[str, ...] = (), env: dict[str, str] | None = None
    ) -> Run:
        variables = {**RECORDED, "minikube_install_dir": str(self.programs)}
        for change in changes:
            variables |= change
        environment = {
            **self.path,
            "RECORDED_MINIKUBE": str(self.folder),
            "RECORDED_MINIKUBE_ANSWERS": str(ANSWERS),
            **(env or {}),
        }
        return play(self.folder / "playbook.yml", variables, *arguments, env=environment)

    def take_calls(self) -> list[dict[str, Any]]:
        """The calls since the last time."""
        file = self.folder / "calls"
        calls = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        file.unlink(missing_ok=True)
        return calls

    def take_commands(self) -> list[str]:
        """The commands since the last time, each by its first words, or as it is if it was not recorded."""
        commands = []
        for call in self.take_calls():
            words = call["arguments"][2:] if call["arguments"][0] == "--profile" else call["arguments"]
            known = call["recording"] is not None
            commands.append(
                " ".join(words).split(" -", maxsplit=1)[0] if known else f"UNRECORDED {' '.join(words)}"
            )
        return commands


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A PATH without the Minikube and the kubectl that this machine may have."""
    return path_without(tmp_path_factory.mktemp("path") / "bin", "minikube", "kubectl")


@pytest.fixture
def machine(tmp_path: Path, path: dict[str, str]) -> Machine:
    machine = Machine(tmp_path, path)
    machine.becomes("absent-with-images")
    (tmp_path / "playbook.yml").write_text(PLAYBOOK)
    return machine


def assert_unchanged(run: Run) -> None:
    assert run.code == 0, run.output
    assert run.count("changed") == 0, run.output


def test_a_profile_is_started_once(machine: Machine) -> None:
    run = machine.run()
    assert run.code == 0, run.output
    assert machine.take_commands() == ["version", "status", "start", "status", "profile list"]
    assert machine.state == "running"
    assert_unchanged(machine.run())
    assert machine.take_commands() == ["version", "status", "profile list"]


def test_the_command_is_the_tutorial_s(machine: Machine) -> None:
    """With the role's defaults, and nothing else: start --memory 4000 --cpus 2. The docker driver refuses it here."""
    machine.run(DOCKER, {"minikube_container_runtime": "", "minikube_kubernetes_version": ""})
    starts = [call["arguments"] for call in machine.take_calls() if "start" in call["arguments"]]
    assert starts == [
        ["--profile", "minikube", "start", "--memory", "4000", "--cpus", "2", "--driver", "docker"]
    ]


def test_a_start_that_fails_is_a_sentence_and_the_next_run_repairs_it(machine: Machine) -> None:
    machine.becomes("absent")
    run = machine.run()
    assert run.error == (
        "Minikube cannot start the profile minikube: an image of Kubernetes cannot be pulled. Check the network and the "
        "proxy of this machine, or name a mirror (minikube_extra_arguments, --image-repository=…); the next run goes on "
        "from here. It says: failed to pull image registry.k8s.io/kube-apiserver:v1.28.15"
    )
    assert machine.state == "stopped"
    machine.take_commands()
    run = machine.run()
    assert run.code == 0, run.output
    assert run.count("changed") == 1
    assert machine.take_commands() == ["version", "status", "start", "status", "profile list"]


@pytest.mark.parametrize("state", ["stopped", "kubelet-stopped"])
def test_a_profile_that_is_not_healthy_is_started_again(machine: Machine, state: str) -> None:
    machine.has_programs()
    machine.becomes(state)
    run = machine.run()
    assert run.code == 0, run.output
    assert run.count("changed") == 1
    assert machine.take_commands() == ["version", "status", "start", "status", "profile list"]
    assert machine.state == "running"


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {**DOCKER, "minikube_driver": "nosuch"},
            (
                "there is no such driver for this machine. Set minikube_driver to docker, kvm2, qemu2 or none, or to nothing "
                "for Minikube's choice. It says: DRV_UNSUPPORTED_OS: The driver 'nosuch' is not supported on linux/amd64"
            ),
        ),
        (
            DOCKER,
            (
                "Docker does not answer. Start it, and check that `docker info` works for this user. "
                'It says: PROVIDER_DOCKER_NOT_RUNNING: "docker version --format <no value>-<no value>:<no value>" exit status 1: '
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
            ),
        ),
        (
            {**DOCKER, "minikube_extra_arguments": ["--force"]},
            (
                "Docker does not answer. Start it, and check that `docker info` works for this user. "
                "It says: MK_USAGE: Ensure your Docker is running and is healthy."
            ),
        ),
    ],
    ids=["unknown driver", "no Docker", "no Docker, forced"],
)
def test_a_refusal_is_a_sentence(machine: Machine, variables: dict[str, Any], sentence: str) -> None:
    machine.becomes("absent")
    run = machine.run(variables)
    assert run.error == f"Minikube cannot start the profile minikube: {sentence}"
    assert machine.take_commands() == ["version", "status", "start"]
    assert machine.state == "absent"


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


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        (
            {"minikube_memory": "lots"},
            "argument 'minikube_memory' is of type str and we were unable to convert to int",
        ),
        ({"minikube_memory": 400}, "minikube_memory is 400: Kubernetes needs at least 1800 (MB)."),
        ({"minikube_cpus": 0}, "minikube_cpus is 0: Kubernetes needs at least 2."),
        (
            {"minikube_state": "paused"},
            "value of minikube_state must be one of: started, absent, got: paused",
        ),
        (
            {"minikube_profile": "-x"},
            (
                "minikube_profile is '-x': a profile has two or more letters, digits and dashes, "
                "and does not begin with a dash."
            ),
        ),
        ({"minikube_version": "newest"}, "minikube_version is 'newest': a version is like v1.32.0."),
        (
            {"minikube_kubernetes_version": "1.28", "minikube_kubectl_version": "1.28.3"},
            "minikube_kubernetes_version is '1.28': a version is like v1.28.3.",
        ),
        ({"minikube_kubectl_version": "1"}, "minikube_kubectl_version is '1': a version is like v1.28.3."),
        (
            {"minikube_start_timeout": 0},
            "minikube_start_timeout is 0: it must be a number of seconds above 0.",
        ),
        (
            {"minikube_executable": "no-such-minikube"},
            "minikube_executable is no-such-minikube: that is no minikube that can be run here.",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_bad_input_changes_nothing(machine: Machine, variables: dict[str, Any], sentence: str) -> None:
    run = machine.run(variables)
    assert sentence in run.error
    assert run.count("failed") == 1
    assert run.count("changed") == 0
    assert machine.take_commands() == []
    assert not machine.programs.exists()


def test_more_memory_than_the_machine_has(machine: Machine) -> None:
    run = machine.run(DOCKER, {"minikube_memory": 10**9})
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    said = re.fullmatch(
        r"minikube_memory is 1000000000 \(MB\), but this machine has only (\d+): set it lower, but not below 1800\.",
        run.error,
    )
    assert said, run.error
    assert abs(int(said[1]) - memory) < 100
    assert machine.take_commands() == ["version", "status"]


@pytest.mark.parametrize(
    ("variable", "value", "difference"),
    [
        ("minikube_memory", 6000, "4000 MB of memory, but 6000 MB is wanted"),
        ("minikube_cpus", 4, "2 processors, but 4 is wanted"),
        ("minikube_driver", "docker", "the driver none, but docker is wanted"),
        ("minikube_container_runtime", "cri-o", "the container runtime containerd, but cri-o is wanted"),
        ("minikube_kubernetes_version", "1.28.3", "Kubernetes v1.28.15, but the older v1.28.3 is wanted"),
    ],
)
def test_what_minikube_cannot_change(machine: Machine, variable: str, value: Any, difference: str) -> None:
    machine.becomes("running")
    run = machine.run({variable: value})
    assert run.error == (
        f"The profile minikube has {difference}, and Minikube cannot change that: "
        f"set {variable} to what it has, or delete the profile first (minikube_state absent; all that is in it is lost)."
    )
    assert machine.take_commands() == ["version", "status", "profile list"]
    assert machine.state == "running"


def test_the_driver_may_be_called_by_its_other_name(machine: Machine) -> None:
    machine.has_programs()
    machine.becomes("running")
    assert_unchanged(machine.run({"minikube_driver": "native"}))


def test_a_newer_kubernetes_is_minikube_s_to_bring(machine: Machine) -> None:
    """No upgrade was recorded: it is seen that it is asked for, and that an unknown failure is Minikube's own words."""
    machine.becomes("running")
    run = machine.run({"minikube_kubernetes_version": "v1.29.1"})
    assert run.error.startswith(
        "Minikube cannot start the profile minikube. It says: recorded_minikube.py has no answer"
    )
    *before, start = machine.take_commands()
    assert before == ["version", "status", "profile list"]
    assert start.startswith("UNRECORDED start")
    assert "--kubernetes-version v1.29.1" in start


def test_a_start_that_takes_too_long(machine: Machine) -> None:
    (machine.folder / "seconds").write_text("30")
    run = machine.run({"minikube_start_timeout": 2})
    assert run.error == (
        "The profile minikube was not started within 2 s (minikube_start_timeout). "
        "Look at `minikube logs`, or give it more time; the next run goes on from here."
    )
    assert machine.state == "absent-with-images"


def test_absent_deletes_what_is_there(machine: Machine) -> None:
    """The recorded deletion says `Failed to delete cluster` and has deleted it."""
    machine.becomes("running")
    run = machine.run(ABSENT)
    assert run.code == 0, run.output
    assert run.count("changed") == 1
    assert machine.state == "deleted"
    assert machine.take_commands() == ["version", "status", "delete", "status"]
    assert_unchanged(machine.run(ABSENT))
    assert machine.take_commands() == ["version", "status"]


def test_a_deletion_that_does_not_delete(machine: Machine) -> None:
    machine.becomes("running")
    (machine.folder / "seconds").write_text("30")
    run = machine.run(ABSENT, {"minikube_start_timeout": 2})
    assert run.error == (
        "Minikube did not delete the profile minikube (Host Running, Kubelet Running, APIServer Running, Kubeconfig "
        "Configured). It was stopped after 2 s (minikube_start_timeout)."
    )


@pytest.mark.parametrize("home", ["", ".minikube"])
def test_absent_without_a_minikube(machine: Machine, home: str) -> None:
    """Nothing is fetched for a deletion; but a profile that is there is not forgotten."""
    folder = machine.folder / "home" / home
    own = {**ABSENT, "minikube_executable": "", "minikube_home": str(folder)}
    assert_unchanged(machine.run(own))
    profile = machine.folder / "home/.minikube/profiles/minikube"
    profile.mkdir(parents=True)
    (profile / "config.json").write_text("{}")
    assert machine.run(own).error == (
        "The profile minikube is there, but no Minikube that could delete it: set minikube_executable to one."
    )


@pytest.mark.parametrize(
    ("state", "variables", "changed"),
    [
        ("absent", {}, 1),
        ("stopped", {}, 1),
        ("running", {}, 0),
        ("running", ABSENT, 1),
        ("absent", ABSENT, 0),
    ],
    ids=["absent", "stopped", "running", "delete", "nothing to delete"],
)
def test_check_mode(machine: Machine, state: str, variables: dict[str, Any], changed: int) -> None:
    machine.has_programs()
    machine.becomes(state)
    run = machine.run(variables, arguments=("--check", "--diff"))
    assert run.code == 0, run.output
    assert run.count("changed") == changed
    assert not {"start", "delete"} & set(machine.take_commands())
    assert machine.state == state


def test_minikube_has_the_home_that_is_wanted(machine: Machine) -> None:
    machine.becomes("running")
    machine.run({"minikube_home": str(machine.folder / "home")})
    assert {call["home"] for call in machine.take_calls()} == {str(machine.folder / "home")}


@pytest.mark.parametrize("state", ["absent", "running"])
def test_no_secret_is_shown(machine: Machine, state: str) -> None:
    machine.becomes(state)
    secret = "--docker-env=HTTP_PROXY=http://ada:secret-4711@proxy:3128"
    run = machine.run(DOCKER, {"minikube_extra_arguments": [secret]}, arguments=("-vvvv", "--diff"))
    assert run.code != 0
    assert "secret-4711" not in run.output
    assert "DockerEnv" not in run.output


class Release(BaseHTTPRequestHandler):
    """Serves programs, and beside each its checksum as Minikube's and Kubernetes' releases do: that and nothing else."""

    server: Releases

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        name = self.path.removesuffix(".sha256")
        content = self.server.programs.get(name)
        if content is not None and name != self.path:
            content = self.server.checksums.get(name, hashlib.sha256(content).hexdigest()).encode()
        self.send_response(200 if content is not None else 404)
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *_args: object) -> None:
        pass


@dataclass
class Releases(ThreadingHTTPServer):
    """A web server with releases."""

    programs: dict[str, bytes]
    checksums: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Release)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def releases(**programs: bytes) -> Iterator[Releases]:
    server = Releases({f"/{name}": content for name, content in programs.items()})
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def release() -> Iterator[Releases]:
    """Minikube, which is the player of recorded answers, and kubectl, which is not run."""
    with releases(minikube=PLAYER.read_bytes(), kubectl=b"#!/bin/sh\nexit 1\n") as server:
        yield server


def from_release(release: Releases) -> dict[str, Any]:
    return {
        "minikube_executable": "",
        "minikube_url": f"{release.url}/minikube",
        "minikube_kubectl_executable": "",
        "minikube_kubectl_url": f"{release.url}/kubectl",
    }


@pytest.mark.parametrize(
    "there", [None, "#!/bin/sh\nexit 1\n", "no program"], ids=["nothing", "broken", "text"]
)
def test_programs_are_fetched_where_the_right_ones_are_not(
    machine: Machine, release: Releases, there: str | None
) -> None:
    if there is not None:
        machine.programs.mkdir()
        (machine.programs / "minikube").write_text(there)
        (machine.programs / "minikube").chmod(0o755)
    run = machine.run(from_release(release))
    assert run.code == 0, run.output
    assert release.requests == ["/minikube.sha256", "/minikube", "/kubectl.sha256", "/kubectl"]
    for name, content in release.programs.items():
        program = machine.programs / name.strip("/")
        assert program.read_bytes() == content
        assert program.stat().st_mode & 0o777 == 0o755
    assert machine.state == "running"
    release.requests.clear()
    assert_unchanged(machine.run(from_release(release)))
    assert "/minikube" not in release.requests
    assert "/kubectl" not in release.requests


def test_nothing_is_fetched_where_the_right_minikube_is_in_the_path(
    machine: Machine, release: Releases, tmp_path: Path
) -> None:
    """It is linked; and a new version is fetched beside it, not over it."""
    found = tmp_path / "found"
    found.mkdir()
    shutil.copy(PLAYER, found / "minikube")
    path = {"PATH": f"{found}:{machine.path['PATH']}"}
    own = {**from_release(release), "minikube_kubectl_executable": RECORDED["minikube_kubectl_executable"]}
    run = machine.run(own, env=path)
    assert run.code == 0, run.output
    assert release.requests == []
    assert (machine.programs / "minikube").resolve() == found / "minikube"
    assert_unchanged(machine.run(own, env=path))
    (found / "minikube").write_text("#!/bin/sh\nexit 1\n")
    run = machine.run(own, env=path)
    assert run.code == 0, run.output
    assert release.requests == ["/minikube.sha256", "/minikube"]
    assert not (machine.programs / "minikube").is_symlink()
    assert (found / "minikube").read_text() == "#!/bin/sh\nexit 1\n"


def test_the_kubectl_of_the_machine_is_taken_if_it_fits(machine: Machine, release: Releases) -> None:
    """A real kubectl, of whatever version: it is linked for a cluster one minor version newer, not for one two newer."""
    built = (str(program) for program in ROOT.glob(".local/kubernetes/dist/*/kubectl"))
    kubectl = next(built, None) or shutil.which("kubectl")
    if not kubectl:
        pytest.skip("there is no kubectl on this machine")
    machine.becomes("running")
    found = machine.folder / "found"
    found.mkdir()
    (found / "kubectl").symlink_to(kubectl)
    path = {"PATH": f"{found}:{machine.path['PATH']}"}
    asked = subprocess.run(
        [kubectl, "version", "--client", "-o", "json"], capture_output=True, check=True, timeout=60
    )
    minor = int(json.loads(asked.stdout)["clientVersion"]["minor"].rstrip("+"))
    own = {**from_release(release), "minikube_executable": str(PLAYER)}
    assert machine.run(own, {"minikube_kubectl_version": f"v1.{minor + 1}.0"}, env=path).code == 0
    assert release.requests == []
    assert machine.run(own, {"minikube_kubectl_version": f"v1.{minor + 2}.0"}, env=path).code == 0
    assert release.requests == ["/kubectl.sha256", "/kubectl"]


def test_the_default_address_is_that_of_the_release(machine: Machine) -> None:
    """Behind a proxy that does not answer."""
    run = machine.run({"minikube_executable": ""}, env={"https_proxy": "http://127.0.0.1:9", "no_proxy": ""})
    machine_type = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)
    assert run.error.startswith(
        "minikube v1.32.0 cannot be fetched from https://github.com/kubernetes/minikube/releases/download/v1.32.0/"
        f"minikube-linux-{machine_type}.sha256: "
    )
    assert "Connection refused" in run.error
    assert list(machine.programs.iterdir()) == []


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({}, "{url}/minikube: its checksum is {right}, but {wrong} is expected"),
        (
            {"minikube_checksum": "sha256:{wrong}"},
            "{url}/minikube: its checksum is {right}, but {wrong} is expected",
        ),
        ({"minikube_url": "{url}/none"}, "{url}/none.sha256: HTTP Error 404: Not Found"),
        (
            {"minikube_checksum": "none"},
            "{url}/minikube: The checksum parameter has to be in format <algorithm>:<checksum",
        ),
    ],
    ids=["file of checksums", "checksum", "not there", "no checksum"],
)
def test_a_program_that_cannot_be_fetched(
    machine: Machine, release: Releases, variables: dict[str, str], reason: str
) -> None:
    wrong = "0" * 64
    release.checksums["/minikube"] = wrong
    known = {
        "url": release.url,
        "wrong": wrong,
        "right": hashlib.sha256(PLAYER.read_bytes()).hexdigest(),
    }
    own = {name: value.format(**known) for name, value in variables.items()}
    run = machine.run(from_release(release), own)
    assert run.error == (
        f"minikube v1.32.0 cannot be fetched from {reason.format(**known)}. Set minikube_url and minikube_checksum to what can "
        "be fetched, or minikube_executable to a program that is here."
    )
    assert list(machine.programs.iterdir()) == []
    assert machine.take_commands() == []


def test_a_fetched_minikube_of_another_version(machine: Machine, release: Releases) -> None:
    run = machine.run(from_release(release), {"minikube_version": "v1.33.0"})
    assert run.error == (
        "What was fetched as minikube v1.33.0 says that it is v1.32.0: check minikube_version and minikube_url."
    )
    assert machine.take_commands() == ["version"]


def test_a_fetched_minikube_that_cannot_be_run(machine: Machine, release: Releases) -> None:
    release.programs["/minikube"] = b"no program"
    run = machine.run(from_release(release))
    assert run.error == (
        "What was fetched as minikube v1.32.0 cannot be run here: check minikube_version and minikube_url."
    )


def test_check_mode_fetches_nothing(machine: Machine, release: Releases) -> None:
    run = machine.run(from_release(release), arguments=("--check", "--diff"))
    assert run.code == 0, run.output
    assert run.count("changed") > 0
    assert release.requests == []
    assert machine.take_commands() == []
    assert not machine.programs.exists()


def test_the_password_of_a_mirror_is_not_shown(machine: Machine, release: Releases) -> None:
    url = release.url.replace("//", "//ada:secret-4711@")
    run = machine.run(from_release(release), {"minikube_url": f"{url}/none"}, arguments=("-vvvv",))
    assert run.error.startswith("minikube v1.32.0 cannot be fetched from http://***@127.0.0.1:")
    assert "secret-4711" not in run.output
