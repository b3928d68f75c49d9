"""Reference values, computed again: whether the data here and this code still give what others found.

What belongs here: how each quantity is had from an experiment. What does not: the numbers, which are in
`published.reference_values`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from .baselines import score_baseline
from .benchmarks.base import Benchmark, benchmark_named
from .datasets.base import Experiment
from .datasets.download import DataStore
from .errors import DataMissing, ScoringError
from .evaluate import brain_score, ceiling_under
from .protocols import protocol_named
from .published.reference_values import VALUES, Quantity, ReferenceValue
from .recording import Recording
from .responses import Responses
from .types import ReadingTimes

N_NOISE = 25
"""Features of a subject that knows nothing."""


class Verdict(StrEnum):
    """What became of a reference value."""

    OK = "ok"
    """It was found again."""
    DRIFT = "drift"
    """Another number came out, or none."""
    DATA_MISSING = "data missing"
    """The files are not on this machine."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A reference value beside what was found; `detail` says why nothing was."""

    value: ReferenceValue
    verdict: Verdict
    found: float | None = None
    detail: str | None = None


def checked(store: DataStore, values: tuple[ReferenceValue, ...] = VALUES) -> Iterator[Line]:
    """Each value as soon as it is known. Data sets are loaded once, ceilings and baselines computed."""
    loaded: dict[str, tuple[Benchmark, Experiment]] = {}
    for value in values:
        try:
            if value.benchmark not in loaded:
                benchmark = benchmark_named(value.benchmark)
                loaded = {value.benchmark: (benchmark, benchmark.experiment(store))}
            found = HOW[value.quantity](value, *loaded[value.benchmark])
        except DataMissing as error:
            yield Line(value=value, verdict=Verdict.DATA_MISSING, detail=error.detail)
        except ScoringError as error:
            yield Line(value=value, verdict=Verdict.DRIFT, detail=f"{error.detail} [{error.code}]")
        else:
            is_same = abs(found - value.expected) <= value.tolerance
            yield Line(value=value, verdict=Verdict.OK if is_same else Verdict.DRIFT, found=found)


How = Callable[[ReferenceValue, Benchmark, Experiment], float]


def _recording(experiment: Experiment) -> Recording:
    assert isinstance(experiment.measured, Recording), "the quantity is of a recording"
    return experiment.measured


def _units(value: ReferenceValue, _: Benchmark, experiment: Experiment) -> float:
    recording = _recording(experiment)
    if value.part is None:
        return len(recording.units.ids)
    return len(next(part.units for part in recording.parts if part.name == value.part))


def _participants(_: ReferenceValue, __: Benchmark, experiment: Experiment) -> float:
    measured = experiment.measured
    return len(set(measured.units.participants)) if isinstance(measured, Recording) else 0


def _mean_time(_: ReferenceValue, __: Benchmark, experiment: Experiment) -> float:
    assert isinstance(experiment.measured, ReadingTimes), "the quantity is of reading times"
    return float(np.nanmean(experiment.measured.published))


def _ceiling(value: ReferenceValue, benchmark: Benchmark, experiment: Experiment) -> float:
    reached = ceiling_under(benchmark, experiment, protocol_named(value.protocol or ""))
    return float("nan") if reached.value is None else reached.value


def _noise(value: ReferenceValue, benchmark: Benchmark, experiment: Experiment) -> float:
    """Normalised; the numbers come row by row, so they are others than those of who loads rows in another order."""
    features = np.random.RandomState(0).uniform(size=(len(experiment.stimuli), N_NOISE)).astype(np.float32)
    responses, protocol = Responses(layers={"noise": features}), protocol_named(value.protocol or "")
    score = brain_score(responses, benchmark, experiment, protocol, subject="noise", with_controls=False)
    return float("nan") if score.normalised is None else score.normalised


def _baseline(value: ReferenceValue, benchmark: Benchmark, experiment: Experiment) -> float:
    protocol = protocol_named(value.protocol or "")
    score = score_baseline(value.baseline or "", benchmark, experiment, protocol)
    if value.part is None:
        return score.raw
    return next(part.raw for part in score.parts if part.name == value.part)


HOW: Mapping[Quantity, How] = {
    Quantity.STIMULI: lambda _, __, experiment: len(experiment.stimuli),
    Quantity.PASSAGES: lambda _, __, experiment: len(experiment.stimuli.passages),
    Quantity.ROWS: lambda _, __, experiment: len(_recording(experiment).values),
    Quantity.UNITS: _units,
    Quantity.PARTICIPANTS: _participants,
    Quantity.SUM: lambda _, __, experiment: float(np.nansum(_recording(experiment).values, dtype=np.float64)),
    Quantity.MEAN_TIME: _mean_time,
    Quantity.CEILING: _ceiling,
    Quantity.NOISE: _noise,
    Quantity.BASELINE: _baseline,
}
"""How each quantity is had."""
