"""Scores without a server are those of a server: from Python, and from the command line as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import broca
from broca import BadRequest, Client, NotScored, Score
from scoring.subjects import checks, demo_model, model_ids
from tests.fake_hub import FakeHub
from tests.serving import NOT_INHERITED, TIMEOUT_S, serving, wait_for

WHERE = ("id", "run", "provenance")
"""Fields that say where a score is, not what it says."""


def environment(data_dir: Path, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return {**inherited, "BROCA_DEVICE": "cpu", "BROCA_DATA_DIR": str(data_dir), **settings}


def command(data_dir: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "broca", *arguments],
        env=environment(data_dir, **settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(score: Score) -> dict[str, Any]:
    """What a score says, with its baselines by what they say."""
    found = {name: value for name, value in score.model_dump(mode="json").items() if name not in WHERE}
    found["baselines"] = [{**one, "score": None} for one in found["baselines"]]
    return found


def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, benchmark: str) -> tuple[Score, Score]:
    """The score that a server computes, and the one that this process computes with nothing kept from it."""
    monkeypatch.setenv("BROCA_DEVICE", "cpu")
    with serving(tmp_path) as served, Client(served.url) as client:
        job = client.wait(client.submit(model, [benchmark]).id, timeout_s=TIMEOUT_S)
        assert job.has_succeeded, job
        there = client.score(job.runs[0].score or "")
        provenance = client.provenance(there.id)
    (here,) = broca.score(model, [benchmark], data_dir=tmp_path / "here")
    told = broca.records.Provenance.model_validate(here.model_extra["provenance"])
    assert told.identity == provenance.identity
    assert told.conditions == provenance.conditions
    return there, here


@pytest.mark.parametrize("benchmark", ["demo-fmri", "demo-reading"])
def test_a_planted_score_is_the_same_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, benchmark: str
) -> None:
    there, here = both(tmp_path, monkeypatch, "demo/tiny", benchmark)
    assert said(here) == said(there), "to the last digit"


@pytest.mark.parametrize("benchmark", ["futrell2018", "pereira2018-example"])
def test_a_measured_score_is_the_same_without_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data_mirror: Path, model_dir: Path, benchmark: str
) -> None:
    there, here = both(tmp_path, monkeypatch, "local/stories260K", benchmark)
    assert here.raw == pytest.approx(there.raw, abs=1e-9)
    assert here.measures == pytest.approx(there.measures, abs=1e-9)
    assert said(here)["layer"] == said(there)["layer"]


def test_the_command_line_prints_scores_without_a_server(tmp_path: Path) -> None:
    process = command(tmp_path, "score", "demo/tiny", "-b", "demo-fmri", "demo-reading", "--local", "--json")
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, err
    found = json.loads(out)
    assert [one["benchmark"]["id"] for one in found["scores"]] == ["demo-fmri", "demo-reading"]
    assert found["failures"] == {}
    assert "fitting demo-fmri" in err
    assert not (tmp_path / "broca.db").exists(), "no database is made"


def test_models_of_the_hub_are_resolved_and_checked_before_anything_of_them_is_loaded(
    tmp_path: Path, hub: FakeHub
) -> None:
    for name in ("good", "pickled"):
        demo_model.build(tmp_path / name)
        hub.add(f"org/{name}", tmp_path / name)
    (tmp_path / "pickled" / checks.SINGLE_WEIGHTS).rename(tmp_path / "pickled" / "pytorch_model.bin")
    given = {"HF_ENDPOINT": hub.url, "HF_TOKEN": ""}
    asked = ("-b", "demo-reading", "--local", "--json")
    process = command(tmp_path, "score", "org/good", *asked, **given)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, err
    (score,) = json.loads(out)["scores"]
    assert model_ids.is_commit_sha(score["model"]["revision"])
    assert score["provenance"]["identity"]["model"]["revision"] == score["model"]["revision"]
    process = command(tmp_path, "score", "org/pickled", *asked, **given)
    out, _ = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, json.loads(out)["scores"]) == (1, [])
    assert json.loads(out)["failures"]["demo-reading"]["code"] == "no_safetensors"
    assert [path.name for path in (tmp_path / "models").glob("models--*")] == ["models--org--good"]


def test_an_interruption_ends_it_cleanly(tmp_path: Path) -> None:
    process = command(tmp_path, "score", "demo/tiny", "-b", "demo-fmri", "--local")
    wait_for(lambda: any((tmp_path / "models" / ".uses").glob("here-*")))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err
    assert list((tmp_path / "models" / ".uses").iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "code", "known"),
    [
        (("demo/tiny", "-b", "demo-fmr"), 2, "benchmark_unknown"),
        (("demo/tiny", "-b", "demo-fmri", "--protocol", "groped"), 2, "protocol_unsupported"),
        (("demo/tiny", "-b", "demo-fmri", "--dtype", "int4"), 2, "request_invalid"),
        (("../etc", "-b", "demo-fmri"), 2, "model_id_malformed"),
        (("demo/tiny", "-b", "demo-fmri", "--no-wait"), 2, "exclude each other"),
        (("local/none", "-b", "demo-fmri"), 1, "model_not_found"),
    ],
)
def test_exit_codes_are_those_with_a_server(tmp_path: Path, asked: tuple[str, ...], code: int, known: str) -> None:
    process = command(tmp_path, "score", *asked, "--local", BROCA_MODEL_DIR=str(tmp_path))
    out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (code, ""), err
    assert known in " ".join(err.split())


def test_from_python_what_does_not_exist_is_refused_and_a_failure_keeps_the_other_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BROCA_DATA_MIRROR", raising=False)
    monkeypatch.setenv("BROCA_DEVICE", "cpu")
    lines: list[str] = []
    asked: dict[str, Any] = {"data_dir": tmp_path, "on_progress": lambda fraction, detail: lines.append(detail)}
    with pytest.raises(BadRequest, match="demo-fmr"):
        broca.score("demo/tiny", ["demo-fmr"], **asked)
    with pytest.raises(NotScored) as failed:
        broca.score("demo/tiny", ["demo-reading", "pereira2018-example"], **asked)
    assert failed.value.code == "data_missing"
    assert [one.benchmark.id for one in failed.value.scores] == ["demo-reading"]
    assert "fitting demo-reading" in lines
