"""Data sets brought by the form of a page: taken in, told of, refused field by field, and gone where they break off."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from storage.engine import Database
from tests import own_corpus, own_data
from tests.integration.test_api_keys import new_key
from tests.listening import listening
from tests.pages import BROWSER, HOST, OWN_FORM, Page, get
from tests.serving import wait_for

Open = Callable[..., TestClient]
BOUNDARY = "----broca"


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def opened(database: Database, database_url: str, data_dir: Path) -> Iterator[Open]:
    """Opens clients of apps with these settings."""
    with ExitStack() as stack:

        def open_one(**settings: Any) -> TestClient:
            app = create_app(ApiSettings(data_dir=data_dir, database_url=database_url, **settings))
            return stack.enter_context(TestClient(app, follow_redirects=False))

        yield open_one


@pytest.fixture
def client(opened: Open) -> TestClient:
    return opened()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return own_data.zipped(own_data.write_dataset(tmp_path / "mine"))


def send(client: TestClient, *files: Path, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
    sent = [("file", (path.name, path.read_bytes())) for path in files]
    return client.post("/data", data=fields, files=sent, headers=OWN_FORM if headers is None else headers)


def left(data_dir: Path) -> list[str]:
    """Everything in the folder of data sets, folders too, but the folder itself; looked at again where it changes."""
    while True:
        try:
            return sorted(str(path.relative_to(data_dir)) for path in (data_dir / "own").rglob("*"))
        except FileNotFoundError:
            continue


def n_rows(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    with database.read() as session:
        names = sa.inspect(session.connection()).get_table_names()
        return {name: session.scalar(sa.text(f'SELECT count(*) FROM "{name}"')) or 0 for name in names}


def test_a_form_adds_what_the_api_would_and_leads_to_the_report(client: TestClient, archive: Path) -> None:
    answer = send(client, archive, name="tales", title="Tales <b>", citation="Ourselves", n_folds="3")
    assert answer.status_code == 303, answer.text
    page = get(client, answer.headers["location"])
    (card,) = page.all("section", id="added")
    sent = client.get("/v1/benchmarks/own/tales").json()
    assert (sent["title"], sent["n_folds"], sent["dataset"]["citation"]) == ("Tales <b>", 3, "Ourselves")
    assert "own/tales was added, version 1" in " ".join(card.text.split())
    assert "96 stimuli, 12 units, 2 participants" in card.text
    assert "Ceiling under grouped" in card.text
    assert all(warning["detail"] in card.text for warning in sent["warnings"])
    assert "/benchmarks/own/tales" in page.links("/data")
    (row,) = [one.text for one in page.all("tr") if one.text.strip().startswith("own/tales")]
    assert all(said in row for said in ("recording", "96 stimuli, 12 units", "everybody"))
    again = send(client, archive, name="own/tales", title="Tales <b>", citation="Ourselves", n_folds="3")
    told = get(client, again.headers["location"]).all("section", id="added")[0].text
    assert "was there already" in told


def test_several_files_are_taken_as_the_folder_that_they_lie_in(client: TestClient, tmp_path: Path) -> None:
    corpus = own_corpus.write_corpus(tmp_path / "corpus")
    files = sorted(path for path in corpus.iterdir() if path.suffix == ".csv")
    answer = send(client, *files, name="stories", licence="CC0", measure="time_ms", alignment="corrected")
    assert answer.status_code == 303, answer.text
    card = get(client, answer.headers["location"]).all("section", id="added")[0].text
    sent = client.get("/v1/benchmarks/own/stories").json()
    assert sent["reading"]["readings"] == 960
    assert f"{sent['ceilings']['grouped']['value']:.3f}" in card
    (tmp_path / "notes.md").write_text("x")
    refused = send(client, *files, tmp_path / "notes.md", name="stories")
    assert refused.status_code == 422
    assert "notes.md" in Page(refused.text).all("p", id="refused-file")[0].text


def test_everything_that_is_wrong_is_told_with_its_place_and_nothing_is_kept(
    client: TestClient, database: Database, data_dir: Path, tmp_path: Path
) -> None:
    folder = own_data.write_dataset(tmp_path / "mine")
    own_data.change_table(folder / "stimuli.csv", lambda rows: rows[3].update(text=" "))
    own_data.change_table(folder / "units.csv", lambda rows: rows[2].update(unit_id=rows[1]["unit_id"]))
    own_data.change_responses(folder, lambda values: values.__setitem__((2, 3), float("inf")))
    before = n_rows(database)
    answer = send(client, own_data.zipped(folder), name="tales", measure="gaze_ms", title="My <title>")
    assert answer.status_code == 422
    page = Page(answer.text)
    report = page.all("section", id="report")[0].text
    for said in (
        "no text in line 5",
        "each unit_id has to stand once",
        "infinite values",
        "'u3' (row 3)",
        "4 to change",
    ):
        assert said in report
    beside = page.all("ul", id="refused-measure")[0].text
    assert "measure is declared of reading times" in beside
    assert "infinite values" in page.all("ul", id="refused-file")[0].text
    assert "no licence and no citation" in page.all("ul", id="refused-licence")[0].text
    invalid = {one.attributes["name"] for one in page.elements if one.attributes.get("aria-invalid")}
    assert invalid == {"measure", "file"}, "a warning is no error"
    typed = {one.attributes.get("name"): one.attributes.get("value") for one in page.all("input")}
    assert (typed["name"], typed["measure"], typed["title"]) == ("tales", "gaze_ms", "My <title>")
    assert left(data_dir) == []
    assert n_rows(database) == before


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"name": ""}, "name", "has no name"),
        ({"name": "../up"}, "name", "cannot be the id"),
        ({"name": "x" * 70}, "name", "name has to have at most 64"),
        ({"n_folds": "two"}, "n_folds", "whole number"),
        ({"n_folds": "2"}, "n_folds", "greater than or equal to 3"),
        ({"alignment": "sideways"}, "alignment", "corrected"),
        ({"title": "a\tb"}, "title", "printable"),
    ],
)
def test_what_is_wrong_with_a_field_stands_beside_it_and_what_was_typed_stays(
    client: TestClient, data_dir: Path, archive: Path, fields: dict[str, str], field: str, said: str
) -> None:
    answer = send(client, archive, **{"name": "tales", "citation": "Ours", "private": "true", **fields})
    assert answer.status_code == 422
    page = Page(answer.text)
    (told,) = page.all("p", id=f"refused-{field}")
    assert said in told.text
    (marked,) = [one for one in page.elements if one.attributes.get("aria-describedby") == f"refused-{field}"]
    assert (marked.attributes["name"], marked.attributes["aria-invalid"]) == (field, "true")
    assert page.all("input", name="citation")[0].attributes["value"] == "Ours"
    assert "checked" in page.all("input", name="private")[0].attributes
    assert left(data_dir) == []


def test_folds_that_cannot_be_made_are_told_at_their_field(client: TestClient, archive: Path) -> None:
    answer = send(client, archive, name="tales", n_folds="7")
    assert "6 folds would do" in Page(answer.text).all("ul", id="refused-n_folds")[0].text


def test_a_form_without_a_file_or_with_too_large_a_one_says_so_at_the_file(
    opened: Open, data_dir: Path, archive: Path, tmp_path: Path
) -> None:
    client = opened(max_import_bytes=20_000)
    for files in ({}, {"file": ("", b"")}):
        answer = client.post("/data", data={"name": "tales"}, files={"x": (None, "y"), **files}, headers=OWN_FORM)
        assert answer.status_code == 422
        assert "there is no file" in Page(answer.text).all("p", id="refused-file")[0].text
    large = tmp_path / "large.nc"
    large.write_bytes(b"x" * 50_000)
    answer = send(client, large, name="tales")
    assert answer.status_code == 413
    page = Page(answer.text)
    assert "more than 20,000 bytes" in page.all("p", id="refused-file")[0].text
    large.write_bytes(b"x" * 200_000)
    assert send(client, large, name="tales").status_code == 413, "declared as too long, and not read"
    assert left(data_dir) == []


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"name=tales", "application/x-www-form-urlencoded", 415),
        (b"{}", "application/json", 415),
        (b"x", "multipart/form-data", 415),
        (b"x", f"multipart/form-data; boundary={'x' * 2000}", 400),
        (b"nothing of the kind", f"multipart/form-data; boundary={BOUNDARY}", 400),
        (f"--{BOUNDARY}\r\nbroken\r\n\r\nx".encode(), f"multipart/form-data; boundary={BOUNDARY}", 400),
        (f"--{BOUNDARY}\r\nA: {'x' * 9000}\r\n\r\nx".encode(), f"multipart/form-data; boundary={BOUNDARY}", 400),
        (b"", f"multipart/form-data; boundary={BOUNDARY}", 400),
    ],
)
def test_what_is_no_form_with_a_file_is_refused(
    client: TestClient, data_dir: Path, body: bytes, media_type: str, status: int
) -> None:
    answer = client.post("/data", content=body, headers={**OWN_FORM, "Content-Type": media_type})
    assert answer.status_code == status, answer.text[:300]
    Page(answer.text)
    assert left(data_dir) == []


def test_fields_without_end_are_refused(client: TestClient, data_dir: Path) -> None:
    many = {f"f{number}": (None, "x") for number in range(300)}
    assert client.post("/data", files=many, headers=OWN_FORM).status_code == 422
    assert client.post("/data", files={"title": (None, "x" * 70_000)}, headers=OWN_FORM).status_code == 413
    assert client.post("/data", files={"title": (None, b"\xff")}, headers=OWN_FORM).status_code == 422
    assert left(data_dir) == []


@pytest.mark.parametrize(
    "headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}, {"Origin": "http://elsewhere"}]
)
def test_a_form_of_another_site_adds_nothing(
    client: TestClient, data_dir: Path, archive: Path, headers: dict[str, str]
) -> None:
    assert send(client, archive, headers={**BROWSER, **headers}, name="tales").status_code == 403
    assert left(data_dir) == []


def test_a_key_needs_the_scope_and_has_its_quota_and_others_do_not_see_what_is_private(
    opened: Open, database: Database, data_dir: Path, archive: Path
) -> None:
    client = opened(require_keys=True, rate_per_s=0, key_quota_bytes=30_000)
    (_, reader), (_, mine), (_, other) = (
        new_key(database, scope, name) for scope, name in (("read", "R"), ("submit", "Ada"), ("submit", "Bob"))
    )
    assert send(client, archive, name="tales").status_code == 401
    assert send(client, archive, name="tales", headers={**OWN_FORM, **reader}).status_code == 403
    done = send(client, archive, name="tales", private="true", headers={**OWN_FORM, **mine})
    assert done.status_code == 303, done.text
    listed = {
        who: "own/tales" in client.get("/data", headers={**BROWSER, **key}).text
        for who, key in (("reader", reader), ("mine", mine), ("other", other))
    }
    assert listed == {"reader": False, "mine": True, "other": False}
    assert "own/tales" not in [one["id"] for one in client.get("/v1/benchmarks", headers=mine).json()["data"]]
    before = left(data_dir)
    full = send(client, archive, archive, archive, name="more", headers={**OWN_FORM, **mine})
    assert full.status_code in (422, 507)
    assert left(data_dir) == before


def test_only_data_sets_are_told_of_as_added(client: TestClient) -> None:
    for query in ("added=own/nothing", "added=demo-fmri", "added=own/../x"):
        get(client, f"/data?{query}", 404)
    assert client.get("/data?added=own/x&colour=red", headers=BROWSER).status_code == 422


def test_an_upload_that_breaks_off_leaves_nothing(
    database: Database, database_url: str, data_dir: Path, archive: Path
) -> None:
    app = create_app(ApiSettings(data_dir=data_dir, database_url=database_url))
    before = n_rows(database)
    content = archive.read_bytes()
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\n\r\ntales\r\n'
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="mine.zip"\r\n\r\n'
    ).encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    n_bytes = len(head) + len(content) + len(tail) + 3_000_000
    with listening(app) as running:
        address = urlsplit(running.url)
        for sent in (head[:40], head + content[:100], head + content + b"x" * 2_500_000):
            with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
                connection.sendall(
                    f"POST /data HTTP/1.1\r\nHost: {address.netloc}\r\nOrigin: {running.url}\r\n"
                    f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
                    f"Content-Length: {n_bytes}\r\n\r\n".encode()
                )
                connection.sendall(sent)
                wait_for(lambda: any(re.search("incoming", name) for name in left(data_dir)))
            wait_for(lambda: left(data_dir) == [])
        browser = httpx.Client(base_url=running.url, headers=BROWSER, timeout=60)
        with browser:
            done = browser.post(
                "/data", data={"name": "tales"}, files={"file": ("mine.zip", content)}, headers={"Origin": running.url}
            )
            assert done.status_code == 303, "the same server goes on"
    assert n_rows(database) == before, "data sets lie in files; nothing of them is in the database"
    assert all(name.startswith("own/tales") for name in left(data_dir))


def test_the_page_says_what_the_files_hold_and_points_to_no_file_of_the_repository(
    client: TestClient, tmp_path: Path
) -> None:
    page = get(client, "/data")
    rows = ["".join(row.text.split()) for row in page.all("tr")]
    for table in (own_data.stimuli(), own_data.units(), own_corpus.words(), own_corpus.single(own_corpus.values())):
        assert any(all(column in row for column in table[0]) for row in rows), [*table[0]]
    folder = own_data.write_dataset(tmp_path / "mine")
    own_data.change_table(folder / "stimuli.csv", lambda rows: rows[3].update(text=" "))
    refused = Page(send(client, own_data.zipped(folder), name="tales").text)
    assert "What the files hold" in refused.all("section", id="report")[0].text
    assert refused.all("a", href="#files")
    for shown in (page, refused):
        assert "docs/how-to" not in shown.elements[0].text
        assert "bring-your-own" not in shown.elements[0].text
        assert len([one for one in shown.elements if one.attributes.get("id") == "files"]) == 1


def test_the_form_needs_no_script_and_names_each_of_its_fields(client: TestClient) -> None:
    page = get(client, "/data")
    (form,) = page.all("form", id="add")
    assert (form.attributes["method"], form.attributes["enctype"]) == ("post", "multipart/form-data")
    labelled = {one.attributes.get("for") for one in page.all("label")}
    for field in ("name", "title", "licence", "citation", "n_folds", "measure", "alignment", "file"):
        assert field in labelled
        assert len([one for one in page.elements if one.attributes.get("id") == field]) == 1
    assert HOST not in client.get("/data", headers=BROWSER).text
