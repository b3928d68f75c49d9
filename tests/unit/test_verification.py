"""What counts as drift between two runs of a score, what cannot be compared, and reference values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broca.records import Provenance
from broca.results import Score
from broca.verification import (
    CLOSE,
    COARSE,
    CannotRerun,
    compared,
    require_same_identity,
    require_same_science,
    settings_of,
    usual_tolerance,
)
from scoring.datasets.download import DataStore
from scoring.published.reference_values import VALUES, Quantity, ReferenceValue
from scoring.reference import HOW, Verdict, checked
from tests.unit.test_client import SCORE

IDENTITY: dict[str, Any] = {
    "model": {"id": "gpt2", "revision": "abc"},
    "benchmark": {"id": "demo-fmri", "version": 1, "data_sha256": "00"},
    "protocol": "grouped",
    "dtype": "float32",
    "options": {"context": "sentence"},
    "seed": 0,
    "scoring_version": "1",
}


def provenance(device: str = "cpu", **changes: Any) -> Provenance:
    said = {"score": "score_1", "identity": {**IDENTITY, **changes}, "conditions": {"device": device}}
    return Provenance.model_validate(said)


def score(**changes: Any) -> Score:
    return Score.model_validate({**SCORE, **changes})


def drifted(tolerance: float = CLOSE, **changes: Any) -> list[str]:
    return [one.name for one in compared(score(), score(**changes), tolerance=tolerance) if not one.is_same]


def test_the_same_score_has_not_drifted() -> None:
    found = compared(score(), score(), tolerance=0.0)
    assert [one.name for one in found] == ["raw", "ceiling", "normalised", "layers", "cka"]
    assert all(one.is_same for one in found)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"raw": 0.25 + 2e-6}, ["raw"]),
        ({"raw": 0.25 + 5e-7}, []),
        ({"ceiling": None, "normalised": None}, ["ceiling", "normalised"]),
        ({"layer": {**SCORE["layer"], "selected": ["block.2"]}}, ["layers"]),  # type: ignore[dict-item]
        ({"measures": {}}, ["cka"]),
        ({"measures": {"cka": 0.1, "rsa": 0.2}}, ["rsa"]),
    ],
)
def test_whatever_a_score_says_can_drift(changes: dict[str, Any], names: list[str]) -> None:
    assert drifted(**changes) == names


def test_large_numbers_may_be_as_far_apart_as_they_are_large() -> None:
    before, after = (score(measures={"perplexity_word": value}) for value in (2000.0, 2000.001))
    assert all(one.is_same for one in compared(before, after, tolerance=CLOSE))
    assert not all(one.is_same for one in compared(before, after, tolerance=CLOSE / 10))


def test_the_usual_tolerance_is_coarse_in_bfloat16_and_on_another_kind_of_device() -> None:
    assert usual_tolerance(provenance("cuda:0"), provenance("cuda:1")) == CLOSE
    assert usual_tolerance(provenance("cuda:0"), provenance("cpu")) == COARSE
    assert usual_tolerance(provenance(dtype="bfloat16"), provenance(dtype="bfloat16")) == COARSE


def test_what_is_asked_for_again_names_commit_and_dtype() -> None:
    asked = settings_of(provenance())
    assert (asked.model, asked.revision, asked.options) == ("gpt2", "abc", {"context": "sentence", "dtype": "float32"})
    imported = settings_of(provenance(model={"id": "imported/x", "revision": "1"}, options={}))
    assert imported.options == {}, "what was imported takes none"
    with pytest.raises(CannotRerun, match="not by itself"):
        settings_of(provenance(model={"id": "baseline/oasm"}))


@pytest.mark.parametrize(
    ("here", "said"),
    [
        ({"scoring_version": "2", "benchmark_version": 1}, "scoring version 1, and 2 is here"),
        ({"scoring_version": "1", "benchmark_version": 3}, "version 1 of demo-fmri, and 3 is here"),
    ],
)
def test_another_science_cannot_make_the_score_again(here: dict[str, Any], said: str) -> None:
    with pytest.raises(CannotRerun, match=said):
        require_same_science(provenance().identity, **here)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"dtype": "bfloat16"}, "the dtype was float32 and is bfloat16"),
        ({"benchmark": {"id": "demo-fmri", "version": 1, "data_sha256": "11"}}, "sha256 of the data"),
        ({"model": {"id": "gpt2", "revision": "def"}}, "the model's commit"),
    ],
)
def test_two_different_scores_are_not_compared(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CannotRerun, match=said):
        require_same_identity(provenance().identity, provenance(**changes).identity)


def a_value(benchmark: str, expected: float) -> ReferenceValue:
    return ReferenceValue(
        benchmark=benchmark, quantity=Quantity.STIMULI, expected=expected, tolerance=0.0, source="planted"
    )


def test_reference_values_are_ok_drift_or_without_data(tmp_path: Path) -> None:
    store = DataStore(cache=tmp_path, mirror=None, offline=True)
    values = (a_value("demo-fmri", 96), a_value("demo-fmri", 97), a_value("pereira2018", 627))
    found = list(checked(store, values))
    assert [line.verdict for line in found] == [Verdict.OK, Verdict.DRIFT, Verdict.DATA_MISSING]
    assert [line.found for line in found] == [96, 96, None]
    assert "assy_Pereira2018_language.nc" in (found[2].detail or "")


def test_every_reference_value_can_be_computed_from_its_name() -> None:
    assert {value.quantity for value in VALUES} <= set(HOW)
    fitted = [value for value in VALUES if value.quantity in {Quantity.CEILING, Quantity.NOISE, Quantity.BASELINE}]
    assert all(value.protocol is not None for value in fitted)
    assert all(value.baseline is not None for value in fitted if value.quantity is Quantity.BASELINE)


def test_the_reference_values_of_real_data_are_found_again(data_mirror: Path, tmp_path: Path) -> None:
    store = DataStore(cache=tmp_path, mirror=data_mirror, offline=True)
    quick = tuple(value for value in VALUES if value.quantity in {Quantity.STIMULI, Quantity.MEAN_TIME})
    verdicts = {line.verdict for line in checked(store, quick)}
    assert Verdict.OK in verdicts
    assert Verdict.DRIFT not in verdicts
