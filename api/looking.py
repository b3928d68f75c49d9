"""Looking at models from the web process: a child process for each look, few at a time, and a short memory.

The child loads the hub's client, parses what strangers wrote and is killed when its time is over; it gets no secret of
this process. What it does is told in `scoring.subjects.look`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

from scoring.child_environment import with_ways_out

from .settings import ApiSettings

N_AT_ONCE = 3
"""Looks that run at the same time."""

WAIT_S = 1.0
"""How long a look waits for its turn before it is given up."""

REMEMBERED_S = 30.0
REMEMBERED_FAILURE_S = 3.0
"""How long an answer is given again; one that may be another the next time, shorter."""

N_REMEMBERED = 256

MODULE = "scoring.subjects.look"

Answer = Mapping[str, Any]
"""`seen` as `scoring.subjects.look.Seen` has it, or the `failure` with code, detail, hint and retryable."""


class Looker:
    """Answers what a model is. Safe to use from many threads."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._turns = threading.BoundedSemaphore(N_AT_ONCE)
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Answer]] = {}

    def look(self, model_id: str, revision: str | None, options: Mapping[str, Any], *, asks_surprisal: bool) -> Answer:
        """What the model is, or why that cannot be told; asked of the hub at most once in a short while."""
        question = self._question(model_id, revision, options, asks_surprisal=asks_surprisal)
        key = json.dumps(question, sort_keys=True)
        answer = self._remembered(key)
        if answer is not None:
            return answer
        if not self._turns.acquire(timeout=WAIT_S):
            detail = "this server is looking at other models; ask again in a moment"
            return _failure("hub_unavailable", detail)
        try:
            answer = self._remembered(key)
            if answer is None:
                answer = self._asked(question)
                self._remember(key, answer)
            return answer
        finally:
            self._turns.release()

    def _question(
        self, model_id: str, revision: str | None, options: Mapping[str, Any], *, asks_surprisal: bool
    ) -> dict[str, Any]:
        settings = self._settings
        return {
            "model_id": model_id,
            "revision": revision,
            "options": dict(options),
            "asks_surprisal": asks_surprisal,
            "model_dir": None if settings.model_dir is None else str(settings.model_dir),
            "import_dir": str(settings.import_dir),
            "endpoint": os.environ.get("HF_ENDPOINT"),
            "hosts": settings.further_hub_hosts,
            "max_model_bytes": settings.max_model_bytes,
            "timeout_s": settings.preflight_timeout_s,
        }

    def _asked(self, question: Mapping[str, Any]) -> Answer:
        try:
            ended = subprocess.run(
                [sys.executable, "-m", MODULE],
                input=json.dumps(question).encode(),
                capture_output=True,
                env=with_ways_out(),
                timeout=self._settings.preflight_timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            detail = f"the hub did not say in {self._settings.preflight_timeout_s:g} s what this model is"
            return _failure("hub_unavailable", detail)
        try:
            answer: Answer = json.loads(ended.stdout)
        except ValueError:
            return _failure("internal", "the model could not be looked at")
        return answer

    def _remembered(self, key: str) -> Answer | None:
        with self._lock:
            until, answer = self._known.get(key, (0.0, None))
            return answer if time.monotonic() < until else None

    def _remember(self, key: str, answer: Answer) -> None:
        failure = answer["failure"]
        lasts_s = REMEMBERED_FAILURE_S if failure is not None and failure["retryable"] else REMEMBERED_S
        with self._lock:
            self._known.pop(key, None)
            while len(self._known) >= N_REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[key] = (time.monotonic() + lasts_s, answer)


def _failure(code: str, detail: str) -> Answer:
    return {"seen": None, "failure": {"code": code, "detail": detail, "hint": None, "retryable": True}}
