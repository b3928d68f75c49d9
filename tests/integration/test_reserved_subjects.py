"""Untrained twins and imported responses the whole way: HTTP, a real worker, scores, leaderboard, known answers."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save
from starlette.testclient import TestClient

from api.app import create_app
from api.settings import ApiSettings
from scoring.benchmarks.base import benchmark_named
from scoring.datasets.download import DataStore
from scoring.evaluate import score
from scoring.subjects import demo_model
from scoring.subjects.language_model import LanguageModel
from scoring.types import Stimuli
from storage.engine import Database
from tests.fake_hub import FakeHub
from worker.settings import WorkerSettings
from worker.supervisor import Supervisor

TIMEOUT_S = 120.0
BYTES = {"Content-Type": "application/octet-stream"}

Score = Callable[..., dict[str, Any]]


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is scored is the same on every database; where rows go is tested elsewhere."""
    return sqlite_url


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    demo_model.build(tmp_path / "models" / "mine")
    return tmp_path / "models"


@pytest.fixture
def client(database: Database, database_url: str, tmp_path: Path, model_dir: Path) -> Iterator[TestClient]:
    """The service: an API and a worker that share their data folder."""
    common = {"data_dir": tmp_path / "data", "database_url": database_url, "model_dir": model_dir, "data_mirror": None}
    worker = Supervisor(
        WorkerSettings(**common, device="cpu", poll_s=0.1, backoff_s=0.1, untrained_twins=False), database
    )
    worker.start()
    with TestClient(create_app(ApiSettings(**common))) as connected:
        yield connected
    worker.stop()


@pytest.fixture
def ask(client: TestClient) -> Score:
    """Submits a job and gives it back when it is finished."""

    def ask(model: object, *benchmarks: str, **changes: Any) -> dict[str, Any]:
        answer = client.post("/v1/jobs", json={"model": model, "benchmarks": [*benchmarks], **changes})
        assert answer.status_code in (200, 202), answer.text
        job: dict[str, Any] = answer.json()
        deadline = time.monotonic() + TIMEOUT_S
        while job["finished_at"] is None:
            assert time.monotonic() < deadline, job
            time.sleep(0.1)
            job = client.get(job["urls"]["self"]).json()
        return job

    return ask


def raws(client: TestClient, job: dict[str, Any]) -> list[float]:
    assert job["status"] == "succeeded", job
    return [client.get(f"/v1/scores/{run['score']}").json()["raw"] for run in job["runs"]]


def stimuli_of(benchmark: str) -> Stimuli:
    return benchmark_named(benchmark).experiment(DataStore(cache=Path("unused"))).stimuli


def bring(client: TestClient, name: str, content: bytes, **said: str) -> dict[str, Any]:
    answer = client.post("/v1/models", params={"id": f"imported/{name}", **said}, content=content, headers=BYTES)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_a_twin_scores_what_the_library_computes_and_another_seed_something_else(
    client: TestClient, ask: Score, tmp_path: Path, model_dir: Path
) -> None:
    jobs = {seed: ask(f"untrained/local/mine@{seed}", "demo-reading", "demo-fmri") for seed in (3, 4)}
    store = DataStore(cache=tmp_path / "datasets")
    for seed, job in jobs.items():
        twin = LanguageModel.untrained(model_dir / "mine", identifier="twin", seed=seed)
        expected = [score(twin, name, data=store).raw for name in ("demo-reading", "demo-fmri")]
        np.testing.assert_allclose(raws(client, job), expected, rtol=1e-6)
    assert raws(client, jobs[3]) != raws(client, jobs[4])
    assert jobs[3]["model"]["revision"] == demo_model.REVISION
    model = client.get("/v1/models/untrained/local/mine@3").json()
    assert (model["family"], model["parameters"]) == ("llama", 47328)
    again = client.post("/v1/jobs", json={"model": "untrained/local/mine@3", "benchmarks": ["demo-reading"]}).json()
    assert (again["cached"], raws(client, again)) == (True, raws(client, jobs[3])[:1])
    shown = {"include_synthetic": True, "family": "llama"}
    assert client.get("/v1/leaderboard", params=shown).json()["data"] == []
    board = client.get("/v1/leaderboard", params={**shown, "include_baselines": True}).json()
    assert {(row["rank"], row["model"]["id"]) for row in board["data"]} == {
        (None, "untrained/local/mine@3"),
        (None, "untrained/local/mine@4"),
    }


def test_a_twin_of_a_hub_s_model_asks_for_no_weights(
    client: TestClient, ask: Score, tmp_path: Path, hub: FakeHub
) -> None:
    demo_model.build(tmp_path / "upstream")
    (tmp_path / "upstream" / "model.safetensors").rename(tmp_path / "upstream" / "pytorch_model.bin")
    sha = hub.add("org/old", tmp_path / "upstream")
    job = ask({"id": "untrained/org/old@0", "revision": sha}, "demo-reading")
    assert hub.n_weights_served == 0
    assert job["model"] == {
        "id": "untrained/org/old@0", "requested_revision": sha, "revision": sha, "parameters": None
    }  # fmt: skip
    named = {"id": "untrained/org/old@0", "revision": sha}
    again = client.post("/v1/jobs", json={"model": named, "benchmarks": ["demo-reading"]}).json()
    assert (again["cached"], raws(client, again)) == (True, raws(client, job))


def test_imported_activations_score_as_the_layers_that_they_are(
    client: TestClient, ask: Score, tmp_path: Path, model_dir: Path
) -> None:
    model = LanguageModel.from_folder(model_dir / "mine", identifier="local/mine")
    stimuli = stimuli_of("demo-fmri")
    layers = model.respond(stimuli, layers=True, surprisal=False).layers
    metadata = {"stimulus_ids": json.dumps(stimuli.ids[::-1]), "layers": json.dumps(list(layers))}
    content = save({name: np.ascontiguousarray(x[::-1]) for name, x in layers.items()}, metadata=metadata)
    bring(client, "states", content, kind="activations", format="safetensors")
    imported, local = ask("imported/states", "demo-fmri"), ask("local/mine", "demo-fmri")
    np.testing.assert_allclose(raws(client, imported), raws(client, local), rtol=1e-6)
    provenance = client.get(f"/v1/scores/{imported['runs'][0]['score']}/provenance").json()
    assert provenance["conditions"]["imported"] is True
    assert provenance["identity"]["dtype"] == "float32"
    again = client.post("/v1/jobs", json={"model": "imported/states", "benchmarks": ["demo-fmri"]}).json()
    assert again["cached"] is True


def test_imported_surprisals_score_as_those_of_the_model_that_they_are_from(
    client: TestClient, ask: Score, model_dir: Path
) -> None:
    stimuli = stimuli_of("demo-reading")
    model = LanguageModel.from_folder(model_dir / "mine", identifier="local/mine")
    surprisals = model.respond(stimuli, layers=False, surprisal=True).surprisals
    assert surprisals is not None
    table = io.StringIO()
    table.write("stimulus_id,word,surprisal\n")
    for name, word, bits in zip(stimuli.ids, stimuli.texts, surprisals.sum_bits, strict=True):
        table.write(f'{name},"{word}",{"" if np.isnan(bits) else repr(float(bits))}\n')
    first = bring(client, "bits", table.getvalue().encode(), kind="surprisals", format="csv", unit="bits")
    job = ask("imported/bits", "demo-reading", "demo-fmri")
    assert job["status"] == "partially_succeeded"
    reading, brain = job["runs"]
    assert brain["error"]["code"] == "import_unsuited"
    found = client.get(f"/v1/scores/{reading['score']}").json()
    local = ask("local/mine", "demo-reading")
    expected = client.get(f"/v1/scores/{local['runs'][0]['score']}").json()["measures"]["pearson_realigned_sum"]
    assert found["raw"] == pytest.approx(expected, rel=1e-9)
    assert found["word_probability"] == "sum"
    assert {"imported", "boundary_not_applicable"} <= {warning["code"] for warning in found["warnings"]}
    changed = client.post(
        "/v1/models",
        params={"id": "imported/bits", "kind": "surprisals", "format": "csv", "unit": "nats", "replace": "true"},
        content=table.getvalue().encode(),
        headers=BYTES,
    )
    assert changed.status_code == 201
    assert ask("imported/bits", "demo-reading")["model"]["revision"] == changed.json()["revision"]
    old = {"id": "imported/bits", "revision": first["revision"]}
    assert client.post("/v1/jobs", json={"model": old, "benchmarks": ["demo-reading"]}).json()["cached"] is True


def test_word_vectors_are_scored_as_one_layer(client: TestClient, ask: Score) -> None:
    stimuli = stimuli_of("demo-fmri")
    words = sorted({word.strip(".,").lower() for text in stimuli.texts for word in text.split()})
    rng = np.random.default_rng(0)
    lines = [" ".join([word, *map(repr, map(float, rng.standard_normal(16)))]) for word in words]
    bring(client, "vectors", "\n".join(lines).encode(), kind="word-vectors", format="text")
    job = ask("imported/vectors", "demo-fmri", "demo-reading")
    brain, reading = job["runs"]
    assert reading["error"]["code"] == "import_unsuited"
    found = client.get(f"/v1/scores/{brain['score']}").json()
    assert set(found["layer"]["selected"]) == {"static"}
    conditions = client.get(found["provenance"]).json()["conditions"]
    assert (conditions["n_words_without_vector"], conditions["n_stimuli_without_vector"]) == (0, 0)


def test_an_import_that_was_changed_on_the_disk_is_not_scored(client: TestClient, ask: Score, tmp_path: Path) -> None:
    bring(client, "vectors", b"the 1 2\n", kind="word-vectors", format="text")
    (data,) = (tmp_path / "data" / "imported" / "vectors").rglob("data.text")
    data.write_bytes(b"the 2 1\n")
    job = ask("imported/vectors", "demo-fmri")
    assert (job["status"], job["runs"][0]["error"]["code"]) == ("failed", "model_incomplete")
