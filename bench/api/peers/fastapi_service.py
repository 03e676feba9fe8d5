# SPDX-FileCopyrightText: 2026 tracestack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract in FastAPI, for uvicorn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Response
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

from bench.api.peers.contract import PATH, export_spans, status_of


@asynccontextmanager
async def flushed(_app: FastAPI) -> AsyncIterator[None]:
    """Export what is left at the end: uvicorn ends by the signal itself, which runs no exit hooks."""
    yield
    provider.shutdown()


async def find(user_id: str) -> Response:
    """An empty answer with the user's status."""
    return Response(status_code=status_of(user_id))


provider = export_spans()
app = FastAPI(lifespan=flushed)
app.add_api_route(f"{PATH}{{user_id}}", find, response_class=Response, response_model=None)
# Else there would be two more spans a request, which the contract does not have.
FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"])
