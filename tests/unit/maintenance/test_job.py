# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The job file, by table: what is understood, and how it is said what is wrong. Nothing of it is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jaeger_es_maintenance.checks import JobError
from jaeger_es_maintenance.job import Job, Log, Mail, Metrics, Playbook, Webhook, read_job

from tests.support.scheduled import Runner

SECRET = "s3cret-4711"
OPTIONS = {"server_urls": ["http://es:9200"], "index_sets": [{"conditions": {"max_age": "1d"}}]}
WHOLE = {
    "name": "prod",
    "options": OPTIONS,
    "lock": "/run/lock",
    "random_delay": 300,
    "max_runtime": 3600,
    "log": {
        "file": "/var/log/x",
        "megabytes": 1,
        "backups": 5,
        "syslog": True,
        "stdout": False,
        "format": "json",
    },
    "metrics": {"textfile": "/var/lib/x.prom", "pushgateway": "http://push:9091"},
    "mail": {
        "to": ["a@b.example"],
        "from": "c@d.example",
        "server": "mail",
        "port": 587,
        "security": "starttls",
        "username": "u",
        "password_file": "/etc/p",
    },
    "webhook": {"url": "https://hooks.example/T0/B1", "url_file": ""},
}
# What role and spec write for "not wanted".
EMPTY = {
    "name": "prod",
    "options": OPTIONS,
    "playbook": None,
    "lock": None,
    "random_delay": 0,
    "max_runtime": 0,
    "log": {
        "file": None,
        "megabytes": 1,
        "backups": 5,
        "syslog": False,
        "stdout": False,
        "format": "text",
    },
    "metrics": {"textfile": None, "pushgateway": None},
    "mail": {
        "to": [],
        "from": "",
        "server": "localhost",
        "port": 25,
        "security": "none",
        "username": "",
        "password_file": "",
    },
    "webhook": {"url": "", "url_file": ""},
}


def read(folder: Path, content: Any) -> Job:
    """The job in a file with this content."""
    path = folder / "job"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_job(str(path))


def test_all_keys(tmp_path: Path) -> None:
    job = read(tmp_path, WHOLE)
    assert job == Job(
        name="prod",
        options=OPTIONS,
        lock="/run/lock",
        random_delay=300,
        max_runtime=3600,
        log=Log("/var/log/x", 1, 5, True, False, "json"),
        metrics=Metrics("/var/lib/x.prom", "http://push:9091"),
        mail=Mail(("a@b.example",), "c@d.example", "mail", 587, "starttls", "u", "/etc/p"),
        webhook=Webhook("https://hooks.example/T0/B1"),
    )
    assert read(tmp_path, yaml.safe_dump(WHOLE)) == job


def test_what_is_empty_is_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, EMPTY) == Job(name="prod", options=OPTIONS)


def test_a_playbook(tmp_path: Path) -> None:
    playbook = {"command": ["ansible-playbook", "x.yml"], "environment": {"ANSIBLE_FORKS": 5, "A": "b"}}
    job = read(tmp_path, {"name": "prod", "playbook": playbook})
    assert job.playbook == Playbook(("ansible-playbook", "x.yml"), {"ANSIBLE_FORKS": "5", "A": "b"})


WRONG: dict[str, tuple[Any, str]] = {
    "not a mapping": ([1], "is not a mapping"),
    "empty": ("", "is not a mapping"),
    "no YAML": ("a: [1\nb: 2", "is neither JSON nor YAML, line 2"),
    "no name": ({"options": OPTIONS}, "name is missing"),
    "empty name": ({"name": "", "options": OPTIONS}, "name must be of letters"),
    "name with a line break": ({"name": "a\nb", "options": OPTIONS}, "name must be of letters"),
    "name with a slash": ({"name": "../x", "options": OPTIONS}, "name must be of letters"),
    "no work": ({"name": "x"}, "give either options (those of es_maintenance) or playbook"),
    "two works": (
        {"name": "x", "options": OPTIONS, "playbook": {"command": ["a"]}},
        "give either options (those of es_maintenance) or playbook",
    ),
    "unknown key": ({**WHOLE, "locks": "/x"}, "there is no key locks; there are name, options, playbook"),
    "unknown key below": ({**WHOLE, "log": {"files": "x"}}, "there is no key log.files; there are file,"),
    "unknown key from Python": ({**WHOLE, "mail": {"from_": "x"}}, "there is no key mail.from_;"),
    "key that is a number": ("name: x\n1: 2", "there is no key 1;"),
    "key with control characters": ('{"name": "x", "a\\u001b[31m": 1}', "there is no key a??31m;"),
    "section that is text": ({**WHOLE, "log": "x"}, "log must be a mapping"),
    "options that are a list": ({"name": "x", "options": ["a"]}, "options must be a mapping"),
    "command that is text": (
        {"name": "x", "playbook": {"command": "a b"}},
        "playbook.command must be a list",
    ),
    "command with a number": ({"name": "x", "playbook": {"command": ["a", 1]}}, "playbook.command must be"),
    "no command": ({"name": "x", "playbook": {}}, "playbook.command is missing"),
    "variable that is a list": (
        {"name": "x", "playbook": {"command": ["a"], "environment": {"A": [SECRET]}}},
        "playbook.environment.A must be text",
    ),
    "variable with an odd name": (
        {"name": "x", "playbook": {"command": ["a"], "environment": {"A=B": "c"}}},
        "playbook.environment has a name that no variable can have",
    ),
    "relative lock": ({**WHOLE, "lock": "run/lock"}, "lock must be an absolute path"),
    "lock that is a number": ({**WHOLE, "lock": 1}, "lock must be text of one line"),
    "negative delay": ({**WHOLE, "random_delay": -1}, "random_delay must be a number of seconds"),
    "delay that is text": ({**WHOLE, "random_delay": "5m"}, "random_delay must be a number of seconds"),
    "delay that is true": ({**WHOLE, "random_delay": True}, "random_delay must be a number of seconds"),
    "delay that never ends": ("{name: x, random_delay: .inf}", "random_delay must be a number of seconds"),
    "runtime that is no number": ("{name: x, max_runtime: .nan}", "max_runtime must be a number of seconds"),
    "no log size": ({**WHOLE, "log": {"megabytes": 0}}, "log.megabytes must be a number above 0"),
    "no backups": ({**WHOLE, "log": {"backups": 0}}, "log.backups must be a whole number from 1 to 1000"),
    "odd format": ({**WHOLE, "log": {"format": "xml"}}, "log.format must be one of text, json"),
    "odd syslog": ({**WHOLE, "log": {"syslog": "yes"}}, "log.syslog must be true, false, the path"),
    "stdout that is text": ({**WHOLE, "log": {"stdout": "yes"}}, "log.stdout must be true or false"),
    "textfile of another name": (
        {**WHOLE, "metrics": {"textfile": "/x"}},
        "metrics.textfile must end in .prom",
    ),
    "Pushgateway without http": (
        {**WHOLE, "metrics": {"pushgateway": "push:9091"}},
        "metrics.pushgateway must be a URL",
    ),
    "Pushgateway with a password": (
        {**WHOLE, "metrics": {"pushgateway": f"http://u:{SECRET}@push:9091"}},
        "metrics.pushgateway must be a URL without a user",
    ),
    "recipient that is text": ({**WHOLE, "mail": {"to": "a@b"}}, "mail.to must be a list of mail addresses"),
    "recipient with a header": (
        {**WHOLE, "mail": {"to": ["a@b\nBcc: c@d"]}},
        "mail.to must be a list of mail",
    ),
    "odd sender": ({**WHOLE, "mail": {"from": "nobody"}}, "mail.from must be a mail address"),
    "odd port": ({**WHOLE, "mail": {"port": 0}}, "mail.port must be a whole number from 1 to 65535"),
    "odd security": (
        {**WHOLE, "mail": {"security": "ssl"}},
        "mail.security must be one of none, starttls, tls",
    ),
    "user without a password": (
        {**WHOLE, "mail": {"username": "u"}},
        "mail.username and mail.password_file go",
    ),
    "password in the clear": (
        {**WHOLE, "mail": {"username": "u", "password_file": "/p"}},
        "mail.username needs mail.security starttls or tls",
    ),
    "webhook that is no URL": ({**WHOLE, "webhook": {"url": SECRET}}, "webhook.url must be a URL"),
    "webhook to a file": ({**WHOLE, "webhook": {"url": f"file:///{SECRET}"}}, "webhook.url must be a URL"),
    "webhook with a space": (
        {**WHOLE, "webhook": {"url": f"http://a/{SECRET} b"}},
        "webhook.url must be a URL",
    ),
    "webhook with an odd port": (
        {**WHOLE, "webhook": {"url": f"http://a:x/{SECRET}"}},
        "webhook.url must be a",
    ),
    "two webhooks": (
        {**WHOLE, "webhook": {"url": f"http://a/{SECRET}", "url_file": "/x"}},
        "give either webhook.url or webhook.url_file",
    ),
}


@pytest.mark.parametrize(("content", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_by_its_key(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(JobError) as caught:
        read(tmp_path, content)
    told = str(caught.value)
    assert said in told
    assert str(tmp_path / "job") in told
    assert SECRET not in told
    assert told.isprintable()


def test_the_exit_code_of_a_wrong_job_is_2(runner: Runner) -> None:
    done = runner.run(runner.job(lock="relative"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: {runner.folder}/job.json: lock must be an absolute path.\n"
    gone = runner.run(runner.folder / "nosuch")
    assert gone.returncode == 2
    assert "nosuch cannot be read: No such file or directory" in gone.stderr


def test_secrets_are_known(tmp_path: Path) -> None:
    options = {
        **OPTIONS,
        "server_urls": ["https://u:p%40ss@es:9200/x", "http://plain:9200"],
        "password": "one",
        "api_key": "two",
        "bearer_token": "three",
    }
    webhook = {"url": "http://hooks/four"}
    job = read(tmp_path, {"name": "x", "options": options, "webhook": webhook})
    assert set(job.secrets()) == {"p%40ss", "p@ss", "one", "two", "three", "http://hooks/four"}
    options["server_urls"] = ["https://es:9200/?apikey=a%2Fb&pretty", "http://u:p%2F//x@es"]
    job = read(tmp_path, {"name": "x", "options": options})
    assert set(job.secrets()) == {"a%2Fb", "a/b", "p%2F//x", "p///x", "one", "two", "three"}


SECRET_VARIABLES = (
    *(
        "VAULT_PASSWORD",
        "ANSIBLE_VAULT_PASSPHRASE",
        "ANSIBLE_BECOME_PASS",
        "SSHPASS",
        "MYSQL_PWD",
        "db_pwd",
        "GH_TOKEN",
    ),
    *(
        "ES_API_KEY",
        "ES_APIKEY",
        "AWS_SECRET_ACCESS_KEY",
        "GOOGLE_CREDENTIALS",
        "BASIC_AUTH",
        "SSH_PRIVATE_KEY",
    ),
)
PLAIN_VARIABLES = ("PWD", "OLDPWD", "ANSIBLE_FORKS", "AUTHOR", "SSH_AUTH_SOCK", "KEYBOARD")


def test_secrets_of_the_environment_are_known(tmp_path: Path) -> None:
    """By the name of the variable, or as part of a URL; headers are several."""

    def secrets(**environment: str) -> set[str]:
        job = {"name": "x", "playbook": {"command": ["a"], "environment": environment}}
        return set(read(tmp_path, job).secrets())

    assert {name for name in SECRET_VARIABLES if secrets(**{name: "4711"}) != {"4711"}} == set()
    assert {name for name in PLAIN_VARIABLES if secrets(**{name: "4711"})} == set()
    assert secrets(HTTPS_PROXY="http://me:p%40ss@proxy:3128") == {"p%40ss", "p@ss"}
    assert secrets(no_proxy="es,.example.org", PIP_INDEX_URL="https://t%3Dx@pypi/simple") == {"t%3Dx", "t=x"}
    headers = "authorization=Basic%20bWU6cHc=,x-tenant=acme"
    assert secrets(OTEL_EXPORTER_OTLP_HEADERS=headers) == {
        *(headers, "Basic%20bWU6cHc=", "Basic bWU6cHc=", "bWU6cHc=", "acme"),
        "authorization=Basic bWU6cHc=,x-tenant=acme",
    }
    assert secrets(OTEL_EXPORTER_OTLP_TRACES_HEADERS="key=4711") == {"key=4711", "4711"}
