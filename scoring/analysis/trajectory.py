"""Scores of one model while it is trained: revisions with their training steps, series beside series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import AnalysisTooSmall
from ..types import FloatArray
from .moments import Labels
from .rank_correlation import rank_correlation

MINIMUM_STEPS = 3


@dataclass(frozen=True, kw_only=True)
class Point:
    """A score at a training step."""

    step: float
    score: float


@dataclass(frozen=True, kw_only=True)
class Series:
    """The course of one training; `rank` is Spearman's correlation of score and step, `p` exact up to seven steps.

    Steps of one training follow from one another: p says whether the scores are in order, not whether another training
    would do the same.
    """

    name: str
    points: tuple[Point, ...]
    change: float
    peak_step: float
    rank: float | None
    p: float | None


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """All series, how many rows had no step or no score, and how many others are of models with fewer than 3 steps."""

    series: tuple[Series, ...]
    n_missing: int
    n_short: int


def trajectory(steps: FloatArray, scores: FloatArray, names: Sequence[str]) -> Trajectory:
    """The course of scores (n_rows,) over training steps (n_rows,) for each name; NaN is missing, and counted.

    Raises AnalysisTooSmall where no series has three steps.
    """
    is_there = np.isfinite(steps) & np.isfinite(scores)
    own: Labels = np.asarray(names)
    found = [
        _series(name, steps[chosen], scores[chosen])
        for name in dict.fromkeys(names)
        if (chosen := is_there & (own == name)).sum() >= MINIMUM_STEPS
    ]
    if not found:
        raise AnalysisTooSmall(
            f"no model has scores at {MINIMUM_STEPS} training steps",
            hint="score several revisions of a model whose training steps are known",
        )
    n_there, n_drawn = int(is_there.sum()), sum(len(series.points) for series in found)
    return Trajectory(series=tuple(found), n_missing=len(steps) - n_there, n_short=n_there - n_drawn)


def _series(name: str, steps: FloatArray, scores: FloatArray) -> Series:
    order = np.argsort(steps, kind="stable")
    steps, scores = steps[order], scores[order]
    rank, p = rank_correlation(steps, scores)
    return Series(
        name=name,
        points=tuple(Point(step=float(step), score=float(score)) for step, score in zip(steps, scores, strict=True)),
        change=float(scores[-1] - scores[0]),
        peak_step=float(steps[scores.argmax()]),
        rank=rank,
        p=p,
    )
