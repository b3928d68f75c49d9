"""Adding a recording over HTTP and by command: what comes of it, what is refused, who sees it, and its whole way."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from broca import BadRequest, Client, FileUnusable, NotFound, cli
from scoring.datasets.own.store import find, versions
from storage import jobs
from storage.engine import Database
from storage.staging import OWNER_FILE, owner_of
from tests import own_corpus, own_data
from worker.settings import WorkerSettings
from worker.supervisor import Supervisor

BYTES = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> ApiSettings:
    return ApiSettings(data_dir=tmp_path / "data", database_url=sqlite_url, max_import_bytes=200_000)


@pytest.fixture
def client(settings: ApiSettings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as connected:
        yield connected


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return own_data.write_dataset(tmp_path / "mine")


def send(client: TestClient, source: Path, **changes: Any) -> Any:
    content = (own_data.zipped(source) if source.is_dir() else source).read_bytes()
    return client.post("/v1/benchmarks", params={"id": "own/tales", **changes}, content=content, headers=BYTES)


def left(settings: ApiSettings) -> list[str]:
    """Every file in the folder of data sets, by its path."""
    return sorted(str(path.relative_to(settings.own_dir)) for path in settings.own_dir.rglob("*") if path.is_file())


VERSION_1 = [f"tales/1/{name}" for name in ("manifest.json", "responses.npy", "stimuli.csv", "units.csv")]


def test_an_added_recording_is_a_benchmark(client: TestClient, settings: ApiSettings, folder: Path) -> None:
    answer = send(client, folder, title="Tales", licence="CC0", citation="Ourselves")
    found = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/benchmarks/own/tales")
    assert (found["id"], found["version"], found["title"], found["kind"]) == ("own/tales", 1, "Tales", "brain")
    assert found["n"] == {"stimuli": 96, "units": 12, "participants": 2}
    assert found["participants"] == [{"name": name, "units": 6} for name in own_data.PARTICIPANTS]
    assert found["parts"] == [{"name": "all", "stimuli": 96, "groups": 6, "units": 12, "incomplete_units": 0}]
    assert (found["dataset"]["licence"], found["dataset"]["citation"]) == ("CC0", "Ourselves")
    assert set(found["ceilings"]) == {"grouped"}
    assert (found["private"], found["warnings"], found["n_folds"]) == (False, [], 6)
    assert client.get("/v1/benchmarks/own/tales").json() == found
    assert found in client.get("/v1/benchmarks").json()["data"]
    assert left(settings) == VERSION_1


def test_other_benchmarks_have_the_same_fields(client: TestClient) -> None:
    found = client.get("/v1/benchmarks/demo-fmri").json()
    assert [found[name] for name in ("n", "participants", "parts", "ceilings", "warnings")] == [None] * 5
    assert found["private"] is False


def test_the_same_again_is_the_same_version_and_anything_else_the_next(
    client: TestClient, settings: ApiSettings, folder: Path, tmp_path: Path
) -> None:
    first = send(client, folder).json()
    again = send(client, own_data.write_assembly(tmp_path / "a.nc"))
    assert (again.status_code, again.json()) == (200, first)
    assert left(settings) == VERSION_1
    other = own_data.write_dataset(tmp_path / "other", seed=1)
    assert [send(client, other).json()["version"], send(client, folder, n_folds=3).json()["version"]] == [2, 3]
    assert client.get("/v1/benchmarks/own/tales").json()["version"] == 3
    assert client.get("/v1/benchmarks/own/tales", params={"version": 1}).json() == first
    assert send(client, folder).json() == first
    for path, version in [("own/tales", 4), ("own/tale", 1)]:
        missing = client.get(f"/v1/benchmarks/{path}", params={"version": version})
        assert (missing.status_code, missing.json()["code"]) == (404, "benchmark_unknown")


def test_simultaneous_additions_of_one_data_set_agree_on_one_version(
    client: TestClient, settings: ApiSettings, folder: Path
) -> None:
    content = own_data.zipped(folder).read_bytes()

    def post(_: int) -> Any:
        return client.post("/v1/benchmarks", params={"id": "own/tales"}, content=content, headers=BYTES)

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(post, range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 201]
    assert left(settings) == VERSION_1


def test_a_damaged_version_is_healed_by_adding_it_again(
    client: TestClient, settings: ApiSettings, folder: Path
) -> None:
    send(client, folder)
    responses = settings.own_dir / "tales" / "1" / "responses.npy"
    responses.write_bytes(b"something else")
    (responses.parent / OWNER_FILE).write_text("key_1")
    assert send(client, folder).status_code == 200
    assert owner_of(responses.parent) == "key_1", "it belongs to whom it belonged"
    (responses.parent / OWNER_FILE).unlink()
    find(settings.own_dir, "tales").require_checksums()
    assert left(settings) == VERSION_1


def test_everything_wrong_is_in_the_problem_and_nothing_is_kept(
    client: TestClient, settings: ApiSettings, folder: Path
) -> None:
    np.save(folder / "responses.npy", own_data.responses()[:-1])
    own_data.change_table(folder / "units.csv", lambda rows: rows[2].update(unit_id="u1", participant=""))
    problem = send(client, folder).json()
    assert (problem["status"], problem["code"]) == (422, "recording_refused")
    for code in ("lengths_disagree", "id_repeated", "cell_blank"):
        assert f"error {code}: " in problem["detail"]
    assert left(settings) == []
    assert [path.name for path in settings.own_dir.iterdir()] == []


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"id": "tales"}, "recording_refused", "id"),
        ({"id": "own/../tales"}, "recording_refused", "id"),
        ({"id": "own/.incoming-x"}, "recording_refused", "id"),
        ({"id": "own/" + "x" * 61}, "request_invalid", "id"),
        ({"n_folds": 2}, "request_invalid", "n_folds"),
        ({"title": "a\x00"}, "request_invalid", "title"),
        ({"colour": "red"}, "request_invalid", "colour"),
        ({"n_folds": 7}, "recording_refused", None),
    ],
)
def test_what_cannot_be_added_is_refused_and_leaves_nothing(
    client: TestClient, settings: ApiSettings, folder: Path, changes: dict[str, Any], code: str, param: str | None
) -> None:
    problem = send(client, folder, **changes).json()
    assert (problem["status"], problem["code"], problem["param"]) == (422, code, param)
    assert left(settings) == []


def test_a_body_that_is_no_archive_or_too_large_is_refused(
    client: TestClient, settings: ApiSettings, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "x").write_bytes(b"stimulus_id,text\n")
    assert send(client, tmp_path / "x").json()["code"] == "recording_refused"
    (tmp_path / "x").write_bytes(bytes(200_001))
    assert send(client, tmp_path / "x").json()["code"] == "body_too_large"
    (folder / "dataset.toml").write_bytes(b"#" * 200_001)
    unpacking = send(client, folder).json()
    assert (unpacking["code"], "unpacks to more" in unpacking["detail"]) == ("recording_refused", True)
    assert left(settings) == []


def test_data_beyond_the_quota_are_refused_and_leave_nothing(settings: ApiSettings, folder: Path) -> None:
    with TestClient(create_app(settings.model_copy(update={"import_quota_bytes": 5_000}))) as client:
        answer = send(client, folder)
    assert (answer.status_code, answer.json()["code"]) == (507, "insufficient_storage")
    assert left(settings) == []


def test_a_private_benchmark_is_shown_only_to_who_names_it(client: TestClient, folder: Path) -> None:
    send(client, folder, private="true")
    assert client.get("/v1/benchmarks/own/tales").json()["private"] is True
    assert "own/tales" not in [one["id"] for one in client.get("/v1/benchmarks").json()["data"]]
    far = client.post("/v1/jobs", json={"model": "demo/tiny", "benchmarks": ["own/x"]}).json()
    assert "command and server need one data folder" in far["hint"]
    near = client.post("/v1/jobs", json={"model": "demo/tiny", "benchmarks": ["own/talez"]}).json()
    assert (near["code"], "tales" in f"{near['detail']}{near['hint']}") == ("benchmark_unknown", False)


@pytest.fixture
def work(
    settings: ApiSettings, open_database: Callable[[str], Database], client: TestClient
) -> Iterator[Callable[..., Any]]:
    """Submits a job and gives its scores' documents once a supervisor with real child processes has done it."""
    told = {
        "data_dir": settings.data_dir,
        "database_url": settings.database_url,
        "broker_url": None,
        "untrained_twins": False,
    }
    worker = WorkerSettings(**told, device="cpu", lease_s=3, beat_s=0.5, poll_s=0.2, backoff_s=0.1)
    database = open_database(settings.resolved_database_url)
    supervisor = Supervisor(worker, database)
    supervisor.start()

    def submit(**asked: Any) -> list[Any]:
        answer = client.post("/v1/jobs", json={"model": "demo/tiny", **asked})
        assert answer.status_code in (200, 202), answer.text
        deadline = time.monotonic() + 300
        while True:
            with database.read() as session:
                job = jobs.get(session, answer.json()["id"])
            if job.finished_at:
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert job.status == "succeeded", [run.error for run in job.runs]
        return [client.get(f"/v1/scores/{run.score_id}").json() for run in job.runs]

    yield submit
    supervisor.stop()


def test_the_whole_way_from_a_folder_to_a_score_on_the_board(
    client: TestClient, folder: Path, tmp_path: Path, work: Callable[..., Any]
) -> None:
    added = send(client, folder).json()
    (first,) = work(benchmarks=["own/tales"])
    assert first["benchmark"] == {"id": "own/tales", "version": 1, "data_sha256": added["dataset"]["sha256"]}
    assert first["raw"] > 0.3
    assert first["n"] == {"stimuli": 96, "participants": 2, "units": 12, "valid_units": 12, "folds": 6}
    known = client.post("/v1/jobs", json={"model": "demo/tiny", "benchmarks": ["own/tales"]}).json()
    assert (known["cached"], known["runs"][0]["score"]) == (True, first["id"])

    def columns(**asked: str) -> list[str]:
        return [column["key"] for column in client.get("/v1/leaderboard", params=asked).json()["columns"]]

    assert columns() == ["own/tales"]
    send(client, own_data.write_dataset(tmp_path / "other", seed=1))
    (second,) = work(benchmarks=["own/tales"])
    assert second["benchmark"]["version"] == 2
    assert second["raw"] != first["raw"]
    (shuffled,) = work(benchmarks=["own/tales"], protocol="shuffled")
    assert shuffled["protocol"] == "shuffled"
    send(client, folder, private="true")
    assert (columns(), columns(benchmarks="own/tales")) == ([], ["own/tales"])


def test_the_whole_way_from_reading_times_to_a_score_on_the_board(
    client: TestClient, tmp_path: Path, work: Callable[..., Any]
) -> None:
    added = send(client, own_corpus.write_corpus(tmp_path / "corpus")).json()
    (found,) = work(benchmarks=["own/tales"])
    assert found["benchmark"] == {"id": "own/tales", "version": 1, "data_sha256": added["dataset"]["sha256"]}
    assert found["n"] == {"stimuli": 120, "participants": 8, "units": 1, "valid_units": 1, "folds": 0}
    assert found["raw"] == found["measures"]["pearson_realigned"]
    assert found["measures"]["pearson_realigned_word_length"] > 0.5
    assert found["ceiling"]["value"] == added["ceilings"]["grouped"]["value"]
    board = client.get("/v1/leaderboard").json()
    assert [column["key"] for column in board["columns"]] == ["own/tales"]
    refused = client.post("/v1/jobs", json={"model": "demo/tiny", "benchmarks": ["own/tales"], "protocol": "shuffled"})
    assert (refused.status_code, refused.json()["code"]) == (422, "protocol_unsupported")


@pytest.fixture
def url(settings: ApiSettings) -> Iterator[str]:
    """A real server with these settings."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def test_the_client_sends_a_folder_and_reads_what_came_of_it(url: str, folder: Path, tmp_path: Path) -> None:
    (folder / ".DS_Store").write_bytes(b"x")
    seen: list[tuple[int, int]] = []
    with Client(url) as client:
        found = client.add_benchmark("tales", folder, licence="CC0", on_progress=lambda *now: seen.append(now))
        assert (found.id, found.version, found.n) == ("own/tales", 1, {"stimuli": 96, "units": 12, "participants": 2})
        assert seen[-1][0] == seen[-1][1] > 0
        assert client.benchmark("own/tales", version=1) == found
        assert found in client.benchmarks()
        assert client.add_benchmark("own/tales", own_data.zipped(folder), licence="CC0") == found
        with pytest.raises(BadRequest) as caught:
            client.add_benchmark("tales", folder, n_folds=9)
        assert (caught.value.code, "folds_impossible" in caught.value.detail) == ("recording_refused", True)
        corpus = own_corpus.write_corpus(tmp_path / "corpus")
        read = client.add_benchmark("stories", corpus, measure="time_ms", alignment="corrected")
        assert (read.reading, read.n_folds) == (
            {"measure": "time_ms", "alignment": "corrected", "stories": 3, "readings": 960},
            0,
        )
        with pytest.raises(NotFound):
            client.benchmark("own/tale")
        with pytest.raises(FileUnusable):
            client.add_benchmark("tales", tmp_path / "missing")


@pytest.fixture
def invoke(
    settings: ApiSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command of `broca data` on the folder of these settings; gives its exit code and what it printed."""

    def run(*arguments: str) -> tuple[int, str, str]:
        given = ["broca", "data", *arguments, "--data-dir", str(settings.data_dir)]
        monkeypatch.setattr(sys, "argv", given)
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


def test_the_command_line_adds_lists_and_verifies(
    invoke: Callable[..., tuple[int, str, str]], settings: ApiSettings, folder: Path
) -> None:
    code, out, err = invoke("add", str(folder), "--name", "tales", "--licence", "[red]CC0", "--private")
    assert code == 0, err
    for words in ("own/tales version 1", "[red]CC0", "ceiling, grouped", "only to who names it", "not_stated"):
        assert words in out
    assert "computing the ceiling" in err
    code, out, _ = invoke("add", str(folder), "--name", "own/tales", "--folds", "3", "--json")
    assert (code, json.loads(out)["version"], json.loads(out)["n_folds"]) == (0, 2, 3)
    rows = {row["name"]: row for row in json.loads(invoke("list", "--json")[1])}
    assert (rows["own/tales"]["state"], rows["own/tales"]["private"]) == ("here, version 2", False)
    assert rows["natural-stories"]["state"] in {"here", "fetchable"}
    assert rows["demo-fmri"]["state"] == "made when needed"
    assert "own/tales" in invoke("list")[1]
    code, out, _ = invoke("verify", "own/tales", "--json")
    assert (code, [row["state"] for row in json.loads(out)]) == (0, ["whole", "whole"])
    (settings.own_dir / "tales" / "1" / "units.csv").write_text("x")
    code, out, _ = invoke("verify")
    assert (code, "damaged" in out) == (1, True)
    assert versions(settings.own_dir, "tales") == (1, 2)


def test_the_command_line_names_everything_wrong(invoke: Callable[..., tuple[int, str, str]], folder: Path) -> None:
    (folder / "units.csv").write_text("")
    own_data.change_table(folder / "stimuli.csv", lambda rows: rows[0].update(text=""))
    code, _, err = invoke("add", str(folder), "--name", "tales")
    assert (code, "file_empty" in err, "cell_blank" in err, "recording_refused" in err) == (2, True, True, True)
    assert invoke("add", str(folder / "missing"), "--name", "tales")[0] == 2
    assert invoke("add", str(folder), "--name", "../tales")[0] == 2
    assert invoke("verify", "own/tales")[0] == 2
    assert invoke("verify", "natural-storys")[0] == 2
