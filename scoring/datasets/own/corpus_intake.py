"""Taking a reading corpus in: words and times looked over, written down, their ceiling computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..manifest import Alignment
from .arrangement import GROUPED
from .corpus_checks import check_corpus, check_measure
from .corpus_files import ceiling_of_times, write_corpus
from .corpus_material import (
    DEFAULT_MEASURE,
    TIMES_FILE,
    WORDS_COLUMNS,
    WORDS_EXTRAS,
    WORDS_FILE,
    CorpusTimes,
    SingleTimes,
)
from .corpus_times import read_times
from .corpus_words import places_of
from .declaration import Declaration
from .files import digests
from .findings import Findings
from .manifest import ReadingFacts
from .material import Report, Table, is_whole, n_rows
from .reading import corpus_is_whole
from .tables import read_table

GUIDE = "bring-your-own-reading-times"
"""The page that tells what the files hold."""


def take_corpus(source: Path, staged: Path, said: Declaration, findings: Findings, report: Report) -> dict[str, Any]:
    """What the manifest says of a reading corpus whose files are then staged. Raises RecordingRefused."""
    measure = said.measure or DEFAULT_MEASURE
    is_known = said.alignment in set(Alignment)
    alignment = Alignment(said.alignment) if said.alignment and is_known else Alignment.CORRECTED
    if said.n_folds is not None:
        detail = "n_folds is declared of recordings; of reading times nothing is fitted"
        findings.error("declaration_unsuited", detail, param="n_folds")
    check_measure(measure, alignment, findings)
    words, times = _read(source, measure, said, findings)
    report(0.2, "looking them over")
    if words is not None and is_whole(words, WORDS_COLUMNS) and times is not None:
        check_corpus(words, times, measure, alignment, findings)
    findings.require(GUIDE)
    assert words is not None
    assert times is not None
    names = write_corpus(staged, words, times)
    report(0.3, "computing the ceiling")
    return {
        **_counted(words, times, measure, alignment, said.participants),
        "files": digests(staged, names),
        "ceilings": {GROUPED: ceiling_of_times(times, words["story"], alignment)},
    }


def _read(source: Path, measure: str, said: Declaration, findings: Findings) -> tuple[Table | None, CorpusTimes | None]:
    """Words and times; with errors, and None, for what cannot be used."""
    if not corpus_is_whole(source, findings):
        return None, None
    words = read_table(source / WORDS_FILE, WORDS_COLUMNS, WORDS_EXTRAS, findings)
    places = None if words is None else places_of(words, findings)
    return words, read_times(source / TIMES_FILE, places, measure, said.participants, findings)


def _counted(
    words: Table, times: CorpusTimes, measure: str, alignment: Alignment, participants: tuple[str, ...] | None
) -> dict[str, Any]:
    readers: tuple[str, ...] = ()
    if isinstance(times, SingleTimes):
        readers, n_participants, n_readings = times.readers, len(times.readers), len(times.values)
    else:
        n_participants = len(participants or ()) or int(np.nan_to_num(times.n_readers).max())
        n_readings = None
    return {
        "n_folds": 0,
        "protocols": (GROUPED,),
        "n_stimuli": n_rows(words),
        "n_units": 1,
        "participants": dict.fromkeys(readers, 1),
        "parts": (),
        "reading": ReadingFacts(
            measure=measure,
            alignment=alignment,
            n_stories=len(set(words["story"])),
            n_participants=n_participants,
            n_readings=n_readings,
        ),
    }
