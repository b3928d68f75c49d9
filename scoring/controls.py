"""What baselines say about a score: how far it is above them, and the warnings where that is nothing to speak of.

What belongs here: the comparison of numbers that are there. What does not: computing baselines, and finding them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .results import ScoreWarning
from .uncertainty import paired_difference

LEAK = "leak"
"""The code of the warning that knowing where a stimulus stands predicts as well as the model."""
CONFOUNDED = "confounded"
"""The code of the warning that the length, position and rate of words predict as well as the model."""

CONTROLS = {"baseline/oasm": LEAK, "baseline/nuisance": CONFOUNDED}
"""Which baseline, where a score is not above it, is a warning of which code."""

_SAYS = {
    LEAK: "the nearness of rows that stand in one passage",
    CONFOUNDED: "the length, position and rate of words",
}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A raw score less that of a baseline; `low` and `high` bound its paired 95 % interval, None without draws."""

    baseline: str
    baseline_raw: float
    value: float
    low: float | None
    high: float | None

    @property
    def is_positive(self) -> bool:
        """Whether the score is above the baseline for sure, or without an interval at all."""
        return self.value > 0 and (self.low is None or self.low > 0)


def difference(
    raw: float,
    draws: Sequence[float],
    *,
    baseline: str,
    baseline_raw: float,
    baseline_draws: Sequence[float],
    n_clusters: int,
) -> Difference:
    """How far a score is above a baseline; the interval needs as many draws of the one as of the other."""
    interval = None
    if len(draws) and len(draws) == len(baseline_draws):
        interval = paired_difference(raw, draws, baseline_raw, baseline_draws, n_clusters=n_clusters)
    return Difference(
        baseline=baseline,
        baseline_raw=baseline_raw,
        value=raw - baseline_raw,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
    )


def warnings(differences: Iterable[Difference]) -> tuple[ScoreWarning, ...]:
    """`leak` and `confounded`, each where the score is not above the baseline that stands for it."""
    return tuple(
        ScoreWarning(code=CONTROLS[found.baseline], detail=_detail(found))
        for found in differences
        if found.baseline in CONTROLS and not found.is_positive
    )


def _detail(found: Difference) -> str:
    interval = "" if found.low is None else f" (95 % interval {found.low:.3f} to {found.high:.3f})"
    return (
        f"{_SAYS[CONTROLS[found.baseline]]} alone reach {found.baseline_raw:.3f} ({found.baseline}); "
        f"the score is {abs(found.value):.3f} {'below' if found.value < 0 else 'above'} that{interval}"
    )
