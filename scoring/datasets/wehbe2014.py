"""Wehbe et al. 2014: a chapter read word by word in four runs, voxels of eight participants every two seconds.

The files are brought by their users. What belongs here: how they fit together. What does not: opening what the authors
pickled (`wehbe_conversion`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataMalformed, DataMissing
from ..recording import Recording, ResponseArray, Timeline, Units
from ..types import FloatArray, IndexArray, Passage, Stimuli
from .base import Experiment
from .download import DataStore
from .manifest import Dataset, dataset_named

PARTICIPANTS = ("F", "H", "I", "J", "K", "L", "M", "N")
TRIMMED = (20, 15)
"""Moments without a response at the start and at the end of each run."""
DELAYS = (1, 2, 3, 4)
"""Moments of 2 s by which responses follow what was read."""
N_PURGED = 5
WINDOW = 80
"""Words that are read at one time, the one asked for included; the study does not state its number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Course:
    """When moments begin and to which run they belong, (n_moments,); when words are shown and what they are."""

    times: FloatArray
    runs: tuple[str, ...]
    word_times: FloatArray
    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.times) != len(self.runs) or len(self.word_times) != len(self.words):
            raise DataMalformed(
                f"{len(self.times)} times and {len(self.runs)} runs of moments, {len(self.word_times)} times of "
                f"{len(self.words)} words do not agree"
            )
        if (np.diff(self.times) <= 0).any() or (np.diff(self.word_times) < 0).any():
            raise DataMalformed("the times of moments or words do not rise")


def load(store: DataStore) -> Experiment:
    """The chapter's words as stimuli, runs as groups; recording (1,211, all voxels of the participants brought).

    A word belongs to the last moment that begins before it. Raises DataMissing, DataChecksumMismatch, DataMalformed.
    """
    dataset = store.at_hand(dataset_named("wehbe2014"))
    course = _course(store, dataset)
    recorded = {name: _responses(store, dataset, name) for name in PARTICIPANTS if _file_of(name) in _names(dataset)}
    if not recorded:
        raise DataMissing(
            "no participant's recording was brought", hint=f"{dataset.name} needs {_file_of('F')} or another"
        )
    if len({len(own) for own in recorded.values()}) > 1:
        raise DataMalformed("the participants' recordings have different numbers of rows, which do not agree")
    moments = np.maximum(np.searchsorted(course.times, course.word_times, side="left") - 1, 0)
    values = np.hstack(list(recorded.values()))
    participants = tuple(name for name, own in recorded.items() for _ in range(own.shape[1]))
    return Experiment(
        stimuli=Stimuli(
            ids=tuple(f"word-{number}" for number in range(len(course.words))),
            passages=(Passage.join("chapter", course.words),),
            groups=tuple(course.runs[moment] for moment in moments),
            window=WINDOW,
        ),
        measured=Recording.of(
            values,
            Units.numbered(participants),
            timeline=Timeline(
                stimuli=_stimuli_of_moments(course, moments),
                runs=course.runs,
                rows=_recorded_moments(course.runs, len(values)),
                delays=DELAYS,
                n_purged=N_PURGED,
            ),
        ),
        ceiling=None,
    )


def load_array(path: Path) -> NDArray[Any]:
    """The array in an .npy file. Raises DataMalformed where it holds pickled objects, which are never opened."""
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataMalformed(
            f"{path.name} is not a plain array: {error}",
            hint="python -m scoring.datasets.wehbe_conversion makes plain arrays of the authors' files",
        ) from error
    if not isinstance(array, np.ndarray):
        raise DataMalformed(f"{path.name} holds several arrays, not one")
    return array


def _course(store: DataStore, dataset: Dataset) -> _Course:
    words = load_array(_path(store, dataset, "words_fmri.npy"))
    if words.dtype.kind != "U" or words.ndim != 1:
        raise DataMalformed(f"words_fmri.npy holds {words.dtype} of shape {words.shape}, not a list of words")
    runs = _numbers(store, dataset, "runs_fmri.npy")
    return _Course(
        times=_numbers(store, dataset, "time_fmri.npy"),
        runs=tuple(f"run-{run:g}" for run in runs.tolist()),
        word_times=_numbers(store, dataset, "time_words_fmri.npy"),
        words=tuple(word.strip() for word in words.tolist()),
    )


def _numbers(store: DataStore, dataset: Dataset, name: str) -> FloatArray:
    array = load_array(_path(store, dataset, name)).squeeze()
    if array.dtype.kind not in "fiu" or array.ndim != 1 or not np.isfinite(array).all():
        raise DataMalformed(f"{name} holds {array.dtype} of shape {array.shape}, not a list of finite numbers")
    return array.astype(np.float64)


def _responses(store: DataStore, dataset: Dataset, participant: str) -> ResponseArray:
    name = _file_of(participant)
    array = load_array(_path(store, dataset, name))
    if array.dtype.kind != "f" or array.ndim != 2:
        raise DataMalformed(f"{name} holds {array.dtype} of shape {array.shape}, not moments × voxels")
    return array.astype(np.float32)


def _recorded_moments(runs: tuple[str, ...], n_rows: int) -> IndexArray:
    """The moments that have a response: all, or all but those trimmed from each run.

    Raises DataMalformed where neither is as many as the recording's rows.
    """
    if n_rows == len(runs):
        return np.arange(n_rows)
    first, last = TRIMMED
    of_run = [np.flatnonzero(np.asarray(runs) == run) for run in dict.fromkeys(runs)]
    kept = np.concatenate([own[first : len(own) - last] for own in of_run])
    if len(kept) != n_rows:
        raise DataMalformed(
            f"{n_rows} rows of responses are neither all {len(runs)} moments nor the {len(kept)} left after trimming"
        )
    return kept


def _stimuli_of_moments(course: _Course, moments: IndexArray) -> tuple[IndexArray, ...]:
    is_shown = course.word_times > course.times[0]
    return tuple(np.flatnonzero((moments == moment) & is_shown) for moment in range(len(course.times)))


def _path(store: DataStore, dataset: Dataset, name: str) -> Path:
    if name not in _names(dataset):
        raise DataMissing(f"{name} of {dataset.name} was not brought", hint="SHA256SUMS in its folder has to list it")
    return store.path(dataset, dataset.file(name))


def _names(dataset: Dataset) -> set[str]:
    return {file.name for file in dataset.files}


def _file_of(participant: str) -> str:
    return f"data_subject_{participant}.npy"
