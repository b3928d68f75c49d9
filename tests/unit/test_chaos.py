"""The chaos suite can fail: each kind of broken promise is seen in a planted history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.chaos.invariants import History, violations
from tests.chaos.load import Accepted

Change = Callable[[dict[str, Any], list[dict[str, Any]]], object]


def job() -> dict[str, Any]:
    run = {"id": "run_1", "status": "succeeded", "score": "score_1", "attempt": 2, "error": None}
    return {"id": "job_1", "status": "succeeded", "cached": False, "labels": {"number": "1"}, "runs": [run]}


def events(*kinds: str) -> list[dict[str, Any]]:
    return [
        {"seq": seq, "type": kind, "run": "run_1" if kind.startswith("run") else None, "data": {}}
        for seq, kind in enumerate(kinds, start=1)
    ]


STORY = ("job.queued", "run.running", "job.running", "run.progress", "run.queued", "run.running", "run.succeeded")


def found(change: Change, *, status: str = "succeeded") -> list[str]:
    document, story = job(), events(*STORY, "job.succeeded")
    change(document, story)
    seen = Accepted("job_1", "1", {}, 0.0, status)
    history = History({"job_1": document}, {"job_1": story})
    return [what for _, what in violations(history, [seen], keys_are_honoured=True)]


def rename(place: int, kind: str) -> Change:
    return lambda _, story: story[place].update(type=kind)


def test_a_job_that_was_repeated_and_succeeded_breaks_no_promise() -> None:
    assert found(lambda document, story: None) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _, story: story.pop(3), "numbered"),
        (rename(0, "job.running"), "first event"),
        (lambda document, _: document.update(status="running"), "still running"),
        (rename(4, "run.succeeded"), "ended 2 times"),
        (rename(4, "run.succeeded"), "from succeeded to running"),
        (rename(2, "job.failed"), "came after its end"),
        (rename(7, "job.failed"), "itself succeeded"),
        (lambda document, _: document["runs"][0].update(score=None), "with score None"),
        (lambda document, _: document["runs"][0].update(status="failed", score=None), "failed after 2 attempts"),
        (lambda document, _: document["runs"][0].update(status="cancelled"), "its events end with"),
    ],
)
def test_a_broken_promise_is_seen(change: Change, words: str) -> None:
    assert any(words in what for what in found(change))


def test_a_final_status_that_changed_is_seen() -> None:
    assert found(lambda document, story: None, status="cancelled") == ["was cancelled and is succeeded"]


def test_a_lost_job_is_seen() -> None:
    assert violations(History({}, {}), [Accepted("job_1", "1", {}, 0.0)], keys_are_honoured=True) == [
        ("job_1", "accepted and lost")
    ]


def test_two_jobs_of_one_key_are_seen_where_keys_are_honoured() -> None:
    jobs = {name: {**job(), "id": name} for name in ("job_1", "job_2")}
    history = History(jobs, {name: events(*STORY, "job.succeeded") for name in jobs})
    assert [name for name, _ in violations(history, [], keys_are_honoured=True)] == ["job_2"]
    assert violations(history, [], keys_are_honoured=False) == []
