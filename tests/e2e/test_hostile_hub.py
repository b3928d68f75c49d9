"""Every kind of bad model through the whole service: submitted by HTTP, fetched by a real worker.

One server takes all of them at once; each ends in its code, nothing of it stays on disk, and the good ones still run.
"""

import json
import os
import shutil
import struct

import httpx
import pytest

from scoring.subjects import checks, demo_model
from tests.fake_hub import FakeHub, Fault
from tests.serving import serving, wait_for

TOKEN = "hf_" + "Q" * 34
WEIGHTS = checks.SINGLE_WEIGHTS
NOTES = {".quota.lock", "CACHEDIR.TAG"}


def change(**fields):
    def apply(folder):
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return apply


def only_pickles(folder):
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")


def header_bomb(folder):
    raw = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", 1 << 40) + raw[8:])


def cut_off(folder):
    os.truncate(folder / WEIGHTS, (folder / WEIGHTS).stat().st_size // 2)


def one_layer_more(folder):
    change(num_hidden_layers=4)(folder)


def larger(folder):
    (folder / "tokenizer_extra.json").write_bytes(b" " * 3_000_000)


def nothing(folder):
    pass


KINDS = {
    "good": (None, nothing, None),
    "busy-once": (Fault.BUSY_ONCE, nothing, None),
    "dropped-once": (Fault.DROPPED_ONCE, nothing, None),
    "gated": (Fault.GATED, nothing, "model_gated"),
    "gated-description": (Fault.GATED_DESCRIPTION, nothing, "model_gated"),
    "private": (Fault.PRIVATE, nothing, "model_not_found"),
    "forbidden": (Fault.FORBIDDEN, nothing, "model_not_found"),
    "only-pickles": (None, only_pickles, "no_safetensors"),
    "auto-map": (None, change(auto_map={"AutoModel": "evil.Evil"}), "remote_code_refused"),
    "kernel": (None, change(_attn_implementation_internal="evil/kernel"), "remote_code_refused"),
    "nested-repository": (None, change(part={"_name_or_path": "evil/repository"}), "remote_code_refused"),
    "trusting": (None, change(text_config={"trust_remote_code": True}), "remote_code_refused"),
    "unknown-type": (None, change(model_type="mamba"), "architecture_unsupported"),
    "missing-tensors": (None, one_layer_more, "model_incomplete"),
    "header-bomb": (None, header_bomb, "model_incomplete"),
    "cut-off": (None, cut_off, "model_incomplete"),
    "too-large": (None, larger, "model_too_large"),
    "truncated": (Fault.TRUNCATED, nothing, "hub_unavailable"),
    "wrong-content": (Fault.WRONG_CONTENT, nothing, "hub_unavailable"),
    "garbage": (Fault.GARBAGE, nothing, "hub_unavailable"),
    "broken": (Fault.BROKEN, nothing, "hub_unavailable"),
    "tells-token": (Fault.TELLS_TOKEN, nothing, "hub_unavailable"),
    "tells-token-in-files": (Fault.TELLS_TOKEN_IN_FILES, nothing, "hub_unavailable"),
    "endless": (Fault.ENDLESS, nothing, "hub_unavailable"),
    "sends-to-file": (Fault.SENDS_ELSEWHERE, nothing, "hub_unavailable"),
    "sends-to-service": (Fault.SENDS_ELSEWHERE, nothing, "hub_unavailable"),
    "hanging": (Fault.HANG, nothing, "hub_unavailable"),
}
"""Faults of the hub and changes to a good model, and the code that each ends in; None: it is scored."""

SETTINGS = {
    "HF_TOKEN": TOKEN,
    "BROCA_BACKOFF_S": "0.1",
    "BROCA_POLL_S": "0.2",
    "BROCA_MAX_ATTEMPTS": "2",
    "BROCA_HUB_TIMEOUT_S": "4",
    "BROCA_MAX_MODEL_BYTES": "2000000",
}


@pytest.fixture
def everything(hub, tmp_path):
    """The hub with a repository of every kind, and a service beside it that nobody may be sent to."""
    with FakeHub() as service:
        demo_model.build(tmp_path / "upstream")
        for kind, (fault, apply, _) in KINDS.items():
            shutil.copytree(tmp_path / "upstream", tmp_path / kind)
            apply(tmp_path / kind)
            elsewhere = "file:///etc/passwd" if kind == "sends-to-file" else f"{service.url}/secret"
            hub.add(f"org/{kind}", tmp_path / kind, fault=fault, elsewhere=elsewhere)
        yield service


def code_of(job):
    (run,) = job["runs"]
    return run["error"] and run["error"]["code"]


def test_every_bad_model_ends_in_its_code_and_the_next_job_runs(everything, hub, tmp_path):
    shutil.copytree(tmp_path / "upstream", tmp_path / "ages")
    hub.add("org/ages", tmp_path / "ages", fault=Fault.BUSY_FOR_AGES)
    with serving(tmp_path, **SETTINGS) as served, httpx.Client(base_url=served.url, timeout=30) as client:

        def submit(model):
            answer = client.post("/v1/jobs", json={"model": model, "benchmarks": ["demo-fmri"]})
            assert answer.status_code == 202
            return answer.json()["id"]

        def job(job_id):
            return client.get(f"/v1/jobs/{job_id}").json()

        ages = submit("org/ages")
        ids = {kind: submit(f"org/{kind}") for kind in KINDS}
        ids["absent"] = submit("org/absent")
        wait_for(lambda: all(job(one)["finished_at"] for one in ids.values()), timeout_s=400)
        ended = {kind: code_of(job(one)) for kind, one in ids.items()}
        assert ended == {kind: code for kind, (_, _, code) in KINDS.items()} | {"absent": "model_not_found"}
        assert job(ages)["runs"][0]["status"] == "queued", "it is asked again in an hour, and holds nobody up"
        assert client.post(f"/v1/jobs/{ages}/cancel").json()["status"] == "cancelled"

        cache = served.data_dir / "models"
        kept = {path.name for path in cache.glob("models--*")}
        scored = {kind for kind, (_, _, code) in KINDS.items() if code is None} | {"missing-tensors"}
        assert kept == {f"models--org--{kind}" for kind in scored}, "what only loading can find out is whole on disk"
        assert [path for path in cache.rglob("*.incomplete") if path.is_file()] == []
        assert everything.n_requests == 0
        assert list((served.data_dir / "work").iterdir()) == []

        told = [client.get("/v1/models").text, client.get("/v1/jobs?page_size=200").text]
        told += [client.get(f"/v1/jobs/{one}/events").text for one in ids.values()]
        assert [text for text in told if TOKEN in text] == []
    assert TOKEN not in served.log.read_text()
    assert TOKEN.encode() not in (served.data_dir / "broca.db").read_bytes()
    assert hub.tokens == {TOKEN}, "it was sent where it belongs"


def test_a_cache_that_is_too_small_says_so_and_nothing_stays(everything, hub, tmp_path):
    settings = {**SETTINGS, "BROCA_MODEL_CACHE_BYTES": "100000"}
    with serving(tmp_path, **settings) as served, httpx.Client(base_url=served.url, timeout=30) as client:
        body = {"model": "org/good", "benchmarks": ["demo-fmri"]}
        job_id = client.post("/v1/jobs", json=body).json()["id"]
        job = wait_for(lambda: (found := client.get(f"/v1/jobs/{job_id}").json())["finished_at"] and found)
        assert code_of(job) == "insufficient_storage"
        assert list((served.data_dir / "models").glob("models--*")) == []
        demo = client.post("/v1/jobs", json={**body, "model": "demo/tiny"}).json()["id"]
        wait_for(lambda: client.get(f"/v1/jobs/{demo}").json()["status"] == "succeeded")
    assert hub.n_weights_served == 0
