"""The web app: routes, errors and middleware put together, with a database and a bell while it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from storage.engine import Database
from worker.queue import Bell

from . import problems
from .event_feed import EventFeed
from .job_reader import JobReader
from .middleware import BodyLimit, RequestIds
from .routes import benchmarks, docs, health, job_events, jobs, leaderboard, models, scores
from .settings import ApiSettings
from .version import package_version

DESCRIPTION = "Scores language models by how well they account for human brains and human reading."
PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem (RFC 9457).",
        "content": {problems.MEDIA_TYPE: {"schema": problems.Problem.model_json_schema(mode="serialization")}},
    }
}


def create_app(settings: ApiSettings | None = None) -> FastAPI:
    """The app of these settings, by default those of the environment. It connects when it starts."""
    settings = ApiSettings() if settings is None else settings
    app = FastAPI(
        title="Broca",
        summary=DESCRIPTION,
        version=package_version(),
        lifespan=_lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.include_router(docs.router)
    problems.install(app)
    uploads = {("POST", path): settings.max_import_bytes for path in (models.IMPORT_PATH, benchmarks.ADDING_PATH)}
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, max_bytes_at=uploads)
    app.add_middleware(RequestIds)
    for resource in (jobs, job_events, scores, models, benchmarks, leaderboard, health):
        app.include_router(resource.router, responses=PROBLEM)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: ApiSettings = app.state.settings
    app.state.database = Database(settings.resolved_database_url)
    app.state.bell = Bell(settings)
    app.state.feed = EventFeed(app.state.database)
    app.state.job_reader = JobReader(app.state.database, worker_silence_s=settings.worker_silence_s)
    try:
        yield
    finally:
        await app.state.feed.close()
        await app.state.job_reader.close()
        await run_in_threadpool(app.state.bell.close)
        app.state.database.dispose()
