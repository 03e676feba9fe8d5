# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract in Flask, for gunicorn, which imports this in the worker: threads do not survive a fork."""

from __future__ import annotations

from flask import Flask, Response
from opentelemetry.instrumentation.flask import FlaskInstrumentor

from bench.api.peers.contract import PATH, export_spans, status_of


def find(user_id: str) -> Response:
    """An empty answer with the user's status."""
    return Response(status=status_of(user_id))


export_spans()
app = Flask(__name__)
app.add_url_rule(f"{PATH}<user_id>", view_func=find)
FlaskInstrumentor().instrument_app(app)
