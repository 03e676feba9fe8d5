# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers for tests, started by the same helper as the role elasticsearch (server.py)."""

from __future__ import annotations

import fcntl
import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
DIST = ROOT / ".local" / "servers"
HELPER = ROOT / "roles" / "elasticsearch" / "files" / "embedded" / "server.py"
# Which server the tests run on: elasticsearch-7.17.1 (default), elasticsearch-8.19.21, elasticsearch-9.5.3,
# opensearch-1.3.13, opensearch-2.19.4 or opensearch-3.4.0.
RELEASE = os.environ.get("TRACESTACK_TEST_SERVER", "elasticsearch-7.17.1")
# A time in a clock's file, where it is not an offset, is in seconds since 1970 (tests/support/moved_clock.py).
CLOCK_FORMAT = {"FAKETIME_FMT": "%s"}
# Else the server looks at its clock every 200 ms only, and a rollover just after the clock was moved gets the old time.
_NO_CACHED_TIME = "thread_pool.estimated_time_interval=0ms"
# Indices with a leading dot are the server's own, but for those behind data streams.
HIDDEN = re.compile(r"\.(?!ds-)")
# Jaeger v1.57.0 asks for ranges by "from", which Elasticsearch 9 no longer understands: it writes, and finds nothing.
JAEGER_READS = not RELEASE.startswith("elasticsearch-9")
PORTS = Path(tempfile.gettempdir()) / f"tracestack-ports-{os.getuid()}"
CLAIMS: list[TextIO] = []  # the ports that this process has been given, locked until it ends
# By how many seconds the clock of the modules is moved (tests/support/modules.py).
module_clock = {"offset": 0}


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now, and that no other test is given.

    It is none of those that the kernel gives to whoever does not care (32768 to 60999): between now and the start of the
    server that it is for, another's proxy might get it.
    """
    PORTS.mkdir(exist_ok=True)
    while True:
        port = random.randrange(20000, 30000)
        claim = (PORTS / str(port)).open("w")
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        CLAIMS.append(claim)
        return port


@dataclass(frozen=True)
class Elasticsearch:
    """A running server: an Elasticsearch, or an OpenSearch.

    clock, if there is one, holds the offset that its clock is moved by, such as -40d. tls and headers are for a
    server with security (tests/support/secured.py).
    """

    url: str
    clock: Path | None = None
    release: str = RELEASE
    tls: ssl.SSLContext | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def distribution(self) -> str:
        """elasticsearch or opensearch."""
        return self.release.split("-")[0]

    @property
    def version(self) -> str:
        """Such as 7.17.1."""
        return self.release.split("-")[1]

    @property
    def composable_templates(self) -> bool:
        """Whether it is one on which Jaeger and our modules make composable templates, not legacy ones."""
        return int(self.version.split(".")[0]) >= (2 if self.distribution == "opensearch" else 8)

    @property
    def template_path(self) -> str:
        """Where our modules put their templates."""
        return "/_index_template/" if self.composable_templates else "/_template/"

    @property
    def data_streams(self) -> bool:
        """Whether it has them. In Elasticsearch they are part of a module that no package registry has."""
        return self.distribution == "opensearch"

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """One request with the standard library, so that tests do not look through the client they test."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **self.headers}
        request = urllib.request.Request(
            self.url + quote(path, safe="/?=&,_*%"), data, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.tls) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{method} {path}: {refused.code} {refused.read().decode()}") from None

    def get(self, path: str) -> Any:
        """GET, as JSON."""
        return self.request("GET", path)

    def aliases(self) -> set[tuple[str, str]]:
        """All (alias, index) pairs."""
        return {(row["alias"], row["index"]) for row in self.get("/_cat/aliases?format=json&h=alias,index")}

    def indices(self) -> set[str]:
        """The names of all indices."""
        return {row["index"] for row in self.get("/_cat/indices?format=json&h=index&expand_wildcards=all")}

    def set_clock(self, offset: str) -> None:
        """Move the server's clock, and that of the modules that run from now on: -40d, -2h, +0d."""
        self.set_server_clock(offset)
        seconds = {"s": 1, "m": 60, "h": 3600, "d": 86400}
        module_clock["offset"] = int(offset[:-1]) * seconds[offset[-1]]

    def set_server_clock(self, offset: str) -> None:
        """Move the server's clock alone."""
        assert self.clock is not None, "started without a clock"
        fresh = self.clock.with_suffix(".fresh")
        fresh.write_text(offset + "\n")
        fresh.replace(
            self.clock
        )  # the server reads it at any moment, and would take an empty one for no offset

    def templates(self) -> dict[str, Any]:
        """All index templates by name, legacy ones and composable ones, without the server's own."""
        return {**self.legacy_templates(), **self.index_templates()}

    def legacy_templates(self) -> dict[str, Any]:
        """The legacy templates by name."""
        return {name: body for name, body in self.get("/_template").items() if not name.startswith(".")}

    def index_templates(self) -> dict[str, Any]:
        """The composable templates by name."""
        found = self.get("/_index_template")["index_templates"]
        return {one["name"]: one["index_template"] for one in found if not one["name"].startswith(".")}

    def reset(self) -> None:
        """As it was when it started: the right time, no setting of the cluster, no repository, and nothing in it."""
        self.set_clock("+0d")
        self.request("PUT", "/_cluster/settings", {"persistent": {"*": None}, "transient": {"*": None}})
        for repository in self.get("/_snapshot"):
            self.request("DELETE", f"/_snapshot/{repository}")
        self.wipe()

    def wipe(self) -> None:
        """Delete every data stream, index and template, but not what the server has for itself."""
        if self.data_streams:
            for stream in self.get("/_data_stream")["data_streams"]:
                self.request("DELETE", f"/_data_stream/{stream['name']}")
        names = sorted(name for name in self.indices() if not HIDDEN.match(name))
        for start in range(0, len(names), 50):
            self.request("DELETE", "/" + ",".join(names[start : start + 50]))
        for name in self.index_templates():
            self.request("DELETE", f"/_index_template/{name}")
        for name in self.legacy_templates():
            self.request("DELETE", f"/_template/{name}")


def helper(command: str, release: str, *options: str, security: bool = False) -> list[str]:
    """A command line of the helper that builds and starts servers (its path is in HELPER)."""
    distribution, version = release.split("-")
    wanted = ["--distribution", distribution, "--version", version, "--dist", str(DIST)]
    return [sys.executable, str(HELPER), command, *wanted, *(["--security"] if security else []), *options]


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder for a server's data, in memory where that is possible, until the block ends.

    Elasticsearch writes its state to the disk for each change and waits for it; memory is ten times faster.
    """
    where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="tracestack-", dir=where, ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def elasticsearch(
    folder: Path, *, clock: bool = False, release: str = RELEASE, heap: str = "1g"
) -> Iterator[Elasticsearch]:
    """Run a real server on a free port, with its data in this folder, until the block ends."""
    server, process = start_elasticsearch(folder, clock=clock, release=release, heap=heap)
    try:
        yield server
    finally:
        stop(process)


def start_elasticsearch(
    folder: Path,
    *,
    clock: bool = False,
    release: str = RELEASE,
    heap: str = "1g",
    launcher: Sequence[str] = (),
) -> tuple[Elasticsearch, subprocess.Popen[bytes]]:
    """Start a real server on a free port, with its data in this folder, and wait until it is ready.

    launcher is a command that runs the command after it. With one, the server is in a session of its own.
    """
    subprocess.run(helper("build", release), check=True, capture_output=True)
    port = free_port()
    server = Elasticsearch(f"http://127.0.0.1:{port}", folder / "clock" if clock else None, release)
    command = helper("run", release, "--data", str(folder / "data"), "--port", str(port), "--heap", heap)
    if server.clock:
        folder.mkdir(parents=True, exist_ok=True)
        server.set_clock("+0d")
        command += ["--clock", str(server.clock), "--setting", _NO_CACHED_TIME]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [*launcher, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **CLOCK_FORMAT},
            start_new_session=bool(launcher),
        )
    waiting = [sys.executable, str(HELPER), "wait", "--url", server.url, "--timeout", "120"]
    if subprocess.run(waiting, check=False).returncode != 0:
        stop(process)
        raise AssertionError((folder / "server.log").read_text())
    return server, process


def stop(process: subprocess.Popen[Any], seconds: float = 20) -> None:
    """End a process that a test started: SIGTERM, and SIGKILL if it does not listen."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def jaeger_programs(*names: str) -> Path:
    """The folder of Jaeger's own programs, built as the role jaeger builds them."""
    script = ROOT / "roles" / "jaeger" / "files" / "native" / "build.sh"
    dist = ROOT / ".local" / "jaeger" / "dist"
    dist.mkdir(parents=True, exist_ok=True)
    with (dist / ".lock").open("w") as lock:  # several test processes; the work is done once
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = subprocess.run(["sh", script, dist, *names], check=True, stdout=subprocess.PIPE)
    return Path(built.stdout.decode().strip())


@dataclass(frozen=True)
class Jaeger:
    """A running all-in-one."""

    query_url: str
    otlp_url: str
    metrics_url: str = ""

    def send(self, trace: str, service: str) -> None:
        """Export one span by OTLP/HTTP, as an application would."""
        self.send_traces([trace], service, 1)

    def send_traces(
        self,
        traces: Sequence[str],
        service: str,
        spans: int,
        *,
        operation: str = "work",
        at: datetime | None = None,
    ) -> None:
        """Export so many spans of each of these traces in one request. Raises what is not a full acceptance.

        at is when they end; now, if it is left out.
        """
        now = time.time_ns() if at is None else int(at.timestamp() * 1_000_000) * 1000
        times = {"startTimeUnixNano": str(now - 1000), "endTimeUnixNano": str(now)}
        sent = [
            {"traceId": trace, "spanId": f"{trace[:12]}{number:04x}", "name": operation, "kind": 1, **times}
            for trace in traces
            for number in range(1, spans + 1)
        ]
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
        body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": sent}]}]}
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.otlp_url, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            told = json.load(answer)
        assert not told.get("partialSuccess"), told

    def trace(self, trace: str) -> dict[str, Any]:
        """This trace as the query service has it: its processes and its spans, or nothing."""
        try:
            with urllib.request.urlopen(f"{self.query_url}/api/traces/{trace}", timeout=30) as answer:
                return dict(json.load(answer)["data"][0])
        except urllib.error.HTTPError as refused:
            if refused.code == 404:
                return {}
            raise

    def spans(self, trace: str) -> int:
        """How many spans of this trace the query service finds."""
        return len(self.trace(trace).get("spans", []))

    def finds(self, trace: str) -> bool:
        """Whether the query service has this trace."""
        return self.spans(trace) > 0

    def found(self, traces: Sequence[str]) -> set[str]:
        """Which of these traces the query service finds, asked for by their ids."""
        found: set[str] = set()
        for start in range(0, len(traces), 20):
            query = "&".join(f"traceID={trace}" for trace in traces[start : start + 20])
            found.update(one["traceID"] for one in self.ask(f"traces?{query}") if one["spans"])
        return found

    def services(self) -> list[str]:
        """The query service's list of services."""
        return list(self.ask("services"))

    def ask(self, what: str) -> list[Any]:
        """What the query service's API answers."""
        with urllib.request.urlopen(f"{self.query_url}/api/{what}", timeout=120) as answer:
            return json.load(answer)["data"] or []


@contextmanager
def jaeger(es: Elasticsearch, prefix: str, folder: Path, *flags: str) -> Iterator[Jaeger]:
    """Run a real Jaeger that stores in es through aliases, with these flags in addition, until the block ends."""
    # This Jaeger knows of OpenSearch 1 and 2, which it takes for version 7, and of Elasticsearch up to 8.
    version = 7 if es.distribution == "opensearch" else min(int(es.version.split(".")[0]), 8)
    storage = [
        f"--es.version={version}",
        f"--es.server-urls={es.url}",
        f"--es.index-prefix={prefix}",
        "--es.use-aliases=true",
    ]
    quick = ["--es.create-index-templates=false", "--es.bulk.flush-interval=100ms"]
    with all_in_one("elasticsearch", folder, *storage, *quick, *flags) as running:
        yield running


@contextmanager
def all_in_one(
    storage: str, folder: Path, *flags: str, otlp_port: int | None = None, launcher: Sequence[str] = ()
) -> Iterator[Jaeger]:
    """Run a real Jaeger with this storage (elasticsearch, memory) until the block ends.

    launcher is a command that runs the command after it, such as nice.
    """
    program = jaeger_programs("all-in-one") / "all-in-one"
    ports = [free_port() for _port in range(11)]
    ports[1] = otlp_port or ports[1]
    services = (
        *("query.http-server", "collector.otlp.http", "query.grpc-server", "collector.otlp.grpc"),
        *("collector.http-server", "collector.grpc-server", "admin.http", "http-server"),
    )
    listening = [f"--{name}.host-port=127.0.0.1:{port}" for name, port in zip(services, ports, strict=False)]
    agents = ("jaeger-compact", "jaeger-binary", "zipkin-compact")
    listening += [
        f"--processor.{name}.server-host-port=127.0.0.1:{port}"
        for name, port in zip(agents, ports[8:], strict=True)
    ]
    running = Jaeger(
        query_url=f"http://127.0.0.1:{ports[0]}",
        otlp_url=f"http://127.0.0.1:{ports[1]}/v1/traces",
        metrics_url=f"http://127.0.0.1:{ports[6]}/metrics",
    )
    environment = {**os.environ, "SPAN_STORAGE_TYPE": storage, "OTEL_TRACES_SAMPLER": "always_off"}
    with (folder / "jaeger.log").open("wb") as log:
        command = [*launcher, str(program), *listening, *flags]
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        wait_for(lambda: process.poll() is not None or answers(f"{running.query_url}/api/services"))
        assert process.poll() is None, "Jaeger has ended"
        yield running
    except BaseException:
        print((folder / "jaeger.log").read_text())  # pytest shows it
        raise
    finally:
        stop(process)


def answers(url: str) -> bool:
    """Whether anything answers this URL with 200."""
    try:
        urllib.request.urlopen(url, timeout=10).close()
    except OSError:
        return False
    return True


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether anybody listens there."""
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((host, port)) == 0


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until this is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not true within {seconds} seconds"
        time.sleep(0.1)


def wait_for_equal(fact: Callable[[], object], expected: object, seconds: float = 60) -> None:
    """Wait until this is so; a failure shows what it was instead."""
    with suppress(AssertionError):
        wait_for(lambda: fact() == expected, seconds)
    assert fact() == expected
