# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Elasticsearch on this machine, from Maven artifacts: no container, no download site, no root.

The one way to start Elasticsearch here: the role ``elasticsearch`` and every test use it.

    python server.py build --version 7.17.1 --dist DIR
    python server.py run --version 7.17.1 --dist DIR --data DATA --port 9200
    python server.py wait --url http://127.0.0.1:9200 --timeout 60

``run`` becomes the server (exec), in the foreground, with the log on stdout: whoever started it, a
supervisor or a test's Popen, owns the process. SIGTERM stops it cleanly.

From Python: ``build``, ``run_command`` (for Popen), ``wait_until_ready``. Every failure is a
``ServerError`` of one sentence; the command line prints it on stderr and ends with code 2.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
STAMP = "inputs.sha256"


class ServerError(Exception):
    """Something the user can put right, said in one sentence."""


@dataclass(frozen=True)
class Family:
    """One major line of one distribution: the versions that we build, and how they are started."""

    versions: tuple[str, ...]
    minimum_java: int
    launcher: str
    plugins: tuple[str, ...]
    settings: Mapping[str, str]

    def source(self, distribution: str, major: int) -> Path:
        """The folder with pom.xml, jars.sha256 and the launcher's source."""
        return HERE / f"{distribution}-{major}"


FAMILIES: dict[tuple[str, int], Family] = {
    ("elasticsearch", 7): Family(
        versions=("7.17.1",),
        minimum_java=17,
        launcher="EsLauncher",
        plugins=(
            "org.elasticsearch.transport.Netty4Plugin",
            "org.elasticsearch.reindex.ReindexPlugin",
            "org.elasticsearch.index.mapper.MapperExtrasPlugin",
            "org.elasticsearch.join.ParentJoinPlugin",
            "org.elasticsearch.script.mustache.MustachePlugin",
            "org.elasticsearch.search.aggregations.matrix.MatrixAggregationPlugin",
        ),
        settings={
            "cluster.name": "tracestack",
            "node.name": "node-1",
            "discovery.type": "single-node",
            "transport.port": "0",
            "http.type": "netty4",
            "transport.type": "netty4",
            # The disk is the user's, not ours: a laptop that is 90 % full must still take a trace.
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "action.destructive_requires_name": "true",
        },
    ),
}


@dataclass(frozen=True)
class Release:
    """One version that can be built, with its family."""

    distribution: str
    version: str
    family: Family

    @property
    def name(self) -> str:
        """As in ``elasticsearch-7.17.1``."""
        return f"{self.distribution}-{self.version}"

    @property
    def source(self) -> Path:
        """The folder with pom.xml, jars.sha256 and the launcher's source."""
        return self.family.source(self.distribution, int(self.version.split(".", 1)[0]))


@dataclass(frozen=True)
class Node:
    """One server to start. ``heap`` as Java writes it (512m, 1g); ``clock`` is a libfaketime file."""

    data: Path
    port: int
    host: str = "127.0.0.1"
    heap: str = "512m"
    java: str = "java"
    settings: tuple[str, ...] = ()
    clock: Path | None = None


def release(version: str, distribution: str = "elasticsearch") -> Release:
    """Find the release. Raises ServerError when we do not build it."""
    known = [
        Release(name, each, family) for (name, _major), family in FAMILIES.items() for each in family.versions
    ]
    for candidate in known:
        if (candidate.distribution, candidate.version) == (distribution, version):
            return candidate
    names = ", ".join(f"{each.distribution} {each.version}" for each in known)
    raise ServerError(f"{distribution} {version} cannot be built here; these can: {names}.")


# build


def build(wanted: Release, dist: Path) -> bool:
    """Put jars and launcher into DIST/NAME-VERSION; False when they are there already.

    Safe to call from several processes at once. Takes about 30 s with an empty Maven cache.
    """
    target = dist / wanted.name
    stamp = inputs_hash(wanted)
    if is_built(target, stamp):
        return False
    require_build_tools(wanted)
    with writable(dist):
        dist.mkdir(parents=True, exist_ok=True)
        lock = (dist / f".{wanted.name}.lock").open("w", encoding="utf-8")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_built(target, stamp):
            return False
        with tempfile.TemporaryDirectory(prefix=f".{wanted.name}.", dir=dist) as scratch:
            fresh = Path(scratch) / "fresh"
            fill(wanted, fresh)
            (fresh / STAMP).write_text(stamp + "\n", encoding="utf-8")
            if target.exists():
                target.rename(Path(scratch) / "old")
            fresh.rename(target)
    return True


def fill(wanted: Release, folder: Path) -> None:
    """Copy the jars by Maven, check them against jars.sha256, compile the launcher."""
    for name in ("lib", "classes"):
        (folder / name).mkdir(parents=True)
    shutil.copy(wanted.source / "pom.xml", folder)
    shutil.copy(HERE / "log4j2.properties", folder)
    run_tool(
        ["mvn", "-q", "-B", "-C", "-Dstyle.color=never", f"-Dserver.version={wanted.version}",
         "dependency:copy-dependencies", f"-DoutputDirectory={folder / 'lib'}"],
        folder,
        "Maven could not fetch the jars",
    )  # fmt: skip
    check_jars(folder / "lib", wanted.source / "jars.sha256")
    source = wanted.source / f"{wanted.family.launcher}.java"
    run_tool(
        ["javac", "-nowarn", "-d", "classes", "-cp", "lib/*", str(source)],
        folder,
        "The launcher did not compile",
    )


def check_jars(lib: Path, sums: Path) -> None:
    """Raise ServerError unless lib holds exactly the jars in sums."""
    lines = (
        line.split() for line in sums.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    )
    expected = {name: digest for digest, name in lines}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in lib.iterdir()}
    different = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    if different:
        raise ServerError(
            f"Maven's jars are not those of {sums}: {', '.join(different)}; remove them from Maven's cache"
            " (~/.m2/repository) and try again, and if that does not help, ask whose repository Maven uses."
        )


def run_tool(command: Sequence[str], folder: Path, failure: str) -> None:
    """Run a build tool quietly. Raises ServerError with the tool's first line of complaint."""
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = [
            line.strip() for line in done.stdout.splitlines() if re.search(r"\berror\b", line, re.IGNORECASE)
        ]
        reason = lines[0] if lines else f"{command[0]} ended with code {done.returncode}"
        raise ServerError(f"{failure}: {reason}")


def inputs_hash(wanted: Release) -> str:
    """What the built folder was made of."""
    digest = hashlib.sha256(wanted.version.encode())
    for path in [*sorted(wanted.source.iterdir()), HERE / "log4j2.properties"]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def is_built(target: Path, stamp: str) -> bool:
    """Whether target was made of the inputs with this hash."""
    try:
        return (target / STAMP).read_text(encoding="utf-8").strip() == stamp
    except FileNotFoundError:
        return False


# run


def run_command(wanted: Release, dist: Path, node: Node) -> tuple[list[str], dict[str, str]]:
    """Check everything that can be checked and return the server's command line and environment.

    Makes the data folder. Raises ServerError for a missing build, Java, port or data folder.
    """
    target = dist / wanted.name
    if not (target / STAMP).is_file():
        raise ServerError(
            f"{wanted.name} is not built in {dist}:"
            f" run server.py build --version {wanted.version} --dist {dist}."
        )
    if not re.fullmatch(r"[1-9]\d*[kmgKMG]", node.heap):
        raise ServerError(f"The heap size {node.heap!r} is not a whole number with k, m or g, such as 512m.")
    java = require_java(node.java, wanted.family.minimum_java)
    environment = {**os.environ, **({} if node.clock is None else clock_environment(node.clock))}
    require_free_port(node.host, node.port)
    home = prepare_home(node.data)
    require_free_data(home)
    settings = {
        **wanted.family.settings,
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
        *("-Dlog4j2.formatMsgNoLookups=true", "-Des.networkaddress.cache.ttl=60"),
        *("-Dio.netty.noUnsafe=true", "-Dio.netty.noKeySetOptimization=true"),
        "-Dio.netty.recycler.maxCapacityPerThread=0",
        *("-cp", f"{target / 'classes'}:{target / 'lib'}/*", wanted.family.launcher),
        *(str(home), ",".join(wanted.family.plugins)),
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


# preflight


def check(wanted: Release, dist: Path, java: str) -> None:
    """Raise ServerError when the server could not be built, if it must be, or run."""
    require_java(java, wanted.family.minimum_java)
    if not is_built(dist / wanted.name, inputs_hash(wanted)):
        require_build_tools(wanted)


def require_build_tools(wanted: Release) -> None:
    """Raise ServerError when Maven or a fitting JDK is missing."""
    package = f"openjdk-{wanted.family.minimum_java}-jdk-headless"
    require_java("java", wanted.family.minimum_java)
    require_program("javac", "The Java compiler", package)
    require_program("mvn", "Maven", "maven")


def require_program(program: str, what: str, package: str) -> str:
    """Return the program's path. Raises ServerError when it is missing."""
    path = shutil.which(program)
    if path is None:
        raise ServerError(f"{what} is missing ({program} is not in PATH): apt-get install {package}.")
    return path


def require_java(java: str, minimum: int) -> str:
    """Return the path of java. Raises ServerError when it is missing or too old."""
    path = require_program(java, "Java", f"openjdk-{minimum}-jdk-headless")
    done = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)(?:\.(\d+))?', done.stderr)
    if done.returncode or not found:
        raise ServerError(
            f"{path} is not a Java runtime that works: {(done.stderr.splitlines() or ['no output'])[0]}"
        )
    major = int(found[2] or 0) if found[1] == "1" else int(found[1])
    if major < minimum:
        raise ServerError(
            f"{path} is Java {major}, but {minimum} or newer is needed:"
            f" apt-get install openjdk-{minimum}-jdk-headless."
        )
    return path


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


def require_free_data(home: Path) -> None:
    """Raise ServerError when a running server holds the data folder."""
    for path in sorted(home.glob("data/**/node.lock")):
        with path.open("r+b") as lock:
            try:
                fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ServerError(
                    f"A running server holds the data folder {home} (fuser '{path}' names it):"
                    " stop that one first."
                ) from error


@contextlib.contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Say which folder could not be written."""
    try:
        yield
    except OSError as error:
        raise ServerError(f"{folder} cannot be written: {error.strerror} ({error.filename}).") from error


# wait


def wait_until_ready(url: str, timeout: float, process: subprocess.Popen[bytes] | None = None) -> None:
    """Return when the cluster's health is yellow or green.

    Raises ServerError after timeout (seconds), or at once when process, if given, has ended.
    """
    end = time.monotonic() + timeout
    while True:
        problem = health_problem(url)
        if problem is None:
            return
        if process is not None and process.poll() is not None:
            raise ServerError(
                f"The server for {url} ended with code {process.returncode} before it was ready;"
                " its log says why."
            )
        if time.monotonic() >= end:
            raise ServerError(f"{url} was not ready within {timeout:g} s: {problem}")
        time.sleep(0.1)


def health_problem(url: str) -> str | None:
    """Why the cluster is not ready yet; None when it is."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url.rstrip('/')}/_cluster/health", timeout=5) as answer:
            status = json.load(answer)["status"]
    except urllib.error.HTTPError as error:
        return f"it answered with HTTP status {error.code}."
    except urllib.error.URLError as error:
        return f"{error.reason}."
    except OSError as error:
        return f"{error}."
    except (ValueError, KeyError, TypeError):
        return "its answer is not that of Elasticsearch."
    return None if status in ("yellow", "green") else f"the cluster's health is {status}."


# command line


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line, as in the module's docstring."""
    parser = argparse.ArgumentParser(
        description="A real Elasticsearch on this machine, from Maven artifacts."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser(
        "build", help="fetch the jars and compile the launcher, unless done already"
    )
    running = commands.add_parser("run", help="become the server, in the foreground")
    preparing = commands.add_parser("check", help="fail when the server could not be built or run here")
    for command in (building, preparing, running):
        command.add_argument("--distribution", default="elasticsearch")
        command.add_argument("--version", required=True, help="such as 7.17.1")
        command.add_argument("--dist", required=True, type=Path, help="folder of the built servers")
    running.add_argument("--data", required=True, type=Path, help="folder for data, logs and repository")
    running.add_argument("--port", required=True, type=int)
    running.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    running.add_argument("--heap", default="512m", help="default: %(default)s")
    for command in (preparing, running):
        command.add_argument("--java", default="java", help="the java to run with (default: %(default)s)")
    running.add_argument(
        "--setting", action="append", default=[], metavar="KEY=VALUE", help="of elasticsearch.yml"
    )
    running.add_argument(
        "--clock", type=Path, help="file with the server clock's offset, such as -40d (libfaketime)"
    )
    waiting = commands.add_parser("wait", help="wait until the server is ready")
    waiting.add_argument("--url", required=True)
    waiting.add_argument("--timeout", type=float, default=60, help="seconds (default: %(default)s)")
    checking = commands.add_parser("check-data", help="fail when a running server holds the data folder")
    checking.add_argument("--data", required=True, type=Path)
    return parser.parse_args(arguments)


def perform(options: argparse.Namespace) -> None:
    """Carry out one command; ``run`` does not return."""
    if options.command == "wait":
        wait_until_ready(options.url, options.timeout)
        return
    if options.command == "check-data":
        require_free_data(options.data.resolve())
        return
    wanted = release(options.version, options.distribution)
    dist: Path = options.dist.resolve()
    if options.command == "build":
        print("built" if build(wanted, dist) else "kept")
    elif options.command == "check":
        check(wanted, dist, options.java)
    else:
        settings = tuple(options.setting)
        node = Node(
            options.data, options.port, options.host, options.heap, options.java, settings, options.clock
        )
        command, environment = run_command(wanted, dist, node)
        os.execve(command[0], command, environment)


def main(arguments: Sequence[str]) -> int:
    """Run one command and return the exit code."""
    try:
        perform(parse_arguments(arguments))
    except ServerError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
