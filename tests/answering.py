"""A small HTTP server of the standard library that answers with the contract's own shapes, as a test wants them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RUN = {
    "object": "run",
    "id": "run_1",
    "benchmark": "demo-fmri",
    "benchmark_version": 1,
    "protocol": "grouped",
    "status": "running",
    "attempt": 1,
    "score": None,
    "error": None,
    "started_at": "2026-01-02T03:04:05Z",
    "finished_at": None,
}
JOB = {
    "object": "job",
    "id": "job_1",
    "status": "running",
    "created_at": "2026-01-02T03:04:05Z",
    "started_at": None,
    "finished_at": None,
    "model": {"id": "gpt2", "requested_revision": None, "revision": None, "parameters": None},
    "protocol": "grouped",
    "options": {},
    "labels": {},
    "runs": [RUN],
    "progress": {"fraction": 0.25, "stage": "extract", "detail": "passage 3 of 12"},
    "queue_position": None,
    "cached": False,
    "error": None,
    "urls": {"self": "/v1/jobs/job_1", "events": "", "cancel": "", "retry": None},
}
SCORE = {
    "object": "score",
    "id": "score_1",
    "run": "run_1",
    "model": {"id": "gpt2", "revision": "abc"},
    "benchmark": {"id": "demo-fmri", "version": 1, "data_sha256": "00"},
    "protocol": "grouped",
    "metric": "linear_predictivity",
    "raw": 0.25,
    "ceiling": {"value": 0.5, "low": None, "high": None, "method": "from-item-variance", "reason": None},
    "normalised": 0.5,
    "word_probability": None,
    "clipped": None,
    "interval": {"level": 0.95, "low": 0.2, "high": 0.3, "method": "bootstrap", "n": 4, "seed": 0},
    "layer": {"selected": ["block.1", "block.2", "block.2"], "rule": "", "optimistic": {"name": "block.3", "raw": 0.3}},
    "n": {"stimuli": 96, "participants": 1, "units": 20, "valid_units": 20, "folds": 4},
    "measures": {"cka": 0.1},
    "parts": [{"name": "all", "raw": 0.25, "weight": 1.0}],
    "baselines": None,
    "warnings": [{"code": "few_stimuli", "detail": "96 stimuli"}],
    "provenance": "/v1/scores/score_1/provenance",
    "superseded_by": None,
    "a_field_of_the_future": [1, 2],
}
PROBLEM = {
    "type": "about:blank",
    "title": "No such benchmark",
    "status": 422,
    "code": "benchmark_unknown",
    "param": "benchmarks.0",
    "detail": "'pereira' is not a benchmark",
    "hint": "did you mean pereira2018-example?",
    "retryable": False,
    "request_id": "req_1",
}

Answer = tuple[int, dict[str, str], Any]


class Server:
    """Answers each request with the next of the answers set for its method and path; the last one stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, Any]] = []
        self.authorizations: list[str | None] = []
        self.headers: list[Any] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                is_file = self.headers.get("Content-Type") == "application/octet-stream"
                sent = body if is_file else json.loads(body) if body else None
                outer.requests.append((f"{self.command} {self.path}", sent))
                outer.authorizations.append(self.headers.get("Authorization"))
                outer.headers.append(self.headers)
                queue = outer.answers.get(f"{self.command} {self.path}") or outer.answers["otherwise"]
                status, headers, content = queue.pop(0) if len(queue) > 1 else queue[0]
                data = content.encode() if isinstance(content, str) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.answers["otherwise"] = [(404, {}, {**PROBLEM, "status": 404, "code": "not_found"})]

    def on(self, call: str, *answers: Any, status: int = 200) -> None:
        self.answers[call] = [answer if isinstance(answer, tuple) else (status, {}, answer) for answer in answers]


@contextmanager
def answering() -> Iterator[Server]:
    """The server as long as the block."""
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join()
