"""HTTP in, scores out, through every process: on PostgreSQL and Redis, from a hub, and with workers that die."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from broca import Client
from scoring.subjects import demo_model
from tests.fake_hub import FakeHub, Fault
from tests.serving import processes_of, serving, wait_for

DEMOS = ["demo-fmri", "demo-reading"]
PATIENT = {"BROCA_LEASE_S": "3", "BROCA_BEAT_S": "0.5", "BROCA_BACKOFF_S": "0.1"}


@pytest.fixture(params=["embedded", "postgresql and redis"])
def stack(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """The environment variables that choose the stack; nothing else differs."""
    if request.param == "embedded":
        return {}
    urls = {"BROCA_DATABASE_URL": "empty_postgres_url", "BROCA_BROKER_URL": "redis_url"}
    return {name: request.getfixturevalue(fixture) for name, fixture in urls.items()}


def test_the_same_job_runs_on_either_stack_by_environment_variables_alone(
    tmp_path: Path, stack: Mapping[str, str]
) -> None:
    with serving(tmp_path, **stack) as served, Client(served.url) as client:
        seen: set[str | None] = set()
        job = client.wait(
            client.submit("demo/tiny", DEMOS, labels={"purpose": "test"}).id,
            lambda now: seen.add(now.progress.stage if now.progress else None),
        )
        assert job.has_succeeded
        assert "load" in seen
        scores = {score.benchmark.id: score for score in (client.score(str(run.score)) for run in job.runs)}
        assert scores["demo-fmri"].raw == pytest.approx(0.32, abs=0.02)
        assert scores["demo-reading"].raw == pytest.approx(0.638, abs=0.005)
        again = client.submit("demo/tiny", DEMOS)
        assert again.cached
        assert [run.score for run in again.runs] == [run.score for run in job.runs]
        assert client.leaderboard().data == ()
        (row,) = client.leaderboard(include_synthetic=True).data
        assert row.scores["demo-reading"].score == scores["demo-reading"].id
        assert httpx.get(f"{served.url}/readyz").json()["broker"] is not None


def test_a_job_outlives_the_kill_of_its_worker(tmp_path: Path, stack: Mapping[str, str]) -> None:
    with serving(tmp_path, "--no-worker", **stack, **PATIENT) as served, Client(served.url) as client:
        job_id = client.submit("demo/tiny", DEMOS).id
        assert "waiting for a worker" in str(httpx.get(f"{served.url}/v1/jobs/{job_id}").json()["progress"]["detail"])
        first = served.start_worker()
        wait_for(lambda: processes_of(served.data_dir, "worker.pipeline"))
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        wait_for(lambda: not processes_of(served.data_dir, "worker.pipeline"), timeout_s=15)
        served.start_worker()
        job = client.wait(job_id)
        assert job.has_succeeded
        assert {run.attempt for run in job.runs} == {2}
        assert len({run.score for run in job.runs}) == len(DEMOS)
        events = httpx.get(f"{served.url}/v1/jobs/{job_id}/events").json()["data"]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert sum(event["type"] == "run.succeeded" for event in events) == len(DEMOS)


@pytest.mark.usefixtures("data_mirror", "model_dir")
def test_real_models_keep_their_scores_through_a_killed_worker(tmp_path: Path) -> None:
    """The real job, with its worker killed in the middle of it and another one started."""
    with serving(tmp_path, "--no-worker", **PATIENT) as served, Client(served.url, timeout_s=60) as client:
        job_id = client.submit("local/stories260K", ["futrell2018", "pereira2018-example"]).id
        first = served.start_worker()
        wait_for(lambda: client.job(job_id).progress.stage == "fit")
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        served.start_worker()
        job = client.wait(job_id)
        assert job.has_succeeded, job.error
        scores = {score.benchmark.id: score for score in (client.score(str(run.score)) for run in job.runs)}
        assert scores["futrell2018"].measures["pearson_realigned_sum"] == pytest.approx(0.313, abs=0.005)
        assert scores["futrell2018"].measures["pearson_published_sum"] == pytest.approx(0.373, abs=0.005)
        assert scores["futrell2018"].word_probability == "boundary"
        assert scores["pereira2018-example"].raw == pytest.approx(0.118, abs=0.01)
        assert scores["pereira2018-example"].ceiling.reason == "one participant gives no inter-subject ceiling"
        curve = client.layers(scores["pereira2018-example"].id)
        assert (curve[0].name, curve[0].raw, curve[0].reason) == ("embed", None, "undefined")
        assert client.submit("local/stories260K", ["futrell2018", "pereira2018-example"]).cached


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[FakeHub]:
    folder = tmp_path / "upstream"
    demo_model.build(folder)
    only_bin = tmp_path / "only-bin"
    demo_model.build(only_bin)
    (only_bin / "model.safetensors").rename(only_bin / "pytorch_model.bin")
    other = tmp_path / "other"
    demo_model.build(other)
    (other / "config.json").write_text('{"model_type": "mamba"}')
    with FakeHub() as running:
        running.add("org/good", folder)
        running.add("org/gated", folder, fault=Fault.GATED)
        running.add("org/only-bin", only_bin)
        running.add("org/mamba", other)
        yield running


def test_models_of_a_hub_are_scored_and_refused_with_their_codes(tmp_path: Path, hub: FakeHub) -> None:
    settings = {"HF_ENDPOINT": hub.url, "NO_PROXY": "127.0.0.1", **PATIENT}
    with serving(tmp_path, **settings) as served, Client(served.url) as client:
        refused = {
            "org/missing": "model_not_found",
            "org/gated": "model_gated",
            "org/only-bin": "no_safetensors",
            "org/mamba": "architecture_unsupported",
        }
        jobs = {name: client.submit(name, ["demo-reading"]).id for name in refused}
        for name, code in refused.items():
            job = client.wait(jobs[name])
            assert job.status == "failed"
            assert job.error is not None
            assert (job.error.code, bool(job.error.detail)) == (code, True), name
        assert hub.n_weights_served == 0
        good = client.wait(client.submit("org/good", ["demo-reading"]).id)
        assert good.has_succeeded, good.error
        assert good.model.revision is not None
        by_sha = client.submit("org/good", ["demo-reading"], revision=good.model.revision)
        assert by_sha.cached
        lost = client.wait(client.submit("org/good", ["demo-reading"], revision="no-such-branch").id)
        assert lost.error is not None
        assert lost.error.code == "revision_not_found"
