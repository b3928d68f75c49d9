"""P15: the leaderboard's page over a thousand models, from a server that has just been started."""

from __future__ import annotations

import time

import httpx

from api.board_cache import LONGEST_S
from api.board_keeper import LOOK_S

from . import crowds
from .p11_http import BENCHMARKS
from .service import STACKS, Service, another_score, first_score, running, serving
from .table import Row, at_most

LINE = "P15"
N_MODELS = 1000


def measure() -> list[Row]:
    """Milliseconds to the whole page, and what it weighs, on both stacks."""
    return [row for stack in STACKS for row in _on(stack)]


def _on(stack: str) -> list[Row]:
    with running(stack) as service:
        score_id = first_score(service)
        crowds.scores(service.database, score_id, n_models=N_MODELS, revisions=range(1), benchmarks=BENCHMARKS)
        crowds.draws(service.database)
        with serving(service.environment) as (url, _), httpx.Client(base_url=url, timeout=120) as client:
            return [
                _time_row(stack, client, "first request of the server", "/"),
                _time_row(stack, client, "the same again", "/"),
                _later(stack, client, LONGEST_S + 1, "eleven seconds later"),
                _time_row(stack, client, "sorted by a benchmark", f"/?sort=-{BENCHMARKS[0]}"),
                _time_row(stack, client, "in one column", f"/?benchmarks={BENCHMARKS[1]}"),
                _after_a_score(stack, client, service),
                _time_row(stack, client, "its 200 best", "/?page_size=200"),
                _weight_row(stack, client, "its 200 best", "/?page_size=200"),
            ]


def _after_a_score(stack: str, client: httpx.Client, service: Service) -> Row:
    another_score(service)
    return _later(stack, client, LOOK_S + 1, "six seconds after a new score")


def _later(stack: str, client: httpx.Client, seconds: float, what: str) -> Row:
    time.sleep(seconds)
    return _time_row(stack, client, what, "/")


def _time_row(stack: str, client: httpx.Client, what: str, path: str) -> Row:
    begin = time.perf_counter()
    client.get(path).raise_for_status()
    milliseconds = (time.perf_counter() - begin) * 1e3
    return Row(line=LINE, work=_work(stack, what), figure=milliseconds, target=at_most(300, "{:.0f} ms"))


def _weight_row(stack: str, client: httpx.Client, what: str, path: str) -> Row:
    packed = client.get(path, headers={"Accept-Encoding": "gzip"})
    kilobytes = int(packed.headers["Content-Length"]) / 1000
    return Row(line=LINE, work=_work(stack, what), figure=kilobytes, target=at_most(400, "{:.0f} kB, packed"))


def _work(stack: str, what: str) -> str:
    return f"{stack}: page of {N_MODELS:,} models, {what}"
