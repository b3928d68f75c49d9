"""A run that several jobs want: what it is asked for by all of them, and what is left when one of them goes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from storage import jobs, runs
from storage.engine import Database
from storage.events import Event, list_events
from storage.jobs import Job, NewJob
from storage.run_records import Run
from storage.states import JobStatus, RunStatus


def submit(database: Database, *benchmarks: str, **changes: Any) -> Job:
    fields = {"model_id": "gpt2", "requested_revision": None, "protocol": "grouped", "scoring_version": "1"}
    with database.write() as session:
        chosen = tuple((name, 1) for name in benchmarks or ("demo-fmri",))
        return jobs.submit(session, NewJob(benchmarks=chosen, **(fields | changes)))


def cancel(database: Database, job: Job) -> Job:
    with database.write() as session:
        return jobs.cancel(session, job.id)


def claim(database: Database) -> runs.Claim:
    with database.write() as session:
        claimed = runs.claim(session, worker="w", lease_s=60)
    assert claimed is not None
    return claimed


def terms(database: Database, job: Job) -> tuple[float | None, int, bool]:
    """For how long after the job was made its run waits, its priority, and whether it is in the background."""
    with database.read() as session:
        run = runs.get(session, job.runs[0].id)
        row = session.connection().exec_driver_sql("SELECT priority, is_background FROM runs").one()
    wait = None if run.expires_at is None else (run.expires_at - job.created_at) / timedelta(seconds=1)
    return wait, row[0], bool(row[1])


def tell(database: Database, job: Job) -> Sequence[Event]:
    with database.read() as session:
        return list_events(session, job.id)


@pytest.mark.parametrize(
    "other",
    [{}, {"priority": 0, "expires_in_s": 100}, {"priority": 0}, {"expires_in_s": 900}],
    ids=["patient", "urgent", "both", "later"],
)
@pytest.mark.parametrize("is_background", [False, True])
def test_a_run_is_as_its_own_job_wants_it_again_when_the_other_is_cancelled(
    database: Database, other: dict[str, Any], is_background: bool
) -> None:
    first = submit(database, expires_in_s=60, priority=7, is_background=is_background)
    alone = terms(database, first)
    assert alone == (pytest.approx(60, abs=1), 7, is_background)
    second = submit(database, **other)
    assert second.runs[0].id == first.runs[0].id
    assert terms(database, first) != alone
    cancel(database, second)
    assert terms(database, first) == alone


def test_a_run_keeps_what_the_job_that_stays_has_added(database: Database) -> None:
    first, second = submit(database, expires_in_s=60), submit(database, priority=0)
    cancel(database, first)
    assert terms(database, second) == (None, 0, False)


def test_a_run_that_is_handed_back_waits_as_the_job_that_stayed_wants_it(database: Database) -> None:
    first, second = submit(database, expires_in_s=60, priority=7), submit(database, priority=0)
    held = claim(database)
    cancel(database, second)
    with database.write() as session:
        assert runs.requeue(session, held.token, held.runs[0].id, refund_attempt=True)
    assert terms(database, first) == (pytest.approx(60, abs=1), 7, False)


def test_a_cancelled_run_is_told_of_as_any_other_end(database: Database) -> None:
    job = submit(database, "demo-fmri", "demo-reading")
    claim(database)
    assert cancel(database, job).status is JobStatus.CANCELLED
    *_, first, second, last = tell(database, job)
    runs_by_id: dict[str | None, Run] = {run.id: run for run in job.runs}
    for event in (first, second):
        assert event.type == "run.cancelled"
        assert event.data == {"benchmark": runs_by_id[event.run_id].benchmark, "attempt": 1}
    assert (last.type, last.data) == ("job.cancelled", {"status": "cancelled"})


def test_a_job_with_a_score_is_cancelled_all_the_same(database: Database) -> None:
    job = submit(database, "demo-fmri", "demo-reading")
    other = submit(database, "demo-fmri")
    held = claim(database)
    ended = next(run for run in held.runs if run.benchmark == "demo-reading")
    with database.write() as session:
        assert runs.fail(session, held.token, ended.id, runs.Problem(code="internal", detail="-"))
    done = cancel(database, job)
    assert (done.status, [run.status for run in done.runs]) == (
        JobStatus.CANCELLED,
        [RunStatus.RUNNING, RunStatus.FAILED],
    )
    assert [event.type for event in tell(database, job)].count("job.cancelled") == 1
    assert "run.cancelled" not in {event.type for event in [*tell(database, job), *tell(database, other)]}
