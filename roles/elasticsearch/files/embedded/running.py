# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that a built server is started with, and whether it can be."""

from __future__ import annotations

import glob
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from building import STAMP
from data_folder import in_use
from java_runtime import DEFAULT, require_java
from problems import ServerError, writable
from releases import SETTINGS, Release


@dataclass(frozen=True)
class Node:
    """One server to start. ``heap`` as Java writes it (512m, 1g); ``clock`` is a libfaketime file."""

    data: Path
    port: int
    host: str = "127.0.0.1"
    heap: str = "512m"
    java: str = DEFAULT
    settings: tuple[str, ...] = ()
    clock: Path | None = None


def run_command(wanted: Release, dist: Path, node: Node) -> tuple[list[str], dict[str, str]]:
    """Check everything that can be checked and return the server's command line and environment.

    Makes the data folder. Raises ServerError for a missing build, Java, port or data folder.
    """
    target = dist / wanted.name
    if not (target / STAMP).is_file():
        raise ServerError(f"{wanted.name} is not built in {dist}: run server.py build with the same options.")
    if not re.fullmatch(r"[1-9]\d*[kmgKMG]", node.heap):
        raise ServerError(f"The heap size {node.heap!r} is not a whole number with k, m or g, such as 512m.")
    java = require_java(node.java, wanted.minimum_java)
    environment = {**os.environ, **({} if node.clock is None else clock_environment(node.clock))}
    require_free_port(node.host, node.port)
    home = prepare_home(node.data)
    if sentence := in_use(home):
        raise ServerError(sentence)
    settings = {
        **SETTINGS,
        **wanted.settings,
        "network.host": node.host,
        "http.port": str(node.port),
        **dict(map(parse_setting, node.settings)),
    }
    command = [
        java,
        f"-Xms{node.heap}",
        f"-Xmx{node.heap}",
        *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"),
        *(
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError",
            f"-XX:ErrorFile={home / 'logs' / 'hs_err_%p.log'}",
        ),
        f"-Djava.io.tmpdir={home / 'tmp'}",
        f"-Dlog4j2.configurationFile={target / 'log4j2.properties'}",
        "-Dlog4j2.formatMsgNoLookups=true",
        *("-Dio.netty.noUnsafe=true", "-Dio.netty.noKeySetOptimization=true"),
        "-Dio.netty.recycler.maxCapacityPerThread=0",
        *("-cp", f"{target / 'classes'}:{target / 'lib'}/*", Path(wanted.launcher[0]).stem),
        *(str(target), str(home)),
        *([",".join(wanted.plugins)] if wanted.plugins else []),
        *(f"{key}={value}" for key, value in settings.items()),
    ]
    return command, environment


def parse_setting(text: str) -> tuple[str, str]:
    """Split key=value."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise ServerError(f"The setting {text!r} is not of the form key=value.")
    return key, value


def prepare_home(data: Path) -> Path:
    """Make the server's folders and return the absolute path."""
    home = data.resolve()
    with writable(home):
        for name in ("config", "data", "logs", "repo", "tmp"):
            (home / name).mkdir(parents=True, exist_ok=True)
    return home


def clock_environment(clock: Path) -> dict[str, str]:
    """The environment under which a process reads its clock's offset from the file, as in ``-40d``.

    Only the calendar moves; timeouts and thread pools keep to the real, monotonic clock.
    """
    libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not libraries:
        raise ServerError("A server with a clock of its own needs libfaketime: apt-get install faketime.")
    if not clock.is_file():
        raise ServerError(
            f"The clock file {clock} does not exist: write an offset such as +0d or -40d into it."
        )
    return {
        "LD_PRELOAD": libraries[0],
        "FAKETIME_TIMESTAMP_FILE": str(clock.resolve()),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # Without this every timed wait of the JVM returns at once, and its threads spin (0.9.10).
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


def require_free_port(host: str, port: int) -> None:
    """Raise ServerError when nothing can listen on host:port."""
    if not 0 < port < 65536:
        raise ServerError(f"The port {port} is not between 1 and 65535.")
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = error.strerror or error
        raise ServerError(
            f"Nothing can listen on {host}:{port}: {reason}; stop what holds it, or choose another port."
        ) from error
