# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the modules of plays on this machine in processes that are forked from one that has read their libraries already.

Ansible gives each module, as a program, to a Python of its own by its standard input. Of the 0.2 to 0.4 s of a processor that this
takes, most are spent on reading what every module reads: Python's own library and, on a cluster, the client of Kubernetes. Inside
the block, such a Python (tests/support/python/sitecustomize.py) hands over its files, folder and environment, waits, and ends as the
module has ended. What a module has read of libraries, the process that is forked reads, too, for those that come. All of Ansible's
part is read by each module anew, from what Ansible has sent.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import marshal
import os
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent
VARIABLE = "TRACESTACK_WARM_PYTHON"  # the Python's path, its namespaces and the socket's path, between colons
# Ansible's part, and what looks at the environment while it is read: each with all that is in it.
NEVER = ("ansible.", "ansible_collections.", "kubernetes.config.", "__main__.")


@contextmanager
def warm_python() -> Iterator[None]:
    """Keep such a process until the block ends, for all that this process starts. Outside of bin/test, nothing is kept."""
    namespaces = getattr(sys.modules.get("sitecustomize"), "namespaces", None)
    if namespaces is None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="warm-python-") as folder:
        path = str(Path(folder, "socket"))
        command = [sys.executable, "-m", "tests.support.warm_python", path]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        try:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
            os.environ[VARIABLE] = f"{sys.executable}:{namespaces()}:{path}"
            yield
        finally:
            os.environ.pop(VARIABLE, None)
            process.kill()
            process.communicate()


def serve(path: str) -> NoReturn:
    """Fork a process for each connection, until this one is ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    heard, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    heard.setblocking(False)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            connection, _peer = listener.accept()
            learn(heard)
            if os.fork() == 0:
                listener.close()
                become(connection, told)
            connection.close()


def learn(heard: socket.socket) -> None:
    """Read what modules have read."""
    with suppress(BlockingIOError):
        while names := heard.recv(1 << 18).decode().split():
            for name in names:
                with suppress(ImportError):
                    importlib.import_module(name)
            gc.freeze()  # what is read now is not looked at again in the children


def become(connection: socket.socket, told: socket.socket) -> NoReturn:
    """In the child: be the Python that has connected, run what its standard input says, and say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, files, _flags, _address = socket.recv_fds(connection, 1 << 20, 3)
    for descriptor, file in enumerate(files):
        os.dup2(file, descriptor)
        os.close(file)
    folder, environment, mask = marshal.loads(message)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    os.umask(mask)
    known = set(sys.modules)
    code = run(sys.stdin.buffer.read())
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(bytes([code & 255]))
    found = [name for name in sys.modules if name not in known and not f"{name}.".startswith(NEVER)]
    if found:
        told.send(" ".join(found).encode())
    os._exit(0)


def run(source: bytes) -> int:
    """Do as Python does with what comes by its standard input. Returns the exit code."""
    main = ModuleType("__main__")
    sys.modules["__main__"] = main
    sys.argv[:] = [""]
    sys.path[0] = ""
    try:
        exec(compile(source, "<stdin>", "exec"), vars(main))
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    serve(sys.argv[1])
