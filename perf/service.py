"""The service as people run it, on either stack, for measurements over HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from broca import Client
from storage.engine import Database
from tests.servers import postgres_server, redis_server

START_TIMEOUT_S = 120.0
NOT_INHERITED = {"BROCA_DATABASE_URL", "BROCA_BROKER_URL", "BROCA_DATA_DIR", "BROCA_HOST", "BROCA_URL"}
STACKS = ("SQLite", "PostgreSQL")


@dataclass(frozen=True, kw_only=True)
class Service:
    """A running server: where it listens, its process, its database, and how workers for it are started."""

    url: str
    pid: int
    database: Database
    environment: Mapping[str, str]

    @contextlib.contextmanager
    def worker(self) -> Iterator[None]:
        """One worker as long as the block lasts."""
        process = subprocess.Popen([sys.executable, "-m", "broca", "worker"], env=dict(self.environment))
        try:
            yield
        finally:
            process.terminate()
            process.wait()

    def memory_bytes(self) -> int:
        """What the server's process has of the machine's memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def running(stack: str) -> Iterator[Service]:
    """A server without a worker, with a database of its own that keeps what it is told also when the power fails."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as servers:
        folder = Path(name)
        environment = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
        environment |= {"BROCA_DATA_DIR": str(folder / "data"), "BROCA_UNTRAINED_TWINS": "false"}
        if stack == "PostgreSQL":
            postgres = servers.enter_context(postgres_server(durable=True))
            redis = servers.enter_context(redis_server())
            environment |= {"BROCA_DATABASE_URL": postgres.url(), "BROCA_BROKER_URL": redis.url}
        url, pid = servers.enter_context(serving(environment))
        database = Database(environment.get("BROCA_DATABASE_URL", f"sqlite:///{folder / 'data' / 'broca.db'}"))
        yield Service(url=url, pid=pid, database=database, environment=environment)
        database.dispose()


@contextlib.contextmanager
def serving(environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """One server process as long as the block lasts: where it listens, and its id."""
    with tempfile.TemporaryDirectory() as name:
        ready = Path(name) / "ready.json"
        command = [sys.executable, "-m", "broca", "serve", "--no-worker", "--port", "0", "--ready-file", str(ready)]
        process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + START_TIMEOUT_S
            while not ready.exists():
                assert process.poll() is None, "the server ended before it was ready"
                assert time.monotonic() < deadline, "the server is not ready in time"
                time.sleep(0.05)
            yield json.loads(ready.read_text())["url"], process.pid
        finally:
            process.terminate()
            process.wait()


def first_score(service: Service) -> str:
    """The id of a real score, made by a worker."""
    return _scored(service, force=False)


def another_score(service: Service) -> str:
    """The id of a real score that supersedes the first one."""
    return _scored(service, force=True)


def _scored(service: Service, *, force: bool) -> str:
    with service.worker(), Client(service.url) as client:
        job = client.wait(client.submit("demo/tiny", ["demo-reading"], force=force).id, timeout_s=300)
    score_id = job.runs[0].score
    assert score_id is not None, job.error
    return score_id
