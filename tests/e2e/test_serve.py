"""`broca serve` as users start it: it scores, it answers, and nothing outlives it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from broca import Client

TIMEOUT_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Served:
    """A running `broca serve`."""

    process: subprocess.Popen[bytes]
    url: str
    data_dir: Path
    log: Path


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Served]:
    ready, log, data_dir = folder / "ready.json", folder / "log", folder / "data"
    command = [sys.executable, "-m", "broca", "serve", "--port", "0", "--data-dir", str(data_dir)]
    hidden = {"BROCA_DATABASE_URL", "BROCA_BROKER_URL", "BROCA_DATA_DIR", "BROCA_HOST", "BROCA_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command, "--ready-file", str(ready), *options], env=environment, stdout=stream, stderr=stream
        )
        try:
            wait_for(lambda: ready.exists() or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            told = json.loads(ready.read_text())
            assert told["pid"] == process.pid
            assert told["data_dir"] == str(data_dir)
            yield Served(process=process, url=told["url"], data_dir=data_dir, log=log)
        finally:
            process.terminate()
            process.wait(timeout=TIMEOUT_S)
            wait_for(lambda: not processes_of(data_dir))


def wait_for(condition: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def processes_of(data_dir: Path) -> set[int]:
    """Processes whose arguments or environment name the data folder, other than those that are over."""
    needle, found = str(data_dir).encode(), set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if needle in (entry / "cmdline").read_bytes() or needle in (entry / "environ").read_bytes():
                found.add(int(entry.name))
        except OSError:
            continue
    return found


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
