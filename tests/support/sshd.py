# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real OpenSSH server on loopback, as this user, with a host key and a configuration of its own."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.servers import free_port, listens, wait_for


@dataclass
class Sshd:
    """A server in a folder. It lets in whose keys are in ``authorized``."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def authorized(self) -> Path:
        """The file of the keys that are let in."""
        return self.folder / "authorized_keys"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "sshd.log"

    def variables(self) -> dict[str, Any]:
        """What the role elasticsearch_exposure needs to know of it."""
        return {
            "elasticsearch_exposure_tunnel_host": "127.0.0.1",
            "elasticsearch_exposure_tunnel_port": self.port,
            "elasticsearch_exposure_tunnel_user": getpass.getuser(),
            "elasticsearch_exposure_tunnel_options": {"SessionType": "none"},
            "elasticsearch_exposure_tunnel_pattern": "Allocated port ([0-9]+) for remote forward",
            "elasticsearch_exposure_tunnel_url": "http://127.0.0.1:{}",
        }

    def authorize(self, public_key: Path, options: str = "") -> None:
        """Let in who has this key."""
        with self.authorized.open("a") as file:
            file.write(f"{options} {public_key.read_text()}".lstrip())

    def start(self) -> None:
        """Start it, on the same port each time."""
        if os.getuid() == 0:  # where the unprivileged part of the server lives; it is gone after a boot
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        program = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert program, "there is no sshd: run bin/bootstrap --dev"
        with self.log.open("ab") as log:
            command = [program, "-D", "-e", "-f", str(self.folder / "sshd_config")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        process = self.process
        wait_for(lambda: process.poll() is not None or listens(self.port))
        assert process.poll() is None, self.log.read_text()

    def kill(self) -> None:
        """End it at once, with the connections, each of which is a process in a group of its own."""
        assert self.process is not None
        for pid in reversed(descendants(self.process.pid)):
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def sshd(folder: Path) -> Iterator[Sshd]:
    """Run a server until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    server = Sshd(folder, free_port())
    key_pair(folder / "host_key")
    server.authorized.touch(mode=0o600)
    settings = {
        "ListenAddress": "127.0.0.1",
        "Port": server.port,
        "HostKey": folder / "host_key",
        "AuthorizedKeysFile": server.authorized,
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "GatewayPorts": "no",
    }
    (folder / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    server.start()
    try:
        yield server
    finally:
        if server.process and server.process.poll() is None:
            server.kill()


def key_pair(path: Path) -> Path:
    """Make a key pair; the public half's path."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True)
    return path.with_name(f"{path.name}.pub")


def descendants(pid: int) -> list[int]:
    """A process and all that it started, parents first."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in children for each in descendants(int(child)))]
