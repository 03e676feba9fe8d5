# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs modules, each in a process of its own that is forked from one that has the libraries loaded already.

A module needs a second to import what it needs and some milliseconds to work, and the tests run hundreds.
Start: python -m tests.support.module_host SOCKET. For each connection: JSON in; the number of the process and then
the module's output back.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import time
import traceback
from typing import Any, NoReturn

import elastic_transport
from ansible.module_utils import basic

from ansible_collections.tracestack.jaeger.plugins.module_utils import _cutoffs, _maintenance, _module

PACKAGE = "ansible_collections.tracestack.jaeger.plugins.modules"
PRELOADED = (elastic_transport, _cutoffs, _maintenance, _module)


def become_module(connection: socket.socket) -> None:
    """In the child: read the request, answer with what the module prints, and end."""
    with connection.makefile("rb") as stream:
        request: dict[str, Any] = json.load(stream)
    connection.sendall(b"%d\n" % os.getpid())
    os.environ.update(request["env"])
    for descriptor in (1, 2):
        os.dup2(connection.fileno(), descriptor)
    arguments = {"ANSIBLE_MODULE_ARGS": request["arguments"]}
    basic._ANSIBLE_ARGS = json.dumps(arguments).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    move_clock(request["clock"])
    importlib.import_module(f"{PACKAGE}.{request['module']}").main()


def become_module_and_end(connection: socket.socket) -> NoReturn:
    """The same, without Python's tidying up: it would touch, and so copy, all the memory that the child shares."""
    code = 1
    try:
        become_module(connection)
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def move_clock(seconds: int) -> None:
    """Move this process's clock, as a host whose time is the server's would have it."""
    real = time.time
    time.time = lambda: real() + seconds


def serve(path: str) -> None:
    """Fork a module for each connection, until the process is ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        gc.freeze()  # what is loaded now is not looked at again in the children
        print("ready", flush=True)
        while True:
            connection, _peer = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                become_module_and_end(connection)
            connection.close()


if __name__ == "__main__":
    serve(sys.argv[1])
