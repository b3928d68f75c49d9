"""The words behind a score of reading, one row each, as they were judged: so that anyone can check the score.

What belongs here: the table's columns, and what holds between them. What does not: how it is filled
(`metrics.word_tables`) and how it is written (`word_parquet`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from math import isfinite

from .errors import NumericalFailure

Numbers = tuple[float | None, ...]
"""One number for each word, None where it is not known."""


MAX_COUNT = 2**53
"""No count is greater."""


class Reason(StrEnum):
    """Why a word does not count in the raw score; of several the first."""

    NO_PROBABILITY = "no_probability"
    """The subject gave the word no probability."""
    NO_TIME = "no_time"
    """Under the protocol's alignment no reading time belongs to the word."""
    BEGINS_SENTENCE = "begins_sentence"
    """The protocol leaves out the first word of each sentence."""


@dataclass(frozen=True, kw_only=True)
class WordTable:
    """The words of a reading benchmark in reading order, as columns of one length.

    `story` is the group that a word belongs to, `word_index` counts from 1 in it. `surprisal_bits` is by the score's
    own word rule, `surprisal_bits_sum` the plain sum over tokens. `n_tokens` and `context_tokens` are None where it is
    not known of which tokens a word was made. `log_frequency` is ln(count + 1), None where the data set has no counts.
    `reason` says why a word `is_used` or not in the raw score.
    """

    stimulus_id: tuple[str, ...]
    story: tuple[str, ...]
    word_index: tuple[int, ...]
    word: tuple[str, ...]
    surprisal_bits: Numbers
    surprisal_bits_sum: Numbers
    n_tokens: tuple[int | None, ...]
    context_tokens: tuple[int | None, ...]
    time_published_ms: Numbers
    time_realigned_ms: Numbers
    log_frequency: Numbers
    is_used: tuple[bool, ...]
    reason: tuple[Reason | None, ...]

    def __post_init__(self) -> None:
        if len({len(getattr(self, name)) for name in self.names()}) != 1:
            raise NumericalFailure("the columns of a table of words are not of one length")
        if len(set(self.stimulus_id)) != len(self):
            raise NumericalFailure("a table of words names a stimulus twice")
        numbers = (self.surprisal_bits, self.surprisal_bits_sum, self.time_published_ms, self.time_realigned_ms)
        if not all(value is None or isfinite(value) for column in (*numbers, self.log_frequency) for value in column):
            raise NumericalFailure("a table of words holds a number that is not finite")
        counts = (self.word_index, self.n_tokens, self.context_tokens)
        if not all(count is None or 0 <= count <= MAX_COUNT for column in counts for count in column):
            raise NumericalFailure("a table of words holds a count that is none")
        if any(used == (reason is not None) for used, reason in zip(self.is_used, self.reason, strict=True)):
            raise NumericalFailure("a word counts in the score, or there is a reason why not")

    def __len__(self) -> int:
        return len(self.stimulus_id)

    @property
    def n_used(self) -> int:
        """How many words count in the raw score."""
        return sum(self.is_used)

    def rows(self) -> Iterator[tuple[object, ...]]:
        """The words one after the other, their values in the order of the columns."""
        return zip(*(getattr(self, name) for name in self.names()), strict=True)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(field.name for field in fields(cls))
