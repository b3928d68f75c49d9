"""The web app: routes, errors and middleware put together, with a database and a bell while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.cors import CORSMiddleware

from storage.engine import Database
from storage.tally import TallyKeeper
from worker.queue import Bell

from . import problems
from .artist import Artist
from .board_cache import BoardCache
from .board_keeper import BoardKeeper
from .bodies import Bodies, Bounds
from .event_feed import EventFeed
from .gate import Gate
from .job_reader import JobReader
from .looking import Looker
from .metrics import Metrics
from .middleware import RequestIds, cross_origin
from .observing import Observed, watch_loop
from .pages import data, site
from .pages.answers import Answers
from .pages.samples import Samples
from .polls import Polls
from .routes import (
    analyses,
    benchmarks,
    board_history,
    charts,
    compare,
    docs,
    health,
    job_events,
    jobs,
    leaderboard,
    models,
    pairs,
    properties,
    scatter,
    scores,
    studies,
    workers,
)
from .routes import metrics as metrics_route
from .settings import ApiSettings
from .submission import Submissions
from .version import package_version

DESCRIPTION = "Scores language models by how well they account for human brains and human reading."
PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem (RFC 9457).",
        "content": {problems.MEDIA_TYPE: {"schema": problems.Problem.model_json_schema(mode="serialization")}},
    }
}

RESOURCES = (
    jobs,
    job_events,
    scores,
    models,
    properties,
    pairs,
    scatter,
    studies,
    benchmarks,
    leaderboard,
    board_history,
    compare,
    analyses,
    charts,
    workers,
    health,
    metrics_route,
)
"""What the API answers about, a file each."""


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
    app.state.metrics = Metrics(settings)
    app.state.looker = Looker(settings)
    app.state.samples = Samples()
    app.state.answers = Answers()
    app.include_router(docs.router)
    app.include_router(site.router)
    problems.install(app)
    add_middleware(app, settings)
    for resource in RESOURCES:
        app.include_router(resource.router, responses=PROBLEM)
    return app


def add_middleware(app: FastAPI, settings: ApiSettings) -> None:
    """What every request passes before its route, the innermost first."""
    usual = Bounds(max_bytes=settings.max_body_bytes, timeout_s=settings.request_timeout_s)
    upload = Bounds(max_bytes=settings.max_import_bytes, timeout_s=settings.upload_timeout_s)
    form = Bounds(max_bytes=settings.max_import_bytes + data.MAX_BESIDE_BYTES, timeout_s=settings.upload_timeout_s)
    uploads = {("POST", path): upload for path in (models.IMPORT_PATH, benchmarks.ADDING_PATH)}
    uploads |= {("POST", data.PATH): form}
    app.add_middleware(Polls, prefix=jobs.router.prefix, answer=jobs.get_job)
    app.add_middleware(Gate, settings=settings, uploads=frozenset(uploads))
    app.add_middleware(Bodies, bounds=usual, bounds_at=uploads)
    if settings.allowed_origins:
        app.add_middleware(CORSMiddleware, **cross_origin(settings.allowed_origins))
    app.add_middleware(Observed, metrics=app.state.metrics.of_requests)
    app.add_middleware(RequestIds)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: ApiSettings = app.state.settings
    app.state.database = Database(settings.resolved_database_url)
    app.state.bell = Bell(settings)
    app.state.boards = BoardCache(app.state.database, settings.catalogue)
    app.state.feed = EventFeed(app.state.database)
    app.state.submissions = Submissions(app.state.database, max_live_jobs=settings.max_live_jobs)
    app.state.job_reader = JobReader(app.state.database, worker_silence_s=settings.worker_silence_s)
    app.state.artist = Artist()
    tally = TallyKeeper(app.state.database)
    tally.start()
    keeper = BoardKeeper(app.state)
    await run_in_threadpool(keeper.start)
    watch = asyncio.create_task(watch_loop(app.state.metrics.of_requests))
    try:
        yield
    finally:
        watch.cancel()
        await run_in_threadpool(keeper.stop)
        await app.state.feed.close()
        await app.state.submissions.close()
        await app.state.job_reader.close()
        await app.state.boards.close()
        await run_in_threadpool(app.state.artist.close)
        await run_in_threadpool(app.state.bell.close)
        await run_in_threadpool(tally.stop)
        app.state.database.dispose()
