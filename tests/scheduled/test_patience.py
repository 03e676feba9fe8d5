# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What takes long because the other side does: how long a run waits for those who do not answer, and do not end."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest

from tests.support.listeners import hook_server
from tests.support.scheduled import NOTHING_TO_DO, Runner


def silence(_asked: BaseHTTPRequestHandler) -> None:
    """Never answer."""
    time.sleep(60)


def drip(asked: BaseHTTPRequestHandler) -> None:
    """Answer with a byte each second, and never end."""
    for _each in range(60):
        asked.wfile.write(b"H")
        asked.wfile.flush()
        time.sleep(1)


@pytest.mark.parametrize(("act", "said"), [(silence, "within 10 s"), (drip, "within 20 s")])
def test_a_webhook_that_does_not_answer(
    runner: Runner, act: Callable[[BaseHTTPRequestHandler], None], said: str
) -> None:
    with hook_server() as hook:
        hook.act = act
        began = time.monotonic()
        ended = runner.run(runner.playbook("exit 4", webhook={"url": hook.url}))
        assert ended.returncode == 1
        assert ended.stderr.endswith(f"prod: the webhook was not sent: no answer {said}\n")
        assert time.monotonic() - began < 30


def test_a_mail_server_that_does_not_answer(runner: Runner) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mail = {"to": ["a@x.example"], "server": "127.0.0.1", "port": silent.getsockname()[1]}
        ended = runner.run(runner.playbook("exit 4", mail=mail))
    assert ended.returncode == 1
    assert ended.stderr.endswith("prod: the mail was not sent: no answer within 10 s\n")


def test_a_child_that_heeds_no_sigterm(runner: Runner) -> None:
    """It is killed half a minute later."""
    began = time.monotonic()
    ended = runner.run(runner.playbook('trap "" TERM; while :; do sleep 1; done', max_runtime=1))
    assert ended.returncode == 124
    assert 31 <= time.monotonic() - began < 40


def test_a_child_that_outlives_its_runner_ends(runner: Runner) -> None:
    """The runner is killed; its child, which never ends by itself, is ended by its alarm, and the lock is free."""
    lock = str(runner.folder / "lock")
    script = f"echo $$ > {runner.folder}/child; while :; do sleep 1; done"
    process = runner.start(runner.playbook(script, lock=lock, max_runtime=1))
    while not (runner.folder / "child").exists():
        time.sleep(0.05)
    began = time.monotonic()
    process.kill()
    process.communicate()
    job = runner.playbook(NOTHING_TO_DO, lock=lock, log={"stdout": True})
    assert "another run" in runner.run(job).stdout
    while "another run" in runner.run(job).stdout:
        assert time.monotonic() - began < 60
        time.sleep(1)
    assert time.monotonic() - began > 40
