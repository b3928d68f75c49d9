"""Adding a reading corpus over HTTP and by command: what comes of it, and what is refused."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from broca import cli
from broca.benchmarks import Benchmark
from tests import own_corpus, own_data

BYTES = {"Content-Type": "application/octet-stream"}
VERSION_1 = [f"tales/1/{name}" for name in ("manifest.json", "readers.csv", "readings.npy", "words.csv")]


@pytest.fixture
def settings(sqlite_url: str, tmp_path: Path) -> ApiSettings:
    return ApiSettings(data_dir=tmp_path / "data", database_url=sqlite_url, max_import_bytes=200_000)


@pytest.fixture
def client(settings: ApiSettings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as connected:
        yield connected


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return own_corpus.write_corpus(tmp_path / "mine")


def send(client: TestClient, source: Path, **changes: Any) -> Any:
    content = own_data.zipped(source).read_bytes()
    return client.post("/v1/benchmarks", params={"id": "own/tales", **changes}, content=content, headers=BYTES)


def left(settings: ApiSettings) -> list[str]:
    """Every file in the folder of data sets, by its path."""
    return sorted(str(path.relative_to(settings.own_dir)) for path in settings.own_dir.rglob("*") if path.is_file())


def test_an_added_corpus_is_a_benchmark(client: TestClient, settings: ApiSettings, folder: Path) -> None:
    answer = send(client, folder, title="Tales", licence="CC0", citation="Ourselves")
    found = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/benchmarks/own/tales")
    assert (found["id"], found["version"], found["kind"], found["protocols"]) == (
        "own/tales",
        1,
        "reading",
        ["grouped"],
    )
    assert found["n"] == {"stimuli": 120, "units": 1, "participants": 8}
    assert found["participants"] == [{"name": name, "units": 1} for name in own_corpus.READERS]
    assert found["reading"] == {"measure": "time_ms", "alignment": "corrected", "stories": 3, "readings": 960}
    assert (found["parts"], found["n_folds"], found["warnings"], found["synthetic"]) == ([], 0, [], False)
    assert found["ceilings"]["grouped"]["method"] == "split-half"
    assert found in client.get("/v1/benchmarks").json()["data"]
    assert Benchmark.model_validate(found).reading == found["reading"]
    assert left(settings) == VERSION_1
    again = send(client, folder, title="Tales", licence="CC0", citation="Ourselves", measure="time_ms")
    assert (again.status_code, again.json()) == (200, found)
    own_data.write_table(folder / "times.csv", own_corpus.means(own_corpus.values()))
    second = send(client, folder, private="true").json()
    assert (second["version"], second["private"], second["participants"]) == (2, True, [])
    assert (second["n"]["participants"], second["reading"]["readings"]) == (8, None)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        (
            {"alignment": "original"},
            "recording_refused",
            "error alignment_contradicted: the reading times are declared",
        ),
        ({"measure": "gaze_ms"}, "recording_refused", "error measure_missing: times.csv has no column 'gaze_ms'"),
        ({"n_folds": 4}, "recording_refused", "error declaration_unsuited"),
        ({"alignment": "late"}, "request_invalid", ""),
        ({"measure": "a\x00"}, "request_invalid", ""),
    ],
)
def test_what_cannot_be_added_is_refused_and_leaves_nothing(
    client: TestClient, settings: ApiSettings, folder: Path, changes: dict[str, Any], code: str, words: str
) -> None:
    problem = send(client, folder, **changes).json()
    assert (problem["status"], problem["code"]) == (422, code)
    assert words in problem["detail"]
    assert left(settings) == []
    assert "own/tales" not in [one["id"] for one in client.get("/v1/benchmarks").json()["data"]]


def test_a_folder_of_both_kinds_is_refused(client: TestClient, settings: ApiSettings, tmp_path: Path) -> None:
    folder = own_data.write_dataset(tmp_path / "both")
    own_data.write_table(folder / "words.csv", own_corpus.words())
    own_data.write_table(folder / "times.csv", own_corpus.single(own_corpus.values()))
    problem = send(client, folder).json()
    assert problem["code"] == "recording_refused"
    assert "error files_disagree: reading times or a recording of brains, but not both" in problem["detail"]
    assert left(settings) == []


def test_the_command_line_adds_a_corpus_and_shows_what_it_is(
    settings: ApiSettings, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*more: str) -> tuple[int, str, str]:
        given = ["broca", "data", "add", str(folder), "--name", "tales", "--data-dir", str(settings.data_dir), *more]
        monkeypatch.setattr(sys, "argv", given)
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    code, _, err = run("--alignment", "original")
    assert (code, "alignment_contradicted" in err, left(settings)) == (2, True, [])
    code, out, err = run("--measure", "time_ms", "--alignment", "corrected")
    assert code == 0, err
    for words in ("own/tales version 1", "120 in 3 stories", "time_ms, alignment corrected", "960", "ceiling, grouped"):
        assert words in out
    assert "folds" not in out
    assert f"kept in {settings.own_dir}; a server scores it if it uses the same data folder" in out
    own_data.write_table(folder / "times.csv", own_corpus.means(own_corpus.values(), spread=False))
    code, out, _ = run("--json")
    said = json.loads(out)
    assert (code, said["version"], said["reading"]["n_readings"], said["ceilings"]["grouped"]["value"]) == (
        0,
        2,
        None,
        None,
    )
