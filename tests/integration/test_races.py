"""Races that faults would meet only now and then, made to happen often, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Barrier

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from scoring import results as science
from storage import jobs, runs, scores
from storage.engine import Database
from storage.events import list_events
from storage.jobs import NewJob
from storage.runs import Claim
from storage.states import TERMINAL_JOBS, TERMINAL_RUNS
from storage.tables import JobRow, RunRow
from worker.exchange import Progress, Stage
from worker.ledger import Ledger
from worker.settings import WorkerSettings

N_RACES = 1000
Act = Callable[[], None]
ENDS = {f"job.{status}" for status in TERMINAL_JOBS} | {f"run.{status}" for status in TERMINAL_RUNS}


def order(model_id: str) -> NewJob:
    return NewJob(
        model_id=model_id, requested_revision=None, benchmarks=(("brain", 1),), protocol="grouped", scoring_version="1"
    )


def submit(database: Database, model_id: str) -> str:
    with database.write() as session:
        return jobs.submit(session, order(model_id)).id


def claim(database: Database, *, lease_s: float = 60) -> Claim:
    with database.write() as session:
        claimed = runs.claim(session, worker="w", lease_s=lease_s)
    assert claimed is not None
    return claimed


def event_types(database: Database, job_id: str) -> list[str]:
    with database.read() as session:
        events = list_events(session, job_id)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    return [event.type for event in events]


@pytest.fixture
def score_id(database: Database) -> str:
    """A score to end runs with."""
    submit(database, "first")
    held = claim(database)
    score = science.Score(
        subject="first",
        benchmark="brain",
        benchmark_version=1,
        data_sha256="d",
        synthetic=False,
        protocol="grouped",
        metric="linear",
        raw=0.25,
        ceiling=science.Ceiling.none("one participant"),
        n=science.Counts(stimuli=1, participants=1, units=1, valid_units=1, folds=1),
        draws=(0.1, 0.2),
    )
    with database.write() as session:
        recorded = scores.record(
            session, token=held.token, run_id=held.runs[0].id, score=score, revision="r", dtype="float32"
        )
    assert recorded is not None
    return recorded


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def at_once(pool: ThreadPoolExecutor, *actions: Callable[[], object]) -> list[object]:
    """What the actions give when they start together, each in its thread."""
    barrier = Barrier(len(actions))

    def started(action: Callable[[], object]) -> object:
        barrier.wait()
        return action()

    return list(pool.map(started, actions))


def test_a_thousand_cancels_against_finishes_end_each_job_once(
    database: Database, pool: ThreadPoolExecutor, score_id: str
) -> None:
    job_ids, claims = submitted_and_claimed(database, N_RACES)
    answers: dict[str, tuple[object, object]] = {}
    for number, (job_id, held) in enumerate(zip(job_ids, claims, strict=True)):

        def finish(held: Claim = held) -> bool:
            with database.write() as session:
                return runs.succeed(session, held.token, held.runs[0].id, score_id)

        def cancel(job_id: str = job_id) -> str:
            with database.write() as session:
                return jobs.cancel(session, job_id).status.value

        # Who is started first has an advantage; it changes sides.
        if number % 2:
            has_finished, status = at_once(pool, finish, cancel)
        else:
            status, has_finished = at_once(pool, cancel, finish)
        answers[job_id] = (status, has_finished)
    outcomes: Counter[str] = Counter()
    for job_id, (status, has_finished) in answers.items():
        with database.read() as session:
            job = jobs.get(session, job_id)
        (run,) = job.runs
        assert job.status.value == run.status.value == status
        assert has_finished == (status == "succeeded") == (run.score_id is not None)
        ends = [kind for kind in event_types(database, job_id) if kind in ENDS]
        assert sorted(ends) == [f"job.{job.status}", f"run.{job.status}"]
        outcomes[job.status.value] += 1
    assert set(outcomes) == {"cancelled", "succeeded"}, outcomes


def submitted_and_claimed(database: Database, n: int) -> tuple[list[str], list[Claim]]:
    """Running jobs and the claims that hold them."""
    with database.write() as session:
        job_ids = [jobs.submit(session, order(f"model-{number}")).id for number in range(n)]
    with database.write() as session:
        claims = [claimed for _ in job_ids if (claimed := runs.claim(session, worker="w", lease_s=600))]
    run_of = {held.model_id: held for held in claims}
    return job_ids, [run_of[f"model-{number}"] for number in range(n)]


def test_reconcilers_at_once_take_each_lost_run_back_once(database: Database, pool: ThreadPoolExecutor) -> None:
    job_ids = [submit(database, f"model-{number}") for number in range(60)]
    tokens = [claim(database, lease_s=-1).token for _ in job_ids]
    assert len(set(tokens)) == len(job_ids)

    def sweep() -> list[str]:
        with database.write() as session:
            return runs.expire_leases(session)

    taken = [run_id for found in at_once(pool, sweep, sweep, sweep, sweep) for run_id in found]  # type: ignore[attr-defined]
    assert len(taken) == len(set(taken)) == len(job_ids)
    for job_id in job_ids:
        assert event_types(database, job_id).count("run.queued") == 1


def test_workers_at_once_claim_each_run_once(database: Database, pool: ThreadPoolExecutor) -> None:
    job_ids = [submit(database, f"model-{number}") for number in range(40)]

    def claim_all() -> list[str]:
        claimed = []
        while True:
            with database.write() as session:
                found = runs.claim(session, worker="w", lease_s=60)
            if found is None:
                return claimed
            claimed += [run.id for run in found.runs]

    taken = [run_id for found in at_once(pool, *[claim_all] * 4) for run_id in found]  # type: ignore[attr-defined]
    assert len(taken) == len(set(taken))
    for job_id in job_ids:
        assert event_types(database, job_id).count("run.running") == 1


def test_a_sweep_against_the_beat_of_a_late_worker_leaves_one_holder(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    for number in range(100):
        job_id = submit(database, f"model-{number}")
        held = claim(database, lease_s=-1)
        run_ids = [held.runs[0].id]

        def beat(held: Claim = held, run_ids: list[str] = run_ids) -> bool:
            with database.write() as session:
                return bool(runs.beat(session, held.token, run_ids, lease_s=60))

        def sweep() -> bool:
            with database.write() as session:
                return bool(runs.expire_leases(session))

        answers = dict(zip((beat, sweep), at_once(pool, beat, sweep), strict=True))
        assert answers[beat] != answers[sweep]
        with database.read() as session:
            (run,) = jobs.get(session, job_id).runs
        assert (run.token == held.token) == answers[beat]
        assert run.status.value == ("running" if answers[beat] else "queued")
        with database.write() as session:
            jobs.cancel(session, job_id)


def jobs_of_one_claim(database: Database, n: int, *, lease_s: float) -> tuple[list[str], Claim]:
    """Jobs in the order of their ids, each with a run of its own, and the claim that holds all the runs."""
    wanted = [replace(order("model"), benchmarks=((f"brain-{number}", 1),)) for number in range(n)]
    with database.write() as session:
        job_ids = [jobs.submit(session, one).id for one in wanted]
    held = claim(database, lease_s=lease_s)
    assert len(held.runs) == n
    return sorted(job_ids), held


def against_the_order_of_jobs(database: Database, pool: ThreadPoolExecutor, job_ids: list[str], act: Act) -> None:
    """Let `act` run into somebody who holds the first job and then asks for all the others, as the order of locks has
    it: who has locked one of them before the first waits in a circle."""
    with database.write() as session:
        lock_job(session, job_ids[0])
        acting = pool.submit(act)
        wait([acting], timeout=1)
        for job_id in job_ids[1:]:
            lock_job(session, job_id)
    acting.result(timeout=60)


def lock_job(session: Session, job_id: str) -> None:
    session.scalars(sa.select(JobRow).where(JobRow.id == job_id).with_for_update(key_share=True)).one()


def test_a_sweep_locks_the_jobs_of_all_that_it_takes_back_in_one_order(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    """Runs that are tried again are told before those that are given up; the first job's run is given up."""
    job_ids, held = jobs_of_one_claim(database, 2, lease_s=-1)
    with database.write() as session:
        (first,) = jobs.get(session, job_ids[0]).runs
        session.execute(sa.update(RunRow).where(RunRow.id == first.id).values(attempt=3))

    def sweep() -> None:
        with database.write() as session:
            assert sorted(runs.expire_leases(session)) == sorted(run.id for run in held.runs)

    against_the_order_of_jobs(database, pool, job_ids, sweep)


def test_progress_of_a_claim_locks_the_jobs_of_all_its_runs_in_one_order(
    database: Database, pool: ThreadPoolExecutor
) -> None:
    """Of twelve runs told in the order of a set, that of the first job is rarely the first."""
    job_ids, held = jobs_of_one_claim(database, 12, lease_s=60)
    ledger = Ledger(held, WorkerSettings(), database)
    line = Progress(stage=Stage.FIT, fraction=0.5)
    against_the_order_of_jobs(database, pool, job_ids, lambda: ledger.show({None: line}))
    with database.read() as session:
        assert {runs.get(session, run.id).stage for run in held.runs} == {"fit"}
