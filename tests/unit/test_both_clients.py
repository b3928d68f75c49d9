"""The client that waits and the one that is awaited: the same calls, asked in the same way, with the same answers."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import broca
from broca import (
    AsyncClient,
    BrocaError,
    Client,
    FileUnusable,
    NotFound,
    ServerFailure,
    ServerUnreachable,
    WaitTimedOut,
    jobs,
)
from tests.answering import JOB, PROBLEM, RUN, SCORE, Server, answering

Question = Callable[[Any], Any]

BUSY = (503, {"Retry-After": "0"}, {**PROBLEM, "status": 503, "code": "busy"})
DONE = {**JOB, "status": "succeeded", "runs": [{**RUN, "status": "succeeded", "score": "score_1"}]}
EVENT = {"object": "event", "seq": 1, "at": "2026-01-02T03:04:05Z", "type": "job.queued", "run": None, "data": {}}


@pytest.fixture
def server() -> Iterator[Server]:
    with answering() as server:
        yield server


def ask(url: str, *questions: Question) -> Any:
    """What questions come to, each asked of the answer to the one before; the first of a client that waits."""
    with Client(url, timeout_s=5) as client:
        found: Any = client
        for question in questions:
            found = question(found)
            found = list(found) if isinstance(found, Iterator) else found
        return found


def ask_awaiting(url: str, *questions: Question) -> Any:
    """The same of a client that is awaited."""

    async def asked() -> Any:
        async with AsyncClient(url, timeout_s=5) as client:
            found: Any = client
            for question in questions:
                found = question(found)
                assert isinstance(found, Awaitable | AsyncIterator)
                found = await found if isinstance(found, Awaitable) else [one async for one in found]
            return found

    return asyncio.run(asked())


both = pytest.mark.parametrize("ask", [ask, ask_awaiting], ids=["waits", "is awaited"])


def test_help_shows_what_comes_of_a_call() -> None:
    assert inspect.signature(Client.submit).return_annotation == "Job"
    assert inspect.signature(Client.jobs).return_annotation == "Iterator[Job]"
    assert inspect.signature(broca.Job.scores).return_annotation == "Listed[Score]"
    assert (Client.submit.__doc__ or "").startswith("Ask for the scores of a model")


def calls(kind: type) -> dict[str, Any]:
    return {name: member for name, member in inspect.getmembers(kind) if not name.startswith("_") and callable(member)}


def test_both_have_the_same_calls_with_the_same_signatures() -> None:
    waiting, awaited = calls(Client), calls(AsyncClient)
    assert set(waiting) == set(awaited)
    assert {"submit", "jobs", "events", "wait", "leaderboard", "import_model", "chart", "close"} <= set(waiting)
    for name in set(waiting) - {"close"}:
        assert inspect.signature(waiting[name]) == inspect.signature(awaited[name]), name
        assert waiting[name].__doc__ == awaited[name].__doc__
    assert inspect.signature(Client) == inspect.signature(AsyncClient)


@both
def test_a_job_knows_its_client(server: Server, ask: Any) -> None:
    server.on("POST /v1/jobs", JOB, status=202)
    server.on("GET /v1/jobs/job_1", JOB, DONE)
    server.on("GET /v1/scores/score_1", SCORE)
    submitted = lambda client: client.submit("gpt2", ["demo-fmri"])  # noqa: E731
    waited = lambda job: job.wait(poll_s=0.01)  # noqa: E731
    (score,) = ask(server.url, submitted, waited, lambda job: job.scores())
    assert score.raw == 0.25
    server.on("POST /v1/jobs/job_1/cancel", {**JOB, "status": "cancelled"})
    assert ask(server.url, submitted, lambda job: job.cancel()).status == "cancelled"
    server.on("POST /v1/jobs/job_1/retry", {**JOB, "id": "job_2", "retry_of": "job_1"}, status=202)
    assert ask(server.url, submitted, lambda job: job.retry()).id == "job_2"


@both
def test_a_wait_tells_every_event_once_and_every_look(server: Server, ask: Any) -> None:
    server.on("GET /v1/jobs/job_1", JOB, DONE)
    path = "GET /v1/jobs/job_1/events?after"
    server.on(f"{path}=0", {"data": [EVENT, {**EVENT, "seq": 2, "type": "job.running"}]})
    server.on(f"{path}=2", {"data": []}, {"data": [{**EVENT, "seq": 3, "type": "job.succeeded"}]})
    server.on(f"{path}=3", {"data": []})
    events: list[Any] = []
    looks: list[Any] = []
    job = ask(server.url, lambda client: client.wait("job_1", looks.append, on_event=events.append, poll_s=0.01))
    assert [(event.seq, event.type) for event in events] == [
        (1, "job.queued"),
        (2, "job.running"),
        (3, "job.succeeded"),
    ]
    assert [look.status for look in looks] == ["running", "succeeded"]
    assert job.has_succeeded


@both
def test_a_wait_outlasts_a_server_that_is_away_for_a_while(
    server: Server, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.on("GET /v1/jobs/job_1", JOB, *[BUSY] * 6, DONE)
    assert ask(server.url, lambda client: client.wait("job_1", poll_s=0.01)).has_succeeded
    monkeypatch.setattr(jobs, "LONGEST_ABSENCE_S", 0.0)
    server.on("GET /v1/jobs/job_1", JOB, BUSY)
    with pytest.raises(ServerFailure):
        ask(server.url, lambda client: client.wait("job_1", poll_s=0.01))


@both
def test_a_wait_for_a_server_that_was_never_there_ends_at_once(server: Server, ask: Any) -> None:
    server.on("GET /v1/jobs/job_1", BUSY, BUSY, BUSY, BUSY, DONE)
    with pytest.raises(ServerFailure):
        ask(server.url, lambda client: client.wait("job_1", poll_s=0.01))


@both
def test_a_wait_ends_with_its_time(server: Server, ask: Any) -> None:
    server.on("GET /v1/jobs/job_1", JOB)
    with pytest.raises(WaitTimedOut, match="broca cancel job_1"):
        ask(server.url, lambda client: client.wait("job_1", poll_s=0.01, timeout_s=0.05))


@both
def test_what_is_read_is_asked_for_again_and_what_is_written_is_not(server: Server, ask: Any) -> None:
    server.on("GET /v1/jobs/job_1", BUSY, BUSY, JOB)
    assert ask(server.url, lambda client: client.job("job_1")).id == "job_1"
    assert len(server.requests) == 3
    server.on("POST /v1/jobs", BUSY)
    with pytest.raises(ServerFailure):
        ask(server.url, lambda client: client.submit("gpt2", ["demo-fmri"]))
    assert len(server.requests) == 4


@both
def test_pages_and_events_are_read_to_their_end(server: Server, ask: Any) -> None:
    server.on("GET /v1/jobs?page_size=1", {"data": [JOB], "next_page_token": "t"})
    server.on("GET /v1/jobs?page_size=1&page_token=t", {"data": [{**JOB, "id": "job_2"}], "next_page_token": None})
    assert [job.id for job in ask(server.url, lambda client: client.jobs(page_size=1))] == ["job_1", "job_2"]
    frame = 'id: 1\nevent: job.queued\ndata: {"seq": 1, "type": "job.queued"}\n\n: nothing new\n\n'
    server.on("GET /v1/jobs/job_1/events", frame)
    assert [event.seq for event in ask(server.url, lambda client: client.events("job_1"))] == [1]
    with pytest.raises(NotFound):
        ask(server.url, lambda client: client.events("job_none"))


def test_an_asynchronous_list_asks_for_the_next_page_when_it_is_reached(server: Server) -> None:
    server.on("GET /v1/jobs?page_size=1", {"data": [JOB], "next_page_token": "t"})

    async def first() -> str:
        async with AsyncClient(server.url) as client:
            jobs = client.jobs(page_size=1)
            assert server.requests == []
            return (await anext(jobs)).id

    assert asyncio.run(first()) == "job_1"
    assert len(server.requests) == 1


def test_an_asynchronous_client_serves_many_tasks_at_once(server: Server) -> None:
    server.on("GET /v1/jobs/job_1", JOB)
    server.on("GET /v1/jobs/job_2", BUSY, {**JOB, "id": "job_2"})

    async def asked() -> list[str]:
        async with AsyncClient(server.url) as client:
            found = await asyncio.gather(*(client.job(f"job_{1 + number % 2}") for number in range(20)))
            return [job.id for job in found]

    assert asyncio.run(asked()) == ["job_1", "job_2"] * 10


@both
def test_a_file_is_sent_in_pieces_that_are_told_of(server: Server, ask: Any, tmp_path: Path) -> None:
    file = tmp_path / "words.csv"
    file.write_bytes(b"x" * 600_000)
    server.on("POST /v1/models?id=imported%2Fmine&kind=surprisals&format=csv&unit=bits", {"id": "imported/mine"})
    told: list[tuple[int, int]] = []
    given = {"kind": "surprisals", "unit": "bits", "on_progress": lambda *sizes: told.append(sizes)}
    assert ask(server.url, lambda client: client.import_model("mine", file, **given)).id == "imported/mine"
    assert server.requests[0][1] == file.read_bytes()
    assert told == [(262_144, 600_000), (524_288, 600_000), (600_000, 600_000)]


@both
def test_a_folder_is_packed_sent_and_its_archive_removed_though_the_server_refuses(
    server: Server, ask: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/stimuli.csv").write_text("stimulus_id\n")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    server.on("POST /v1/benchmarks?id=own%2Fmine", PROBLEM, status=422)
    with pytest.raises(broca.BadRequest):
        ask(server.url, lambda client: client.add_benchmark("mine", tmp_path / "data"))
    assert server.requests[0][1][:2] == b"PK"
    assert list((tmp_path / "tmp").iterdir()) == []
    with pytest.raises(FileUnusable):
        ask(server.url, lambda client: client.add_benchmark("mine", tmp_path / "nothing"))


@both
def test_a_server_that_is_away_is_told_with_what_to_do(ask: Any) -> None:
    with pytest.raises(ServerUnreachable, match="broca serve"):
        ask("http://127.0.0.1:9", lambda client: client.job("job_1"))


def test_a_job_is_the_same_wherever_it_is_from_and_can_be_copied(server: Server) -> None:
    server.on("GET /v1/jobs/job_1", JOB)
    with Client(server.url) as client:
        job = client.job("job_1")
        assert job == broca.Job.model_validate(JOB)
        server.on("POST /v1/jobs/job_1/cancel", {**JOB, "status": "cancelled"})
        assert copy.deepcopy(job).cancel().is_finished
        pickled = pickle.loads(pickle.dumps(job))
    assert pickled == job
    with pytest.raises(BrocaError, match="was not given by a client") as caught:
        pickled.cancel()
    assert caught.value.code == "no_client"
