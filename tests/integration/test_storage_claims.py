"""Which runs a worker is given: order, class, memory, time; and that the queue's length does not matter."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import sqlalchemy as sa

from storage import jobs, runs
from storage.engine import Database
from storage.events import list_events
from storage.jobs import Job, NewJob
from storage.runs import Claim, Need, Problem
from storage.states import JobStatus, RunStatus
from storage.tables import RunRow

TOO_LARGE = Problem(code="model_too_large", detail="the model needs more")


def submit(database: Database, model_id: str = "gpt2", *benchmarks: str, **values: Any) -> Job:
    """A job whose runs then have these values."""
    new_job = NewJob(
        model_id=model_id,
        requested_revision=None,
        benchmarks=tuple((name, 1) for name in benchmarks or ("pereira2018",)),
        protocol="grouped",
        scoring_version="1",
    )
    with database.write() as session:
        job = jobs.submit(session, new_job)
        if values:
            session.execute(sa.update(RunRow).where(RunRow.id.in_([run.id for run in job.runs])).values(**values))
    return job


def claim(database: Database, **worker: Any) -> Claim | None:
    with database.write() as session:
        return runs.claim(session, worker="w", lease_s=60, **worker)


def claimed_models(database: Database, **worker: Any) -> list[str]:
    """The models of all claims that such a worker is given, in order."""
    found = []
    while taken := claim(database, **worker):
        found.append(taken.model_id)
    return found


def get(database: Database, job: Job) -> Job:
    with database.read() as session:
        return jobs.get(session, job.id)


def test_priority_comes_before_age_and_background_after_everything(database: Database) -> None:
    submit(database, "background", priority=0, is_background=True)
    submit(database, "old")
    submit(database, "late", priority=9)
    submit(database, "urgent", priority=0)
    submit(database, "young")
    assert claimed_models(database) == ["urgent", "old", "young", "late", "background"]


def test_a_worker_is_given_the_runs_of_its_class_only(database: Database) -> None:
    submit(database, "on-gpu", device_class="gpu")
    submit(database, "on-cpu", device_class="cpu")
    submit(database, "anywhere")
    assert claimed_models(database, device_class="cpu") == ["on-cpu", "anywhere"]
    assert claimed_models(database) == []
    assert claimed_models(database, device_class="gpu") == ["on-gpu"]


def test_a_worker_is_given_what_fits_its_memory(database: Database) -> None:
    submit(database, "large", min_memory_bytes=1000)
    submit(database, "small")
    assert claimed_models(database, memory_bytes=999) == ["small"]
    assert claimed_models(database) == []
    assert claimed_models(database, memory_bytes=1000) == ["large"]


def test_a_batch_leaves_out_what_the_worker_cannot_serve(database: Database) -> None:
    submit(database, "gpt2", "a")
    submit(database, "gpt2", "b", min_memory_bytes=1000)
    submit(database, "gpt2", "c", priority=9)
    taken = claim(database, memory_bytes=10)
    assert taken is not None
    assert sorted(run.benchmark for run in taken.runs) == ["a", "c"]


def test_a_run_whose_time_is_up_expires_and_is_never_claimed(database: Database) -> None:
    with database.read() as session:
        past = database.now(session) - timedelta(seconds=1)
    late, other = submit(database, "late", "a", "b", expires_at=past), submit(database, "other")
    assert claimed_models(database) == ["other"]
    assert get(database, late).status is JobStatus.QUEUED
    with database.write() as session:
        assert runs.is_any_overdue(session)
        assert sorted(runs.expire_waiting(session)) == sorted(run.id for run in late.runs)
        assert not runs.is_any_overdue(session)
        assert runs.expire_waiting(session) == []
    late = get(database, late)
    assert (late.status, late.error and late.error["code"]) == (JobStatus.FAILED, "expired")
    assert {(run.status, run.finished_at is not None) for run in late.runs} == {(RunStatus.EXPIRED, True)}
    with database.read() as session:
        events = [event.type for event in list_events(session, late.id)]
    assert events == ["job.queued", "run.expired", "run.expired", "job.failed"]
    assert get(database, other).status is JobStatus.RUNNING


def test_a_run_with_time_left_does_not_expire(database: Database) -> None:
    with database.read() as session:
        future = database.now(session) + timedelta(hours=1)
    submit(database, expires_at=future)
    with database.write() as session:
        assert runs.expire_waiting(session) == []
    assert claimed_models(database) == ["gpt2"]


def test_sweeps_at_once_expire_a_run_once(database: Database) -> None:
    with database.read() as session:
        past = database.now(session) - timedelta(seconds=1)
    late = [submit(database, f"m/{number}", expires_at=past) for number in range(12)]
    barrier = Barrier(4)

    def sweep(_: int) -> list[str]:
        barrier.wait()
        with database.write() as session:
            return runs.expire_waiting(session)

    with ThreadPoolExecutor(4) as pool:
        swept = [run_id for ids in pool.map(sweep, range(4)) for run_id in ids]
    assert sorted(swept) == sorted(job.runs[0].id for job in late)


def test_a_requeued_run_asks_for_what_it_needs(database: Database) -> None:
    submit(database)
    taken = claim(database, device_class="cpu", memory_bytes=10)
    assert taken is not None
    need = Need(device_class="gpu", min_memory_bytes=1000, n_halvings=1)
    with database.write() as session:
        runs.requeue(session, taken.token, taken.runs[0].id, error=TOO_LARGE, refund_attempt=True, need=need)
        assert not runs.is_any_due(session, device_class="cpu", memory_bytes=2000)
        assert runs.is_any_due(session, device_class="gpu", memory_bytes=2000)
    assert claim(database, device_class="cpu", memory_bytes=2000) is None
    again = claim(database, device_class="gpu", memory_bytes=1000)
    assert again is not None
    assert (again.runs[0].attempt, again.n_halvings) == (1, 1)


def test_workers_that_claim_at_once_share_no_model_and_leave_none(database: Database) -> None:
    """Batches of many runs and many claims at one moment: no batch is torn, no claim comes back empty too early."""
    for number in range(30):
        submit(database, f"m/{number}", *"abcdef")
    barrier = Barrier(10)

    def work(_: int) -> list[Claim]:
        barrier.wait()
        taken = []
        while found := claim(database):
            taken.append(found)
        return taken

    with ThreadPoolExecutor(10) as pool:
        claims = [one for taken in pool.map(work, range(10)) for one in taken]
    assert sorted(len(one.runs) for one in claims) == [6] * 30
    assert len({one.model_id for one in claims}) == 30


def test_no_step_of_a_claim_reads_the_whole_queue(database: Database) -> None:
    """Plans, not times: every statement about runs finds its rows by an index."""
    fill(database, 5_000)
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", note)
    assert claim(database, device_class="cpu", memory_bytes=1000) is not None
    with database.read() as session:
        assert runs.is_any_due(session, device_class="cpu", memory_bytes=1000)
        assert not runs.is_any_overdue(session)
    sa.event.remove(database.engine, "before_cursor_execute", note)
    about_runs = [(text, values) for text, values in seen if "FROM runs" in text or "UPDATE runs" in text]
    assert len(about_runs) >= 7
    for text, values in about_runs:
        plan = explain(database, text, values)
        assert not re.search(r"SCAN runs$|Seq Scan on runs", plan, flags=re.MULTILINE), plan
    for text, values in seen:
        if "FROM jobs" in text or "UPDATE jobs" in text:
            assert "ix_jobs_status" not in explain(database, text, values)
    front = explain(database, *about_runs[0])
    assert "ix_runs_queue" in front
    assert "Sort" not in front
    assert "TEMP B-TREE" not in front


def fill(database: Database, n_jobs: int) -> None:
    """A queue of jobs of one run each."""
    job = submit(database, "first")
    with database.write() as session:
        for table, key in (("runs", "id"), ("jobs", "id")):
            copy_rows(session, table, key, n_jobs)
        links = sa.text(
            "INSERT INTO job_runs (job_id, run_id, position) SELECT j.id, r.id, 0 FROM jobs j JOIN runs r "
            "ON r.model_id = j.model_id WHERE j.id <> :job"
        )
        session.execute(sa.text("UPDATE jobs SET model_id = id WHERE id LIKE 'copy_%'"))
        session.execute(sa.text("UPDATE runs SET model_id = id WHERE id LIKE 'copy_%'"))
        session.execute(links, {"job": job.id})
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("ANALYZE"))


def copy_rows(session: Any, table: str, key: str, n_rows: int) -> None:
    """Copies of a table's only row under new ids, its unique keys with them."""
    columns = [column["name"] for column in sa.inspect(session.connection()).get_columns(table)]
    made = {key: "'copy_' || n.n", "request_key": "'copy_' || n.n", "batch_key": "'copy_' || n.n"}
    chosen = ", ".join(made.get(name, f"t.{name}") for name in columns)
    numbers = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < :n)"
    if session.get_bind().dialect.name == "sqlite":
        text = f"{numbers} INSERT INTO {table} ({', '.join(columns)}) SELECT {chosen} FROM {table} t, n"
    else:
        text = f"INSERT INTO {table} ({', '.join(columns)}) {numbers} SELECT {chosen} FROM {table} t, n"
    session.execute(sa.text(text), {"n": n_rows})


def explain(database: Database, text: str, values: Any) -> str:
    word = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql(word + text, values).all()
    return "\n".join(str(row[-1]) for row in rows) + "\n"


def test_an_idle_look_waits_for_no_writer(database: Database) -> None:
    submit(database)
    with database.write(), database.read() as session:
        assert runs.is_any_due(session)
