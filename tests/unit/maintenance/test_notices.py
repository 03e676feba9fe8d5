# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is told what: the log that rotates, syslog, mail and webhook, each to a real listener. And what nobody is told."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from tests.support.certificates import Authority, key_of
from tests.support.listeners import Mailbox, hook_server, mail_server
from tests.support.scheduled import NOTHING_TO_DO, Runner

SECRET = f"s3cret-{token_hex(8)}-Key"  # of this process alone: it is looked for in those of the whole machine
STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ jaeger-es-maintenance\[\d+\]: "
EVIL = "bad\nJan  1 00:00:00 root: forged\r\n\x1b[31mindex\u2028\x00"


def results(runner: Runner, **clusters: dict[str, Any]) -> str:
    """A script that leaves these results, as the callback plugin does."""
    path = runner.folder / "results.json"
    path.write_text(json.dumps({"clusters": clusters}))
    return f'cp {path} "$TRACESTACK_MAINTENANCE_RESULTS"'


def failed(msg: str) -> dict[str, Any]:
    """A cluster that failed."""
    return {"failed": True, "unreachable": False, "msg": msg, "result": None, "state": None}


def done(*actions: str) -> dict[str, Any]:
    """A cluster in which this was done."""
    told = [{"action": action, "index": "i", "why": "w"} for action in actions]
    result = {"actions": told, "warnings": ["the clocks differ"]}
    return {"failed": False, "unreachable": False, "msg": "", "result": result, "state": None}


# the log


def test_the_log_says_it_in_one_line(runner: Runner) -> None:
    log = runner.folder / "log"
    script = results(runner, eu=done("rollover", "delete_index"))
    ended = runner.run(runner.playbook(script, log={"file": str(log)}))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    first, warning = log.read_text().splitlines()
    assert re.fullmatch(STAMP + r"done in 0\.\d s: eu: 1 rolled over, 1 deleted", first)
    assert re.fullmatch(STAMP + "warning: eu: the clocks differ", warning)


def test_the_log_as_json(runner: Runner) -> None:
    log = runner.folder / "log"
    script = results(runner, eu=done("rollover"), us=failed("no route"))
    job = runner.playbook(script, log={"file": str(log), "format": "json", "stdout": True})
    ended = runner.run(job)
    assert ended.returncode == 1
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [
        json.loads(line) for line in log.read_text().splitlines()
    ]
    told, warning = (json.loads(line) for line in log.read_text().splitlines())
    assert told.pop("time").endswith("Z")
    assert told.pop("seconds") < 20
    assert told.pop("message").endswith("s: us: no route; eu: 1 rolled over")
    assert told == {
        "level": "error",
        "name": "prod",
        "outcome": "failed",
        "exit_code": 1,
        "clusters": {
            "eu": {
                "failed": False,
                "msg": "",
                "counts": {"rollover": 1},
                "actions": [{"action": "rollover", "index": "i", "why": "w"}],
                "failures": [],
                "warnings": ["the clocks differ"],
            },
            "us": {
                "failed": True,
                "msg": "no route",
                "counts": {},
                "actions": [],
                "failures": [],
                "warnings": [],
            },
        },
    }
    assert (warning["level"], warning["message"]) == ("warning", "eu: the clocks differ")


def test_the_log_is_rotated(runner: Runner) -> None:
    log = runner.folder / "log"
    script = results(runner, **{f"host-{n}": done("rollover") for n in range(5)})
    job = runner.playbook(script, log={"file": str(log), "megabytes": 0.001, "backups": 2})
    for _each in range(12):
        assert runner.run(job).returncode == 0
    files = sorted(runner.folder.glob("log*"))
    assert [file.name for file in files] == ["log", "log.1", "log.2"]
    assert all(0 < file.stat().st_size <= 1000 for file in files)
    assert all(re.match(STAMP, line) for file in files for line in file.read_text().splitlines())


def test_a_log_that_cannot_be_written_changes_nothing(runner: Runner) -> None:
    log = {"file": f"{runner.folder}/nosuch/log", "syslog": f"{runner.folder}/nosuch/socket"}
    ended = runner.run(runner.playbook(NOTHING_TO_DO, log=log))
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr == (
        f"warning: the log {runner.folder}/nosuch/log cannot be written: No such file or directory\n"
        f"warning: syslog ({runner.folder}/nosuch/socket) cannot be written: No such file or directory\n"
    )
    full = runner.run(runner.playbook(NOTHING_TO_DO, log={"file": "/dev/full"}))
    assert (full.returncode, full.stderr) == (
        0,
        "warning: the log /dev/full cannot be written: No space left on device\n",
    )


def test_a_closed_output_changes_nothing(runner: Runner) -> None:
    job = runner.playbook("exit 4", log={"stdout": True})
    command = " ".join(runner.command(job))
    for closed in (">&- 2>&-", ">/dev/full 2>/dev/full", "2>&- | true", ">/dev/full"):
        script = f"set -o pipefail; {command} {closed}"
        ended = subprocess.run(["bash", "-c", script], check=False, capture_output=True, text=True)
        assert (ended.returncode, ended.stdout) == (1, ""), closed
        assert "Traceback" not in ended.stderr
    assert ended.stderr.endswith("warning: the standard output cannot be written: No space left on device\n")


# syslog


@contextmanager
def syslog(family: int, address: Any) -> Iterator[socket.socket]:
    """A syslog daemon's socket."""
    with socket.socket(family, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.settimeout(10)
        yield listener


def test_syslog_by_a_socket(runner: Runner) -> None:
    path = str(runner.folder / "log.socket")
    with syslog(socket.AF_UNIX, path) as listener:
        ended = runner.run(runner.playbook(NOTHING_TO_DO, log={"syslog": path}))
        assert (ended.returncode, ended.stderr) == (0, "")
        line = listener.recv(65536).decode()
        assert re.fullmatch(r"<30>jaeger-es-maintenance\[\d+\]: done in 0\.\d s: eu: nothing to do", line)
        assert runner.run(runner.playbook("exit 4", log={"syslog": path})).returncode == 1
        line = listener.recv(65536).decode()
        assert re.fullmatch(r"<27>jaeger-es-maintenance\[\d+\]: error: failed after .*", line)


def test_syslog_by_udp(runner: Runner) -> None:
    with syslog(socket.AF_INET, ("127.0.0.1", 0)) as listener:
        long = results(runner, eu=failed("x" * 9000))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        assert runner.run(runner.playbook(long, log={"syslog": address})).returncode == 1
        assert len(listener.recv(65536)) < 2100


def test_syslog_where_there_is_none(runner: Runner) -> None:
    """A container has no /dev/log. Where there is one, it is heard of there, which nobody but root can see."""
    ended = runner.run(runner.playbook(NOTHING_TO_DO, log={"syslog": True}))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


# mail


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Signs the mail server's certificate."""
    return Authority(tmp_path_factory.mktemp("authority"), "authority")


def server_tls(authority: Authority) -> ssl.SSLContext:
    """What the mail server shows."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate = authority.issue("localhost", hosts=("localhost",))
    context.load_cert_chain(certificate, key_of(certificate))
    return context


def mail_to(box: Mailbox, **more: Any) -> dict[str, Any]:
    """The keys of a mail to it."""
    return {"to": ["ops@x.example", "you@x.example"], "server": "127.0.0.1", "port": box.port, **more}


def test_mail_on_failure_only(runner: Runner) -> None:
    with mail_server() as box:
        mail = mail_to(box, **{"from": "jaeger@x.example"})
        assert runner.run(runner.playbook(NOTHING_TO_DO, mail=mail)).returncode == 0
        assert box.envelopes == []
        script = results(runner, eu=done("rollover"), us=failed("no route to host"))
        assert runner.run(runner.playbook(script, mail=mail)).returncode == 1
        (message,) = box.messages
        (envelope,) = box.envelopes
    assert envelope.mail_from == "jaeger@x.example"
    assert envelope.rcpt_tos == ["ops@x.example", "you@x.example"]
    assert message["Subject"] == "prod: maintenance of Jaeger's indices failed"
    assert message["To"] == "ops@x.example, you@x.example"
    text = message.get_content()
    assert text.splitlines()[:2] == ["us: no route to host", ""]
    assert "eu: 1 rolled over" in text
    assert "exit code 1" in text


def test_mail_with_starttls_and_login(runner: Runner, authority: Authority) -> None:
    password = runner.folder / "password"
    password.write_text(SECRET + "\n")
    with mail_server(SECRET, server_tls(authority)) as box:
        mail = mail_to(
            box, server="localhost", security="starttls", username="jaeger", password_file=str(password)
        )
        job = runner.playbook("exit 4", mail=mail)
        trusted = {"SSL_CERT_FILE": str(authority.path)}
        ended = runner.run(job, trusted)
        assert len(box.messages) == 1, ended.stderr
        distrusted = runner.run(job)
        assert "the mail was not sent: its certificate is not to be trusted: " in distrusted.stderr
        password.write_text("wrong-" + SECRET)
        wrong = runner.run(job, trusted)
        assert "the mail was not sent: it answered 535 " in wrong.stderr
        password.unlink()
        gone = runner.run(job, trusted)
        assert f"the mail was not sent: {password} cannot be read: No such file or directory" in gone.stderr
        assert len(box.messages) == 1
        for one in (ended, distrusted, wrong, gone):
            assert one.returncode == 1
            assert SECRET not in one.stdout + one.stderr


def test_mail_with_tls(runner: Runner, authority: Authority) -> None:
    with mail_server(ssl_context=server_tls(authority)) as box:
        mail = mail_to(box, server="localhost", security="tls")
        ended = runner.run(runner.playbook("exit 4", mail=mail), {"SSL_CERT_FILE": str(authority.path)})
        assert len(box.messages) == 1, ended.stderr


def test_mail_that_is_refused(runner: Runner) -> None:
    with mail_server() as box:
        box.answer = "554 no,\tnot you"
        ended = runner.run(runner.playbook("exit 4", mail=mail_to(box)))
        assert ended.returncode == 1
        assert ended.stderr.endswith("prod: the mail was not sent: it answered 554 no, not you\n")
        plain = runner.run(runner.playbook("exit 4", mail=mail_to(box, security="starttls")))
        assert "it does not offer what is asked for (STARTTLS or a login)" in plain.stderr
    ended = runner.run(runner.playbook("exit 4", mail=mail_to(box)))
    assert ended.returncode == 1
    assert "the mail was not sent: Connection refused" in ended.stderr


# webhook


def test_webhook_on_failure_only(runner: Runner) -> None:
    with hook_server(f"/services/{SECRET}") as hook:
        assert runner.run(runner.playbook(NOTHING_TO_DO, webhook={"url": hook.url})).returncode == 0
        assert hook.bodies == []
        script = results(runner, us=failed("no route to host"))
        ended = runner.run(runner.playbook(script, webhook={"url": hook.url}))
        assert ended.returncode == 1
        (body,) = hook.bodies
    assert body["text"] == body["message"]
    assert body["message"].endswith("s: us: no route to host")
    assert (body["name"], body["outcome"], body["exit_code"]) == ("prod", "failed", 1)


def test_webhook_from_a_file(runner: Runner) -> None:
    file = runner.folder / "url"
    with hook_server(f"/services/{SECRET}") as hook:
        file.write_text(hook.url + "\n")
        job = runner.playbook("exit 4", webhook={"url_file": str(file)})
        runner.run(job)
        assert len(hook.bodies) == 1
    file.write_text(f"gopher://{SECRET}")
    ended = runner.run(job)
    assert f"the webhook was not sent: the content of {file} must be a URL" in ended.stderr
    assert SECRET not in ended.stderr


def redirect(asked: BaseHTTPRequestHandler) -> None:
    """Send it elsewhere."""
    asked.send_response(302)
    asked.send_header("Location", asked.path)
    asked.end_headers()


def status(number: int) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with this status; the words are hostile."""

    def act(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(number, f"see {SECRET}")
        asked.end_headers()

    return act


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (status(500), "it answered 500"),
        (status(404), "it answered 404"),
        (redirect, "it answered 302"),
        (lambda asked: asked.connection.close(), "it broke off the connection"),
    ],
)
def test_webhook_that_fails(runner: Runner, act: Callable[[BaseHTTPRequestHandler], None], said: str) -> None:
    """It is told, and bounded in time, and changes nothing about the run."""
    with hook_server(f"/services/{SECRET}") as hook:
        hook.act = act
        ended = runner.run(runner.playbook("exit 4", webhook={"url": hook.url}))
        assert ended.returncode == 1
        assert ended.stderr.endswith(f"prod: the webhook was not sent: {said}\n")
        assert SECRET not in ended.stderr
        assert "GET" not in hook.bodies


def test_webhook_that_is_refused(runner: Runner) -> None:
    with hook_server(f"/services/{SECRET}") as hook:
        pass
    ended = runner.run(runner.playbook("exit 4", webhook={"url": hook.url}))
    assert ended.returncode == 1
    assert "the webhook was not sent: Connection refused" in ended.stderr


# what nobody is told


def test_hostile_words_are_one_line(runner: Runner) -> None:
    """Names of indices and messages of servers come from elsewhere."""
    log = runner.folder / "log"
    evil = {**failed(EVIL), "result": {"actions": [], "warnings": [EVIL]}}
    path = str(runner.folder / "log.socket")
    with syslog(socket.AF_UNIX, path) as listener, mail_server() as box:
        script = results(runner, **{f"host{EVIL}": evil})
        job = runner.playbook(
            script, log={"file": str(log), "syslog": path, "stdout": True}, mail=mail_to(box)
        )
        ended = runner.run(job)
        sent = [listener.recv(65536).decode(), listener.recv(65536).decode()]
        (message,) = box.messages
    lines = [*log.read_text().split("\n")[:-1], *ended.stdout.split("\n")[:-1], *sent]
    assert len(lines) == 6
    assert ended.stderr.count("\n") == 1
    assert all(line.isprintable() for line in (*lines, *ended.stderr.splitlines()))
    assert not any(line.startswith("Jan") for line in message.get_content().splitlines())


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What other processes could read of a process: its arguments, and its environment."""
    for name in ("cmdline", "environ"):
        try:
            yield name, (folder / name).read_bytes()
        except OSError:
            continue


def test_secrets_are_nowhere(runner: Runner) -> None:
    """Neither in what is said, whoever says it, nor in the arguments or the environment of any process."""
    log = runner.folder / "log"
    echo = f'python3 -c "import time; time.sleep(1)"; {results(runner, eu=failed(f"refused {SECRET}-p"))}'
    with mail_server() as box:
        job = runner.playbook(
            echo,
            log={"file": str(log), "stdout": True, "format": "json"},
            webhook={"url": f"http://127.0.0.1:1/{SECRET}"},
            mail=mail_to(box),
        )
        content = json.loads(job.read_text())
        content["playbook"]["environment"] = {"SOME_PASSWORD": f"{SECRET}-p"}
        job.write_text(json.dumps(content))
        process = runner.start(job)
        seen = set()
        while process.poll() is None:
            for folder in Path("/proc").glob("[0-9]*"):
                for name, text in files_of(folder):
                    if SECRET.encode() in text and int(folder.name) != os.getpid():
                        seen.add((name, text.split(b"\0")[0]))
            time.sleep(0.02)
        stdout, stderr = process.communicate()
        (message,) = box.messages
    assert process.returncode == 1
    told = stdout + stderr + log.read_text() + message.as_string()
    assert "refused ***" in told
    assert SECRET not in told
    # A playbook's own variables are in its environment, as the job asks; only its user can read them there.
    assert {name for name, _other in seen} <= {"environ"}


def test_secrets_of_the_options_are_nowhere(runner: Runner) -> None:
    """The options go to the child by its standard input: not as arguments, not as variables, not as a file."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {
            "server_urls": [f"http://127.0.0.1:{silent.getsockname()[1]}"],
            "username": "jaeger",
            "password": SECRET,
            "index_sets": [{"index_prefix": "prod", "conditions": {"max_age": "1d"}}],
        }
        job = runner.job(options=options, max_runtime=2, log={"stdout": True, "format": "json"})
        before = set(Path("/tmp").iterdir())
        process = runner.start(job)
        while process.poll() is None:
            for folder in Path("/proc").glob("[0-9]*"):
                for name, text in files_of(folder):
                    assert SECRET.encode() not in text, (name, text)
            time.sleep(0.05)
        stdout, stderr = process.communicate()
    assert process.returncode == 124
    assert SECRET not in stdout + stderr
    mine = [path for path in set(Path("/tmp").iterdir()) - before if path.is_file()]
    assert all(SECRET.encode() not in path.read_bytes() for path in mine)


def test_a_server_that_never_answers(runner: Runner) -> None:
    """It accepts and is silent: the run ends at max_runtime, and the lock is free."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {
            "server_urls": [f"http://127.0.0.1:{silent.getsockname()[1]}"],
            "index_sets": [{"index_prefix": "prod", "conditions": {"max_age": "1d"}}],
        }
        lock = str(runner.folder / "lock")
        began = time.monotonic()
        ended = runner.run(runner.job(options=options, max_runtime=2, lock=lock))
        assert ended.returncode == 124
        assert 2 <= time.monotonic() - began < 20
        assert "it took longer than max_runtime (2 s) and was ended" in ended.stderr
        process = runner.start(runner.job(options=options, lock=lock))
        silent.accept()
        silent.accept()
        process.send_signal(signal.SIGTERM)
        _stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == 143
    assert "ended from outside" in stderr
    assert runner.run(runner.playbook(NOTHING_TO_DO, lock=lock)).returncode == 0
