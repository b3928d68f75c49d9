"""A backup restored is the service that it was written from, on either database; a damaged one changes nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from storage import export, runs, schema
from storage.backup import BackupUnusable, restore_backup, write_backup
from storage.engine import Database
from storage.export import DatabaseNotEmpty
from storage.tables import ApiKeyRow, ScoreDrawsRow
from tests.integration.test_api_jobs import work_off

BOTH = ["sqlite", "postgresql"]
Rows = Mapping[str, list[dict[str, Any]]]


@pytest.fixture
def folders(tmp_path: Path) -> Mapping[str, Path]:
    return {"imported": tmp_path / "home" / "imported", "own": tmp_path / "home" / "own"}


@pytest.fixture
def other_folders(tmp_path: Path) -> Mapping[str, Path]:
    return {"imported": tmp_path / "other" / "imported", "own": tmp_path / "mounted" / "own"}


def address(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def fill(database: Database, folders: Mapping[str, Path]) -> Database:
    """A database with scores, a run that waits, one that runs, a key and blobs; folders with files."""
    settings = ApiSettings(data_dir=folders["imported"].parent, database_url=address(database))
    with TestClient(create_app(settings)) as client:
        asked: dict[str, Any] = {"model": "gpt2", "benchmarks": ["demo-fmri", "demo-reading"]}
        client.post("/v1/jobs", json={**asked, "labels": {"who": "né\N{SNOWMAN}"}})
        work_off(database, "a" * 40)
        client.post("/v1/jobs", json={**asked, "model": "org/other"})
        with database.write() as session:
            runs.claim(session, worker="w1", lease_s=60)
        client.post("/v1/jobs", json={**asked, "model": "org/third"})
    with database.write() as session:
        score = session.scalar(sa.text("SELECT id FROM scores LIMIT 1"))
        session.execute(sa.insert(ScoreDrawsRow).values(score_id=score, draws=bytes(range(256))))
        key = {"id": "key_1", "name": "n", "prefix": "p", "secret_sha256": "0" * 64, "scopes": ["read"]}
        session.execute(sa.insert(ApiKeyRow).values(**key, created_at=datetime.now(UTC)))
    for name, folder in folders.items():
        (folder / "mine" / "1").mkdir(parents=True)
        (folder / "mine" / "1" / "data.bin").write_bytes(name.encode() * 1000)
        (folder / ".incoming-abc").mkdir()
        (folder / ".incoming-abc" / "half").write_bytes(b"unfinished")
    return database


@pytest.fixture
def filled(database: Database, folders: Mapping[str, Path]) -> Database:
    return fill(database, folders)


@pytest.fixture
def archive(filled: Database, folders: Mapping[str, Path], tmp_path: Path) -> Path:
    path = tmp_path / "backup.tar.gz"
    write_backup(path, filled, folders)
    return path


@pytest.fixture
def of_sqlite(
    sqlite_url: str, open_database: Callable[[str], Database], folders: Mapping[str, Path], tmp_path: Path
) -> Path:
    """A backup for tests that ask nothing of where it comes from."""
    path = tmp_path / "backup.tar.gz"
    write_backup(path, fill(open_database(sqlite_url), folders), folders)
    return path


@pytest.fixture
def target(tmp_path: Path, open_database: Callable[[str], Database]) -> Database:
    """An SQLite database without tables, for tests that must not come as far as to fill it."""
    return open_database(f"sqlite:///{tmp_path / 'target.db'}")


@pytest.fixture(params=BOTH)
def empty(request: pytest.FixtureRequest, tmp_path: Path, open_database: Callable[[str], Database]) -> Database:
    """A database without tables to restore into."""
    if request.param == "sqlite":
        return open_database(f"sqlite:///{tmp_path / 'restored.db'}")
    return open_database(request.getfixturevalue("empty_postgres_url"))


def rows(database: Database) -> Rows:
    with export.snapshot(database) as connection:
        return {table.name: [json.loads(line) for line in export.lines(connection, table)] for table in export.tables()}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rewritten(archive: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    """The archive with its members changed."""
    with tarfile.open(archive) as found:
        members = {member.name: found.extractfile(member).read() for member in found}  # type: ignore[union-attr]
    change(members)
    target = archive.with_name("changed.tar.gz")
    with tarfile.open(target, "w:gz") as made:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return target


def assert_untouched(database: Database, folders: Mapping[str, Path]) -> None:
    with database.engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == []
    assert [path for folder in folders.values() for path in folder.rglob("*")] == []


def test_a_restored_service_has_every_row_and_file(
    filled: Database, archive: Path, empty: Database, folders: Mapping[str, Path], other_folders: Mapping[str, Path]
) -> None:
    before = rows(filled)
    assert len(before["scores"]) >= 2
    assert {run["status"] for run in before["runs"]} >= {"queued", "running", "succeeded"}
    contents = restore_backup(archive, empty, other_folders, force=False)
    assert rows(empty) == before
    assert contents.rows == {name: len(found) for name, found in before.items()}
    assert empty.is_current()
    for name, folder in other_folders.items():
        assert files(folder) == {"mine/1/data.bin": name.encode() * 1000}
        assert not [*folder.glob(".incoming-*")]


def test_a_restored_service_works_on(
    archive: Path, empty: Database, other_folders: Mapping[str, Path], tmp_path: Path
) -> None:
    restore_backup(archive, empty, other_folders, force=False)
    settings = ApiSettings(data_dir=tmp_path / "other", database_url=empty.url.render_as_string(hide_password=False))
    with TestClient(create_app(settings)) as client:
        known = client.post("/v1/jobs", json={"model": "gpt2", "benchmarks": ["demo-fmri"]})
        assert known.status_code in (200, 202)
        assert len(client.get("/v1/jobs").json()["data"]) == 4
        assert client.get("/v1/leaderboard", params={"include_synthetic": True}).json()["data"]
    with empty.write() as session:
        assert runs.claim(session, worker="w2", lease_s=60) is not None


def test_what_is_written_meanwhile_is_not_in_the_backup(filled: Database) -> None:
    with export.snapshot(filled) as connection:
        with filled.write() as session:
            session.execute(sa.text("UPDATE runs SET detail = 'written meanwhile'"))
        (table,) = (table for table in export.tables() if table.name == "runs")
        assert not any(b"meanwhile" in line for line in export.lines(connection, table))


def test_a_service_that_is_not_empty_is_replaced_only_by_force(
    filled: Database, archive: Path, folders: Mapping[str, Path]
) -> None:
    before = rows(filled)
    (folders["own"] / "mine" / "1" / "newer.bin").write_bytes(b"newer")
    with pytest.raises(DatabaseNotEmpty):
        restore_backup(archive, filled, folders, force=False)
    with filled.write() as session:
        session.execute(sa.text("UPDATE runs SET detail = 'newer'"))
    restore_backup(archive, filled, folders, force=True)
    assert rows(filled) == before
    assert set(files(folders["own"])) == {"mine/1/data.bin"}


def test_a_database_that_is_not_empty_is_not_touched_though_its_folders_are_empty(
    filled: Database, archive: Path, other_folders: Mapping[str, Path]
) -> None:
    before = rows(filled)
    with pytest.raises(DatabaseNotEmpty):
        restore_backup(archive, filled, other_folders, force=False)
    assert rows(filled) == before
    assert [path for folder in other_folders.values() for path in folder.rglob("*")] == []


def damaged_bytes(members: dict[str, bytes]) -> None:
    members["files/own/mine/1/data.bin"] = b"x" + members["files/own/mine/1/data.bin"][1:]


def changed_rows(members: dict[str, bytes]) -> None:
    members["tables/runs.jsonl"] = members["tables/runs.jsonl"].replace(b"succeeded", b"failed")


def lacking_table(members: dict[str, bytes]) -> None:
    del members["tables/scores.jsonl"]


def lacking_manifest(members: dict[str, bytes]) -> None:
    del members["manifest.json"]


def added_file(members: dict[str, bytes]) -> None:
    manifest = members.pop("manifest.json")
    members |= {"files/own/more": b"", "manifest.json": manifest}


@pytest.mark.parametrize("change", [damaged_bytes, changed_rows, lacking_table, lacking_manifest, added_file])
def test_a_changed_archive_is_refused_and_nothing_is_restored(
    of_sqlite: Path, target: Database, other_folders: Mapping[str, Path], change: Callable[[dict[str, bytes]], object]
) -> None:
    with pytest.raises(BackupUnusable):
        restore_backup(rewritten(of_sqlite, change), target, other_folders, force=False)
    assert_untouched(target, other_folders)


@pytest.mark.parametrize("kept", [0.2, 0.9, 0.999])
def test_a_truncated_archive_is_refused(
    of_sqlite: Path, target: Database, other_folders: Mapping[str, Path], kept: float
) -> None:
    content = of_sqlite.read_bytes()
    of_sqlite.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(BackupUnusable):
        restore_backup(of_sqlite, target, other_folders, force=False)
    assert_untouched(target, other_folders)


@pytest.mark.parametrize(
    "name",
    [
        "../escaped",
        "/tmp/escaped",
        "files/own/../../escaped",
        "files/other/a",
        "tables/../a.jsonl",
        "files/tables/a/b",
    ],
)
def test_a_member_that_leads_elsewhere_is_refused(
    of_sqlite: Path, target: Database, other_folders: Mapping[str, Path], tmp_path: Path, name: str
) -> None:
    def add(members: dict[str, bytes]) -> None:
        manifest = members.pop("manifest.json")
        members |= {name: b"escaped", "manifest.json": manifest}

    with pytest.raises(BackupUnusable, match="member"):
        restore_backup(rewritten(of_sqlite, add), target, other_folders, force=False)
    assert not [*tmp_path.rglob("*escaped*")]
    assert_untouched(target, other_folders)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_a_member_that_is_no_plain_file_is_refused(
    target: Database, other_folders: Mapping[str, Path], tmp_path: Path, kind: bytes
) -> None:
    links = tmp_path / "links.tar.gz"
    with tarfile.open(links, "w:gz") as made:
        member = tarfile.TarInfo("files/own/link")
        member.type, member.linkname = kind, "/etc/passwd"
        made.addfile(member)
    with pytest.raises(BackupUnusable, match="plain"):
        restore_backup(links, target, other_folders, force=False)
    assert_untouched(target, other_folders)


def test_what_is_no_archive_is_refused(target: Database, other_folders: Mapping[str, Path], tmp_path: Path) -> None:
    for name, content in (("a", b"not an of_sqlite"), ("b", gzip.compress(b"neither")), ("c", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BackupUnusable):
            restore_backup(tmp_path / name, target, other_folders, force=False)


def test_a_failure_at_the_last_step_undoes_everything(
    archive: Path, filled: Database, folders: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, files_before = rows(filled), {name: files(folder) for name, folder in folders.items()}
    real, planted = Path.rename, iter([OSError("planted")])

    def fail_on_the_last(self: Path, target: Path) -> Path:
        if target == folders["own"] / "mine" and (error := next(planted, None)) is not None:
            raise error
        return real(self, target)

    monkeypatch.setattr(Path, "rename", fail_on_the_last)
    with filled.write() as session:
        session.execute(sa.text("UPDATE runs SET detail = 'kept'"))
    with pytest.raises(OSError, match="planted"):
        restore_backup(archive, filled, folders, force=True)
    assert {run["detail"] for run in rows(filled)["runs"]} == {"kept"}
    assert len(rows(filled)["scores"]) == len(before["scores"])
    for name, folder in folders.items():
        assert files(folder)["mine/1/data.bin"] == files_before[name]["mine/1/data.bin"]


def test_a_backup_of_an_older_schema_is_brought_up_to_date(
    of_sqlite: Path, empty: Database, other_folders: Mapping[str, Path]
) -> None:
    """What version 0003 would have written: its tables, its columns."""

    def age(members: dict[str, bytes]) -> None:
        manifest = json.loads(members.pop("manifest.json"))
        manifest["schema"] = "0003"
        new = {"jobs": {"owner", "is_private", "priority", "device_class", "retry_of", "expires_at"}}
        new["runs"] = {"priority", "device_class", "min_memory_bytes", "n_halvings", "expires_at"}
        for name in ("api_keys", "idempotency_keys", "tallies"):
            del members[f"tables/{name}.jsonl"], manifest["members"][f"tables/{name}.jsonl"]
            del manifest["columns"][name], manifest["rows"][name]
        for name, columns in new.items():
            member = f"tables/{name}.jsonl"
            old = [json.loads(line) for line in members[member].splitlines()]
            for row in old:
                for column in columns:
                    del row[column]
            for column in columns:
                del manifest["columns"][name][column]
            members[member] = b"".join(json.dumps(row).encode() + b"\n" for row in old)
            manifest["members"][member] = told(members[member])
        members["manifest.json"] = json.dumps(manifest).encode()

    restore_backup(rewritten(of_sqlite, age), empty, other_folders, force=False)
    assert empty.is_current()
    assert {run["priority"] for run in rows(empty)["runs"]} == {5}
    assert {job["is_private"] for job in rows(empty)["jobs"]} == {False}


def told(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_a_backup_of_a_newer_schema_is_refused(
    of_sqlite: Path, target: Database, other_folders: Mapping[str, Path]
) -> None:
    def renew(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        members["manifest.json"] = json.dumps({**manifest, "schema": "9999"}).encode()

    with pytest.raises(BackupUnusable, match="9999"):
        restore_backup(rewritten(of_sqlite, renew), target, other_folders, force=False)
    assert_untouched(target, other_folders)


def test_the_file_is_for_its_owner_alone_and_whole_or_not_there(
    of_sqlite: Path, open_database: Callable[[str], Database], tmp_path: Path
) -> None:
    assert stat.S_IMODE(of_sqlite.stat().st_mode) == 0o600
    unmigrated = open_database(f"sqlite:///{tmp_path / 'unmigrated.db'}")
    with pytest.raises(BackupUnusable, match="migrat"):
        write_backup(tmp_path / "none.tar.gz", unmigrated, {})
    assert not [path for path in tmp_path.iterdir() if "none" in path.name]


def test_every_column_has_a_kind_that_an_export_knows() -> None:
    assert {kind for table in export.tables() for kind in export.kinds(table).values()} <= set(export.KINDS)
    assert schema.newest() in schema.revisions()


@pytest.fixture
def broca(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str, home: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "BROCA_DATA_DIR": str(tmp_path / home)}
        command = [sys.executable, "-m", "broca", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_the_commands_do_it_too(broca: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    assert broca("migrate", home="one").returncode == 0
    (tmp_path / "one" / "own" / "mine").mkdir(parents=True)
    (tmp_path / "one" / "own" / "mine" / "file").write_text("content")
    made = broca("backup", str(tmp_path), home="one")
    assert made.returncode == 0, made.stderr
    (written,) = tmp_path.glob("broca-*.tar.gz")
    restored = broca("restore", str(written), home="two")
    assert restored.returncode == 0, restored.stderr
    assert (tmp_path / "two" / "own" / "mine" / "file").read_text() == "content"
    again = broca("restore", str(written), home="two")
    assert (again.returncode, "--force" in again.stderr) == (1, True)
