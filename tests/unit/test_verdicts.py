"""Verdicts on claims: planted effects and correlations get those that they deserve."""

from __future__ import annotations

from typing import Any

import pytest

from scoring.published.verdicts import Verdict, of_correlation, of_no_correlation, of_no_rise, of_rise


def effect(mean: float, p_pairs: float | None, p_bases: float | None) -> dict[str, Any]:
    over = {name: {"test": None if p is None else {"p": p}} for name, p in (("pairs", p_pairs), ("bases", p_bases))}
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


@pytest.mark.parametrize(
    ("whole", "held", "verdict"),
    [
        (coefficient(0.9, 0.7, 0.97), coefficient(0.5, 0.2, 0.8), Verdict.HOLDS),
        (coefficient(0.9, 0.7, 0.97), coefficient(0.1, -0.4, 0.5), Verdict.NOT_WITH_CONTROL),
        (coefficient(0.9, 0.7, 0.97), None, Verdict.NOT_WITH_CONTROL),
        (coefficient(0.4, -0.1, 0.7), None, Verdict.NOT_SHOWN),
        (coefficient(-0.4, -0.7, 0.1), None, Verdict.OTHER_SIGN),
        (coefficient(0.9, None, None, p=0.2), None, Verdict.NOT_SHOWN),
    ],
)
def test_a_correlation_is_judged_by_sign_interval_and_control(
    whole: dict[str, Any], held: dict[str, Any] | None, verdict: Verdict
) -> None:
    assert of_correlation(whole, sign=1, held=held, has_control=True) is verdict
    assert of_no_correlation(whole) is (
        Verdict.CONTRADICTED if verdict in (Verdict.HOLDS, Verdict.NOT_WITH_CONTROL) else Verdict.HOLDS
    )
