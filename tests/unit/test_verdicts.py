"""Verdicts on claims: planted effects and correlations get those that they deserve."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scoring.analysis.paired import paired
from scoring.analysis.question import plain
from scoring.published.verdicts import Verdict, of_correlation, of_no_correlation, of_no_rise, of_rise


def effect(mean: float, p_pairs: float | None, p_bases: float | None) -> dict[str, Any]:
    """A change whose ranks are nearly all on the side of `mean`, over ten pairs or bases."""
    statistic = 50.0 if mean > 0 else 5.0
    over = {
        name: {"test": None if p is None else {"p": p, "n": 10, "statistic": statistic}}
        for name, p in (("pairs", p_pairs), ("bases", p_bases))
    }
    return {"mean_difference": mean, "over_pairs": over["pairs"], "over_bases": over["bases"]}


def coefficient(r: float, low: float | None, high: float | None, p: float = 0.01) -> dict[str, Any]:
    return {"r": r, "p": p, "interval": None if low is None else {"low": low, "high": high}}


@pytest.mark.parametrize(
    ("found", "rise", "no_rise"),
    [
        (effect(0.1, 0.001, 0.01), Verdict.HOLDS, Verdict.CONTRADICTED),
        (effect(0.1, 0.001, 0.2), Verdict.NOT_OVER_BASES, Verdict.CONTRADICTED),
        (effect(0.1, 0.001, None), Verdict.NOT_OVER_BASES, Verdict.CONTRADICTED),
        (effect(0.1, 0.3, 0.3), Verdict.NOT_SHOWN, Verdict.HOLDS),
        (effect(0.1, None, None), Verdict.NOT_SHOWN, Verdict.HOLDS),
        (effect(-0.1, 0.001, 0.01), Verdict.OTHER_SIGN, Verdict.HOLDS),
        (effect(-0.1, 0.001, 0.3), Verdict.OTHER_SIGN, Verdict.HOLDS),
    ],
)
def test_a_change_is_judged_over_pairs_and_over_bases(found: dict[str, Any], rise: Verdict, no_rise: Verdict) -> None:
    assert (of_rise(found), of_no_rise(found)) == (rise, no_rise)


def test_one_outlier_does_not_turn_a_rise_around() -> None:
    values = np.array([0.01, 0.02, 0.015, 0.012, 0.018, 0.011, 0.013, 0.017, 0.016, -0.9])
    base = np.full(10, 0.5)
    found = plain(paired(base, base + values, [f"base{number}" for number in range(10)]))
    assert found["mean_difference"] < 0
    assert found["over_pairs"]["test"]["p"] < 0.1
    found["over_pairs"]["test"]["p"] = found["over_bases"]["test"]["p"] = 0.01
    assert (of_rise(found), of_no_rise(found)) == (Verdict.HOLDS, Verdict.CONTRADICTED)


@pytest.mark.parametrize(
    ("whole", "held", "verdict"),
    [
        (coefficient(0.9, 0.7, 0.97), coefficient(0.5, 0.2, 0.8), Verdict.HOLDS),
        (coefficient(0.9, 0.7, 0.97), coefficient(0.1, -0.4, 0.5), Verdict.NOT_WITH_CONTROL),
        (coefficient(0.9, 0.7, 0.97), None, Verdict.NOT_WITH_CONTROL),
        (coefficient(0.4, -0.1, 0.7), None, Verdict.NOT_SHOWN),
        (coefficient(-0.4, -0.7, -0.1), None, Verdict.OTHER_SIGN),
        (coefficient(-0.01, -0.5, 0.5, p=0.97), None, Verdict.NOT_SHOWN),
        (coefficient(0.9, None, None, p=0.2), None, Verdict.NOT_SHOWN),
    ],
)
def test_a_correlation_is_judged_by_sign_interval_and_control(
    whole: dict[str, Any], held: dict[str, Any] | None, verdict: Verdict
) -> None:
    assert of_correlation(whole, sign=1, held=held, has_control=True) is verdict
    assert of_no_correlation(whole) is (Verdict.HOLDS if verdict is Verdict.NOT_SHOWN else Verdict.CONTRADICTED)
