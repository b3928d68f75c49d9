"""Importing a file over HTTP: what comes of it, and that what is refused leaves nothing behind."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
import uvicorn
from safetensors.numpy import save
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from broca import BadRequest, Client, FileUnusable, cli
from scoring.errors import RevisionNotFound
from scoring.subjects.imports.store import find_import
from storage import imports, staging
from storage.engine import Database

VECTORS = b"the 1 2\ncat 3 4\n"
OTHER = b"the 1 2\ncat 3 5\n"
GLOVE = {"id": "imported/glove", "kind": "word-vectors", "format": "text"}
BYTES = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def settings(database: Database, database_url: str, tmp_path: Path) -> ApiSettings:
    return ApiSettings(data_dir=tmp_path / "data", database_url=database_url, max_import_bytes=100_000)


@pytest.fixture
def client(settings: ApiSettings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as connected:
        yield connected


def send(client: TestClient, content: Any = VECTORS, **changes: str) -> Any:
    return client.post("/v1/models", params={**GLOVE, **changes}, content=content, headers=BYTES)


def left(settings: ApiSettings) -> list[str]:
    """Every file in the folder of imports, by its path without revisions."""
    paths = (path for path in settings.import_dir.rglob("*") if path.is_file())
    return sorted(
        "/".join(part for part in path.relative_to(settings.import_dir).parts if len(part) != 40) for path in paths
    )


WHOLE = ["glove/current", "glove/data.text", "glove/manifest.json"]


def test_an_imported_file_is_a_model(client: TestClient, settings: ApiSettings) -> None:
    answer = send(client, source="made by hand")
    model = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/models/imported/glove")
    assert (model["id"], model["family"], model["architecture"]) == ("imported/glove", "imported", "word-vectors")
    assert (model["parameters"], model["n_layers"], model["width"]) == (None, 1, 2)
    said = model["labels"]
    assert (said["kind"], said["format"], said["unit"]) == ("word-vectors", "text", None)
    assert (said["source"], said["n_rows"], said["n_bytes"]) == ("made by hand", 2, len(VECTORS))
    assert client.get("/v1/models/imported/glove").json() == model
    assert client.get("/v1/models", params={"family": "imported"}).json()["data"] == [model]
    assert left(settings) == WHOLE
    found = find_import(settings.import_dir, "glove")
    found.require_checksum()
    assert (found.revision, found.data.read_bytes()) == (model["revision"], VECTORS)


def test_the_same_content_again_is_the_same_model(client: TestClient, settings: ApiSettings) -> None:
    first = send(client).json()
    again = send(client)
    assert (again.status_code, again.json()) == (200, first)
    assert left(settings) == WHOLE


def test_another_content_or_declaration_needs_replace(client: TestClient, settings: ApiSettings) -> None:
    first = send(client).json()["revision"]
    for refused in (send(client, OTHER), send(client, source="somewhere else")):
        problem = refused.json()
        assert (refused.status_code, problem["code"], problem["param"]) == (409, "model_exists", "id")
    assert left(settings) == WHOLE
    second = send(client, OTHER, replace="true")
    assert second.status_code == 201
    assert find_import(settings.import_dir, "glove").revision == second.json()["revision"] != first
    assert find_import(settings.import_dir, "glove", first).data.read_bytes() == VECTORS
    assert client.get("/v1/models/imported/glove").json() == second.json()
    assert send(client, replace="true").json()["revision"] == first
    assert client.get("/v1/models/imported/glove").json()["revision"] == first
    with pytest.raises(RevisionNotFound):
        find_import(settings.import_dir, "glove", "0" * 40)


def test_a_damaged_import_is_healed_by_importing_it_again(client: TestClient, settings: ApiSettings) -> None:
    send(client)
    find_import(settings.import_dir, "glove").data.write_bytes(b"something else")
    assert send(client).status_code == 200
    find_import(settings.import_dir, "glove").require_checksum()
    assert left(settings) == WHOLE


def test_simultaneous_imports_of_one_name_agree_on_one(client: TestClient, settings: ApiSettings) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: send(client, VECTORS if n % 2 else OTHER), range(16)))
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    assert [answer.status_code for answer in answers].count(201) == 1
    taken = {answer.json()["revision"] for answer in answers if answer.status_code != 409}
    assert taken == {find_import(settings.import_dir, "glove").revision}


def revisions(settings: ApiSettings) -> set[str]:
    return {path.name for path in (settings.import_dir / "glove").iterdir() if path.is_dir()}


def test_the_losers_of_simultaneous_imports_leave_nothing(client: TestClient, settings: ApiSettings) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: send(client, f"the 1 {n}\n".encode()), range(16)))
    assert sorted(answer.status_code for answer in answers) == [201] + 15 * [409]
    assert revisions(settings) == {find_import(settings.import_dir, "glove").revision}
    assert left(settings) == WHOLE


def test_a_name_that_is_refused_late_takes_its_files_away(
    client: TestClient, database: Database, settings: ApiSettings
) -> None:
    with database.write() as session:
        session.execute(sa.text("ALTER TABLE models RENAME TO hidden"))
    assert send(client).json()["code"] == "database_unavailable"
    assert left(settings) == []


def test_what_was_replaced_stays_for_a_day(client: TestClient, settings: ApiSettings) -> None:
    first = send(client).json()["revision"]
    long_ago = time.time() - 30 * imports.REPLACED_KEPT_S
    os.utime(settings.import_dir / "glove" / first, (long_ago, long_ago))
    second = send(client, OTHER, replace="true").json()["revision"]
    third = send(client, b"the 5 6\n", replace="true").json()["revision"]
    assert revisions(settings) == {first, second, third}
    os.utime(settings.import_dir / "glove" / first, (long_ago, long_ago))
    fourth = send(client, b"the 7 8\n", replace="true").json()["revision"]
    assert revisions(settings) == {second, third, fourth}
    os.utime(settings.import_dir / "glove" / second, (long_ago, long_ago))
    assert send(client, OTHER, replace="true").json()["revision"] == second
    assert find_import(settings.import_dir, "glove").data.read_bytes() == OTHER


def test_a_file_beyond_the_quota_is_refused_and_leaves_nothing(settings: ApiSettings) -> None:
    bounded = settings.model_copy(update={"import_quota_bytes": 3_000})
    with TestClient(create_app(bounded)) as client:
        first = send(client).json()
        refused = send(client, b"".join(b"word%d 1 2\n" % n for n in range(250)), replace="true")
        assert (refused.status_code, refused.json()["code"]) == (507, "insufficient_storage")
        assert "BROCA_IMPORT_QUOTA_BYTES" in refused.json()["hint"]
        assert left(settings) == WHOLE
        assert (send(client).status_code, send(client).json()) == (200, first)
        assert send(client, OTHER, id="imported/other").status_code == 201


def test_what_is_removed_makes_room_within_the_quota(settings: ApiSettings) -> None:
    bounded = settings.model_copy(update={"import_quota_bytes": 5_000})
    long = [b"".join(b"word%d 1 %d\n" % (n, version) for n in range(150)) for version in range(3)]
    with TestClient(create_app(bounded)) as client:
        first = send(client, long[0]).json()["revision"]
        assert send(client, OTHER, replace="true").status_code == 201
        assert send(client, long[1], replace="true").status_code == 201
        assert send(client, long[2], replace="true").json()["code"] == "insufficient_storage"
        os.utime(settings.import_dir / "glove" / first, (0, 0))
        assert send(client, long[2], replace="true").status_code == 201


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"id": "glove"}, "model_id_malformed", "id"),
        ({"id": "imported/../x"}, "model_id_malformed", "id"),
        ({"id": "imported/.incoming-x"}, "model_id_malformed", "id"),
        ({"id": "local/glove"}, "model_id_malformed", "id"),
        ({"kind": "vectors"}, "request_invalid", "kind"),
        ({"format": "csv"}, "import_malformed", "format"),
        ({"unit": "bits"}, "import_malformed", "unit"),
        ({"kind": "surprisals", "format": "csv"}, "import_malformed", "unit"),
        ({"source": "x" * 1001}, "request_invalid", "source"),
        ({"source": "a\x00"}, "request_invalid", "source"),
        ({"colour": "red"}, "request_invalid", "colour"),
        ({"kind": "activations", "format": "safetensors"}, "import_malformed", None),
        ({"kind": "activations", "format": "parquet"}, "import_malformed", None),
    ],
)
def test_what_cannot_be_imported_is_refused_and_leaves_nothing(
    client: TestClient, settings: ApiSettings, changes: dict[str, str], code: str, param: str | None
) -> None:
    answer = send(client, **changes)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["param"]) == (422, code, param)
    assert left(settings) == []
    assert client.get("/v1/models").json()["data"] == []


def test_a_malformed_file_is_refused_with_its_row_and_leaves_nothing(client: TestClient, settings: ApiSettings) -> None:
    answer = send(client, b"the 1 2\ncat 3 nan\n")
    assert (answer.status_code, answer.json()["code"]) == (422, "import_malformed")
    assert "line 2" in answer.json()["detail"]
    assert [path.name for path in settings.import_dir.iterdir()] == []


@pytest.mark.parametrize("media_type", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_body_that_is_declared_as_no_file_is_refused(client: TestClient, media_type: str) -> None:
    answer = client.post("/v1/models", params=GLOVE, content=VECTORS, headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type_unsupported")


@pytest.mark.parametrize("declared", [True, False])
def test_a_file_beyond_the_limit_is_refused_and_leaves_nothing(
    client: TestClient, settings: ApiSettings, declared: bool
) -> None:
    pieces = [b"x" * 50_000] * 3
    answer = send(client, b"".join(pieces) if declared else iter(pieces))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert left(settings) == []


def test_every_other_route_keeps_its_limit(client: TestClient) -> None:
    body = json.dumps({"model": "x" * 70_000})
    for path in ("/v1/jobs", "/v1/models/", "/v1/models/imported/glove"):
        answer = client.post(path, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413, path
    assert client.put("/v1/models", content=body).status_code == 413


def test_folders_of_uploads_that_were_killed_are_removed(
    client: TestClient, settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    abandoned = settings.import_dir / f"{staging.INCOMING}abc"
    abandoned.mkdir(parents=True)
    (abandoned / "upload").write_bytes(b"half")
    send(client)
    assert abandoned.is_dir()
    monkeypatch.setattr(staging, "ABANDONED_AFTER_S", -1.0)
    send(client)
    assert not abandoned.exists()


def test_a_job_for_what_was_never_imported_is_refused_with_near_names(client: TestClient) -> None:
    send(client)
    answer = client.post("/v1/jobs", json={"model": "imported/glov", "benchmarks": ["demo-fmri"]})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["param"]) == (422, "model_not_found", "model")
    assert "imported/glove" in problem["hint"]


def test_options_of_reading_are_refused_for_imports(client: TestClient) -> None:
    send(client)
    asked = {"model": "imported/glove", "benchmarks": ["demo-fmri"], "options": {"context": "sentence"}}
    problem = client.post("/v1/jobs", json=asked).json()
    assert (problem["code"], problem["param"]) == ("option_unknown", "options.context")


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


def test_the_client_sends_a_file_and_tells_how_far_it_is(url: str, settings: ApiSettings, tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    ids = json.dumps(["a", "b"])
    file.write_bytes(save({"x": np.ones((2, 5000), np.float32)}, metadata={"stimulus_ids": ids}))
    seen: list[tuple[int, int]] = []
    with Client(url) as client:
        model = client.import_model(
            "mine", file, kind="activations", source="me", on_progress=lambda *now: seen.append(now)
        )
        assert (model.id, model.n_layers, model.width) == ("imported/mine", 1, 5000)
        assert seen[-1] == (file.stat().st_size, file.stat().st_size)
        with pytest.raises(BadRequest) as caught:
            client.import_model("imported/mine", file, kind="activations", source="you")
        assert (caught.value.code, caught.value.status) == ("model_exists", 409)
        assert client.import_model("mine", file, kind="activations", source="you", replace=True).id == "imported/mine"


def test_the_client_is_told_when_a_file_is_too_large(url: str, settings: ApiSettings, tmp_path: Path) -> None:
    file = tmp_path / "large.txt"
    file.write_bytes(b"the 1 2\n" * 100_000)
    with Client(url) as client, pytest.raises(BadRequest) as caught:
        client.import_model("large", file, kind="word-vectors")
    assert caught.value.code == "body_too_large"
    assert left(settings) == []


def test_the_client_names_a_file_that_it_cannot_send(url: str, tmp_path: Path) -> None:
    (tmp_path / "mine.bin").write_bytes(b"")
    with Client(url) as client:
        for name in ("mine.bin", "missing.csv"):
            with pytest.raises(FileUnusable) as caught:
                client.import_model("mine", tmp_path / name, kind="activations")
            assert caught.value.code == "file_unusable"


def test_the_command_line_imports_a_file(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.csv").write_text("stimulus_id,logprob\na,-1\nb,-2\n")

    def broca(*options: str) -> int:
        command = ["broca", "models", "import", "mine", str(tmp_path / "mine.csv"), "--kind", "surprisals"]
        monkeypatch.setattr(sys, "argv", [*command, "--server", url, *options])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0)

    assert broca("--unit", "nats", "--source", "me") == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("imported/mine at ")
    assert "surprisals, 2 rows" in shown.out
    assert "mine.csv: 100 % of 0.0 MB sent" in shown.err
    assert broca() == 2
    assert "import_malformed" in capsys.readouterr().err
    assert broca("--unit", "bits") == 2
    assert "model_exists" in capsys.readouterr().err
    assert broca("--unit", "bits", "--replace", "--allow-mismatch", "--json") == 0
    labels = json.loads(capsys.readouterr().out)["labels"]
    assert (labels["unit"], labels["allow_mismatch"]) == ("bits", True)
    assert broca("--unit", "bits", "--format", "parquet") == 2


def test_an_upload_that_breaks_off_leaves_nothing(url: str, settings: ApiSettings) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    query = "&".join(f"{name}={value}" for name, value in GLOVE.items())
    head = f"POST /v1/models?{query} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 9000\r\n\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head.encode() + VECTORS)
        deadline = time.monotonic() + 10
        while not left(settings) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert left(settings)
    while left(settings) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left(settings) == []
