# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGTERM: what was answered is exported, and the end comes in time."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from traced_api.server import FLUSH_SECONDS, STOP_SECONDS

from app.tests.service import HOST, Api, handler, process_environment
from tests.support.servers import free_port, wait_for


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_flushes_at_once(start: Callable[..., Api], number: signal.Signals) -> None:
    api = start()
    api.get("/api/v1/users/b")
    began = time.monotonic()
    api.process.send_signal(number)
    assert api.process.wait(10) == 0
    assert time.monotonic() - began < 2
    assert len(api.stdout.read_text().splitlines()) == 3
    assert "stopping" in api.log()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_request_that_runs_is_finished(start: Callable[..., Api], workers: str) -> None:
    api = start(**handler(2), WORKERS=workers)
    answers: list[tuple[int, bytes]] = []
    client = threading.Thread(target=lambda: answers.append(api.get("/api/v1/users/b")))
    client.start()
    time.sleep(0.5)
    spans = api.spans()
    client.join()
    assert answers == [(200, b"")]
    assert {span["name"] for span in spans} == {"GET /api/v1/users/<user_id>", "user.Find"}


@pytest.mark.parametrize("after", [0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_at_any_moment_of_the_start(after: float, number: signal.Signals) -> None:
    """Before its folder is there nothing has begun: Python itself, as any program, is ended by a signal."""
    settings = {"TYPE": "stdout", "PORT": str(free_port()), "METRICS_PORT": str(free_port()), "WORKERS": "3"}
    process = subprocess.Popen(
        [sys.executable, "-m", "traced_api"],
        env=process_environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    wait_for(lambda: any(left_by(process)), 20)
    time.sleep(after)
    process.send_signal(number)
    time.sleep(0.02)
    process.send_signal(number)  # a second one must not make a failure of it
    began = time.monotonic()
    _out, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert b"Traceback" not in errors
    assert process.returncode == 0
    assert not any(left_by(process))


def test_a_stop_while_the_workers_are_forked() -> None:
    """Each is held up for a second in which it has the first process's handlers: the signal is not lost."""
    slow = "import os, time; os.register_at_fork(after_in_child=lambda: time.sleep(1))"
    with service_after(slow) as process:
        wait_for(lambda: len(children(process)) == 3, 20)
        process.send_signal(signal.SIGTERM)
        _out, errors = process.communicate(timeout=20)
    assert b"kill" not in errors.lower(), errors
    assert process.returncode == 0


@pytest.mark.parametrize("module", ["prometheus_client", "granian", "granian.server.mp"])
def test_a_stop_where_python_drops_an_exception(module: str) -> None:
    """In a finalizer, while something is imported: there are many such moments, and each is short."""
    stops_itself = f"""
import os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            Dropped()

class Dropped:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Finder())
"""
    with service_after(stops_itself) as process:
        _out, errors = process.communicate(timeout=20)
    assert b"Exception ignored" not in errors
    assert b"Spawning" not in errors  # none was started, which would have to be ended while it starts
    assert process.returncode == 0


def test_a_stop_that_does_not_wake_the_main_thread(start: Callable[..., Api]) -> None:
    """As one does not that comes in the moment before this thread begins to wait. Here another thread of the worker has it."""
    api = start(WORKERS="1")
    (worker,) = children(api.process)
    threads = [int(each.name) for each in Path(f"/proc/{worker}/task").iterdir() if each.name != worker]
    assert ctypes.CDLL(None).tgkill(int(worker), max(threads), signal.SIGTERM) == 0
    api.wait_for_log("stopping: no more requests")


@contextmanager
def service_after(code: str) -> Iterator[subprocess.Popen[bytes]]:
    """The service with three workers, in a Python that has run some code before."""
    settings = {"TYPE": "stdout", "PORT": str(free_port()), "METRICS_PORT": str(free_port()), "WORKERS": "3"}
    whole = f"{code}\nimport runpy\nrunpy.run_module('traced_api', run_name='__main__')"
    process = subprocess.Popen(
        [sys.executable, "-c", whole],
        env=process_environment(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def children(process: subprocess.Popen[bytes]) -> list[str]:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def left_by(process: subprocess.Popen[bytes]) -> Iterator[Path]:
    return Path("/dev/shm").glob(f"traced-api-{process.pid}-*")


def test_a_request_that_never_ends_does_not_keep_the_service_from_ending(start: Callable[..., Api]) -> None:
    api = start(**handler(600))
    client = threading.Thread(target=unanswered, args=(api,))
    client.start()
    time.sleep(0.5)
    began = time.monotonic()
    assert api.stop(within=20) == 0
    assert time.monotonic() - began < STOP_SECONDS + 3
    client.join()


def unanswered(api: Api) -> None:
    with suppress(OSError):  # it is cut off, or has waited long enough
        api.get("/api/v1/users/b")


def test_every_answered_request_is_exported_when_stopped_under_load(start: Callable[..., Api]) -> None:
    api = start()
    answered: list[str] = []

    def ask(worker: int) -> None:
        for number in range(1, 100_000):
            trace = f"{worker:016x}{number:016x}"
            try:
                status, _dummy = api.get("/api/v1/users/a", traceparent=f"00-{trace}-{number:016x}-01")
            except OSError:
                return
            assert status == 400
            answered.append(f"0x{trace}")

    workers = [threading.Thread(target=ask, args=(number,)) for number in range(1, 5)]
    for worker in workers:
        worker.start()
    time.sleep(1)
    spans = api.spans()
    for worker in workers:
        worker.join()
    exported = {span["context"]["trace_id"] for span in spans if span["name"] == "user.Find"}
    assert len(answered) > 50
    assert set(answered) <= exported


def test_no_collector_and_no_reader_hold_up_neither_requests_nor_the_stop(start: Callable[..., Api]) -> None:
    reader, full = os.pipe()
    with closing(socket.create_server((HOST, 0))) as silent:  # takes the connection, never answers
        apis = [
            start(TYPE="http", JAEGER=f"{HOST}:{free_port()}"),
            start(TYPE="http", JAEGER=f"{HOST}:{silent.getsockname()[1]}"),
            start(stdout=full),
        ]
        os.close(full)
        began = time.monotonic()
        for api in apis:
            for _dummy in range(100):
                assert api.get("/api/v1/users/b") == (200, b"")
        assert time.monotonic() - began < 10
        began = time.monotonic()
        for api in apis:
            api.process.send_signal(signal.SIGTERM)
        for api in apis:
            api.wait_for_log("stopping")
            api.process.send_signal(signal.SIGTERM)  # must not break the flush off
        assert [api.process.wait(FLUSH_SECONDS + 5) for api in apis] == [0, 0, 0]
        assert time.monotonic() - began < FLUSH_SECONDS + 3
    os.close(reader)
    for api in apis:
        assert "not all spans could be exported within 5 s" in api.log()
