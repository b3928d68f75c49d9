"""Bells on the disk: whole or not there, and never the end of a worker."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event, Thread

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError

from broca import Client
from tests.serving import serving, wait_for
from worker.file_bells import TRANSPORT

FOLDERS = ("messages", "control")


@pytest.fixture
def connection(tmp_path: Path) -> Connection:
    """Of this test's folder; kombu remembers queues by name for the whole process, so each test names its own."""
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    messages = str(tmp_path / "messages")
    options: dict[str, object] = {
        "data_folder_in": messages,
        "data_folder_out": messages,
        "control_folder": str(tmp_path / "control"),
    }
    options["polling_interval"] = 0.01
    return Connection("filesystem://", transport=TRANSPORT, transport_options=options)


def test_a_bell_arrives(connection: Connection) -> None:
    with connection, connection.SimpleQueue("whole") as queue:
        queue.put({"ring": 1})
        assert queue.get(timeout=30).payload == {"ring": 1}


def test_a_bell_that_was_cut_off_is_passed_over(connection: Connection, tmp_path: Path) -> None:
    with connection, connection.SimpleQueue("cut") as queue:
        for content in (b"", b'{"body": "eyJ'):
            (tmp_path / "messages" / f"0_{len(content)}.cut.msg").write_bytes(content)
        queue.put({"ring": 2})
        assert queue.get(timeout=30).payload == {"ring": 2}


def test_a_damaged_table_of_queues_is_made_anew(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "control" / "table.exchange").write_bytes(b"")
    with connection, connection.SimpleQueue("table") as queue:
        queue.put({"ring": 3})
        assert queue.get(timeout=30).payload == {"ring": 3}


def test_no_reader_sees_half_a_bell(connection: Connection, tmp_path: Path) -> None:
    """A reader that takes files as soon as their names appear, beside a writer of large ones."""
    seen: list[int] = []
    done = Event()

    def read() -> None:
        while not done.is_set():
            for path in (tmp_path / "messages").glob("*.msg"):
                seen.append(path.stat().st_size)
                path.unlink()

    reader = Thread(target=read)
    reader.start()
    try:
        with connection, connection.SimpleQueue("half") as queue:
            for _ in range(300):
                queue.put({"ring": "x" * 1000})
            deadline = time.monotonic() + 10
            while len(seen) < 300 and time.monotonic() < deadline:
                time.sleep(0.01)
    finally:
        done.set()
        reader.join()
    assert len(seen) == 300
    assert min(seen) > 1000


def test_an_unwritable_folder_is_an_error_of_the_broker(connection: Connection, tmp_path: Path) -> None:
    with connection:
        queue = connection.SimpleQueue("closed")
        (tmp_path / "messages").rmdir()
        with pytest.raises((OSError, OperationalError)):
            queue.put({"ring": 4})


def test_a_worker_outlives_a_bell_that_was_cut_off(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-worker", BROCA_POLL_S="0.5") as served, Client(served.url) as client:
        messages = served.data_dir / "broker" / "messages"
        worker = served.start_worker()
        assert client.wait(client.submit("demo/tiny", ["demo-reading"]).id).has_succeeded
        damaged = messages / "0_0.broca.msg"
        damaged.write_bytes(b"")
        wait_for(lambda: not damaged.exists())
        assert client.wait(client.submit("demo/tiny", ["demo-fmri"]).id).has_succeeded
        assert worker.poll() is None
