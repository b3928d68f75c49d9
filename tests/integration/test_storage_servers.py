from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from kombu import Connection

from tests import servers

ROOT = Path(__file__).parents[2]


def test_redis_takes_messages_at_the_address_of_the_fixture(redis_url: str) -> None:
    with Connection(redis_url) as connection:
        queue = connection.SimpleQueue("bells")
        queue.put({"ring": 1})
        assert queue.get(timeout=5).payload == {"ring": 1}
        queue.close()


def test_closed_environment_is_copied_for_the_servers_user(monkeypatch: pytest.MonkeyPatch) -> None:
    installed_runs = iter([False])
    monkeypatch.setattr(servers, "_runs", lambda binary: next(installed_runs))
    with servers.postgres_server() as postgres:
        assert str(postgres.server.folder) in postgres.server.command[0]
        postgres.execute("SELECT 1")


def test_killed_postgres_keeps_what_was_committed() -> None:
    with servers.postgres_server() as postgres:
        postgres.execute("CREATE TABLE kept (number int)")
        postgres.server.kill()
        with pytest.raises(psycopg.OperationalError):
            postgres.execute("SELECT 1")
        postgres.server.start()
        postgres.execute("SELECT number FROM kept")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_servers_stop_when_the_tests_are_killed() -> None:
    code = (
        "import time; from tests.servers import postgres_server, redis_server\n"
        "with postgres_server() as p, redis_server() as r:\n"
        "    print(p.server.process.pid, r.server.process.pid, p.server.folder, r.server.folder, flush=True)\n"
        "    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        postgres_pid, redis_pid, *folders = parent.stdout.readline().split()
        parent.send_signal(signal.SIGKILL)
    try:
        deadline = time.monotonic() + 15
        while _is_alive(int(postgres_pid)) or _is_alive(int(redis_pid)):
            assert time.monotonic() < deadline, "a server outlived the tests"
            time.sleep(0.05)
    finally:
        for folder in folders:
            subprocess.run(["rm", "-rf", folder], check=True)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
