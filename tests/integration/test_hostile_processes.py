"""A scoring process that turns against its worker: it ends with its code, leaves nothing, and the next job runs.

What it does is done by `sitecustomize`, which Python imports first in every process that finds it on its path.
"""

import os
import textwrap
import time
from pathlib import Path

import pytest

from scoring import SCORING_VERSION
from scoring.benchmarks.base import benchmark_named
from storage import jobs
from storage.jobs import NewJob
from worker.processes import PROC, adopt_orphans
from worker.settings import WorkerSettings
from worker.supervisor import Supervisor

TIMEOUT_S = 180
READING = (("demo-reading", benchmark_named("demo-reading").version),)
ALLOWED_BYTES = 1 << 30

BEGIN = """
import ctypes, os, pathlib, signal, subprocess, sys, time
folder = pathlib.Path({folder!r})
is_hostile = "worker.pipeline" in sys.orig_argv and (folder / "armed").exists()
"""

FORKS = """
if is_hostile:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            (folder / "escaped").write_text(str(os.getpid()))
            os.execve("/bin/sleep", ["sleep", "600"], {})
        os._exit(0)
    while not (folder / "escaped").exists():
        time.sleep(0.01)
    os._exit(1)
"""
SLEEPS = """
if is_hostile:
    time.sleep(600)
"""
ALLOCATES = """
if is_hostile:
    held = []
    while True:
        held.append(bytearray(os.urandom(1 << 20)) * 64)
        time.sleep(0.02)
"""
CHILDREN_ALLOCATE = """
if is_hostile:
    for _ in range(4):
        if os.fork() == 0:
            os.setsid()
            held = bytearray(b"x" * (320 << 20))
            time.sleep(600)
    time.sleep(600)
"""
CRASHES = """
if is_hostile:
    ctypes.string_at(0)
"""
PRINTS = """
if is_hostile:
    while True:
        os.write(1, b"x" * (1 << 20))
"""
PRINTS_ERRORS = """
if is_hostile:
    while True:
        os.write(2, b"x" * (1 << 20))
"""
ANSWERS_WITH_A_PIPE = """
if is_hostile:
    import json
    order = json.loads((pathlib.Path(sys.orig_argv[-1]) / "order.json").read_text())
    run = order["runs"][0]["id"]
    os.mkfifo(pathlib.Path(sys.orig_argv[-1]) / f"{run}.json")
    print(json.dumps({"stage": "record", "fraction": 0.0, "run": run, "ended": True}), flush=True)
    time.sleep(600)
"""


ASKS_FOR_A_PAUSE = """
if is_hostile:
    import json
    order = json.loads((pathlib.Path(sys.orig_argv[-1]) / "order.json").read_text())
    run = order["runs"][0]["id"]
    failure = {"code": "hub_unavailable", "detail": "come back in an hour", "retryable": True, "retry_after_s": 3600}
    (pathlib.Path(sys.orig_argv[-1]) / f"{run}.json").write_text(json.dumps({"failure": failure}))
    print(json.dumps({"stage": "record", "fraction": 0.0, "run": run, "ended": True}), flush=True)
    time.sleep(600)
"""


@pytest.fixture
def database(sqlite_url, open_database):
    return open_database(sqlite_url)


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """Arms scoring processes with this code; `armed` is removed to let them be good again."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(folder), str(Path.cwd()))))

    def arm(code):
        (folder / "sitecustomize.py").write_text(textwrap.dedent(BEGIN.format(folder=str(folder)) + code))
        (folder / "armed").touch()
        return folder

    return arm


@pytest.fixture
def start(tmp_path, sqlite_url, open_database):
    started = []

    def start_one(**changes):
        settings = WorkerSettings(
            data_dir=tmp_path / "home",
            database_url=sqlite_url,
            device="cpu",
            lease_s=20,
            poll_s=0.1,
            backoff_s=0.0,
            max_attempts=2,
            max_memory_bytes=ALLOWED_BYTES,
            untrained_twins=False,
        )
        supervisor = Supervisor(settings.model_copy(update=changes), open_database(sqlite_url))
        started.append(supervisor)
        supervisor.start()
        return settings

    yield start_one
    for supervisor in started:
        supervisor.stop()


def submit(database):
    order = NewJob(
        model_id="demo/tiny",
        requested_revision=None,
        benchmarks=READING,
        protocol="grouped",
        scoring_version=SCORING_VERSION,
    )
    with database.write() as session:
        return jobs.submit(session, order).id


def finished(database, job_id):
    def ended():
        with database.read() as session:
            job = jobs.get(session, job_id)
        return job.finished_at and job

    return until(ended)


def until(condition):
    deadline = time.monotonic() + TIMEOUT_S
    while not (value := condition()):
        assert time.monotonic() < deadline, "what the test waits for did not happen"
        time.sleep(0.05)
    return value


@pytest.mark.parametrize(
    ("code", "ends", "attempts", "says"),
    [
        pytest.param(SLEEPS, "timeout", 1, "longer than 6 s", id="sleeps for ever"),
        pytest.param(ALLOCATES, "out_of_memory", 2, f"{ALLOWED_BYTES} are allowed", id="allocates without end"),
        pytest.param(CHILDREN_ALLOCATE, "out_of_memory", 2, f"{ALLOWED_BYTES} are allowed", id="its children allocate"),
        pytest.param(CRASHES, "worker_lost", 2, "signal SIGSEGV", id="segfaults"),
        pytest.param(PRINTS, "worker_lost", 2, "printed more than", id="prints without end"),
        pytest.param(PRINTS_ERRORS, "worker_lost", 2, "printed more than", id="prints errors without end"),
        pytest.param(ANSWERS_WITH_A_PIPE, "internal", 1, "no answer that can be read", id="answers with a pipe"),
        pytest.param(ASKS_FOR_A_PAUSE, "hub_unavailable", 2, "in an hour", id="asks for a pause"),
    ],
)
def test_a_hostile_scoring_process_ends_with_its_code_and_the_next_job_runs(
    database, hostile, start, code, ends, attempts, says
):
    folder = hostile(code)
    settings = start(**({"run_timeout_s": 6} if ends == "timeout" else {}))
    (run,) = finished(database, submit(database)).runs
    assert (run.status, run.error["code"], run.attempt) == ("failed", ends, attempts), run.error
    assert says in run.error["detail"]
    until(lambda: marked_processes(settings.work_folder) == [])
    if ends != "timeout":
        (folder / "armed").unlink()
        assert finished(database, submit(database)).status == "succeeded"


def marked_processes(folder):
    """Processes whose environment names the folder of an attempt."""
    found = []
    for entry in PROC.glob("[0-9]*"):
        try:
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            if state != "Z" and str(folder).encode() in (entry / "environ").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_a_process_that_left_its_group_its_parent_and_its_environment_is_killed(database, hostile, start):
    """It can be known by nothing but that it came to the worker when its parents died."""
    adopt_orphans()
    folder = hostile(FORKS)
    start(max_attempts=1)
    (run,) = finished(database, submit(database)).runs
    assert run.error["code"] == "worker_lost"
    escaped = int((folder / "escaped").read_text())
    assert not (PROC / str(escaped)).exists()
    (folder / "armed").unlink()
    assert finished(database, submit(database)).status == "succeeded"


def test_half_the_batch_is_tried_once_after_memory_ran_out(database, hostile, start):
    hostile(
        """
if is_hostile:
    import json
    order = json.loads((pathlib.Path(sys.orig_argv[-1]) / "order.json").read_text())
    with (folder / "halvings").open("a") as file:
        file.write(f"{order['n_halvings']} ")
    if order["n_halvings"] == 0:
        held = b"x" * (2 << 30)
        time.sleep(600)
"""
    )
    start(max_attempts=1)
    job = finished(database, submit(database))
    assert job.status == "succeeded"
    assert [(run.n_halvings, run.attempt) for run in job.runs] == [(1, 2)]
