"""Requests at the same moment, and requests while the database or the broker is away, over real HTTP."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from broca import Client
from storage import runs
from storage.engine import Database
from storage.runs import Problem
from tests.servers import Postgres, Redis, postgres_server, redis_server
from tests.serving import Served, serving, wait_for

READING: Mapping[str, Any] = {"model": "demo/tiny", "benchmarks": ["demo-reading"]}
N_RACES = 60


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """One for all requests: to make another costs more than to send what is sent here."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(params=["embedded", "postgresql and redis"])
def stack(request: pytest.FixtureRequest) -> Mapping[str, str]:
    if request.param == "embedded":
        return {}
    urls = {"BROCA_DATABASE_URL": "empty_postgres_url", "BROCA_BROKER_URL": "redis_url"}
    return {name: request.getfixturevalue(fixture) for name, fixture in urls.items()}


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    with redis_server() as server:
        yield server


def post(http: httpx.Client, served: Served, **changes: Any) -> httpx.Response:
    return http.post(f"{served.url}/v1/jobs", json={**READING, **changes})


def broker_of(http: httpx.Client, served: Served) -> str:
    """How the broker is, as `/readyz` says."""
    return str(http.get(f"{served.url}/readyz").json()["broker"])


@pytest.mark.parametrize("force", [False, True])
def test_two_hundred_identical_posts_at_once_make_one_run(
    http: httpx.Client, tmp_path: Path, stack: Mapping[str, str], force: bool
) -> None:
    with serving(tmp_path, "--no-worker", **stack) as served:
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda _: post(http, served, force=force), range(200)))
        assert {answer.status_code for answer in answers} == {202}
        submitted = [answer.json() for answer in answers]
        assert len({job["id"] for job in submitted}) == 200
        assert len({run["id"] for job in submitted for run in job["runs"]}) == 1


def test_cancels_against_finishes_over_http_end_each_job_once(
    http: httpx.Client, tmp_path: Path, stack: Mapping[str, str]
) -> None:
    """This test is the worker: it ends the run in the database while the job is cancelled over HTTP."""
    failure = Problem(code="internal", detail="planted")
    with serving(tmp_path, "--no-worker", **stack) as served:
        database = Database(stack.get("BROCA_DATABASE_URL", f"sqlite:///{served.data_dir / 'broca.db'}"))
        try:
            with ThreadPoolExecutor(2) as pool:
                for _ in range(N_RACES):
                    job_id = post(http, served, force=True).json()["id"]
                    with database.write() as session:
                        claim = runs.claim(session, worker="test", lease_s=600)
                    assert claim is not None

                    def finish(claim: runs.Claim = claim) -> bool:
                        with database.write() as session:
                            return runs.fail(session, claim.token, claim.runs[0].id, failure)

                    cancelled = pool.submit(http.post, f"{served.url}/v1/jobs/{job_id}/cancel")
                    finished = pool.submit(finish)
                    status = cancelled.result().json()["status"]
                    assert finished.result() == (status == "failed")
                    assert http.get(f"{served.url}/v1/jobs/{job_id}").json()["status"] == status
                    events = http.get(f"{served.url}/v1/jobs/{job_id}/events").json()["data"]
                    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
                    kinds = [event["type"] for event in events]
                    ends = ("succeeded", "failed", "cancelled", "partially_succeeded")
                    assert [kind for kind in kinds if kind.partition(".")[2] in ends] == [
                        f"run.{status}",
                        f"job.{status}",
                    ]
        finally:
            database.dispose()


def test_submissions_are_refused_with_retry_after_while_postgresql_is_down_and_taken_afterwards(
    http: httpx.Client, tmp_path: Path, own_postgres: Postgres
) -> None:
    with serving(tmp_path, "--no-worker", BROCA_DATABASE_URL=own_postgres.url()) as served:
        before = post(http, served)
        assert before.status_code == 202
        own_postgres.server.stop()
        with ThreadPoolExecutor(20) as pool:
            refused = list(pool.map(lambda _: post(http, served), range(40)))
        assert {answer.status_code for answer in refused} == {503}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
        assert {answer.json()["code"] for answer in refused} == {"database_unavailable"}
        assert all(answer.json()["retryable"] for answer in refused)
        own_postgres.server.start()
        after = post(http, served)
        assert after.status_code == 202
        assert after.json()["runs"][0]["id"] == before.json()["runs"][0]["id"]


@pytest.mark.parametrize("fault", ["frozen", "gone"])
def test_without_redis_submissions_do_not_wait_for_it_and_jobs_finish(
    http: httpx.Client, tmp_path: Path, own_redis: Redis, fault: str
) -> None:
    process = own_redis.server.process
    assert process is not None
    with serving(tmp_path, "--no-worker", BROCA_BROKER_URL=own_redis.url, BROCA_POLL_S="0.5") as served:
        if fault == "frozen":
            process.send_signal(signal.SIGSTOP)
        else:
            own_redis.server.kill()
        try:
            job_ids = [post(http, served, force=True).json()["id"] for _ in range(5)]
            # The bell thread has 5 rings before it and none went out; nobody waited for that.
            assert broker_of(http, served) != "ok"
            with Client(served.url, timeout_s=60) as client:
                served.start_worker()
                assert client.wait(job_ids[0]).has_succeeded
                assert broker_of(http, served) != "ok"
        finally:
            if fault == "frozen":
                process.send_signal(signal.SIGCONT)
            else:
                own_redis.server.start()
        wait_for(lambda: post(http, served, force=True) and broker_of(http, served) == "ok")
