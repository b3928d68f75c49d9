"""The words behind a score of reading, from the scoring process through the database to who asks for them."""

from __future__ import annotations

import csv
import dataclasses
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from pyarrow import parquet
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from scoring.benchmarks.base import benchmark_named
from scoring.datasets.demo_reading import load
from scoring.datasets.download import DataStore
from scoring.table_parquet import to_parquet
from scoring.types import ReadingTimes
from scoring.word_table import Reason, WordTable
from storage import score_tables as stored_tables
from storage import scores
from storage.engine import Database
from storage.errors import WordTableNotFound
from storage.tables import WordTableRow
from tests.integration.test_storage_scores import FULL_SCORE, PLAIN_SCORE, SHA, must_record, running
from tests.integration.test_worker import finished, submit
from tests.integration.test_worker import settings as settings  # the fixture
from tests.integration.test_worker import start as start  # the fixture
from worker import score_tables

READING = (("demo-reading", benchmark_named("demo-reading").version),)
PARQUET = "application/vnd.apache.parquet"
TABLE = WordTable(
    stimulus_id=("a.1", "a.2", "a.3"),
    story=("a", "a", "a"),
    word_index=(1, 2, 3),
    word=("=SUM", "né,", '"so"'),
    surprisal_bits=(0.1 + 0.2, 2.5, None),
    surprisal_bits_sum=(0.5, 2.5, None),
    n_tokens=(1, None, 2),
    context_tokens=(0, None, 1),
    time_published_ms=(300.25, 310.0, 320.0),
    time_realigned_ms=(310.0, None, 320.0),
    log_frequency=(None, None, None),
    is_used=(True, False, False),
    reason=(None, Reason.NO_TIME, Reason.NO_PROBABILITY),
)


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    given = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None)
    with TestClient(create_app(given)) as connected:
        yield connected


def recorded(database: Database, *, words: bytes | None, force: bool = False) -> str:
    _, claim = running(database, force=force)
    with database.write() as session:
        score_id = scores.record(
            session,
            token=claim.token,
            run_id=claim.runs[0].id,
            score=PLAIN_SCORE,
            revision=SHA,
            dtype="float32",
            tables={} if words is None else {"words": words},
        )
    assert score_id is not None
    return score_id


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def numbers(rows: list[dict[str, str]], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([float(row[name] or "nan") for row in rows])


def test_a_reading_run_gives_its_words_and_the_score_follows_from_them(
    database: Database, start: Any, client: TestClient, tmp_path: Path
) -> None:
    start()
    job = finished(database, submit(database, benchmarks=READING))
    score = client.get(f"/v1/scores/{job.runs[0].score_id}").json()
    answer = client.get(f"/v1/scores/{score['id']}/surprisals")
    assert answer.status_code == 200, answer.text
    rows, experiment = rows_of(answer.text), load(DataStore(cache=tmp_path))
    stimuli, times = experiment.stimuli, experiment.measured
    assert isinstance(times, ReadingTimes)
    assert [row["stimulus_id"] for row in rows] == [*stimuli.ids]
    assert [row["word"] for row in rows] == [*stimuli.texts]
    assert [row["story"] for row in rows] == [*stimuli.groups]
    np.testing.assert_array_equal(numbers(rows, "time_realigned_ms"), times.realigned)
    assert [int(row["word_index"]) - 1 for row in rows] == [int(name.split(".")[1]) for name in stimuli.ids]
    used = [row for row in rows if row["is_used"] == "true"]
    assert len(used) == score["n"]["stimuli"]
    assert [bool(row["reason"]) for row in rows] == [row["is_used"] == "false" for row in rows]
    r = np.corrcoef(numbers(used, "surprisal_bits"), numbers(used, "time_realigned_ms"))[0, 1]
    assert r == pytest.approx(score["raw"], abs=1e-9)
    summed = np.corrcoef(numbers(used, "surprisal_bits_sum"), numbers(used, "time_realigned_ms"))[0, 1]
    assert summed == pytest.approx(score["measures"]["pearson_realigned_sum"], abs=1e-9)
    assert (numbers(rows, "n_tokens") > 0).all()


def test_an_oversized_table_costs_a_warning_and_no_score(
    database: Database,
    start: Any,
    client: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(score_tables, "MAX_BYTES", 1000)
    start()
    with caplog.at_level(logging.WARNING):
        job = finished(database, submit(database, benchmarks=READING))
    assert job.status == "succeeded"
    assert f"the table of words of run {job.runs[0].id} was dropped" in caplog.text
    assert client.get(f"/v1/scores/{job.runs[0].score_id}/surprisals").json()["code"] == "word_table_not_found"


def test_a_table_comes_back_byte_for_byte(database: Database) -> None:
    score_id = recorded(database, words=to_parquet(TABLE))
    with database.read() as session:
        assert stored_tables.get(session, score_id, stored_tables.WORDS) == to_parquet(TABLE)


def test_a_score_that_is_taken_again_keeps_the_table_it_was_made_with(database: Database) -> None:
    first = recorded(database, words=None)
    assert recorded(database, words=to_parquet(TABLE)) == first
    with database.read() as session, pytest.raises(WordTableNotFound):
        stored_tables.get(session, first, stored_tables.WORDS)
    second = recorded(database, words=to_parquet(TABLE), force=True)
    changed = dataclasses.replace(TABLE, word=("x", "y", "z"))
    assert recorded(database, words=to_parquet(changed)) == second
    with database.read() as session:
        assert stored_tables.get(session, second, stored_tables.WORDS) == to_parquet(TABLE)


def test_a_table_that_changed_in_the_database_is_not_given_out(database: Database) -> None:
    score_id = recorded(database, words=to_parquet(TABLE))
    with database.write() as session:
        session.execute(sa.update(WordTableRow).values(parquet=b"PAR1"))
    with database.read() as session, pytest.raises(RuntimeError, match="not the one that was stored"):
        stored_tables.get(session, score_id, stored_tables.WORDS)


@pytest.mark.parametrize(
    ("query", "accept"), [("", "*/*"), ("", "application/json"), ("", "text/csv"), ("?format=csv", PARQUET)]
)
def test_words_come_as_csv_unless_parquet_is_asked_for(
    client: TestClient, database: Database, query: str, accept: str
) -> None:
    score_id = recorded(database, words=to_parquet(TABLE))
    answer = client.get(f"/v1/scores/{score_id}/surprisals{query}", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{score_id}-surprisals.csv"'
    assert answer.headers["Vary"] == "Accept"
    assert [*csv.reader(io.StringIO(answer.text))] == [
        [*WordTable.names()],
        ["a.1", "a", "1", "'=SUM", "0.30000000000000004", "0.5", "1", "0", "300.25", "310.0", "", "true", ""],
        ["a.2", "a", "2", "né,", "2.5", "2.5", "", "", "310.0", "", "", "false", "no_time"],
        ["a.3", "a", "3", '"so"', "", "", "2", "1", "320.0", "320.0", "", "false", "no_probability"],
    ]


@pytest.mark.parametrize(("query", "accept"), [("?format=parquet", "text/csv"), ("", PARQUET)])
def test_words_come_as_parquet_where_that_is_asked_for(
    client: TestClient, database: Database, query: str, accept: str
) -> None:
    score_id = recorded(database, words=to_parquet(TABLE))
    answer = client.get(f"/v1/scores/{score_id}/surprisals{query}", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == PARQUET
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{score_id}-surprisals.parquet"'
    found = parquet.read_table(io.BytesIO(answer.content)).to_pydict()
    assert found == {name: [*getattr(TABLE, name)] for name in WordTable.names()}


def test_scores_without_words_and_ids_without_scores_are_told_apart(client: TestClient, database: Database) -> None:
    _, claim = running(database)
    score_id = must_record(database, claim, FULL_SCORE)
    found = client.get(f"/v1/scores/{score_id}/surprisals")
    assert (found.status_code, found.json()["code"]) == (404, "word_table_not_found")
    assert "force" in found.json()["hint"]
    missing = client.get("/v1/scores/score_nowhere/surprisals")
    assert (missing.status_code, missing.json()["code"]) == (404, "score_not_found")
    odd = client.get(f"/v1/scores/{score_id}/surprisals?format=json")
    assert (odd.status_code, odd.json()["code"]) == (422, "request_invalid")
