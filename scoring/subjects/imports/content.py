"""What an imported file holds once it was read: words and numbers, checked, without a benchmark in sight."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...errors import ImportMalformed, shown
from ...types import FeatureArray, FloatArray, IndexArray

LOWEST_BITS = -1e-3
"""Rounding may put a surprisal this far below 0; what lies lower is no surprisal."""

HIGHEST_BITS = 1000.0
"""No model says so small a probability, and 2 to the power of little more is beyond float64."""


@dataclass(frozen=True, kw_only=True)
class WordVectors:
    """`vectors` (n_words, width); `rows` gives the row of each word. `n_rows` counts the words of the whole file."""

    rows: Mapping[str, int]
    vectors: FeatureArray
    n_rows: int

    @property
    def n_layers(self) -> int | None:
        """One: `static`."""
        return 1

    @property
    def width(self) -> int | None:
        """Numbers in a vector."""
        return int(self.vectors.shape[1])


@dataclass(frozen=True, kw_only=True)
class WordSurprisals:
    """`bits` by stimulus id, (n_rows,), NaN where the file has none; `words` where it says which words were meant."""

    ids: tuple[str, ...]
    bits: FloatArray
    words: tuple[str, ...] | None

    def __post_init__(self) -> None:
        refuse_duplicates(self.ids, "the stimulus")
        refuse_improbable(self.bits)

    @property
    def n_rows(self) -> int:
        """Rows of the file."""
        return len(self.ids)

    n_layers: ClassVar[int | None] = None
    width: ClassVar[int | None] = None


@dataclass(frozen=True, kw_only=True)
class TokenSurprisals:
    """Tokens in the order of the file: text, first character in its story, story from 0, bits (NaN where none)."""

    tokens: tuple[str, ...]
    offsets: IndexArray
    stories: IndexArray
    bits: FloatArray

    def __post_init__(self) -> None:
        refuse_improbable(self.bits)
        ends: dict[int, int] = {}
        for row, (token, offset, story) in enumerate(zip(self.tokens, self.offsets, self.stories, strict=True), 1):
            expected = ends.get(int(story), 0)
            if offset != expected:
                raise ImportMalformed(
                    f"row {row} has the offset {offset}, where its story's tokens so far have {expected} characters",
                    hint="offsets count the characters of a story from 0, and tokens leave none out",
                )
            ends[int(story)] = expected + len(token)

    @property
    def n_rows(self) -> int:
        """Rows of the file."""
        return len(self.tokens)

    n_layers: ClassVar[int | None] = None
    width: ClassVar[int | None] = None


@dataclass(frozen=True, kw_only=True)
class Activations:
    """`layers` by name in order of depth, each (n_stimuli, n_features), rows in the order of `stimulus_ids`."""

    stimulus_ids: tuple[str, ...]
    layers: Mapping[str, FeatureArray]

    def __post_init__(self) -> None:
        refuse_duplicates(self.stimulus_ids, "the stimulus")
        for name, features in self.layers.items():
            if features.ndim != 2 or features.shape[0] != len(self.stimulus_ids) or not features.shape[1]:
                raise ImportMalformed(
                    f"layer {shown(name)} has the shape {features.shape}, which is not"
                    f" ({len(self.stimulus_ids)} stimuli, features)"
                )

    @property
    def n_rows(self) -> int:
        """Stimuli in the file."""
        return len(self.stimulus_ids)

    @property
    def n_layers(self) -> int | None:
        """Layers in the file."""
        return len(self.layers)

    @property
    def width(self) -> int | None:
        """Features of a layer; None where layers differ."""
        widths = {features.shape[1] for features in self.layers.values()}
        return int(widths.pop()) if len(widths) == 1 else None


Content = WordVectors | WordSurprisals | TokenSurprisals | Activations


def refuse_duplicates(names: tuple[str, ...], what: str) -> None:
    """Raises ImportMalformed, naming the rows, where a name stands twice."""
    if len(set(names)) == len(names):
        return
    seen: dict[str, int] = {}
    for row, name in enumerate(names, 1):
        if name in seen:
            raise ImportMalformed(f"{what} {shown(name)} stands in row {seen[name]} and again in row {row}")
        seen[name] = row


def refuse_infinite(values: FloatArray | FeatureArray, what: str) -> None:
    """Raises ImportMalformed, naming the first row, where `values` (n_rows, …) are not all finite."""
    if not np.isfinite(values).all():
        bad = ~np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        row = int(np.flatnonzero(bad)[0])
        raise ImportMalformed(f"row {row + 1} of {what} holds a number that is not finite ({int(bad.sum())} such rows)")


def refuse_improbable(bits: FloatArray) -> None:
    """Raises ImportMalformed, naming the first row, where a probability would be above 1 or next to 0."""
    known = np.nan_to_num(bits)
    bad = np.flatnonzero(known < LOWEST_BITS)
    if len(bad):
        raise ImportMalformed(
            f"row {bad[0] + 1} has a probability above 1 ({len(bad)} such rows)",
            hint="a column `surprisal` is at least 0, a column `logprob` at most 0",
        )
    bad = np.flatnonzero(known > HIGHEST_BITS)
    if len(bad):
        raise ImportMalformed(
            f"row {bad[0] + 1} has a surprisal above {HIGHEST_BITS:.0f} bits ({len(bad)} such rows)",
            hint="is the unit what the file holds? a value that is not known is an empty cell",
        )


def words_of(text: str) -> list[tuple[int, int]]:
    """First character and end of each run of characters that are not whitespace."""
    return [match.span() for match in re.finditer(r"\S+", text)]
