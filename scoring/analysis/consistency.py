"""Do models that account for brains better account for behaviour better? Over models, and over what tuning changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..types import FloatArray
from .correlate import Coefficient, Correlation, Models, coefficient, correlate
from .rank_correlation import rank_correlation
from .warnings import counted

MINIMUM_PAIRS = 4


@dataclass(frozen=True, kw_only=True)
class Consistency:
    """How a score of brains and one of behaviour go together.

    `rank` is Spearman's correlation, `rank_p` its p. `changes` correlates the differences of tuned models from their
    bases; None, with a reason, where there are too few pairs.
    """

    over_models: Correlation
    rank: float | None
    rank_p: float | None
    changes: Coefficient | None
    changes_reason: str | None


def consistency(
    brain: FloatArray, behaviour: FloatArray, models: Models, *, of_bases: tuple[FloatArray, FloatArray]
) -> Consistency:
    """Scores (n_models,) each, NaN where missing; `of_bases` has both of each model's base, NaN where there is none.

    Raises AnalysisTooSmall and PropertyConstant as `correlate` does.
    """
    over_models = correlate(behaviour, brain, models)
    is_there = np.isfinite(brain) & np.isfinite(behaviour)
    rank, rank_p = rank_correlation(brain[is_there], behaviour[is_there])
    changes, reason = _changes(brain - of_bases[0], behaviour - of_bases[1], models)
    return Consistency(
        over_models=over_models,
        rank=rank,
        rank_p=rank_p,
        changes=changes,
        changes_reason=reason,
    )


def _changes(of_brain: FloatArray, of_behaviour: FloatArray, models: Models) -> tuple[Coefficient | None, str | None]:
    is_there = np.isfinite(of_brain) & np.isfinite(of_behaviour)
    n = int(is_there.sum())
    if n < MINIMUM_PAIRS:
        return None, f"{counted(n, 'pair')} with both scores; {MINIMUM_PAIRS} are needed"
    names = np.asarray(models.bases)[is_there]
    found = coefficient(of_behaviour[is_there], of_brain[is_there], names)
    return (found, None) if np.isfinite(found.r) else (None, "one of the changes is the same for all pairs")
