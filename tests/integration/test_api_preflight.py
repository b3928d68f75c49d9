"""`POST /v1/jobs?validate_only=true`: what is told before a job is submitted, with a hub on loopback."""

import json
import os
import shutil
import struct
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from starlette.testclient import TestClient

from api import looking
from api.app import create_app
from api.settings import ApiSettings
from scoring.subjects import demo_model
from scoring.subjects.headers import MAX_HEADER_BYTES
from storage import models, runs, scores, workers
from storage.models import NewModel
from storage.tables import WorkerRow
from tests.fake_hub import Fault
from tests.integration.test_api_jobs import a_score
from tests.serving import wait_for

URL = "/v1/jobs?validate_only=true"
TOKEN = "hf_" + "Q" * 34


@pytest.fixture
def model(tmp_path):
    demo_model.build(tmp_path / "local-models" / "mine")
    return tmp_path / "local-models" / "mine"


@pytest.fixture
def settings(sqlite_url, tmp_path, model):
    return settings_of(sqlite_url, tmp_path, model)


def settings_of(url, tmp_path, model):
    return ApiSettings(
        data_dir=tmp_path / "data",
        database_url=url,
        model_dir=model.parent,
        data_mirror=None,
        preflight_timeout_s=60,
    )


@pytest.fixture
def client_on_both(database_url, tmp_path, model, hub):
    with TestClient(create_app(settings_of(database_url, tmp_path, model))) as connected:
        yield connected


@pytest.fixture
def client(settings, hub):
    with TestClient(create_app(settings)) as connected:
        yield connected


def ask(client, model, *benchmarks, **fields):
    body = {"model": model, "benchmarks": benchmarks or ["demo-fmri"], **fields}
    response = client.post(URL, json=body)
    assert response.status_code == 200, response.text
    assert client.get("/v1/jobs").json()["data"] == [], "nothing is written"
    return response.json()


def check(found, name):
    return next(one for one in found["checks"] if one["name"] == name)


def failed(found):
    return {one["name"]: one["code"] for one in found["checks"] if one["ok"] is False}


def beat(database, *, memory_bytes=None, device="cpu"):
    with database.write() as session:
        workers.beat(session, worker_id=f"w-{device}", host="h", pid=1, device=device)
        session.query(WorkerRow).update({"memory_bytes": memory_bytes})


def test_a_model_of_the_hub_is_described_without_its_weights(client_on_both, hub, model, database):
    client = client_on_both
    sha = hub.add("org/good", model)
    beat(database, memory_bytes=10**9)
    found = ask(client, "org/good", "demo-fmri", "demo-reading")
    assert (found["object"], found["ok"], found["cached"]) == ("preflight", True, False)
    told = found["model"]
    assert (told["revision"], told["parameters"], told["n_layers"], told["family"]) == (sha, 47328, 3, "llama")
    assert told["stored_dtypes"] == ["F32"]
    assert told["download_bytes"] > 4 * 47328
    assert told["memory_needed_bytes"]["float32"] > told["memory_needed_bytes"]["bfloat16"] > 47328
    assert [one["data_ready"] for one in found["benchmarks"]] == [True, True]
    assert found["queue"] == {"jobs_ahead": 0, "workers": 1, "estimate_s": None}
    assert {one["ok"] for one in found["checks"]} == {True}
    assert hub.n_weights_served == 0
    assert hub.tokens == set()


def test_the_hub_is_asked_without_a_token_and_once_in_a_while(client, hub, model, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.add("org/good", model)
    first = ask(client, "org/good")
    n_requests = hub.n_requests
    assert ask(client, "org/good")["model"] == first["model"]
    assert hub.n_requests == n_requests
    assert hub.tokens == set()


@pytest.mark.parametrize(
    ("fault", "name", "code"),
    [
        (Fault.PRIVATE, "exists", "model_not_found"),
        (Fault.GATED, "access", "model_gated"),
        (Fault.BUSY, "hub", "hub_unavailable"),
        (Fault.BROKEN, "hub", "hub_unavailable"),
        (Fault.GARBAGE, "hub", "hub_unavailable"),
        (Fault.SENDS_ELSEWHERE, "hub", "hub_unavailable"),
    ],
)
def test_what_the_hub_refuses_is_told(client, hub, model, fault, name, code):
    hub.add("org/bad", model, fault=fault, elsewhere="http://169.254.169.254/latest")
    found = ask(client, "org/bad")
    assert not found["ok"]
    assert failed(found) == {name: code}
    assert check(found, name)["retryable"] == (code == "hub_unavailable")
    assert found["model"]["parameters"] is None


@pytest.mark.parametrize(
    ("fields", "name", "code"),
    [
        ({"model_type": "mamba"}, "architecture", "architecture_unsupported"),
        ({"auto_map": {"AutoModel": "evil.Evil"}}, "code", "remote_code_refused"),
        ({"num_hidden_layers": 10**9}, "files", "model_incomplete"),
    ],
)
def test_what_a_worker_would_refuse_is_told(client, hub, model, fields, name, code):
    path = model / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    hub.add("org/bad", model)
    for model_id in ("org/bad", "local/mine", "untrained/org/bad@0"):
        assert failed(ask(client, model_id)) == {name: code}


def test_pickles_and_missing_models_are_told(client, hub, model):
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    hub.add("org/old", model)
    assert failed(ask(client, "org/old")) == {"files": "no_safetensors"}
    assert failed(ask(client, "org/nothing")) == {"exists": "model_not_found"}
    assert failed(ask(client, {"id": "org/old", "revision": "v9"})) == {"exists": "revision_not_found"}
    assert failed(ask(client, "local/nothing")) == {"exists": "model_not_found"}
    assert failed(ask(client, "imported/nothing")) == {"exists": "model_not_found"}
    assert failed(ask(client, "https://evil/x")) == {"model_id": "model_id_malformed"}
    assert ask(client, "untrained/org/old@3")["ok"]


@pytest.mark.parametrize("model_id", ["demo/tiny", "local/mine", "untrained/demo/tiny@1", "untrained/local/mine@1"])
def test_models_that_are_not_of_the_hub_are_described_without_it(client, hub, model_id):
    found = ask(client, model_id)
    assert found["ok"]
    assert found["model"]["n_layers"] == 3
    assert found["model"]["download_bytes"] == 0
    assert hub.n_requests == 0


def test_a_hub_that_hangs_ends_in_time_and_says_so(settings, hub, model):
    hub.add("org/slow", model, fault=Fault.HANG)
    with TestClient(create_app(settings.model_copy(update={"preflight_timeout_s": 2.0}))) as client:
        found = ask(client, "org/slow")
    assert failed(found) == {"hub": "hub_unavailable"}
    assert check(found, "hub")["retryable"]


def test_the_largest_worker_decides_on_memory(client_on_both, database):
    client = client_on_both
    assert check(ask(client, "demo/tiny"), "workers")["ok"] is None
    beat(database)
    assert check(ask(client, "demo/tiny"), "memory")["ok"] is None, "it does not say what it has"
    beat(database, memory_bytes=1000)
    found = ask(client, "demo/tiny")
    assert failed(found) == {"memory": "model_too_large"}
    assert "the largest worker has 1000" in check(found, "memory")["detail"]


def test_a_gpu_takes_bfloat16_unless_another_dtype_is_asked_for(client_on_both, database):
    client = client_on_both
    needed = ask(client, "demo/tiny")["model"]["memory_needed_bytes"]
    beat(database, memory_bytes=needed["bfloat16"], device="cuda")
    assert check(ask(client, "demo/tiny"), "memory")["ok"]
    assert not check(ask(client, "demo/tiny", options={"dtype": "float32"}), "memory")["ok"]


def test_benchmarks_and_protocols_are_checked_one_by_one(client, hub):
    assert failed(ask(client, "demo/tiny", "nothing", "demo-fmri")) == {"benchmarks": "benchmark_unknown"}
    assert failed(ask(client, "demo/tiny", protocol="nothing")) == {"benchmarks": "protocol_unsupported"}
    assert failed(ask(client, "demo/tiny", "demo-fmri", "demo-fmri")) == {"benchmarks": "request_invalid"}
    assert client.post(URL, json={"model": "gpt2"}).status_code == 422
    assert client.post("/v1/jobs?validate_only=2", json={}).status_code == 422


def test_data_that_nobody_can_fetch_are_told(client, hub):
    fetchable = ask(client, "demo/tiny", "futrell2018")
    assert fetchable["benchmarks"][0]["data_ready"] is False
    assert "come when they are first needed" in check(fetchable, "data")["detail"]
    found = ask(client, "demo/tiny", "wehbe2014")
    assert found["benchmarks"][0]["data_ready"] is False
    assert failed(found) == {"data": "data_missing"}


def test_known_scores_durations_and_the_queue_are_told(client_on_both, hub, model, database):
    client = client_on_both
    sha = hub.add("org/good", model)
    jobs_before = client.post("/v1/jobs", json={"model": "org/good", "benchmarks": ["demo-fmri"]}).json()
    with database.write() as session:
        claim = runs.claim(session, worker="w1", lease_s=60)
        models.remember(session, NewModel(id=claim.model_id, revision=sha))
        (run,) = claim.runs
        stored = scores.record(
            session,
            token=claim.token,
            run_id=run.id,
            score=a_score(run.benchmark, claim.model_id),
            revision=sha,
            dtype="float32",
        )
    waiting = client.post("/v1/jobs", json={"model": "demo/tiny", "benchmarks": ["demo-reading"]}).json()
    found = client.post(URL, json={"model": "org/good", "benchmarks": ["demo-fmri"]}).json()
    assert found["cached"]
    assert found["benchmarks"][0]["score"] == stored
    assert found["benchmarks"][0]["duration_s"] >= 0
    assert found["queue"]["jobs_ahead"] == 1
    both = client.post(URL, json={"model": "org/good", "benchmarks": ["demo-fmri", "demo-reading"]}).json()
    assert not both["cached"]
    assert both["queue"]["estimate_s"] is None, "no run of demo-reading has ended"
    assert {jobs_before["id"], waiting["id"]} == {job["id"] for job in client.get("/v1/jobs").json()["data"]}


def test_looks_are_few_at_a_time(settings, hub, model, monkeypatch):
    monkeypatch.setattr(looking, "WAIT_S", 0.01)
    looker = looking.Looker(settings.model_copy(update={"preflight_timeout_s": 4.0}))
    hub.add("org/slow", model, fault=Fault.HANG)
    answers = []

    def look(number):
        answers.append(looker.look(f"org/slow{number}" if number else "org/slow", None, {}, asks_surprisal=False))

    hub.repositories |= {f"org/slow{number}": hub.repositories["org/slow"] for number in range(1, 9)}
    threads = [threading.Thread(target=look, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    busy = [one for one in answers if "other models" in one["failure"]["detail"]]
    assert len(busy) == 9 - looking.N_AT_ONCE
    assert {one["failure"]["code"] for one in answers} == {"hub_unavailable"}


def test_a_look_is_the_first_to_go_when_memory_ends(settings, hub, model):
    hub.add("org/slow", model, fault=Fault.HANG)
    looker = looking.Looker(settings.model_copy(update={"preflight_timeout_s": 20.0}))
    thread = threading.Thread(target=looker.look, args=("org/slow", None, {}), kwargs={"asks_surprisal": False})
    thread.start()
    wait_for(lambda: hub.n_requests)
    alive = (one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE)
    (child,) = (one for one in alive if looking.MODULE in one.cmdline())
    first_to_go = Path(f"/proc/{child.pid}/oom_score_adj").read_text().strip()
    child.kill()
    thread.join()
    assert first_to_go == "1000"


def test_the_largest_header_fits_into_the_memory_of_a_look(settings, hub, tmp_path):
    """More than any model has: 150,000 tensors in one file, of one number each."""
    folder = tmp_path / "many"
    shutil.copytree(settings.model_dir / "mine", folder)
    name = "transformer.h.0.mlp.experts.{}.gate_proj.weight_scale_inv"
    entries = {
        name.format(number): {"dtype": "F32", "shape": [1], "data_offsets": [4 * number, 4 * number + 4]}
        for number in range(150_000)
    }
    header = json.dumps(entries, separators=(",", ":")).encode()
    assert 0.5 * MAX_HEADER_BYTES < len(header) <= MAX_HEADER_BYTES
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(600_000))
    hub.add("org/many", folder)
    answer = looking.Looker(settings).look("org/many", None, {}, asks_surprisal=False)
    assert answer["failure"] is None
    assert answer["seen"]["parameters"] == 150_000


def test_the_web_process_stays_light_after_a_preflight(settings, hub):
    code = """
import sys
from starlette.testclient import TestClient
from api.app import create_app
from api.settings import ApiSettings
with TestClient(create_app(ApiSettings(preflight_timeout_s=60))) as client:
    answer = client.post("/v1/jobs?validate_only=true", json={"model": "demo/tiny", "benchmarks": ["demo-fmri"]})
    assert answer.json()["ok"], answer.text
print([name for name in ("torch", "transformers", "huggingface_hub") if name in sys.modules])
"""
    environment = {"BROCA_DATABASE_URL": settings.resolved_database_url, "BROCA_DATA_DIR": str(settings.data_dir)}
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert ended.stdout.strip() == "[]", ended.stderr
