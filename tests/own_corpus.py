"""A small reading corpus of one's own, as somebody would bring it: readers slowed down by long words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.own_data import Rows, write_table

STORIES, N_WORDS = ("tale a", "tale b", "tale c"), 40
N_ALL = len(STORIES) * N_WORDS
READERS = tuple(f"reader {number}" for number in range(8))
LETTERS = np.array(list("etaonirhsdlu"))


def words(*, frequencies: bool = True) -> Rows:
    """120 made-up words in three stories."""
    rng = np.random.default_rng(0)
    rows = []
    for story in STORIES:
        for number in range(1, N_WORDS + 1):
            word = "".join(rng.choice(LETTERS, rng.integers(1, 12)))
            row = {"story": story, "word_index": str(number), "word": word + ("." if number % 8 == 0 else "")}
            rows.append(row | ({"log_frequency": f"{12 - len(word) + rng.random():.3f}"} if frequencies else {}))
    return rows


def values(seed: int = 1) -> NDArray[np.float64]:
    """What each reader needed for each word, in whole milliseconds: (120, 8)."""
    rng = np.random.default_rng(seed)
    lengths = np.array([[len(row["word"])] for row in words()])
    own = rng.normal(0, 30, len(READERS))
    return np.round(300 + 8 * lengths + own + rng.normal(0, 40, (N_ALL, len(READERS))))


def single(times: NDArray[np.float64], column: str = "time_ms") -> Rows:
    """One row a reading; what is NaN has none."""
    places = [{"story": row["story"], "word_index": row["word_index"]} for row in words()]
    return [
        {"participant": reader, **place, column: repr(float(times[row, number]))}
        for number, reader in enumerate(READERS[: times.shape[1]])
        for row, place in enumerate(places)
        if np.isfinite(times[row, number])
    ]


def means(times: NDArray[np.float64], column: str = "mean_ms", *, spread: bool = True) -> Rows:
    """One row a word, with the number of readers and their standard deviation."""
    rows = []
    for word, own in zip(words(), times, strict=True):
        row = {"story": word["story"], "word_index": word["word_index"], column: repr(float(own.mean()))}
        rows.append(row | ({"n": str(len(own)), "sd": repr(float(own.std(ddof=1)))} if spread else {}))
    return rows


def one_early(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """As a file holds them in which each time stands at the word before its own."""
    early = np.full_like(times, np.nan)
    early[:-1] = times[1:]
    early[N_WORDS - 1 :: N_WORDS] = np.nan
    return early


def write_corpus(folder: Path, rows: Rows | None = None, *, frequencies: bool = True) -> Path:
    """A folder with a whole corpus; single readings if no other rows are given."""
    folder.mkdir(parents=True)
    write_table(folder / "words.csv", words(frequencies=frequencies))
    write_table(folder / "times.csv", single(values()) if rows is None else rows)
    return folder
