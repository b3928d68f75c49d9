"""What is known of words before any model reads them: length, frequency and place in story and sentence.

What belongs here: predictors of reading times that no model makes. What does not: what they predict.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..sentences import sentence_starts
from ..types import FloatArray, IndexArray, Stimuli


@dataclass(frozen=True, kw_only=True, eq=False)
class Words:
    """Properties of words in reading order, (n_words,) each.

    `stories` numbers the story, `zone` the word in its story and `position` in its sentence, both from 1. `length` is
    in characters with punctuation, `log_frequency` is ln(count + 1), None where frequencies are not known.
    `begins_sentence` and `ends_sentence` say that a word is the first or the last of its sentence,
    `ends_in_punctuation` that its last character is neither letter nor digit.
    """

    stories: IndexArray
    zone: IndexArray
    position: IndexArray
    length: FloatArray
    log_frequency: FloatArray | None
    begins_sentence: NDArray[np.bool_]
    ends_sentence: NDArray[np.bool_]
    ends_in_punctuation: NDArray[np.bool_]

    @classmethod
    def of(cls, stimuli: Stimuli, log_frequency: FloatArray | None) -> Words:
        """The properties of stimuli that are words; stories are their groups."""
        texts, groups = stimuli.texts, np.asarray(stimuli.groups)
        is_first = np.r_[True, groups[1:] != groups[:-1]]
        begins = np.zeros(len(texts), dtype=bool)
        for start, stop in pairwise([*np.flatnonzero(is_first), len(texts)]):
            begins[start + np.array(sentence_starts(texts[start:stop]))] = True
        return cls(
            stories=np.cumsum(is_first) - 1,
            zone=_counted(is_first),
            position=_counted(begins),
            length=np.array([len(text) for text in texts], dtype=np.float64),
            log_frequency=log_frequency,
            begins_sentence=begins,
            ends_sentence=np.r_[begins[1:], True],
            ends_in_punctuation=np.array([not text[-1].isalnum() for text in texts]),
        )

    def before(self, values: FloatArray, n_words: int) -> FloatArray:
        """The value of the word so many before in the same story, NaN where there is none."""
        shifted = np.full(len(values), np.nan)
        shifted[n_words:] = values[: len(values) - n_words]
        return np.where(self.zone > n_words, shifted, np.nan)

    def with_two_before(self, values: FloatArray) -> FloatArray:
        """The values of each word and the two before it, (n_words, 3)."""
        return np.stack([values, self.before(values, 1), self.before(values, 2)], axis=1)


def _counted(is_first: NDArray[np.bool_]) -> IndexArray:
    """1, 2, 3 … from each first one on."""
    index = np.arange(len(is_first))
    starts = np.maximum.accumulate(np.where(is_first, index, 0))
    return np.asarray(index - starts + 1, dtype=np.intp)
