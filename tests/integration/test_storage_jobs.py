from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from threading import Barrier

import pytest
import sqlalchemy as sa

from storage import jobs, runs
from storage.engine import Database, resolve_url
from storage.errors import JobNotFound, PageTokenInvalid
from storage.events import list_events
from storage.jobs import Job, NewJob
from storage.runs import Problem
from storage.states import JobStatus, RunStatus
from storage.tables import RunRow

PROBLEM = Problem(code="model_not_found", detail="the hub has no such model")


def new_job(*benchmarks: str, model_id: str = "gpt2", force: bool = False, **labels: str) -> NewJob:
    return NewJob(
        model_id=model_id,
        requested_revision=None,
        benchmarks=tuple((name, 1) for name in benchmarks or ("pereira2018",)),
        protocol="grouped",
        scoring_version="1",
        labels=labels,
        force=force,
    )


def submit(database: Database, job: NewJob) -> Job:
    with database.write() as session:
        return jobs.submit(session, job)


def get(database: Database, job: Job) -> Job:
    with database.read() as session:
        return jobs.get(session, job.id)


def cancel(database: Database, job: Job) -> Job:
    with database.write() as session:
        return jobs.cancel(session, job.id)


def claim(database: Database) -> runs.Claim:
    with database.write() as session:
        claimed = runs.claim(session, worker="w", lease_s=60)
    assert claimed is not None
    return claimed


def event_types(database: Database, job: Job) -> list[str]:
    with database.read() as session:
        events = list_events(session, job.id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return [event.type for event in events]


def test_submitted_job_is_queued_with_a_run_for_each_benchmark(database: Database) -> None:
    job = get(database, submit(database, new_job("futrell2018", "pereira2018", team="a")))
    assert job.id.startswith("job_")
    assert len(job.id) == 24
    assert job.status is JobStatus.QUEUED
    assert [run.benchmark for run in job.runs] == ["futrell2018", "pereira2018"]
    assert {run.status for run in job.runs} == {RunStatus.QUEUED}
    assert job.labels == {"team": "a"}
    assert job.created_at.tzinfo is UTC
    assert (job.queue_position, job.error, job.cached) == (1, None, False)
    assert event_types(database, job) == ["job.queued"]


@pytest.mark.parametrize("force", [False, True])
def test_twenty_simultaneous_requests_share_one_run(database: Database, force: bool) -> None:
    barrier = Barrier(20)

    def request(_: int) -> Job:
        barrier.wait()
        return submit(database, new_job("pereira2018", "futrell2018", force=force))

    with ThreadPoolExecutor(20) as pool:
        submitted = list(pool.map(request, range(20)))
    assert len({job.id for job in submitted}) == 20
    assert len({run.id for job in submitted for run in job.runs}) == 2
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(RunRow)) == 2


def test_opposite_orders_of_benchmarks_do_not_deadlock(database: Database) -> None:
    def request(number: int) -> Job:
        names = ("a", "b", "c", "d") if number % 2 else ("d", "c", "b", "a")
        return submit(database, new_job(*names))

    with ThreadPoolExecutor(8) as pool:
        submitted = list(pool.map(request, range(40)))
    assert len({run.id for job in submitted for run in job.runs}) == 4


def test_forced_request_does_not_share_the_run_of_an_ordinary_one(database: Database) -> None:
    ordinary, forced = submit(database, new_job()), submit(database, new_job(force=True))
    assert ordinary.runs[0].id != forced.runs[0].id


def test_finished_run_is_not_shared(database: Database) -> None:
    first = submit(database, new_job())
    claimed = claim(database)
    with database.write() as session:
        assert runs.fail(session, claimed.token, first.runs[0].id, PROBLEM)
    assert submit(database, new_job()).runs[0].id != first.runs[0].id


def test_job_that_joins_a_running_run_is_running(database: Database) -> None:
    submit(database, new_job())
    claim(database)
    late = submit(database, new_job())
    assert late.status is JobStatus.RUNNING
    assert late.started_at is not None
    assert event_types(database, late) == ["job.queued", "job.running"]


def test_failed_job_shows_the_problem_of_its_first_failed_run(database: Database) -> None:
    job = submit(database, new_job())
    claimed = claim(database)
    with database.write() as session:
        runs.fail(session, claimed.token, job.runs[0].id, PROBLEM)
    job = get(database, job)
    assert job.status is JobStatus.FAILED
    assert job.error == PROBLEM.as_json()
    assert job.finished_at is not None
    assert event_types(database, job) == ["job.queued", "run.running", "job.running", "run.failed", "job.failed"]


def test_cancelling_one_of_two_jobs_leaves_their_shared_run(database: Database) -> None:
    first, second = submit(database, new_job("a", "b")), submit(database, new_job("b"))
    cancelled = cancel(database, first)
    assert cancelled.status is JobStatus.CANCELLED
    assert [run.status for run in cancelled.runs] == [RunStatus.CANCELLED, RunStatus.QUEUED]
    assert get(database, second).status is JobStatus.QUEUED
    assert cancel(database, second).runs[0].status is RunStatus.CANCELLED


def test_cancelling_the_last_job_fences_off_the_worker(database: Database) -> None:
    job = submit(database, new_job())
    claimed = claim(database)
    cancel(database, job)
    with database.write() as session:
        assert runs.beat(session, claimed.token, [job.runs[0].id], lease_s=60) == set()
        assert not runs.fail(session, claimed.token, job.runs[0].id, PROBLEM)
    assert get(database, job).runs[0].status is RunStatus.CANCELLED


def test_cancelling_twice_is_cancelling_once(database: Database) -> None:
    job = submit(database, new_job())
    assert cancel(database, job) == cancel(database, job)
    assert event_types(database, job) == ["job.queued", "run.cancelled", "job.cancelled"]


def test_cancelled_job_stays_cancelled_when_its_shared_run_ends(database: Database) -> None:
    first, second = submit(database, new_job()), submit(database, new_job())
    before = cancel(database, first)
    claimed = claim(database)
    with database.write() as session:
        runs.fail(session, claimed.token, second.runs[0].id, PROBLEM)
    assert get(database, second).status is JobStatus.FAILED
    after = get(database, first)
    assert (after.status, after.finished_at) == (JobStatus.CANCELLED, before.finished_at)


def test_finished_job_cannot_be_cancelled(database: Database) -> None:
    job = submit(database, new_job())
    claimed = claim(database)
    with database.write() as session:
        runs.fail(session, claimed.token, job.runs[0].id, PROBLEM)
    assert cancel(database, job).status is JobStatus.FAILED


def test_cancel_against_finish_leaves_one_outcome(database: Database) -> None:
    for _ in range(15):
        job = submit(database, new_job())
        claimed = claim(database)
        barrier = Barrier(2)

        def finish(claimed: runs.Claim = claimed, barrier: Barrier = barrier) -> bool:
            barrier.wait()
            with database.write() as session:
                return runs.fail(session, claimed.token, claimed.runs[0].id, PROBLEM)

        def stop(job: Job = job, barrier: Barrier = barrier) -> Job:
            barrier.wait()
            return cancel(database, job)

        with ThreadPoolExecutor(2) as pool:
            finished, stopped = pool.submit(finish), pool.submit(stop)
            assert stopped.result().status is (JobStatus.FAILED if finished.result() else JobStatus.CANCELLED)
        assert event_types(database, job)[-1] == f"job.{get(database, job).status}"


@pytest.mark.parametrize("job_id", ["job_00000000000000000000", "", "job_\x00", "\ud800", "x" * 5000])
def test_unknown_job_is_refused(database: Database, job_id: str) -> None:
    with database.write() as session:
        with pytest.raises(JobNotFound):
            jobs.get(session, job_id)
        with pytest.raises(JobNotFound):
            jobs.cancel(session, job_id)


def test_pages_hold_every_job_once_newest_first(database: Database) -> None:
    submitted = [submit(database, new_job(model_id=f"m/{number}")) for number in range(7)]
    seen: list[Job] = []
    token = None
    with database.read() as session:
        for size in (3, 3, 1):
            page, token = jobs.page(session, page_size=3, page_token=token)
            assert len(page) == size
            seen += page
    assert token is None
    assert {job.id for job in seen} == {job.id for job in submitted}
    assert seen == sorted(seen, key=lambda job: (job.created_at, job.id), reverse=True)
    assert sorted(job.queue_position or 0 for job in seen) == list(range(1, 8))


def test_pages_filter_by_status_model_and_label(database: Database) -> None:
    first = submit(database, new_job(model_id="a/b", team="red", note='it\'s \x00 "odd"'))
    second = submit(database, new_job(model_id="c/d", team="blue"))
    cancel(database, second)
    with database.read() as session:
        for conditions, expected in (
            ({"status": JobStatus.CANCELLED}, [second.id]),
            ({"model_id": "a/b"}, [first.id]),
            ({"labels": {"team": "red"}}, [first.id]),
            ({"labels": {"team": "red", "other": "x"}}, []),
            ({"labels": {'te"am': "red"}}, []),
            ({"model_id": "a\x00"}, []),
        ):
            page, _ = jobs.page(session, **conditions)  # type: ignore[arg-type]
            assert [job.id for job in page] == expected


@pytest.mark.parametrize(
    "token", ["", "x", "é", "W10", "bnVsbA", "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzAwOjAwIiwgMV0", "W1sxXV0="]
)
def test_foreign_page_token_is_refused(database: Database, token: str) -> None:
    with database.read() as session, pytest.raises(PageTokenInvalid):
        jobs.page(session, page_token=token)


def test_job_without_benchmarks_or_with_one_twice_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="at least one"):
        new_job("a", "a")


def test_failed_write_leaves_nothing(database: Database) -> None:
    def submit_and_stop() -> None:
        with database.write() as session:
            jobs.submit(session, new_job())
            raise OSError("stop")

    with pytest.raises(OSError, match="stop"):
        submit_and_stop()
    with database.read() as session:
        assert jobs.page(session) == ((), None)


def test_addresses_of_other_databases_are_refused() -> None:
    assert resolve_url("postgresql://h/d").drivername == "postgresql+psycopg"
    for url in ("mysql://h/d", "sqlite://", "sqlite:///:memory:", "sqlite+aiosqlite:///x"):
        with pytest.raises(ValueError, match=r"SQLite|supported"):
            resolve_url(url)


def test_sqlite_connections_are_durable_and_check_foreign_keys(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.read() as session:
        pragmas = {
            name: session.execute(sa.text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    database.dispose()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
