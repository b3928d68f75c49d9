"""The demonstration: a server of its own in a temporary folder, a small model, its scores, the leaderboard.

It uses nothing but what every user has: the command line to serve, the client to ask. Nothing is left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from .board import Leaderboard
from .client import Client
from .commands.board import show_board
from .commands.display import progress_view, show_error, show_failed_runs
from .commands.score import show_scores
from .errors import BrocaError, PackageMissing, ServerUnreachable

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 60.0
SCORE_TIMEOUT_S = 3600.0

NEEDED = ("fastapi", "torch")
"""Packages without which a server, or its worker, does not start: an install of the client alone has neither."""

_OWN_SETTINGS = {
    f"BROCA_{name}"
    for name in ("DATABASE_URL", "BROKER_URL", "DATA_DIR", "HOST", "PORT", "URL", "API_KEY", "REQUIRE_KEYS")
}
"""Settings of other servers: the demonstration must never touch their data."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is scored on what, and the sentence that says so."""

    model: str
    benchmarks: tuple[str, ...]
    is_synthetic: bool
    says: str


TINY = Plan(
    model="demo/tiny",
    benchmarks=("demo-fmri", "demo-reading"),
    is_synthetic=True,
    says="A tiny random model on SYNTHETIC (planted) data: this shows the service at work and says nothing of brains.",
)
LOCAL = Plan(
    model="local/stories260K",
    benchmarks=("futrell2018", "pereira2018-example"),
    is_synthetic=False,
    says="A small trained model of BROCA_MODEL_DIR on real reading times and a real recording of BROCA_DATA_MIRROR.",
)
HUB = Plan(
    model="EleutherAI/pythia-70m",
    benchmarks=("futrell2018",),
    is_synthetic=False,
    says="A small model (about 170 MB) is downloaded from the hub, and the Natural Stories reading times from their "
    "authors; set BROCA_MODEL_DIR and BROCA_DATA_MIRROR to use what lies on this machine.",
)


def run(*, is_real: bool) -> int:
    """Show everything; the exit code, 0 only when every score and the leaderboard came. Raises PackageMissing."""
    for package in NEEDED:
        if find_spec(package) is None:
            raise PackageMissing("the demonstration", package, extra="all")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    plan = choose_plan(os.environ) if is_real else TINY
    say(plan.says)
    try:
        with tempfile.TemporaryDirectory(prefix="broca-demo-") as folder, server(Path(folder)) as url:
            say(f"A server runs at {url} (docs: {url}/docs).")
            with Client(url, api_key="") as client:
                has_succeeded = score_and_show(client, plan)
    except BrocaError as error:
        show_error(error)
        return 1
    except KeyboardInterrupt:
        say("Interrupted; the server and its worker are stopped.")
        return 130
    say("The server is stopped and its folder removed." if has_succeeded else "The demonstration FAILED.")
    return 0 if has_succeeded else 1


def choose_plan(environment: Mapping[str, str]) -> Plan:
    """What can be scored for real: what lies on this machine, else what the hub has."""
    is_here = environment.get("BROCA_MODEL_DIR") and environment.get("BROCA_DATA_MIRROR")
    return LOCAL if is_here else HUB


def score_and_show(client: Client, plan: Plan) -> bool:
    """Score, watch, show; whether everything came."""
    job = client.submit(plan.model, plan.benchmarks)
    say(f"POST /v1/jobs: {plan.model} on {', '.join(plan.benchmarks)} is job {job.id}.")
    with progress_view() as show:
        job = client.wait(job.id, show, timeout_s=SCORE_TIMEOUT_S)
    show_scores(client, [client.score(run.score) for run in job.runs if run.score is not None])
    show_failed_runs(job)
    if not job.has_succeeded:
        return False
    board = client.leaderboard(include_synthetic=plan.is_synthetic)
    show_board(client, board)
    return is_complete(board, plan)


def is_complete(board: Leaderboard, plan: Plan) -> bool:
    """Whether the leaderboard has a value of the plan's model in every one of its columns."""
    row = next((row for row in board.data if row.model.id == plan.model), None)
    return row is not None and all(
        name in row.scores and row.scores[name].value is not None for name in plan.benchmarks
    )


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """The address of a server that lives in the folder as long as the block, and not longer than this process."""
    ready_file, log = folder / "ready.json", folder / "server.log"
    command = [sys.executable, "-m", "broca", "serve", "--host", "127.0.0.1", "--port", "0", "--stop-with-stdin"]
    command += ["--data-dir", str(folder / "data"), "--ready-file", str(ready_file)]
    environment = {name: value for name, value in os.environ.items() if name not in _OWN_SETTINGS}
    environment["BROCA_UNTRAINED_TWINS"] = "false"  # the server ends with the first score: nobody would see them
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=stream, stderr=stream, start_new_session=True
        )
        try:
            yield _wait_until_ready(process, ready_file, log)
        finally:
            _stop(process)


def say(sentence: str) -> None:
    """One line about what is going on."""
    print(sentence, flush=True)


def _wait_until_ready(process: subprocess.Popen[bytes], ready_file: Path, log: Path) -> str:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        if ready_file.exists():
            return str(json.loads(ready_file.read_text("utf8"))["url"])
        time.sleep(0.1)
    tail = log.read_text("utf8", errors="replace")[-4000:]
    raise ServerUnreachable("the server did not become ready", hint=f"it said:\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the server warmly; killed, its worker sees its pipe close and stops as well."""
    process.terminate()
    try:
        process.wait(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        if process.stdin is not None:
            process.stdin.close()
