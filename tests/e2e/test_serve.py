"""`broca serve` as users start it: it scores, it answers, and nothing outlives it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from broca import Client
from tests.serving import TIMEOUT_S, processes_of, serving, wait_for


def broca(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "broca", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def test_a_model_is_scored_and_listed_and_sigterm_leaves_nothing_behind(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        scored = broca("score", "demo/tiny", "-b", "demo-fmri", "-b", "demo-reading", "--json", "--server", served.url)
        assert scored.returncode == 0, scored.stderr + served.log.read_text()
        found = json.loads(scored.stdout)
        assert {score["benchmark"]["id"] for score in found["scores"]} == {"demo-fmri", "demo-reading"}
        assert all(score["raw"] > 0 for score in found["scores"])
        with Client(served.url) as client:
            curve = client.layers(next(score["id"] for score in found["scores"] if score["layer"]))
            assert len(curve) >= 2
            assert client.models()[0].id == "demo/tiny"
            assert [job.id for job in client.jobs(status="succeeded", page_size=1)] == [found["job"]["id"]]
            assert {benchmark.id for benchmark in client.benchmarks() if benchmark.synthetic} >= {"demo-fmri"}
        board = broca("leaderboard", "--csv", "--synthetic", "--server", served.url)
        assert board.returncode == 0, board.stderr
        rows = list(csv.reader(io.StringIO(board.stdout)))
        assert len(rows) == 2
        assert "demo/tiny" in rows[1]
        assert broca("score", "demo/tiny", "-b", "demo-fmr", "--server", served.url).returncode == 2
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(timeout=TIMEOUT_S) == 0
        wait_for(lambda: not processes_of(served.data_dir), timeout_s=5)
        assert not (tmp_path / "ready.json").exists()


def test_a_job_is_followed_to_its_end_and_its_scores_are_named(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        asked = ("--server", served.url)
        job_id = broca("score", "demo/tiny", "-b", "demo-reading", "--no-wait", "-q", *asked).stdout.strip()
        followed = broca("logs", job_id, "--follow", *asked)
        assert followed.returncode == 0, followed.stderr
        said = [" ".join(line.split()[2:]) for line in followed.stdout.splitlines()]
        assert said[0] == "job waits for a worker"
        assert said[-1] == "job has ended: every run has a score"
        assert any(line.startswith("demo-reading has a score, score score_") for line in said)
        assert broca("logs", job_id, *asked).stdout == followed.stdout, "what was, is told as it was when it happened"
        score_id = broca("wait", job_id, "-q", *asked).stdout.strip()
        assert broca("jobs", "show", job_id, "-q", *asked).stdout.strip() == score_id
        shown = broca("scores", "show", score_id, "--json", *asked)
        assert json.loads(shown.stdout)["benchmark"]["id"] == "demo-reading"
        assert broca("jobs", "-q", "--status", "succeeded", *asked).stdout.split() == [job_id]


def test_kill_9_of_the_server_leaves_nothing_behind_even_while_scoring(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        with Client(served.url) as client:
            job = client.submit("demo/tiny", ["demo-fmri"])
            wait_for(lambda: client.job(job.id).status == "running")
        assert len(processes_of(served.data_dir)) >= 2
        served.process.kill()
        served.process.wait()
        wait_for(lambda: not processes_of(served.data_dir), timeout_s=40)


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        wait_for(lambda: len(processes_of(served.data_dir)) >= 2)
        workers = processes_of(served.data_dir) - {served.process.pid}
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: bool(processes_of(served.data_dir) - {served.process.pid} - workers))


def test_without_a_worker_jobs_wait(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-worker") as served, Client(served.url) as client:
        assert processes_of(served.data_dir) == {served.process.pid}
        job = client.submit("demo/tiny", ["demo-fmri"])
        assert client.job(job.id).status == "queued"
        assert client.cancel(job.id).status == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "broca", "demo"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: any(tmp_path.glob("broca-demo-*/ready.json")))
    process.send_signal(number)
    assert process.wait(timeout=TIMEOUT_S) == 128 + number
    wait_for(lambda: not processes_of(tmp_path), timeout_s=5)
    assert list(tmp_path.iterdir()) == []
