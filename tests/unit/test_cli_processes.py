"""Processes that must not outlive one another: the supervised worker and the watch over stdin."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from broca import worker_process
from broca.board import Leaderboard
from broca.demo import HUB, LOCAL, TINY, Plan, choose_plan, is_complete
from broca.serving import without_password
from broca.worker_process import WorkerProcess

RECORD = "import os, sys; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); "
SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('', flush=True); "
WATCHED = "from broca.parent import stop_when_stdin_closes; stop_when_stdin_closes(grace_s=%s); "


def wait_for(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def pids(record: Path) -> list[int]:
    return [int(line) for line in record.read_text().splitlines()] if record.exists() else []


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_worker_that_crashes_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worker_process, "FIRST_PAUSE_S", 0.01)
    record = tmp_path / "pids"
    worker = WorkerProcess(os.environ, command=(sys.executable, "-c", RECORD + "sys.exit(7)", str(record)))
    worker.start()
    wait_for(lambda: len(pids(record)) >= 3)
    worker.stop()
    n_started = len(pids(record))
    time.sleep(0.2)
    assert len(pids(record)) == n_started, "a stopped worker is not started again"
    assert "ended with code 7" in capfd.readouterr().err


def test_stop_ends_a_worker_warmly(tmp_path: Path) -> None:
    record = tmp_path / "pids"
    worker = WorkerProcess(os.environ, command=(sys.executable, "-c", RECORD + SLEEP, str(record)))
    worker.start()
    wait_for(lambda: bool(pids(record)))
    worker.stop()
    assert not is_alive(pids(record)[0])


def test_stop_kills_a_worker_that_does_not_listen(tmp_path: Path) -> None:
    record = tmp_path / "pids"
    worker = WorkerProcess(os.environ, command=(sys.executable, "-c", DEAF + RECORD + SLEEP, str(record)))
    worker.start()
    wait_for(lambda: bool(pids(record)))
    worker.stop(grace_s=0.2)
    assert not is_alive(pids(record)[0])


@pytest.mark.parametrize(
    ("program", "code"),
    [(WATCHED % 30 + SLEEP, -15), (WATCHED % 0.1 + DEAF + SLEEP, -9)],
    ids=["warmly", "killed when deaf"],
)
def test_a_process_ends_when_its_stdin_closes(program: str, code: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    if "print" in program:
        process.stdout.read(1)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(timeout=10) == code
    process.stdout.close()


def test_passwords_are_not_shown() -> None:
    assert without_password("redis://:secret@host:6379/0") == "redis://:***@host:6379/0"
    assert without_password("postgresql://host/db?user=u&password=secret&a=b").endswith("?user=u&password=***&a=b")
    assert without_password("sqlite:////data/broca.db") == "sqlite:////data/broca.db"


@pytest.mark.parametrize(
    ("environment", "plan"),
    [({}, HUB), ({"BROCA_MODEL_DIR": "/m"}, HUB), ({"BROCA_MODEL_DIR": "/m", "BROCA_DATA_MIRROR": "/d"}, LOCAL)],
)
def test_the_real_demonstration_prefers_what_is_on_this_machine(environment: dict[str, str], plan: Plan) -> None:
    assert choose_plan(environment) is plan


def test_the_demonstration_fails_when_the_leaderboard_lacks_a_score() -> None:
    cells = {"demo-fmri": {"value": 0.5}, "demo-reading": {"value": None, "missing": "timeout"}}
    row = {"model": {"id": "demo/tiny"}, "scores": cells}
    assert not is_complete(Leaderboard.model_validate({"protocol": "grouped", "data": [row]}), TINY)
    assert not is_complete(Leaderboard.model_validate({"protocol": "grouped", "data": []}), TINY)
    cells["demo-reading"] = {"value": 0.1}
    assert is_complete(Leaderboard.model_validate({"protocol": "grouped", "data": [row]}), TINY)
