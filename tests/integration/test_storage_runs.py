from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from storage import jobs, runs, workers
from storage.engine import Database
from storage.errors import RunNotFound
from storage.events import list_events
from storage.jobs import Job, NewJob
from storage.runs import Claim, Problem
from storage.states import JobStatus, RunStatus

PROBLEM = Problem(code="hub_unavailable", detail="the hub is busy", retryable=True)


def submit(database: Database, *benchmarks: str, model_id: str = "gpt2", protocol: str = "grouped") -> Job:
    new_job = NewJob(
        model_id=model_id,
        requested_revision=None,
        benchmarks=tuple((name, 1) for name in benchmarks or ("pereira2018",)),
        protocol=protocol,
        scoring_version="1",
    )
    with database.write() as session:
        return jobs.submit(session, new_job)


def claim(database: Database, *, worker: str = "w", lease_s: float = 60) -> Claim | None:
    with database.write() as session:
        return runs.claim(session, worker=worker, lease_s=lease_s)


def must_claim(database: Database, *, lease_s: float = 60) -> Claim:
    claimed = claim(database, lease_s=lease_s)
    assert claimed is not None
    return claimed


def get(database: Database, job: Job) -> Job:
    with database.read() as session:
        return jobs.get(session, job.id)


def event_types(database: Database, job: Job) -> list[str]:
    with database.read() as session:
        events = list_events(session, job.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return [event.type for event in events]


def test_claim_takes_the_oldest_run_and_all_others_of_its_model(database: Database) -> None:
    submit(database, "a", "b", model_id="first")
    submit(database, "a", model_id="second")
    submit(database, "c", model_id="first")
    submit(database, "a", model_id="first", protocol="brain-score")
    claimed = must_claim(database)
    assert claimed.model_id == "first"
    assert sorted((run.benchmark, run.protocol) for run in claimed.runs) == [
        ("a", "brain-score"),
        ("a", "grouped"),
        ("b", "grouped"),
        ("c", "grouped"),
    ]
    assert {(run.status, run.attempt, run.token, run.worker) for run in claimed.runs} == {
        (RunStatus.RUNNING, 1, claimed.token, "w")
    }
    assert must_claim(database).model_id == "second"
    assert claim(database) is None


def test_eight_claiming_threads_never_take_the_same_run(database: Database) -> None:
    for number in range(24):
        submit(database, "a", "b", model_id=f"m/{number}")
    barrier = Barrier(8)

    def work(number: int) -> list[Claim]:
        barrier.wait()
        taken = []
        while claimed := claim(database, worker=f"w{number}"):
            taken.append(claimed)
        return taken

    with ThreadPoolExecutor(8) as pool:
        claims = [claimed for taken in pool.map(work, range(8)) for claimed in taken]
    assert len(claims) == 24
    assert all(len(claimed.runs) == 2 for claimed in claims)
    assert len({run.id for claimed in claims for run in claimed.runs}) == 48
    assert len({claimed.token for claimed in claims}) == 24


def test_old_token_cannot_write(database: Database) -> None:
    job = submit(database)
    old = must_claim(database)
    run_id = job.runs[0].id
    with database.write() as session:
        assert runs.requeue(session, old.token, run_id)
    new = must_claim(database)
    assert new.token != old.token
    with database.write() as session:
        assert runs.beat(session, old.token, [run_id], lease_s=60) == set()
        assert runs.set_revision(session, old.token, [run_id], "sha") == set()
        assert not runs.progress(session, old.token, run_id, fraction=0.9, stage="fit")
        assert not runs.succeed(session, old.token, run_id, "score_x")
        assert not runs.fail(session, old.token, run_id, PROBLEM)
        assert not runs.requeue(session, old.token, run_id)
        assert runs.get(session, run_id) == new.runs[0]
        assert runs.beat(session, new.token, [run_id], lease_s=60) == {run_id}


def test_beat_extends_the_lease(database: Database) -> None:
    run_id = submit(database).runs[0].id
    claimed = must_claim(database, lease_s=1)
    with database.write() as session:
        runs.beat(session, claimed.token, [run_id], lease_s=100)
        extended = runs.get(session, run_id).lease_until
        assert runs.expire_leases(session) == []
    before = claimed.runs[0].lease_until
    assert extended is not None
    assert before is not None
    assert (extended - before).total_seconds() > 90


def test_progress_never_falls_within_an_attempt(database: Database) -> None:
    job = submit(database)
    run_id = job.runs[0].id
    token = must_claim(database).token
    with database.write() as session:
        for fraction, stage in ((0.5, "extract"), (0.2, "extract"), (0.3, "fit"), (7.0, "fit")):
            assert runs.progress(session, token, run_id, fraction=fraction, stage=stage, detail="\x00 of 3")
        run = runs.get(session, run_id)
        assert (run.fraction, run.stage, run.detail) == (1.0, "fit", "\\x00 of 3")
        runs.requeue(session, token, run_id)
        assert runs.get(session, run_id).fraction == 0.0
    assert event_types(database, job) == [
        "job.queued",
        "run.running",
        "job.running",
        "run.progress",
        "run.progress",
        "run.queued",
    ]


def test_lost_lease_requeues_and_ends_as_worker_lost_after_three_attempts(database: Database) -> None:
    job = submit(database)
    run_id = job.runs[0].id
    for attempt in (1, 2, 3):
        assert must_claim(database, lease_s=0).runs[0].attempt == attempt
        time.sleep(0.01)
        with database.write() as session:
            assert runs.expire_leases(session) == [run_id]
    job = get(database, job)
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error["code"] == "worker_lost"
    assert claim(database) is None
    assert event_types(database, job)[-3:] == ["run.running", "run.failed", "job.failed"]


def test_two_sweeps_at_once_expire_a_lease_once(database: Database) -> None:
    for number in range(6):
        submit(database, model_id=f"m/{number}")
        must_claim(database, lease_s=0)
    time.sleep(0.01)
    barrier = Barrier(2)

    def sweep(_: int) -> list[str]:
        barrier.wait()
        with database.write() as session:
            return runs.expire_leases(session)

    with ThreadPoolExecutor(2) as pool:
        swept = [run_id for ids in pool.map(sweep, range(2)) for run_id in ids]
    assert len(swept) == len(set(swept)) == 6


def test_handing_back_refunds_the_attempt(database: Database) -> None:
    run_id = submit(database).runs[0].id
    for _ in range(5):
        claimed = must_claim(database)
        assert claimed.runs[0].attempt == 1
        with database.write() as session:
            assert runs.requeue(session, claimed.token, run_id, refund_attempt=True)


def test_run_in_its_pause_is_not_claimed(database: Database) -> None:
    job = submit(database)
    run_id = job.runs[0].id
    claimed = must_claim(database)
    with database.write() as session:
        assert runs.requeue(session, claimed.token, run_id, delay_s=0.3, error=PROBLEM)
    assert claim(database) is None
    assert get(database, job).status is JobStatus.RUNNING
    time.sleep(0.35)
    again = must_claim(database)
    assert again.runs[0].attempt == 2
    assert again.runs[0].error == PROBLEM.as_json()


def test_shared_run_tells_every_job(database: Database) -> None:
    first, second = submit(database, "a", "b"), submit(database, "b")
    claimed = must_claim(database)
    with database.write() as session:
        assert runs.fail(session, claimed.token, second.runs[0].id, PROBLEM)
    assert get(database, second).status is JobStatus.FAILED
    assert get(database, first).status is JobStatus.RUNNING
    assert event_types(database, first) == ["job.queued", "run.running", "run.running", "job.running", "run.failed"]
    assert event_types(database, second) == ["job.queued", "run.running", "job.running", "run.failed", "job.failed"]


def test_events_have_no_gaps_when_runs_of_one_job_end_at_once(database: Database) -> None:
    job = submit(database, *"abcdefgh")
    claimed = must_claim(database)
    barrier = Barrier(8)

    def finish(run: runs.Run) -> bool:
        barrier.wait()
        with database.write() as session:
            return runs.fail(session, claimed.token, run.id, PROBLEM)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(finish, claimed.runs))
    assert get(database, job).status is JobStatus.FAILED
    types = event_types(database, job)
    assert types.count("run.failed") == 8
    assert types[-1] == "job.failed"


def test_unknown_run_is_refused(database: Database) -> None:
    with database.read() as session, pytest.raises(RunNotFound) as caught:
        runs.get(session, "run_\x00")
    assert caught.value.code == "run_not_found"


def test_workers_are_alive_while_they_beat(database: Database) -> None:
    with database.write() as session:
        for _ in range(2):
            workers.beat(session, worker_id="w1", host="h", pid=1, device="cpu")
        workers.beat(session, worker_id="w2", host="h", pid=2, device="cuda:0")
        assert [worker.id for worker in workers.alive(session, within_s=10)] == ["w1", "w2"]
        workers.forget(session, "w1")
        assert [worker.id for worker in workers.alive(session, within_s=10)] == ["w2"]
    time.sleep(0.05)
    with database.read() as session:
        assert workers.alive(session, within_s=0.02) == ()
