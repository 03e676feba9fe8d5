# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until Elasticsearch is reached by its new URL.

    python reach.py <<< '{"log": ..., "pattern": ..., "url": ..., "cluster": ..., "seconds": ..., ...}'

The settings come by standard input, because secrets are among them. The URL may change meanwhile, when ssh is started
again. Prints {"url": ..., "problem": ...}; the problem is empty when all is well.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

STARTED, ENDED = "tracestack: started", "tracestack: ended"  # keep.sh


class Problem(Exception):
    """Why it is not reached, for a reader."""


def runs(log: Path) -> list[str]:
    """What each run of the program has printed, the last one last."""
    # supervisord may have begun a new file since the program was started.
    files = (log.with_name(f"{log.name}.1"), log)
    text = "".join(file.read_text(errors="replace") for file in files if file.is_file())
    return text.split(STARTED)


def last_words(printed: str) -> str:
    """The last line that has something in it and is the program's own."""
    lines = [line.strip() for line in printed.partition(ENDED)[0].splitlines() if line.strip()]
    return lines[-1] if lines else "it prints nothing"


def found_url(printed: str, asked: dict[str, Any]) -> str:
    """The URL that the running program has printed."""
    if "{}" not in asked["url"]:
        return str(asked["url"])
    matches = [match[1] if match.re.groups else match[0] for match in re.finditer(asked["pattern"], printed)]
    if not matches:
        raise Problem(f"it runs, but has not told its URL yet; its last line: {last_words(printed)}")
    best = next((match for match in matches if match.startswith("https:")), matches[0])
    return str(asked["url"].replace("{}", best))


def cluster_at(url: str, asked: dict[str, Any]) -> str:
    """Which cluster answers there."""
    request = urllib.request.Request(f"{url}/", headers={"User-Agent": "tracestack.jaeger"})
    if asked["username"]:
        basic = base64.b64encode(f"{asked['username']}:{asked['password']}".encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {basic}")
    context = ssl.create_default_context(cafile=asked["ca_path"] or None)
    if not asked["validate_certs"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if not asked["use_proxy"]:
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=10) as answer:
            return str(json.load(answer)["cluster_uuid"])
    except urllib.error.HTTPError as refused:
        raise Problem(f"{url} answers with HTTP status {refused.code}") from refused
    except OSError as error:
        raise Problem(f"{url} does not answer: {getattr(error, 'reason', error)}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise Problem(f"{url} does not answer as Elasticsearch does") from error


def attempt(asked: dict[str, Any]) -> str:
    """The URL, checked."""
    before, current = ["", *runs(Path(asked["log"]))][-2:]
    if ENDED in current:
        raise Problem(last_words(current))
    try:
        url = found_url(current, asked)
        cluster = cluster_at(url, asked)
    except Problem as problem:
        if ENDED in before and not current.strip():  # it has only just been started again
            raise Problem(last_words(before)) from problem
        raise
    if cluster != asked["cluster"]:
        raise Problem(
            f"{url} leads to another Elasticsearch (cluster_uuid {cluster}, not {asked['cluster']})"
        )
    return url


def main() -> None:
    """Try until it works or the time is over."""
    asked = json.load(sys.stdin)
    end = time.monotonic() + asked["seconds"]
    while True:
        try:
            answer = {"url": attempt(asked), "problem": ""}
        except Problem as problem:
            answer = {"url": "", "problem": str(problem)}
        if answer["url"] or time.monotonic() >= end:
            break
        time.sleep(0.5)
    # ssh begins its messages with user@host, and the user may be a token.
    answer = {
        name: text.replace(f"{asked['secret']}@", "") if asked["secret"] else text
        for name, text in answer.items()
    }
    print(json.dumps(answer))


main()
