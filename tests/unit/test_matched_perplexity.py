from __future__ import annotations

import numpy as np
import pytest

from scoring.matched_perplexity import Refusal, match

Scores = list[dict[str, float]]


def line(bits: float) -> float:
    return 0.08 - 0.005 * bits


def base_models(n: int, *, seed: int = 0, noise: float = 0.001) -> Scores:
    random = np.random.default_rng(seed)
    bits = np.linspace(8, 14, n)
    return [{"perplexity_word": 2.0**x, "delta_ll_realigned": line(x) + noise * random.standard_normal()} for x in bits]


def score(bits: float, above: float = 0.0) -> dict[str, float]:
    return {"perplexity_word": 2.0**bits, "delta_ll_realigned": line(bits) + above, "pearson_realigned": 0.3}


def test_a_planted_gain_beyond_the_line_is_recovered() -> None:
    found = match(score(10.3, above=0.004), base_models(20))
    (one,) = found.matches
    assert found.refusal is None
    assert found.log2_perplexity == pytest.approx(10.3)
    assert (found.lowest, found.highest) == (pytest.approx(8), pytest.approx(14))
    assert one.measure == "delta_ll_realigned"
    assert one.difference == pytest.approx(0.004, abs=0.001)
    assert one.low > 0


def test_it_equals_a_plain_least_squares_fit_and_its_prediction_interval() -> None:
    base = base_models(11, seed=4)
    (one,) = match(score(9.1), base).matches
    x = np.array([np.log2(model["perplexity_word"]) for model in base])
    y = np.array([model["delta_ll_realigned"] for model in base])
    design = np.stack([np.ones(11), x], axis=1)
    coefficients = np.linalg.inv(design.T @ design) @ design.T @ y
    assert one.expected == pytest.approx(coefficients @ [1, 9.1], abs=1e-12)
    variance = np.sum((y - design @ coefficients) ** 2) / 9
    new = np.array([1, 9.1])
    reach = 2.2621571628 * np.sqrt(variance * (1 + new @ np.linalg.inv(design.T @ design) @ new))
    assert one.high - one.difference == pytest.approx(reach, rel=1e-9)
    assert one.difference - one.low == pytest.approx(reach, rel=1e-9)


def test_a_further_base_model_lies_within_the_interval_in_ninety_five_of_a_hundred_cases() -> None:
    random = np.random.default_rng(1)
    n_inside = 0
    for seed in range(1000):
        (one,) = match(score(11.0, above=0.001 * random.standard_normal()), base_models(8, seed=seed)).matches
        n_inside += one.low <= 0 <= one.high
    assert 930 <= n_inside <= 970


def test_seven_base_models_are_too_few() -> None:
    found = match(score(10), base_models(7))
    assert (found.refusal, found.matches) == (Refusal.TOO_FEW_BASE_MODELS, ())
    assert match(score(10), base_models(8)).refusal is None


def test_base_models_of_one_perplexity_make_no_line() -> None:
    assert match(score(10), [score(10) for _ in range(9)]).refusal is Refusal.TOO_FEW_BASE_MODELS


@pytest.mark.parametrize("bits", [7.9, 14.1])
def test_nothing_is_told_outside_the_range_of_the_base_models(bits: float) -> None:
    assert match(score(bits), base_models(12)).refusal is Refusal.OUTSIDE_RANGE


def test_the_ends_of_the_range_belong_to_it() -> None:
    assert match(score(8), base_models(12)).refusal is None


def test_a_score_of_a_brain_has_no_perplexity() -> None:
    assert match({"unique_r2": 0.1}, base_models(12)).refusal is Refusal.NO_PERPLEXITY


def test_surprisals_of_no_causal_model_are_refused() -> None:
    assert match(score(10), base_models(12), is_comparable=False).refusal is Refusal.NOT_COMPARABLE


def test_a_measure_that_few_base_models_have_is_left_out() -> None:
    base = base_models(12)
    for model in base[:7]:
        model["delta_ll_mixed_realigned"] = 0.1
    found = match(score(10) | {"delta_ll_mixed_realigned": 0.2}, base)
    assert [one.measure for one in found.matches] == ["delta_ll_realigned"]


def test_base_models_without_frequencies_do_not_count() -> None:
    base = base_models(8)
    del base[3]["delta_ll_realigned"]
    assert match(score(10), base).refusal is Refusal.TOO_FEW_BASE_MODELS
