"""The words behind a score of reading, one row each, as they were judged: so that anyone can check the score.

What belongs here: the table's columns, and what holds between them. What does not: how it is filled
(`metrics.word_tables`) and how it is written (`table_parquet`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Self

from .column_table import ColumnTable, Numbers
from .errors import NumericalFailure


class Reason(StrEnum):
    """Why a word does not count in the raw score; of several the first."""

    NO_PROBABILITY = "no_probability"
    """The subject gave the word no probability."""
    NO_TIME = "no_time"
    """Under the protocol's alignment no reading time belongs to the word."""
    BEGINS_SENTENCE = "begins_sentence"
    """The protocol leaves out the first word of each sentence."""


@dataclass(frozen=True, kw_only=True)
class WordTable(ColumnTable):
    """The words of a reading benchmark in reading order, as columns of one length.

    `story` is the group that a word belongs to, `word_index` counts from 1 in it. `surprisal_bits` is by the score's
    own word rule, `surprisal_bits_sum` the plain sum over tokens. `n_tokens` and `context_tokens` are None where it is
    not known of which tokens a word was made. `log_frequency` is ln(count + 1), None where the data set has no counts.
    `reason` says why a word `is_used` or not in the raw score.
    """

    TYPES: ClassVar[Mapping[str, str]] = {
        "stimulus_id": "string",
        "story": "string",
        "word_index": "int64",
        "word": "string",
        "surprisal_bits": "float64",
        "surprisal_bits_sum": "float64",
        "n_tokens": "int64",
        "context_tokens": "int64",
        "time_published_ms": "float64",
        "time_realigned_ms": "float64",
        "log_frequency": "float64",
        "is_used": "bool",
        "reason": "string",
    }
    OF: ClassVar[str] = "words"

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
        super().__post_init__()
        if len(set(self.stimulus_id)) != len(self):
            raise NumericalFailure("a table of words names a stimulus twice")
        if any(used == (reason is not None) for used, reason in zip(self.is_used, self.reason, strict=True)):
            raise NumericalFailure("a word counts in the score, or there is a reason why not")

    @property
    def n_counted(self) -> int:
        """How many words count in the raw score."""
        return sum(self.is_used)

    @classmethod
    def of_columns(cls, columns: Mapping[str, tuple[Any, ...]]) -> Self:
        """The table of columns as a file has them, reasons as text."""
        reasons = tuple(None if reason is None else Reason(reason) for reason in columns["reason"])
        return cls(**{**columns, "reason": reasons})
