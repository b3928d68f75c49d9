"""P10: 1,000 bootstrap draws of 12,000 units over 96 passages, and all circular shifts of 1,317 rows of 60 regions."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import process_time

import numpy as np

from scoring.bootstrap import draws
from scoring.metrics.correlation import pearson_columns
from scoring.metrics.part_fits import HeldOut, PartData
from scoring.metrics.pooling import pooled
from scoring.nulls import NullKind, null_test
from scoring.protocols import Pooling
from scoring.regression.folds import Split, SplitKind, make_folds
from scoring.types import FloatArray

from . import timing
from .table import Row, at_most

LINE = "P10"

SEED = 10
POOLING = Pooling.PARTICIPANTS
N_FOLDS = 8

N_STACKED = 5
"""Draws that the peer makes: all of them would take it minutes."""


def held_out(*, passages: tuple[str, ...], topics: tuple[str, ...], n_units: int, n_participants: int) -> HeldOut:
    """Made-up responses and predictions of rows in these passages and topics, eight folds of topics."""
    rng = np.random.default_rng(SEED)
    Y = rng.standard_normal((len(passages), n_units))
    folds = make_folds(Split(kind=SplitKind.GROUPS), topics, passages, n_folds=N_FOLDS)
    data = PartData(
        name="made up",
        rows=np.arange(len(Y)),
        units=np.arange(n_units),
        Y=Y,
        participants=tuple(f"participant {unit * n_participants // n_units}" for unit in range(n_units)),
        regions=None,
        passages=passages,
        groups=topics,
        folds=folds,
    )
    predictions = tuple(0.1 * Y[fold.test] + rng.standard_normal((len(fold.test), n_units)) for fold in folds)
    return HeldOut(data=data, predictions=predictions)


def measure() -> list[Row]:
    """Seconds of draws, their largest difference from rows that are stacked, seconds of shifts."""
    sentences = range(384)
    read = held_out(
        passages=tuple(f"passage {row // 4}" for row in sentences),
        topics=tuple(f"topic {row // 16}" for row in sentences),
        n_units=12_000,
        n_participants=9,
    )
    stories = tuple(f"story {index}" for index, own in enumerate(np.array_split(np.arange(1317), 8)) for _ in own)
    heard = held_out(passages=stories, topics=stories, n_units=60, n_participants=5)
    return [*compare(read, n_draws=1000, n_rounds=timing.N_ROUNDS), shifts(heard, n_rounds=timing.N_ROUNDS)]


def compare(part: HeldOut, *, n_draws: int, n_rounds: int) -> list[Row]:
    """The rows of the bootstrap. The peer stacks the rows of drawn passages and correlates them, without refitting."""
    found: list[FloatArray] = []
    expected: list[FloatArray] = []
    ours_s, peer_s = timing.seconds_in_turns(
        lambda: found.append(draws([part], POOLING, seed=SEED, n_draws=n_draws)),
        lambda: expected.append(stacked(part, n_draws=n_draws, n_made=N_STACKED)),
        n_rounds=n_rounds,
    )
    difference = float(np.abs(found[-1][:N_STACKED] - expected[-1]).max())
    n_passages, n_units = len(set(part.data.passages)), part.data.Y.shape[1]
    return [
        Row(
            line=LINE,
            work=f"{n_draws} draws, {n_units} units, {n_passages} passages; peer: rows are stacked",
            ours=f"{ours_s:.2f} s",
            peer=f"{peer_s:.2f} s for {N_STACKED}",
            figure=ours_s,
            target=at_most(1.0, "{:.2f} s"),
        ),
        Row(
            line=LINE,
            work="largest difference of a draw from float64",
            figure=difference,
            target=at_most(1e-5, "{:.1e}"),
        ),
    ]


def shifts(part: HeldOut, *, n_rounds: int) -> Row:
    """The row of circular shifts: processor seconds of all shifts of each run and 1,000 scores of them."""
    seconds = [
        _processor_seconds(lambda: null_test([part], POOLING, kind=NullKind.RUNS, seed=SEED)) for _ in range(n_rounds)
    ]
    n_rows, n_units = part.data.Y.shape
    return Row(
        line=LINE,
        work=f"all circular shifts, {n_rows} × {n_units}, processor time",
        ours=f"{median(seconds):.2f} s",
        figure=median(seconds),
        target=at_most(1.0, "{:.2f} s"),
    )


def stacked(part: HeldOut, *, n_draws: int, n_made: int) -> FloatArray:
    """The first `n_made` of `n_draws` draws as their definition says: rows of drawn passages stacked, r in float64."""
    data, found = part.data, np.empty((n_made, len(part.data.folds), part.data.Y.shape[1]))
    for index, (fold, predictions) in enumerate(zip(data.folds, part.predictions, strict=True)):
        names, cluster = np.unique([data.passages[row] for row in fold.test], return_inverse=True)
        rng = np.random.default_rng([SEED, 0, index])
        counts = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_draws)
        for draw, times in enumerate(counts[:n_made]):
            rows = np.concatenate([np.flatnonzero(cluster == one) for one in np.repeat(np.arange(len(names)), times)])
            found[draw, index] = pearson_columns(data.Y[fold.test][rows], predictions[rows], data.Y[fold.train])
    return np.array([pooled(r, data.participants, POOLING) for r in found])


def _processor_seconds(work: Callable[[], object]) -> float:
    start = process_time()
    work()
    return process_time() - start
