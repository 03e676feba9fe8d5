# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits until a server answers."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request

from problems import ServerError


def wait_until_ready(url: str, timeout: float) -> None:
    """Return when the cluster's health is yellow or green. Raises ServerError after timeout (seconds)."""
    end = time.monotonic() + timeout
    while True:
        problem = health_problem(url)
        if problem is None:
            return
        if time.monotonic() >= end:
            raise ServerError(f"{url} was not ready within {timeout:g} s: {problem}")
        time.sleep(0.1)


def health_problem(url: str) -> str | None:
    """Why the cluster is not ready yet; None when it is."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url.rstrip('/')}/_cluster/health", timeout=5) as answer:
            status = json.load(answer)["status"]
    except urllib.error.HTTPError as error:
        return f"it answered with HTTP status {error.code}."
    except urllib.error.URLError as error:
        return f"{error.reason}."
    except OSError as error:
        return f"{error}."
    except (ValueError, KeyError, TypeError):
        return "its answer is not that of Elasticsearch."
    return None if status in ("yellow", "green") else f"the cluster's health is {status}."
