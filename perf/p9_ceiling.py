"""P9: the ceiling of a recording by subject extrapolation, against the published algorithm with its curve_fit calls."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from sklearn.linear_model import LinearRegression

from scoring.ceilings import ceiling_of
from scoring.datasets.base import Experiment
from scoring.metrics.correlation import pearson_columns
from scoring.metrics.part_fits import PartData, part_data
from scoring.protocols import PAPER
from scoring.recording import Recording, Units
from scoring.results import Ceiling
from scoring.subject_extrapolation import N_BOOTSTRAPS
from scoring.types import FloatArray, Passage, Stimuli

from . import timing
from .table import Row, at_least, at_most

LINE = "P9"

RULES = PAPER.brain
"""Least squares and ten random tenths of the rows."""

N_FOLDS = 8


def experiment(*, n_rows: int, n_participants: int, n_units: int, seed: int = 9) -> Experiment:
    """A made-up recording of eight stories in the size of Blank et al. (2014): shared signals and noise."""
    rng = np.random.default_rng(seed)
    signals = rng.standard_normal((n_rows, 6))
    values = np.concatenate(
        [
            0.3 * signals @ rng.standard_normal((6, n_units)) + 1.5 * rng.standard_normal((n_rows, n_units))
            for _ in range(n_participants)
        ],
        axis=1,
    )
    stories = tuple(
        Passage.join(f"story {index}", [f"w{row}" for row in block])
        for index, block in enumerate(np.array_split(np.arange(n_rows), N_FOLDS))
    )
    stimuli = Stimuli(
        ids=tuple(map(str, range(n_rows))),
        passages=stories,
        groups=tuple(story.name for story in stories for _ in story.spans),
    )
    owners = [f"participant {unit // n_units}" for unit in range(values.shape[1])]
    return Experiment(stimuli=stimuli, measured=Recording.of(values, Units.numbered(owners)), ceiling=None)


def measure() -> list[Row]:
    """Time of both and how far the two ceilings lie apart."""
    return compare(experiment(n_rows=1317, n_participants=5, n_units=12), n_rounds=timing.N_ROUNDS)


def compare(measured: Experiment, *, n_rounds: int) -> list[Row]:
    """The rows of this line for a recording."""
    (part,) = part_data(measured, RULES, N_FOLDS)
    ours: list[Ceiling] = []
    peers: list[float] = []
    ours_s, peer_s = timing.seconds_in_turns(
        lambda: ours.append(ceiling_of(measured, RULES, N_FOLDS)),
        lambda: peers.append(published(part)),
        n_rounds=n_rounds,
    )
    value = ours[-1].value or np.nan
    n_rows, n_units = part.Y.shape
    return [
        Row(
            line=LINE,
            work=f"ceiling by extrapolation, {n_rows} × {n_units}; peer: the published algorithm, restated",
            ours=f"{ours_s:.2f} s",
            peer=f"{peer_s:.2f} s",
            figure=peer_s / ours_s,
            target=at_least(10, "{:.0f}×"),
        ),
        Row(
            line=LINE,
            work="difference of the ceilings (bootstraps are drawn differently), relative",
            ours=f"{value:.4f}",
            peer=f"{peers[-1]:.4f}",
            figure=abs(value - peers[-1]) / peers[-1],
            target=at_most(0.03, "{:.3f}"),
        ),
    ]


def published(part: PartData) -> float:
    """The median v0 over units of the published algorithm: a fit for each target in each subset, one curve_fit for each
    unit and bootstrap."""
    owners = part.owners
    n_participants = int(owners.max()) + 1
    scores: dict[int, dict[int, list[FloatArray]]] = {target: {} for target in range(n_participants)}
    for size in range(2, n_participants + 1):
        for subset in combinations(range(n_participants), size):
            for target in subset:
                r = _held_out_r(part, np.isin(owners, [one for one in subset if one != target]), owners == target)
                scores[target].setdefault(size, []).append(r)
    plateaus = [
        _plateau(list(by_size), [np.concatenate(r)[:, unit] for r in by_size.values()])
        for target, by_size in scores.items()
        for unit in range(int((owners == target).sum()))
    ]
    return float(np.nanmedian(plateaus))


def _held_out_r(part: PartData, pool: NDArray[np.bool_], target: NDArray[np.bool_]) -> FloatArray:
    """r of each fold and unit of the target, (n_folds, n_units), from a least-squares fit to the pool's units."""
    X, Y = part.Y[:, pool], part.Y[:, target]
    found = []
    for fold in part.folds:
        fit = LinearRegression().fit(X[fold.train], Y[fold.train])
        found.append(pearson_columns(Y[fold.test], fit.predict(X[fold.test]), Y[fold.train]))
    return np.stack(found)


def _plateau(sizes: Sequence[int], scores: Sequence[FloatArray]) -> float:
    """The median v0 of one unit over bootstraps; `scores` are its r of each size's subsets and folds."""
    rng, found = np.random.RandomState(0), []
    for _ in range(N_BOOTSTRAPS):
        means = [float(np.mean(rng.choice(own, size=len(own), replace=True))) for own in scores]
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                (v0, _), _ = curve_fit(_curve, sizes, means, bounds=([0, -np.inf], [1, np.inf]))
            except (RuntimeError, ValueError):
                v0 = np.float64(np.nan)
        found.append(float(v0))
    return float(np.nanmedian(found))


def _curve(x: FloatArray, v0: float, tau: float) -> FloatArray:
    return np.asarray(v0 * (1 - np.exp(-x / tau)))
