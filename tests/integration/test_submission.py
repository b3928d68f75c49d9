"""Jobs that are written together: one transaction, and each order as if it had come alone."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa

from api.submission import Submissions
from storage import events, jobs
from storage.engine import Database
from storage.errors import IdempotencyKeyReused, TooManyJobs
from storage.idempotency import Key
from storage.jobs import NewJob
from storage.states import RunStatus
from storage.submission import Order, Submitted, submit_all
from storage.tables import JobRow, JobRunRow, RunRow

CAP = 1000


def order(model_id: str = "gpt2", *, key: Key | None = None, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "model_id": model_id,
        "requested_revision": None,
        "benchmarks": (("demo-fmri", 1), ("demo-reading", 1)),
        "protocol": "grouped",
        "scoring_version": "1",
    }
    return Order(new_job=NewJob(**(fields | changes)), key=key)


def written(database: Database, *orders: Order, cap: int = CAP) -> list[Any]:
    with database.write() as session:
        answers = submit_all(session, orders, max_live_jobs=cap)
    return [answers[one] for one in orders]


def count(database: Database, table: type[JobRow] | type[RunRow] | type[JobRunRow]) -> int:
    with database.read() as session:
        return session.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_orders_for_the_same_share_runs_and_others_get_their_own(database: Database) -> None:
    answers = written(database, order(), order("gpt2-medium"), order())
    assert [answer.is_new for answer in answers] == [True, True, True]
    assert (count(database, JobRow), count(database, RunRow), count(database, JobRunRow)) == (3, 4, 6)
    with database.read() as session:
        first, other, second = (jobs.get(session, answer.job_id) for answer in answers)
        assert [run.id for run in first.runs] == [run.id for run in second.runs]
        assert not {run.id for run in first.runs} & {run.id for run in other.runs}
        assert [run.benchmark for run in first.runs] == ["demo-fmri", "demo-reading"]
        told = events.list_events(session, second.id)
    assert [(event.seq, event.type) for event in told] == [(1, "job.queued")]


def test_a_run_is_as_urgent_and_waits_as_long_as_those_together_want_that_ask_at_once(database: Database) -> None:
    written(database, order(priority=7, expires_in_s=60), order(priority=2), order(priority=5, is_background=True))
    with database.read() as session:
        runs = session.scalars(sa.select(RunRow)).all()
    assert {(run.priority, run.expires_at, run.is_background) for run in runs} == {(2, None, False)}
    written(database, order(priority=1))
    with database.read() as session:
        assert set(session.scalars(sa.select(RunRow.priority))) == {1}


def test_one_key_brings_one_job_however_often_it_comes_at_once(database: Database) -> None:
    key, other_body = Key(name=("", "k"), body_sha256="a"), Key(name=("", "k"), body_sha256="b")
    of_another = Key(name=("key_2", "k"), body_sha256="b")
    made, again, reused, foreign = written(
        database, order(key=key), order(key=key), order("gpt2-xl", key=other_body), order("gpt2-xl", key=of_another)
    )
    assert (made.is_new, again) == (True, Submitted(job_id=made.job_id, cached=False, is_new=False))
    assert isinstance(reused, IdempotencyKeyReused)
    assert foreign.is_new
    later, refused = written(database, order(key=key), order(key=other_body))
    assert (later.job_id, later.is_new) == (made.job_id, False)
    assert isinstance(refused, IdempotencyKeyReused)
    assert count(database, JobRow) == 2


def test_who_is_refused_for_too_many_jobs_takes_nobody_elses_place(database: Database) -> None:
    mine = [order(f"model-{number}", owner="key_1") for number in range(4)]
    answers = written(database, *mine, order("other", owner="key_2"), order("free"), cap=3)
    assert [isinstance(answer, TooManyJobs) for answer in answers] == [False, False, False, True, False, False]
    (refused,) = written(database, order("more", owner="key_1", key=Key(name=("key_1", "k"), body_sha256="a")), cap=3)
    assert isinstance(refused, TooManyJobs)
    with database.write() as session:
        jobs.cancel(session, answers[0].job_id)
    (made,) = written(database, order("more", owner="key_1", key=Key(name=("key_1", "k"), body_sha256="a")), cap=3)
    assert made.is_new


def test_processes_that_submit_the_same_at_once_share_its_runs_and_its_key(database: Database) -> None:
    n_processes, n_rounds, together = 8, 25, threading.Barrier(8)

    def submit(number: int) -> list[list[Any]]:
        own = Database(database.url.render_as_string(hide_password=False))
        answers = []
        try:
            for turn in range(n_rounds):
                names = [f"model-{turn}-{place}" for place in range(5)]
                orders = [order(name) for name in (names if number % 2 else reversed(names))]
                keyed = order(f"keyed-{turn}", key=Key(name=("", f"k{turn}"), body_sha256="a"))
                together.wait(timeout=60)
                answers.append(written(own, *orders, keyed))
        finally:
            own.dispose()
        return answers

    with ThreadPoolExecutor(n_processes) as pool:
        answers = list(pool.map(submit, range(n_processes)))
    for of_turn in zip(*answers, strict=True):
        assert len({keyed.job_id for *_, keyed in of_turn}) == 1
        assert sum(keyed.is_new for *_, keyed in of_turn) == 1
    assert count(database, RunRow) == n_rounds * 2 * (5 + 1)
    assert count(database, JobRow) == n_rounds * (n_processes * 5 + 1)


def test_an_order_that_cannot_be_written_spoils_no_other(database: Database) -> None:
    async def submit() -> list[Submitted | BaseException]:
        submissions = Submissions(database, max_live_jobs=CAP)
        orders = (order("first"), order("second"), order("bad", priority=2**70), order("third"))
        answers = await asyncio.gather(*map(submissions.submit, orders), return_exceptions=True)
        await submissions.close()
        return answers

    first, second, bad, third = asyncio.run(submit())
    assert all(isinstance(answer, Submitted) and answer.is_new for answer in (first, second, third))
    assert isinstance(bad, Exception)
    assert count(database, JobRow) == 3


def test_a_job_that_joins_a_running_one_is_told_so_in_order(database: Database) -> None:
    written(database, order())
    with database.write() as session:
        session.execute(sa.update(RunRow).values(status=RunStatus.RUNNING))
    (joined,) = written(database, order())
    with database.read() as session:
        job = jobs.get(session, joined.job_id)
        told = events.list_events(session, joined.job_id)
    assert (job.status.value, job.started_at) == ("running", job.created_at)
    assert [(event.seq, event.type) for event in told] == [(1, "job.queued"), (2, "job.running")]


def test_live_runs_are_found_by_their_index(database: Database) -> None:
    asked: list[tuple[str, Any]] = []
    sa.event.listen(database._writing_engine, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
    written(database, order())
    ((lookup, values),) = [one for one in asked if one[0].startswith("SELECT") and "runs.request_key IN" in one[0]]
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    with database.write() as session:
        if not database.is_sqlite:
            session.execute(sa.text("SET LOCAL enable_seqscan = off"))
        plan = session.connection().exec_driver_sql(f"{explain} {lookup}", values).all()
    assert "uq_runs_request_key_live" in str(plan)
