"""ΔLL at matched perplexity, from stored scores through HTTP to the command line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from scoring.results import ScoreWarning
from storage import jobs, models, runs, scores
from storage.engine import Database
from storage.jobs import NewJob
from storage.models import NewModel
from tests.integration.test_storage_scores import PLAIN_SCORE, SHA


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    given = ApiSettings(data_dir=tmp_path / "data", database_url=database_url, data_mirror=None)
    with TestClient(create_app(given)) as connected:
        yield connected


def recorded(
    database: Database,
    name: str,
    *,
    bits: float | None,
    gain: float = 0.0,
    tuning: str | None = None,
    warning: str = "",
) -> str:
    measures = {} if bits is None else {"perplexity_word": 2.0**bits, "delta_ll_realigned": gain}
    warnings = (ScoreWarning(code=warning, detail="a test"),) if warning else ()
    score = replace(PLAIN_SCORE, subject=name, raw=0.1, measures=measures, warnings=warnings)
    order = NewJob(
        model_id=name,
        requested_revision=None,
        benchmarks=(("futrell2018", 1),),
        protocol="grouped",
        scoring_version="1",
    )
    with database.write() as session:
        jobs.submit(session, order)
        models.remember(session, NewModel(id=name, revision=SHA, tuning=tuning))
    with database.write() as session:
        claim = runs.claim(session, worker="w", lease_s=60)
        assert claim is not None
        score_id = scores.record(
            session, token=claim.token, run_id=claim.runs[0].id, score=score, revision=SHA, dtype="float32"
        )
    assert score_id is not None
    return score_id


def base_models(database: Database, n: int, *, tuning: str | None = "base") -> list[str]:
    names = [f"org/base-{number}" for number in range(n)]
    for name, bits in zip(names, np.linspace(8, 14, n), strict=True):
        recorded(database, name, bits=float(bits), gain=0.08 - 0.005 * float(bits), tuning=tuning)
    return names


def asked(client: TestClient, score_id: str, **query: str) -> dict[str, object]:
    answer = client.get(f"/v1/scores/{score_id}/matched-perplexity", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_a_tuned_model_is_held_against_the_untuned_ones(database: Database, client: TestClient) -> None:
    names = base_models(database, 9)
    tuned = recorded(database, "org/tuned", bits=11.0, gain=0.031, tuning="instruct")
    recorded(database, "org/other", bits=10.0, gain=9.0, tuning="instruct")
    recorded(database, "org/masked", bits=10.0, gain=9.0, tuning="base", warning="not_comparable")
    recorded(database, "untrained/org/base-0@0", bits=10.0, gain=9.0, tuning="base")
    found = asked(client, tuned)
    assert found["reason"] is None
    assert found["base"]["models"] == names  # type: ignore[index]
    (one,) = found["data"]  # type: ignore[misc]
    assert one["measure"] == "delta_ll_realigned"
    assert one["expected"] == pytest.approx(0.08 - 0.055)
    assert one["difference"] == pytest.approx(0.006)


def test_base_models_may_be_named_and_those_without_a_score_are_told(database: Database, client: TestClient) -> None:
    names = base_models(database, 9, tuning=None)
    tuned = recorded(database, "org/tuned", bits=11.0, gain=0.031)
    assert asked(client, tuned)["reason"] == "too_few_base_models"
    found = asked(client, tuned, base=",".join([*names, "org/nowhere", "org/tuned"]))
    assert found["reason"] is None
    assert found["base"]["missing"] == ["org/nowhere", "org/tuned"]  # type: ignore[index]
    fewer = asked(client, tuned, base=",".join(names[:7]))
    assert (fewer["reason"], fewer["data"]) == ("too_few_base_models", [])


def test_a_models_own_score_takes_no_part(database: Database, client: TestClient) -> None:
    base_models(database, 8)
    ninth = recorded(database, "org/ninth", bits=10.0, gain=5.0, tuning="base")
    (one,) = asked(client, ninth)["data"]  # type: ignore[misc]
    assert one["n_base_models"] == 8
    assert one["expected"] == pytest.approx(0.03)


def test_nothing_is_told_beyond_the_base_models_or_without_a_perplexity(database: Database, client: TestClient) -> None:
    base_models(database, 8)
    assert asked(client, recorded(database, "org/better", bits=7.5))["reason"] == "outside_range"
    assert asked(client, recorded(database, "org/brain", bits=None))["reason"] == "no_perplexity"
    masked = recorded(database, "org/masked", bits=10.0, warning="not_comparable")
    assert asked(client, masked)["reason"] == "not_comparable"


def test_an_unknown_score_and_an_unknown_parameter_are_problems(client: TestClient) -> None:
    assert client.get("/v1/scores/score_none/matched-perplexity").status_code == 404
    assert client.get("/v1/scores/score_none/matched-perplexity", params={"basis": "x"}).status_code == 422
