"""What numbers say of a claim, by fixed rules: a verdict follows from an analysis and is nobody's opinion."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

ALPHA = 0.05


class Verdict(StrEnum):
    """What the numbers say of a claim."""

    HOLDS = "holds"
    """Over bases, and with what else was held."""
    NOT_OVER_BASES = "does not survive counting bases"
    """p over pairs is below .05 and p over bases is not, or there are too few bases to tell."""
    NOT_WITH_CONTROL = "does not survive its control"
    """The interval over bases includes zero once another property is held."""
    NOT_SHOWN = "not shown"
    """The numbers do not tell it from nothing."""
    OTHER_SIGN = "has the other sign"
    """The numbers give the opposite, and tell it from nothing."""
    CONTRADICTED = "is contradicted"
    """It says that there is nothing, and there is something."""
    NOT_ASKED = "cannot be asked yet"
    """There are not the scores or properties that it is about."""


def of_rise(effect: Mapping[str, Any]) -> Verdict:
    """Of the claim that tuning raises a score: by the exact tests over pairs and over bases."""
    over_pairs, over_bases = (_p(effect[over]["test"]) for over in ("over_pairs", "over_bases"))
    is_seen = over_pairs is not None and over_pairs < ALPHA
    if is_seen and not _is_up(effect["over_pairs"]["test"]):
        return Verdict.OTHER_SIGN
    if over_bases is not None and over_bases < ALPHA:
        return Verdict.HOLDS if _is_up(effect["over_bases"]["test"]) else Verdict.OTHER_SIGN
    return Verdict.NOT_OVER_BASES if is_seen else Verdict.NOT_SHOWN


def of_no_rise(effect: Mapping[str, Any]) -> Verdict:
    """Of the claim that it does not: it holds as long as no rise is seen over pairs, which refutes none."""
    p = _p(effect["over_pairs"]["test"])
    is_risen = p is not None and p < ALPHA and _is_up(effect["over_pairs"]["test"])
    return Verdict.CONTRADICTED if is_risen else Verdict.HOLDS


def of_correlation(
    whole: Mapping[str, Any], *, sign: int, held: Mapping[str, Any] | None = None, has_control: bool = False
) -> Verdict:
    """Of the claim that a score goes with a property, in this direction, also with another property held."""
    if whole["r"] * sign < 0:
        return Verdict.OTHER_SIGN if excludes_zero(whole) or whole["p"] < ALPHA else Verdict.NOT_SHOWN
    if not excludes_zero(whole):
        return Verdict.NOT_SHOWN
    if has_control and (held is None or not excludes_zero(held)):
        return Verdict.NOT_WITH_CONTROL
    return Verdict.HOLDS


def of_no_correlation(whole: Mapping[str, Any]) -> Verdict:
    """Of the claim that it does not go with it: it holds as long as nothing is seen."""
    return Verdict.CONTRADICTED if excludes_zero(whole) else Verdict.HOLDS


def excludes_zero(coefficient: Mapping[str, Any]) -> bool:
    """Whether the interval over bases excludes zero; without an interval, whether p is below .05."""
    interval = coefficient["interval"]
    if interval is None:
        return bool(coefficient["p"] < ALPHA)
    return not interval["low"] <= 0 <= interval["high"]


def _is_up(test: Mapping[str, Any]) -> bool:
    """Whether the ranks of the differences that are up sum to more than those that are down: as the test has it."""
    n = test["n"]
    return bool(test["statistic"] > n * (n + 1) / 4)


def _p(test: Mapping[str, Any] | None) -> float | None:
    return None if test is None else float(test["p"])
