"""`broca doctor` finds what was broken on purpose, says what to do, and shows no secret."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.settings import ApiSettings
from broca import checkup
from broca.checkup import Finding, Verdict
from storage import workers
from storage.engine import Database
from tests.fake_hub import FakeHub


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> ApiSettings:
    return ApiSettings(data_dir=tmp_path / "data", database_url=database_url)


def by_check(findings: Any) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_a_service_that_is_well_has_no_failure(settings: ApiSettings, database: Database) -> None:
    with database.write() as session:
        workers.beat(session, worker_id="w1", host="far-away", pid=1, device="cuda")
    found = by_check(checkup.service(settings))
    assert {finding.verdict for finding in found.values()} == {Verdict.OK}
    assert found["workers"].detail == "cuda on far-away"


def test_a_worker_counts_as_alive_only_where_it_runs(settings: ApiSettings, database: Database) -> None:
    with database.write() as session:
        workers.beat(session, worker_id="w1", host="far-away", pid=1, device="cpu")
    assert by_check(checkup.worker_here(settings))["worker"].verdict is Verdict.FAIL
    with database.write() as session:
        workers.beat(session, worker_id="w2", host=socket.gethostname(), pid=2, device="cpu")
    assert by_check(checkup.worker_here(settings))["worker"].verdict is Verdict.OK


def test_a_schema_that_is_not_current_fails_and_says_what_to_run(empty_database_url: str, tmp_path: Path) -> None:
    settings = ApiSettings(data_dir=tmp_path, database_url=empty_database_url)
    (finding,) = checkup.service(settings)
    assert (finding.check, finding.verdict) == ("database", Verdict.FAIL)
    assert "broca migrate" in str(finding.hint)


def test_a_damaged_file_of_sqlite_is_found(sqlite_url: str, tmp_path: Path) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    content = bytearray(path.read_bytes())
    # The last page belongs to an index or a table that reading the schema does not touch.
    content[-4096:] = b"\xff" * 4096
    path.write_bytes(content)
    found = by_check(checkup.service(ApiSettings(data_dir=tmp_path, database_url=sqlite_url)))
    assert found["integrity"].verdict is Verdict.FAIL
    assert "restore" in str(found["integrity"].hint)


def test_a_database_that_is_away_fails_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://broca:planted-password@127.0.0.1:1/broca"
    (finding,) = checkup.service(ApiSettings(data_dir=tmp_path, database_url=url))
    assert finding.verdict is Verdict.FAIL
    assert "planted-password" not in str(finding)


def test_a_data_folder_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (finding,) = checkup.data_folder(ApiSettings(data_dir=tmp_path / "file"))
    assert (finding.verdict, "BROCA_DATA_DIR" in str(finding.hint)) == (Verdict.FAIL, True)


def test_a_broker_that_is_away_is_a_warning_for_jobs_do_not_need_it(tmp_path: Path, redis_url: str) -> None:
    away = checkup.broker(ApiSettings(data_dir=tmp_path, broker_url="redis://:planted-password@127.0.0.1:1/0"))
    assert away.verdict is Verdict.WARN
    assert "planted-password" not in str(away)
    for broker_url in (redis_url, None):
        there = checkup.broker(ApiSettings(data_dir=tmp_path, broker_url=broker_url))
        assert there.verdict is Verdict.OK, there


def test_the_hub_is_asked_and_may_be_away(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = ApiSettings(data_dir=tmp_path)
    assert checkup.hub(settings).verdict is Verdict.OK
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert checkup.hub(settings).verdict is Verdict.WARN


def doctor(tmp_path: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:1", "BROCA_DATA_DIR": str(tmp_path), **settings}
    command = [sys.executable, "-m", "broca", "doctor", *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)


def test_the_command_ends_with_1_where_something_fails_and_tells_all_as_json(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json", HF_TOKEN="hf_plantedtoken")
    found = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 1, "the database was never migrated"
    assert found["database"]["verdict"] == "fail"
    assert found["hub token"]["verdict"] == "ok"
    assert {"versions", "data folder", "disk", "database", "broker", "torch", "hub", "data sets"} <= set(found)
    assert "hf_plantedtoken" not in done.stdout + done.stderr


def test_the_command_says_what_to_do(sqlite_url: str, tmp_path: Path) -> None:
    done = doctor(tmp_path, BROCA_DATABASE_URL=sqlite_url)
    assert done.returncode == 0, done.stdout
    assert "jobs wait until broca worker runs somewhere" in done.stdout
