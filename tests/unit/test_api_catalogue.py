from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from api.app import create_app
from api.board_views import board_csv
from api.errors import error_codes
from api.misfits import dotted
from api.requests import JobRequest
from api.settings import ApiSettings
from storage.leaderboard import Cell, Column, Leaderboard, Row


def test_importing_the_app_loads_neither_torch_nor_transformers_nor_the_hub_nor_what_draws() -> None:
    code = """
import contextlib, pathlib, sys
import api.app
from scoring.benchmarks.base import benchmark_named
from scoring.datasets.download import DataStore
from scoring.errors import DataMissing
from scoring.registry import Shelf, names
for name in names(Shelf.BENCHMARKS):
    with contextlib.suppress(DataMissing):
        benchmark_named(name).data_sha256(DataStore(cache=pathlib.Path("nowhere")))
absent = ("torch", "transformers", "huggingface_hub", "xarray", "h5py", "altair", "vl_convert")
print([name for name in absent if name in sys.modules])
print(sorted(name for name in sys.modules if name.startswith("worker.")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "['worker.file_bells', 'worker.queue', 'worker.queue_settings']"]


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in ApiSettings.model_fields.values())


def test_error_codes_are_stable_names_with_a_sentence() -> None:
    codes = error_codes()
    contract = (
        "model_not_found, revision_not_found, model_gated, no_safetensors, remote_code_refused, "
        "architecture_unsupported, model_too_large, benchmark_unknown, protocol_unsupported, data_missing, "
        "data_checksum_mismatch, out_of_memory, timeout, worker_lost, numerical_failure, hub_unavailable, "
        "insufficient_storage, cancelled, internal"
    )
    assert set(contract.split(", ")) <= set(codes)
    assert all(code.replace("_", "").isalpha() and code.islower() for code in codes)
    assert all(sentence.endswith(".") for sentence in codes.values())


def test_places_are_dotted_and_hostile_names_are_not_repeated() -> None:
    assert dotted(("benchmarks", 1)) == "benchmarks[1]"
    assert dotted(("model", "revision")) == "model.revision"
    assert dotted(("labels", "<script>")) == "labels.?"
    assert dotted(()) is None


@pytest.mark.parametrize(
    "change",
    [
        {"model": 7},
        {"model": {"id": "gpt2", "branch": "main"}},
        {"model": "gpt2\x00"},
        {"benchmarks": []},
        {"benchmarks": "demo-fmri"},
        {"benchmarks": ["x" * 65]},
        {"force": 1},
        {"force": "true"},
        {"options": {"dtype": "float16"}},
        {"options": {"device": "cpu"}},
        {"labels": {"a b": "c"}},
        {"labels": {"a": "c\x00"}},
        {"labels": {str(n): "" for n in range(17)}},
        {"seed": 1},
        {"trust_remote_code": True},
    ],
)
def test_requests_outside_their_bounds_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        JobRequest.model_validate({"model": "gpt2", "benchmarks": ["demo-fmri"], **change})


def test_a_model_is_named_by_a_string_or_an_object() -> None:
    short = JobRequest.model_validate({"model": "gpt2", "benchmarks": ["demo-fmri"]})
    long = JobRequest.model_validate({"model": {"id": "gpt2", "revision": None}, "benchmarks": ["demo-fmri"]})
    assert short == long


def test_csv_has_one_header_row_and_no_formulas() -> None:
    row = Row(
        rank=1,
        model_id="=cmd()",
        revision="r",
        dtype="float32",
        options={},
        scored_at=datetime(2026, 1, 1, tzinfo=UTC),
        model=None,
        average=-0.5,
        coverage=1,
        rank_interval=(1, 3),
        tie_group=2,
        cells={
            "a": Cell(value=-0.5, raw=-0.5, raw_bounds=(-0.6, -0.4), score_id="score_1", flags=("leak", "confounded")),
            "b": Cell(value=None, missing="never_run"),
        },
    )
    columns = (Column(key="a", normalised=False), Column(key="b", normalised=False))
    text = board_csv(Leaderboard(protocol="grouped", sort="average", columns=columns, rows=(row,)))
    assert text.split("\r\n") == [
        "rank,model,revision,dtype,family,parameters,average,tuning,coverage,rank_low,rank_high,tie_group,"
        "a_raw,a_normalised,a_missing,a_flags,a_raw_low,a_raw_high,"
        "b_raw,b_normalised,b_missing,b_flags,b_raw_low,b_raw_high",
        "1,'=cmd(),r,float32,,,-0.5,,1,1,3,2,-0.5,,,leak;confounded,-0.6,-0.4,,,never_run,,,",
        "",
    ]


def test_the_openapi_document_names_every_endpoint() -> None:
    paths = create_app(ApiSettings()).openapi()["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == {
        ("GET", "/v1/scatter"),
        ("GET", "/v1/scatter/chart.{format}"),
        ("POST", "/v1/jobs"),
        ("GET", "/v1/jobs"),
        ("GET", "/v1/jobs/{job_id}"),
        ("POST", "/v1/jobs/{job_id}/cancel"),
        ("POST", "/v1/jobs/{job_id}/retry"),
        ("GET", "/v1/jobs/{job_id}/events"),
        ("GET", "/v1/scores/{score_id}"),
        ("GET", "/v1/scores/{score_id}/layers"),
        ("GET", "/v1/scores/{score_id}/participants"),
        ("GET", "/v1/scores/{score_id}/folds"),
        ("GET", "/v1/scores/{score_id}/units"),
        ("GET", "/v1/compare"),
        ("GET", "/v1/scores/{score_id}/provenance"),
        ("GET", "/v1/scores/{score_id}/chart.{format}"),
        ("GET", "/v1/leaderboard/chart.{format}"),
        ("GET", "/v1/pairs/chart.{format}"),
        ("GET", "/v1/analyses/{analysis_id}/chart.{format}"),
        ("GET", "/v1/scores/{score_id}/surprisals"),
        ("GET", "/v1/scores/{score_id}/matched-perplexity"),
        ("GET", "/v1/models"),
        ("POST", "/v1/models"),
        ("GET", "/v1/models/{model_id}"),
        ("GET", "/v1/benchmarks"),
        ("POST", "/v1/benchmarks"),
        ("GET", "/v1/benchmarks/{benchmark_id}"),
        ("GET", "/v1/leaderboard"),
        ("GET", "/v1/leaderboard/snapshots"),
        ("GET", "/v1/leaderboard/diff"),
        ("GET", "/v1/pairs"),
        ("POST", "/v1/analyses"),
        ("GET", "/v1/analyses/{analysis_id}"),
        ("POST", "/v1/studies"),
        ("GET", "/v1/studies"),
        ("GET", "/v1/studies/{study_id}"),
        ("POST", "/v1/properties"),
        ("PUT", "/v1/models/{model_id}/properties"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/v1/workers"),
        ("GET", "/metrics"),
        ("GET", "/v1/version"),
    }
