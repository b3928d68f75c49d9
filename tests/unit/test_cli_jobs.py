"""What the command line tells of jobs: waiting, events, runs, and the forms of output that all commands share."""

from __future__ import annotations

import json
from typing import Any

import pytest

from broca.commands.job_logs import line
from broca.results import Event
from tests.unit.test_cli_commands import Invoke, finished
from tests.unit.test_cli_commands import invoke as invoke  # the fixture
from tests.unit.test_client import JOB, RUN, Server
from tests.unit.test_client import server as server  # the fixture

LATE = {"code": "timeout", "detail": "late"}
AT = "2026-01-02T03:04:05Z"
EVENTS: list[dict[str, Any]] = [
    {"seq": 1, "type": "job.queued", "at": AT, "run": None, "data": {"status": "queued"}},
    {"seq": 2, "type": "run.running", "at": AT, "run": "run_1", "data": {"benchmark": "demo-fmri", "worker": "w1"}},
    {"seq": 3, "type": "run.progress", "at": AT, "run": "run_1", "data": {"fraction": 0.4, "stage": "extract"}},
    {"seq": 4, "type": "job.succeeded", "at": AT, "run": None, "data": {"status": "succeeded"}},
]


def on_events(server: Server, *streams: list[dict[str, Any]]) -> None:
    """Streams of events one after the other, each from where the one before broke off; then nothing is new."""
    server.on("GET /v1/jobs/job_1", {**JOB, "status": "succeeded"})
    texts = ["".join(f"id: {one['seq']}\ndata: {json.dumps(one)}\n\n" for one in stream) for stream in streams]
    server.on("GET /v1/jobs/job_1/events", *texts)
    server.on("GET /v1/jobs/job_1/events?after=0", {"object": "list", "data": EVENTS, "next_page_token": None})
    for after in (3, 4):
        rest = [one for one in EVENTS if one["seq"] > after]
        server.on(f"GET /v1/jobs/job_1/events?after={after}", {"object": "list", "data": rest})


def test_wait_shows_the_scores_and_quietly_their_ids(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(server)
    assert invoke("wait", "job_1", "--server", server.url) == 0
    assert "demo-fmri (SYNTHETIC)" in capsys.readouterr().out
    assert invoke("wait", "job_1", "job_1", "-q", "--server", server.url) == 0
    assert capsys.readouterr().out == "score_1\n"
    assert invoke("wait", "job_1", "--json", "--server", server.url) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["job"]["id"], found["scores"][0]["raw"]) == ("job_1", 0.25)


def test_wait_ends_with_1_for_a_failed_job_and_for_one_that_takes_too_long(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(server, "failed")
    assert invoke("wait", "job_1", "--server", server.url) == 1
    assert "model_gated" in capsys.readouterr().err
    server.on("GET /v1/jobs/job_1", JOB)
    assert invoke("wait", "job_1", "--timeout", "0.1", "--server", server.url) == 1
    assert "wait_timed_out" in capsys.readouterr().err


def test_logs_are_told_in_plain_words_with_times(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    on_events(server)
    assert invoke("logs", "job_1", "--server", server.url) == 0
    lines = [" ".join(told.split()) for told in capsys.readouterr().out.splitlines()]
    assert lines == [
        "2026-01-02 03:04:05 job waits for a worker",
        "2026-01-02 03:04:05 demo-fmri was taken by a worker, worker w1",
        "2026-01-02 03:04:05 demo-fmri 40 % extract",
        "2026-01-02 03:04:05 job has ended: every run has a score",
    ]
    assert invoke("logs", "job_1", "--json", "--server", server.url) == 0
    assert [json.loads(told)["seq"] for told in capsys.readouterr().out.splitlines()] == [1, 2, 3, 4]


def test_logs_follow_a_stream_that_ends_early_to_the_end_of_the_job(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    on_events(server, EVENTS[:3], EVENTS[3:])
    assert invoke("logs", "job_1", "--follow", "--json", "--server", server.url) == 0
    assert [json.loads(told)["seq"] for told in capsys.readouterr().out.splitlines()] == [1, 2, 3, 4]
    sent = [headers["Last-Event-ID"] for headers in server.headers if headers["Last-Event-ID"]]
    assert sent == ["0", "3"]


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("run.queued", {"delay_s": 15, "attempt": 2}, "waits for a worker, is tried again in 15 s, attempt 2"),
        ("run.queued", {"lease_lost": True}, "waits for a worker, its worker was not heard of any more"),
        ("run.failed", {"error": {"code": "timeout", "detail": "too long"}}, "failed: too long [timeout]"),
        ("run.succeeded", {"score": "score_1"}, "has a score, score score_1"),
        ("run.something_new", {}, "something new"),
    ],
)
def test_each_event_has_words(kind: str, data: dict[str, Any], said: str) -> None:
    event = Event(seq=1, type=kind, run="run_1", data=data)
    assert line(event, {"run_1": "b"}).split(maxsplit=2)[2] == said


def test_a_job_is_shown_with_its_runs(server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]) -> None:
    failed = {
        **RUN,
        "id": "run_2",
        "benchmark": "b",
        "status": "failed",
        "error": {"code": "timeout", "detail": "late"},
    }
    done = {**RUN, "status": "succeeded", "score": "score_1"}
    server.on("GET /v1/jobs/job_1", {**JOB, "status": "partially_succeeded", "runs": [done, failed]})
    assert invoke("jobs", "show", "job_1", "--server", server.url) == 0
    shown = capsys.readouterr().out
    for part in ("job_1 partially_succeeded: gpt2 under grouped", "score_1", "b: late [timeout]"):
        assert part in shown
    assert invoke("jobs", "show", "job_1", "-q", "--server", server.url) == 0
    assert capsys.readouterr().out == "score_1\n"


def test_ids_of_one_command_are_arguments_of_another(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = [{**JOB, "id": "job_1"}, {**JOB, "id": "job_2"}]
    server.on("GET /v1/jobs?page_size=50", {"object": "list", "data": listed, "next_page_token": None})
    assert invoke("jobs", "--quiet", "--server", server.url) == 0
    ids = capsys.readouterr().out.split()
    for job_id in ids:
        server.on(f"POST /v1/jobs/{job_id}/cancel", {**JOB, "id": job_id, "status": "cancelled"})
    assert invoke("cancel", *ids, "--server", server.url) == 0
    assert capsys.readouterr().out == "job_1 cancelled\njob_2 cancelled\n"


def test_cancel_says_of_a_job_that_had_ended_before_that_it_had(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    server.on("POST /v1/jobs/job_1/cancel", {**JOB, "status": "succeeded"})
    assert invoke("cancel", "job_1", "--server", server.url) == 0
    assert capsys.readouterr().out == "job_1 had already ended: succeeded\n"
    assert invoke("cancel", "job_1", "--json", "--server", server.url) == 0
    assert json.loads(capsys.readouterr().out)[0]["status"] == "succeeded"


@pytest.mark.parametrize("forms", [("--json", "-q"), ("-q", "--json"), ("--quiet", "--json")])
def test_one_form_of_output_excludes_the_others(
    invoke: Invoke, capsys: pytest.CaptureFixture[str], forms: tuple[str, str]
) -> None:
    assert invoke("jobs", *forms) == 2
    assert "exclude each other" in capsys.readouterr().err


COMPARISON = {
    "object": "comparison",
    "protocol": "grouped",
    "columns": [{"key": "b", "unit": "raw"}],
    "data": [
        {"rank": 1, "model": {"id": "m"}, "scores": {"b": {"value": 0.2, "score": "score_1"}}},
        {"rank": 2, "model": {"id": "n"}, "scores": {"b": {"value": 0.1, "score": "score_2"}}},
    ],
    "differences": [
        {
            "benchmark": "b",
            "base": "m",
            "model": "n",
            "difference": -0.1,
            "percent": -50.0,
            "interval": {"low": -0.25, "high": 0.05, "level": 0.95, "method": "paired", "n": 8},
        }
    ],
    "absent": [],
}


def test_a_comparison_shows_scores_differences_and_what_is_not_sure(
    server: Server, invoke: Invoke, capsys: pytest.CaptureFixture[str]
) -> None:
    call = "GET /v1/compare?models=m%2Cn&protocol=grouped&benchmarks=b"
    server.on(call, COMPARISON)
    server.on("GET /v1/benchmarks", {"object": "list", "data": [{"id": "b", "synthetic": True}]})
    arguments = ("compare", "m", "n", "--benchmarks", "b", "--server", server.url)
    assert invoke(*arguments) == 0
    shown = capsys.readouterr().out
    for part in ("b (SYNTHETIC)", "0.2000", "-0.1000", "-50.0", "-0.2500 … +0.0500", "not surely different"):
        assert part in shown
    assert invoke(*arguments, "-q") == 0
    assert capsys.readouterr().out == "score_1\nscore_2\n"
    server.on(call, {**COMPARISON, "absent": ["n"]})
    assert invoke(*arguments, "--json") == 1
    shown_twice = capsys.readouterr()
    assert json.loads(shown_twice.out)["absent"] == ["n"]
    assert "without a score under grouped: n" in shown_twice.err
