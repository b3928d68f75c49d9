"""Which files a data set of one's own is made of, as `/data` lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scoring.datasets.own.corpus_material import (
    DEFAULT_MEASURE,
    MEAN_COLUMNS,
    MEAN_OF_DEFAULT,
    SINGLE_COLUMNS,
    SPREAD_COLUMNS,
    TIMES_FILE,
    WORDS_COLUMNS,
    WORDS_EXTRAS,
    WORDS_FILE,
)
from scoring.datasets.own.material import (
    STIMULI_COLUMNS,
    STIMULI_EXTRAS,
    STIMULI_FILE,
    UNITS_COLUMNS,
    UNITS_EXTRAS,
    UNITS_FILE,
)
from scoring.datasets.own.reading import TEXT_FILE
from scoring.datasets.own.responses_file import FILES


@dataclass(frozen=True, kw_only=True)
class WantedFile:
    """A file of a kind of data set: its name, or the names that it may have, what it holds, and its columns."""

    kind: str
    names: Sequence[str]
    holds: str
    columns: Sequence[str] = ()
    extras: Sequence[str] = ()


WANTED_FILES = (
    WantedFile(
        kind="recording of brains",
        names=(STIMULI_FILE,),
        holds="a row for each stimulus",
        columns=STIMULI_COLUMNS,
        extras=STIMULI_EXTRAS,
    ),
    WantedFile(
        kind="recording of brains",
        names=(UNITS_FILE,),
        holds="a row for each unit: a voxel, region or electrode",
        columns=UNITS_COLUMNS,
        extras=UNITS_EXTRAS,
    ),
    WantedFile(
        kind="recording of brains",
        names=FILES,
        holds="rows are stimuli and columns are units, in the order of the other two",
    ),
    WantedFile(
        kind="reading times",
        names=(WORDS_FILE,),
        holds="a row for each word, in reading order",
        columns=WORDS_COLUMNS,
        extras=WORDS_EXTRAS,
    ),
    WantedFile(
        kind="reading times",
        names=(TIMES_FILE,),
        holds="a row for each reading",
        columns=(*SINGLE_COLUMNS, DEFAULT_MEASURE),
    ),
    WantedFile(
        kind="reading times",
        names=(TIMES_FILE,),
        holds="or a row for the mean of each word",
        columns=(*MEAN_COLUMNS, MEAN_OF_DEFAULT),
        extras=SPREAD_COLUMNS,
    ),
    WantedFile(kind="plain text", names=(TEXT_FILE,), holds="a text in UTF-8"),
)
"""The files in the order in which they are listed, those of one kind together."""
