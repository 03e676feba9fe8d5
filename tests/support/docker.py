# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Docker for tests: the daemon that answers on this machine, or one of our own, and containers of it.

Our own daemon leaves nothing behind: its mounts are in a namespace of its own, its data in memory that goes with them,
its bridge is ours, and it changes neither iptables nor forwarding. It ends with the test process, however that ends.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.kubernetes_parts import REGISTRY
from tests.support.servers import ROOT, free_port, stop, wait_for

FOLDER = ROOT / ".local" / "image"
BRIDGE = "tracestack0"
BRIDGE_ADDRESS = "198.18.251.1/24"  # of the block for measurements, which no network in use has
PATHS = f"{os.environ['PATH']}:/usr/local/sbin:/usr/sbin:/sbin"  # daemons are not in every user's PATH
# Its data is in memory: on a disk Docker waits for each file of each layer, and at the end for their removal.
IN_MEMORY = 'mount -t tmpfs -o mode=711 tmpfs "$1"; shift; exec "$@"'
# What a container of ours is run with, in the tests and by README.md.
HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@dataclass(frozen=True)
class Docker:
    """A daemon, spoken to by Docker's own client. host is empty for the client's own choice."""

    host: str = ""

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the client, whatever comes of it. Builds use the one builder that each client has."""
        environment = {**os.environ, "DOCKER_BUILDKIT": "0"} | (
            {"DOCKER_HOST": self.host} if self.host else {}
        )
        command = [program("docker", "docker.io"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def __call__(self, *arguments: str) -> str:
        """Run the client; what it printed."""
        done = self.attempt(*arguments)
        assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout[-4000:]}{done.stderr}"
        return done.stdout.strip()

    def answers(self) -> bool:
        """Whether the daemon is there."""
        return self.attempt("version").returncode == 0

    def inspect(self, thing: str) -> dict[str, Any]:
        """All that is known of an image or a container."""
        return dict(json.loads(self("inspect", thing))[0])


def program(name: str, package: str) -> str:
    """The path of a program, or a sentence."""
    path = shutil.which(name, path=PATHS)
    if path is None:
        raise RuntimeError(f"{name} is missing: run bin/bootstrap --dev, or apt-get install {package}.")
    return path


@contextmanager
def docker() -> Iterator[Docker]:
    """The daemon that answers here, or else one of our own until the block ends."""
    usual = Docker()
    with ExitStack() as stack:
        yield usual if usual.answers() else stack.enter_context(our_own())


@contextmanager
def our_own() -> Iterator[Docker]:
    """A daemon of our own until the block ends."""
    command = [program("dockerd", "docker.io")]
    if os.geteuid() != 0:
        raise RuntimeError(
            "No Docker daemon answers, and only root can start one: start Docker, then try again."
        )
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock, ExitStack() as stack:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time: they share the bridge
        data = (FOLDER / "docker").resolve()  # runc wants no link in its paths
        data.mkdir(exist_ok=True)
        stack.enter_context(bridge())
        run = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tracestack-docker-")))
        yield stack.enter_context(daemon(command, data, run))


@contextmanager
def daemon(command: list[str], data: Path, run: Path) -> Iterator[Docker]:
    """Run a daemon with these folders until the block ends."""
    mine = Docker(f"unix://{run}/docker.sock")
    settings = {
        "hosts": [mine.host],
        "data-root": str(data),
        "exec-root": str(run / "exec"),
        "pidfile": str(run / "docker.pid"),
        "storage-driver": "overlay2",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "bridge": BRIDGE,
        "iptables": False,
        "ip-forward": False,
        "ip-masq": False,
        "insecure-registries": [REGISTRY],
    }
    (run / "daemon.json").write_text(json.dumps(settings))
    command = [*alone(), "sh", "-ec", IN_MEMORY, "sh", str(data), *command]
    command += ["--config-file", str(run / "daemon.json")]
    log = FOLDER / "dockerd.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, "PATH": PATHS}, start_new_session=True
        )
    try:
        wait_for(lambda: process.poll() is not None or mine.answers())
        assert process.poll() is None, f"dockerd ended:\n{log.read_text()[-4000:]}"
        yield mine
    finally:
        stop(process, 60)


def alone() -> list[str]:
    """Put before a command: its mounts are its own, and it is told to end when the test process has."""
    return [
        program("setpriv", "util-linux"),
        "--pdeathsig",
        "TERM",
        program("unshare", "util-linux"),
        "--mount",
    ]


@contextmanager
def bridge() -> Iterator[None]:
    """A network bridge of the daemon's own. One that is there already is of a test run that was killed."""
    ip = program("ip", "iproute2")
    if not Path("/sys/class/net", BRIDGE).exists():
        subprocess.run([ip, "link", "add", BRIDGE, "type", "bridge"], check=True)
    try:
        subprocess.run([ip, "address", "replace", BRIDGE_ADDRESS, "dev", BRIDGE], check=True)
        subprocess.run([ip, "link", "set", BRIDGE, "up"], check=True)
        yield
    finally:
        subprocess.run([ip, "link", "delete", BRIDGE], check=True)


@dataclass(frozen=True)
class Container:
    """A container of the traced API. port is where it is published, on the loopback interface."""

    docker: Docker
    name: str
    port: int

    def state(self) -> dict[str, Any]:
        """What the daemon says of it."""
        return dict(self.docker.inspect(self.name)["State"])

    def get(self, path: str) -> int:
        """The status that answers this path; 0 if nothing answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def python(self, code: str) -> str:
        """What a bit of Python prints inside, as the container's user."""
        return self.docker("exec", self.name, "python", "-c", code)

    def log(self) -> str:
        """All that it wrote."""
        done = self.docker.attempt("logs", self.name)
        return done.stdout + done.stderr

    def exit_code(self, within: float = 30) -> int:
        """The code that it ends with, within so many seconds."""
        wait_for(lambda: not self.state()["Running"], within)
        return int(self.state()["ExitCode"])

    def wait(self, path: str = "/healthz") -> None:
        """Until it answers."""
        wait_for(lambda: not self.state()["Running"] or self.get(path) == 200)
        assert self.state()["Running"], self.log()


@contextmanager
def container(
    daemon: Docker, image: str, *options: str, command: Sequence[str] = (), **environment: str
) -> Iterator[Container]:
    """Run an image hardened, with these options of docker run and these variables, until the block ends."""
    port = free_port()
    name = f"tracestack-test-{uuid.uuid4().hex[:12]}"
    published = ["--publish", f"127.0.0.1:{port}:8000"]
    variables = [part for pair in environment.items() for part in ("--env", "=".join(pair))]
    try:
        daemon(
            "run", "--detach", "--name", name, *HARDENED, *published, *options, *variables, image, *command
        )
        yield Container(daemon, name, port)
    finally:
        daemon.attempt("rm", "--force", "--volumes", name)
