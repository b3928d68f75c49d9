"""Folders that others write to and remove from while they are walked through."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from storage.files import INCOMING, n_bytes, plain_files
from storage.staging import OWNER_FILE, Bounds, Owner, incoming, require_room

WATCHED_S = 1.0


@contextmanager
def uploads_that_come_and_go(folder: Path) -> Iterator[None]:
    """Uploads in folders of their own, gone as soon as they are there."""
    over = Event()

    def bring() -> None:
        while not over.is_set():
            with incoming(folder) as staged:
                for number in range(5):
                    place = staged / str(number) / "deeper"
                    place.mkdir(parents=True)
                    (place / "data.bin").write_bytes(b"12345")
            replaced = folder / "mine" / "2"
            (replaced / "parts").mkdir(parents=True)
            shutil.rmtree(replaced)

    thread = Thread(target=bring)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    kept = tmp_path / "own" / "mine" / "1"
    kept.mkdir(parents=True)
    (kept / "data.bin").write_bytes(b"x" * 1000)
    (kept / OWNER_FILE).write_text("key_1")
    return tmp_path / "own"


def again_and_again(ask: Callable[[], object]) -> None:
    until = time.monotonic() + WATCHED_S
    while time.monotonic() < until:
        ask()


def test_bytes_are_counted_while_folders_vanish(folder: Path) -> None:
    with uploads_that_come_and_go(folder):
        again_and_again(lambda: n_bytes(folder, with_incoming=True))
    assert n_bytes(folder) == 1005


def test_a_quota_is_counted_while_folders_vanish(folder: Path, tmp_path: Path) -> None:
    owner = Owner(key_id="key_1", quota_bytes=10_000, folders=(folder, tmp_path / "not-there"))
    bounds = Bounds(max_bytes=1, quota_bytes=10_000, owner=owner)
    with uploads_that_come_and_go(folder), incoming(folder) as staged:
        again_and_again(lambda: require_room(folder, staged, bounds))
    assert owner.n_bytes() == 1005


def test_files_are_found_while_folders_vanish(folder: Path) -> None:
    with uploads_that_come_and_go(folder):
        again_and_again(lambda: list(plain_files(folder)))
    assert [path.name for path in plain_files(folder)] == [OWNER_FILE, "data.bin"]


def test_a_folder_that_vanishes_on_the_way_is_passed_over(folder: Path) -> None:
    (folder / "a-first").mkdir()
    for name in ("a-first/1", "z-last/2"):
        (folder / name).mkdir(parents=True)
        (folder / name / "data.bin").write_bytes(b"1")
    found = plain_files(folder)
    assert next(found) == folder / "a-first" / "1" / "data.bin"
    shutil.rmtree(folder / "z-last")
    assert [path.parent.parent.name for path in found] == ["mine", "mine"]


def test_links_are_no_files_and_uploads_under_way_are_counted_only_where_that_is_asked(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "mine" / "1" / "data.bin")
    (folder / f"{INCOMING}abc" / "x").mkdir(parents=True)
    (folder / f"{INCOMING}abc" / "x" / "half").write_bytes(b"123")
    assert (n_bytes(folder), n_bytes(folder, with_incoming=True)) == (1005, 1008)
    assert n_bytes(folder / "mine" / "1" / "data.bin") == n_bytes(folder / "not-there") == 0
