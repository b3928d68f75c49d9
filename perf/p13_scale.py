"""P13: a full queue and a full leaderboard: 100,000 queued jobs with 64 claiming workers, a million scores."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, perf_counter, sleep

import httpx
import numpy as np

from broca import Client
from storage import runs
from storage.engine import Database

from . import crowds
from .p11_http import BENCHMARKS, board
from .service import STACKS, Service, first_score, running
from .table import Row, at_most

LINE = "P13"
N_QUEUED, N_MODELS, N_REVISIONS = 100_000, 2000, 100
N_WORKERS = {"SQLite": 4, "PostgreSQL": 64}
N_CLAIMS = 10
"""Claims of each worker."""

PAUSE_S = 2.0
"""Mean time between two claims of a worker: runs of some seconds each, shorter than real models take."""


def measure() -> list[Row]:
    """Claims on both stacks, the leaderboard on PostgreSQL, and what the service itself adds to a job."""
    return [row for stack in STACKS for row in _on(stack)]


def _on(stack: str) -> list[Row]:
    with running(stack) as service:
        score_id = first_score(service)
        rows = [*overhead(stack, service), *claiming(stack, service)]
        if stack == "PostgreSQL":
            rows.append(filling(service, score_id))
        return rows


def overhead(stack: str, service: Service) -> list[Row]:
    """Seconds from the answer to a submission to the event of its beginning, and from its end to its being seen."""
    waits = []
    with service.worker(), Client(service.url) as client:
        client.wait(client.submit("demo/tiny", ["demo-reading"], force=True).id, timeout_s=300)
        for _ in range(5):
            job_id = client.submit("demo/tiny", ["demo-reading"], force=True).id
            submitted = monotonic()
            while client.job(job_id).status == "queued":
                assert monotonic() < submitted + 60, "no worker has begun"
            waits.append(monotonic() - submitted)
            client.wait(job_id, timeout_s=300)
    work = f"{stack}: from submitted to running, the slowest of five"
    return [Row(line=LINE, work=work, figure=max(waits), target=at_most(2, "{:.2f} s"))]


def claiming(stack: str, service: Service) -> list[Row]:
    """Milliseconds of a claim from a long queue, of one worker without a pause and of many that work in between."""
    body = {"model": "org/first", "benchmarks": ["futrell2018"]}
    job_id = httpx.post(f"{service.url}/v1/jobs", json=body).json()["id"]
    crowds.queued_jobs(service.database, job_id, n=N_QUEUED)
    n_workers, url = N_WORKERS[stack], service.database.url.render_as_string(hide_password=False)
    alone = [ms for _ in range(10) for ms in _claims(url, seed=0, pause_s=0)]
    with ThreadPoolExecutor(n_workers) as pool:
        many = pool.map(lambda seed: _claims(url, seed=seed, pause_s=PAUSE_S), range(n_workers))
        taken = [ms for found in many for ms in found]
    lone = f"{stack}: a claim, {N_QUEUED:,} queued, one worker, 99th percentile"
    work = f"{stack}: the same, {n_workers} workers, each with {PAUSE_S:.0f} s between claims"
    return [_slowest(lone, alone), _slowest(work, taken)]


def filling(service: Service, score_id: str) -> Row:
    """How many times slower the leaderboard answers with a million scores of as many models than with 10,000."""
    crowds.scores(service.database, score_id, n_models=N_MODELS, revisions=range(1), benchmarks=BENCHMARKS)
    few = board(service)
    rest = range(1, N_REVISIONS)
    crowds.scores(service.database, score_id, n_models=N_MODELS, revisions=rest, benchmarks=BENCHMARKS)
    many = board(service)
    work = f"PostgreSQL: leaderboard of {N_MODELS:,} models with a million scores, beside 10,000"
    shown = (f"{many.per_s:.0f} /s", f"{few.per_s:.0f} /s")
    ratio = few.per_s / many.per_s
    return Row(line=LINE, work=work, ours=shown[0], peer=shown[1], figure=ratio, target=at_most(2, "{:.2f}×"))


def _claims(url: str, *, seed: int, pause_s: float) -> list[float]:
    """Milliseconds of each claim of one worker, over a connection of its own, with pauses of this mean before them."""
    database, taken, random = Database(url), list[float](), np.random.default_rng(seed)
    database.is_current()  # connects, as a worker does once
    for number in range(N_CLAIMS):
        sleep(random.exponential(pause_s) if pause_s else 0)
        start = perf_counter()
        with database.write() as session:
            claim = runs.claim(session, worker=f"claiming-{number}", lease_s=600)
        assert claim is not None
        taken.append((perf_counter() - start) * 1000)
    database.dispose()
    return taken


def _slowest(work: str, taken: Sequence[float]) -> Row:
    ours = f"median {np.median(taken):.1f} ms"
    return Row(line=LINE, work=work, ours=ours, figure=float(np.percentile(taken, 99)), target=at_most(20, "{:.1f} ms"))
