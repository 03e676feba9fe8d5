# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The job file of the command scheduled: what to run, how long, and whom to tell.

What is left out or null has its default. Whatever is wrong is told by its key; values may be secret and are not shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, get_type_hints
from urllib.parse import unquote

from jaeger_es_maintenance import checks
from jaeger_es_maintenance.checks import JobError
from jaeger_es_maintenance.files import read_mapping
from jaeger_es_maintenance.flags import UsageError

_SECRET_OPTIONS = ("password", "api_key", "bearer_token")
# Not PWD and OLDPWD, which are folders.
_SECRET_VARIABLE = re.compile(
    r"PASS(?:W|PHRASE|_|$)|[^D]_?PWD(?:_|$)|SECRET|TOKEN|(?:API|ACCESS|PRIVATE)_?KEY|CREDENTIAL|AUTHORIZATION|_AUTH$|HEADERS?$",
    re.IGNORECASE,
)


def _part(kind: type) -> Callable[[Any, str], Any]:
    """The check of a key that is a mapping with keys of its own."""
    return lambda value, key: _read(kind, value, key)


@dataclass(frozen=True)
class Playbook:
    """A command line that runs a playbook."""

    command: Annotated[tuple[str, ...], checks.words] = ()
    environment: Annotated[Mapping[str, str], checks.variables] = field(default_factory=dict)


@dataclass(frozen=True)
class Log:
    """Where the line of a run goes."""

    file: Annotated[str | None, checks.path] = None
    megabytes: Annotated[float, checks.size] = 1
    backups: Annotated[int, checks.whole(1, 1000)] = 5
    syslog: Annotated[bool | str, checks.syslog] = False
    stdout: Annotated[bool, checks.truth] = False
    format: Annotated[str, checks.one_of("text", "json")] = "text"


@dataclass(frozen=True)
class Metrics:
    """Where the metrics go."""

    textfile: Annotated[str | None, checks.textfile] = None
    pushgateway: Annotated[str | None, checks.open_url] = None

    @property
    def wanted(self) -> bool:
        """Whether anybody asks for them."""
        return bool(self.textfile or self.pushgateway)


@dataclass(frozen=True)
class Mail:
    """A mail on failure; without a recipient there is none."""

    to: Annotated[tuple[str, ...], checks.addresses] = ()
    from_: Annotated[str, checks.address] = ""
    server: Annotated[str, checks.text] = "localhost"
    port: Annotated[int, checks.whole(1, 65535)] = 25
    security: Annotated[str, checks.one_of("none", "starttls", "tls")] = "none"
    username: Annotated[str, checks.text] = ""
    password_file: Annotated[str | None, checks.path] = None


@dataclass(frozen=True)
class Webhook:
    """A POST on failure."""

    url: Annotated[str | None, checks.url] = None
    url_file: Annotated[str | None, checks.path] = None


@dataclass(frozen=True)
class Job:
    """The file as a whole. Either options or playbook is given."""

    name: Annotated[str, checks.name] = ""
    options: Annotated[Mapping[str, Any] | None, checks.options] = None
    playbook: Annotated[Playbook | None, _part(Playbook)] = None
    lock: Annotated[str | None, checks.path] = None
    random_delay: Annotated[float, checks.seconds] = 0
    max_runtime: Annotated[float, checks.seconds] = 0
    log: Annotated[Log, _part(Log)] = field(default_factory=Log)
    metrics: Annotated[Metrics, _part(Metrics)] = field(default_factory=Metrics)
    mail: Annotated[Mail, _part(Mail)] = field(default_factory=Mail)
    webhook: Annotated[Webhook, _part(Webhook)] = field(default_factory=Webhook)

    def secrets(self) -> Iterator[str]:
        """What must not be told, whoever says it."""
        options = self.options or {}
        yield from (str(options[name]) for name in _SECRET_OPTIONS if options.get(name))
        for name in ("server_urls", "url", "hosts"):
            given = options.get(name) or ()
            for url in given if isinstance(given, list) else [given]:
                yield from _secrets_in_urls(str(url))
        yield from _secrets_in_urls(self.metrics.pushgateway or "")
        for name, value in self.playbook.environment.items() if self.playbook else ():
            yield from _secrets_in_urls(value)
            if _SECRET_VARIABLE.search(name):
                yield from _readable(value)
            if "HEADER" in name.upper():
                for header in value.split(","):
                    secret = header.partition("=")[2].strip()
                    yield from _readable(secret)
                    yield from _readable(unquote(secret).rpartition(" ")[2])  # after the word Basic or Bearer
        if self.webhook.url:
            yield self.webhook.url


def _secrets_in_urls(text: str) -> Iterator[str]:
    """The password, or the token in place of a user, and the values of the query, of each URL in a text."""
    for url in {text, *re.split(r"[\s,]+", text)}:
        address, _mark, query = url.partition("?")
        if "://" in url:
            credentials = (url if "@" in query else address).rpartition("@")[0].partition("://")[2]
            yield from _readable(credentials.partition(":")[2] or credentials)
            for parameter in query.split("&"):
                yield from _readable(parameter.partition("=")[2])


def _readable(secret: str) -> Iterator[str]:
    """As it is written, and as it is meant."""
    yield from filter(None, {secret, unquote(secret)})


def read_job(path: str) -> Job:
    """The job in a file of JSON or YAML."""
    try:
        given = read_mapping(path, "--job", "a mapping")
    except UsageError as wrong:
        raise JobError(str(wrong)) from None
    try:
        job: Job = _read(Job, given, "")
        _check(job)
    except JobError as wrong:
        raise JobError(f"{path}: {wrong}") from None
    return job


def _read(kind: Any, given: Any, where: str) -> Any:
    """A part of the file as a value of a dataclass, each key checked as its annotation says."""
    if not isinstance(given, dict):
        raise JobError(f"{where} must be a mapping.")
    names = {one.name.rstrip("_"): one.name for one in fields(kind)}
    hints = get_type_hints(kind, include_extras=True)
    values = {}
    for key, value in given.items():
        if key not in names:
            shown = re.sub(r"[^\w.-]", "?", str(key))[:60]
            raise JobError(f"there is no key {_dotted(where, shown)}; there are {', '.join(names)}.")
        if value is None or (value == "" and key != "name"):
            continue
        (check,) = hints[names[key]].__metadata__
        values[names[key]] = check(value, _dotted(where, key))
    return kind(**values)


def _dotted(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _check(job: Job) -> None:
    """What keys have to do with each other."""
    if not job.name:
        raise JobError("name is missing: say whose indices these are.")
    if (job.options is None) == (job.playbook is None):
        raise JobError("give either options (those of es_maintenance) or playbook.")
    if job.playbook and not job.playbook.command:
        raise JobError("playbook.command is missing: the program and its arguments.")
    mail = job.mail
    if bool(mail.username) != bool(mail.password_file):
        raise JobError("mail.username and mail.password_file go together.")
    if mail.username and mail.security == "none":
        raise JobError(
            "mail.username needs mail.security starttls or tls: a password is not sent in the clear."
        )
    if job.webhook.url and job.webhook.url_file:
        raise JobError("give either webhook.url or webhook.url_file.")
