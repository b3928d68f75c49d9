"""P11: the service under load over HTTP: submitting, polling, the leaderboard, clients that wait for events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from urllib.parse import urlsplit

import httpx

from . import crowds
from .http_load import Rate, load, request
from .service import STACKS, Service, first_score, running
from .table import Row, Target, at_least, at_most

LINE = "P11"
SECONDS = 8.0
N_SUBMITTING, N_ASKING, N_WAITING = 24, 16, 500
SUBMITS = {"SQLite": 300, "PostgreSQL": 400}
BENCHMARKS = ("futrell2018", "pereira2018-example", "blank2014", "wehbe2014", "tuckute2024")
MEBIBYTE = 1 << 20


def measure() -> list[Row]:
    """Rates on both stacks, load generator and server on the same processors."""
    return [row for stack in STACKS for row in _on(stack)]


def _on(stack: str) -> list[Row]:
    with running(stack) as service:
        score_id = first_score(service)
        rows = [*submitting(stack, service), *polling(stack, service), waiting(stack, service)]
        crowds.scores(service.database, score_id, n_models=2000, revisions=range(1), benchmarks=BENCHMARKS)
        rows.append(_rate_row(stack, "leaderboard, 10,000 scores", board(service), at_least(500)))
        return rows


def submitting(stack: str, service: Service) -> list[Row]:
    """New jobs, each of another model."""
    numbers = count()

    def next_request() -> bytes:
        body = {"model": f"org/model-{next(numbers)}", "benchmarks": list(BENCHMARKS[:2])}
        return request(service.url, "POST", "/v1/jobs", body=json.dumps(body).encode())

    rate = _loaded(service, next_request, n_connections=N_SUBMITTING, expected=202)
    return [
        _rate_row(stack, "submit a job of two runs", rate, at_least(SUBMITS[stack])),
        Row(line=LINE, work=f"{stack}: submit, 99th percentile", figure=rate.p99_ms, target=at_most(150, "{:.0f} ms")),
    ]


def polling(stack: str, service: Service) -> list[Row]:
    """One queued job, asked for again and again, as a whole and only if it has changed."""
    path = "/v1/jobs/" + httpx.get(f"{service.url}/v1/jobs?page_size=1").json()["data"][0]["id"]
    whole = _loaded(service, _asking(service, path), expected=200)
    rows = [
        _rate_row(stack, "poll a job", whole, at_least(2000)),
        Row(line=LINE, work=f"{stack}: poll, 99th percentile", figure=whole.p99_ms, target=at_most(30, "{:.0f} ms")),
    ]
    tag = httpx.get(f"{service.url}{path}").headers["etag"]
    unchanged = _loaded(service, _asking(service, path, {"If-None-Match": tag}), expected=304)
    return [*rows, _rate_row(stack, "poll a job that has not changed (304)", unchanged, at_least(3000))]


def board(service: Service) -> Rate:
    """The leaderboard, asked for once before: it is written once per change."""
    httpx.get(f"{service.url}/v1/leaderboard", timeout=120)
    return _loaded(service, _asking(service, "/v1/leaderboard"), expected=200)


def waiting(stack: str, service: Service) -> Row:
    """What clients that wait for events of a job take of the server's memory."""
    path = "/v1/jobs/" + httpx.get(f"{service.url}/v1/jobs?page_size=1").json()["data"][0]["id"]
    held = asyncio.run(_memory_with_listeners(service, f"{path}/events"))
    work = f"{stack}: memory of the server with {N_WAITING} clients that wait for events"
    return Row(line=LINE, work=work, figure=held / MEBIBYTE, target=at_most(300, "{:.0f} MiB"))


async def _memory_with_listeners(service: Service, path: str) -> int:
    place = urlsplit(service.url)
    sent = request(service.url, "GET", path, headers={"Accept": "text/event-stream"})
    writers = []
    for _ in range(N_WAITING):
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(sent)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert b"text/event-stream" in answer.lower(), answer
        writers.append(writer)
    await asyncio.sleep(5)
    held = service.memory_bytes()
    for writer in writers:
        writer.close()
    return held


def _asking(service: Service, path: str, headers: Mapping[str, str] | None = None) -> Callable[[], bytes]:
    return partial(bytes, request(service.url, "GET", path, headers=headers))


def _loaded(
    service: Service, next_request: Callable[[], bytes], *, expected: int, n_connections: int = N_ASKING
) -> Rate:
    """The rate of a load; an answer of any other status makes the figure worthless."""
    rate = load(service.url, next_request, n_connections=n_connections, seconds=SECONDS)
    assert set(rate.statuses) == {expected}, rate.statuses
    return rate


def _rate_row(stack: str, work: str, rate: Rate, target: Target) -> Row:
    ours = f"{rate.p50_ms:.1f} ms, 99th percentile {rate.p99_ms:.0f} ms"
    return Row(line=LINE, work=f"{stack}: {work}, per second", ours=ours, figure=rate.per_s, target=target)
