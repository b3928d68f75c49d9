"""What every loader of a data set gives."""

from __future__ import annotations

from dataclasses import dataclass

from ..types import Ceiling, ReadingTimes, Recording, Stimuli


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """The data of a benchmark, loaded: what was shown, what was measured, what can be reached at most."""

    stimuli: Stimuli
    measured: Recording | ReadingTimes
    ceiling: Ceiling
