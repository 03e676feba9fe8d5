# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells of a failure: by mail and by a webhook."""

from __future__ import annotations

import json
import logging
import smtplib
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path

from jaeger_es_maintenance.checks import JobError, url
from jaeger_es_maintenance.job import Job, Mail, Webhook
from jaeger_es_maintenance.logs import IDENT, Discreet, Logs
from jaeger_es_maintenance.outcome import Outcome, bad
from jaeger_es_maintenance.web import ALTOGETHER, SECONDS, TellError, send, within


def notify(job: Job, outcome: Outcome, logs: Logs) -> None:
    """Tell of a failure. Who cannot be told never changes what came of the run."""
    for what, tell in (("mail", _mail), ("webhook", _webhook)):
        try:
            tell(job, outcome, logs.discreet)
        except TellError as problem:
            logs.tell(logging.WARNING, f"{job.name}: the {what} was not sent: {problem}")


def _mail(job: Job, outcome: Outcome, discreet: Discreet) -> None:
    if job.mail.to:
        within(ALTOGETHER, lambda: _send_mail(job.mail, _message(job, outcome, discreet)))


def _message(job: Job, outcome: Outcome, discreet: Discreet) -> EmailMessage:
    """The reason first; what each cluster says in a paragraph of its own."""
    host = socket.getfqdn()
    message = EmailMessage()
    message["From"] = job.mail.from_ or f"{IDENT}@{host}"
    message["To"] = ", ".join(job.mail.to)
    message["Subject"] = f"{job.name}: maintenance of Jaeger's indices failed"
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid(domain=host)
    message["Auto-Submitted"] = "auto-generated"  # nobody's holiday is to answer it
    message.set_content("\n\n".join(map(discreet.text, _paragraphs(job, outcome, host))) + "\n")
    return message


def _paragraphs(job: Job, outcome: Outcome, host: str) -> Iterator[str]:
    if outcome.reason:
        yield outcome.reason
    for name, one in outcome.clusters.items():
        if bad(one):
            yield f"{name}: {one['msg'] or 'it failed'}"
    yield outcome.line(job.name)
    log = f", log {job.log.file}" if job.log.file else ""
    yield f"Job {job.name} on {host}, exit code {outcome.code}{log}"


def _send_mail(mail: Mail, message: EmailMessage) -> None:
    with _connected(mail) as server:
        if mail.security == "starttls":
            server.starttls(context=ssl.create_default_context())
        if mail.password_file:
            server.login(mail.username, _secret(mail.password_file))
        refused = server.send_message(message)
    if refused:
        raise TellError(f"it refused {', '.join(refused)}")


def _connected(mail: Mail) -> smtplib.SMTP:
    if mail.security == "tls":
        context = ssl.create_default_context()
        return smtplib.SMTP_SSL(mail.server, mail.port, timeout=SECONDS, context=context)
    return smtplib.SMTP(mail.server, mail.port, timeout=SECONDS)


def _webhook(job: Job, outcome: Outcome, discreet: Discreet) -> None:
    address = _address(job.webhook)
    if address is None:
        return
    facts = discreet.value(outcome.as_json(job.name))
    content = json.dumps({"text": facts["message"], **facts}).encode()  # "text" is what chat services show
    headers = {"Content-Type": "application/json", "User-Agent": IDENT}
    request = urllib.request.Request(address, content, headers, method="POST")
    within(ALTOGETHER, lambda: send(request))


def _address(webhook: Webhook) -> str | None:
    if not webhook.url_file:
        return webhook.url
    try:
        return url(_secret(webhook.url_file), f"the content of {webhook.url_file}")
    except JobError as wrong:
        raise TellError(str(wrong)) from None


def _secret(path: str) -> str:
    """The content of a file, without the line break at its end."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else "it is not a text file"
        raise TellError(f"{path} cannot be read: {reason}") from None
