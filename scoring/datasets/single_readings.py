"""Files of single reading times: who read which word of a story for how long.

What belongs here: reading them and moving them to their words. What does not: which readings a measure keeps.
"""

from __future__ import annotations

import csv
from array import array
from collections.abc import Mapping, Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np

from ..errors import DataMalformed, shown
from ..types import FloatArray, Readings
from .alignment import require_standing, shift_readings
from .manifest import Alignment

COLUMNS = ("WorkerId", "item", "zone", "RT")
"""Reader, story, word of the story from 1, milliseconds; a file may have other columns beside them."""


def readings_of(path: Path, words: Sequence[Mapping[str, str]], alignment: Alignment) -> dict[str, Readings]:
    """Readings by alignment, `published` and `realigned`, from a tab-separated file with the columns `COLUMNS`.

    `words` are those of the stories in reading order, with `item`, `zone` and `word`. As `original` times stand one
    word before their own, RT(z) = recorded(z − 1) within a story: realigned they belong to the next word, and corrected
    ones published to the one before; a reading whose word would be in no story is then absent. Readers are numbered in
    the order in which the file names them. Raises DataMalformed where a line is no reading of a word of the stories,
    where somebody reads a word twice, and where the means over readers contradict the declared alignment.
    """
    recorded = _recorded(path, {(word["item"], word["zone"]): row for row, word in enumerate(words)})
    stories = [word["item"] for word in words]
    lengths = np.array([len(word["word"]) for word in words], dtype=np.float64)
    require_standing(_means(recorded, len(words)), lengths, stories, alignment)
    if alignment is Alignment.ORIGINAL:
        return {"published": recorded, "realigned": shift_readings(recorded, stories, 1)}
    return {"published": shift_readings(recorded, stories, -1), "realigned": recorded}


def by_reader(readings: Readings, n_words: int) -> FloatArray:
    """The times as (n_words, n_readers), in milliseconds, NaN where a reader has none."""
    times = np.full((n_words, readings.readers.max(initial=-1) + 1), np.nan)
    times[readings.words, readings.readers] = readings.times_ms
    return times


def _recorded(path: Path, by_place: Mapping[tuple[str, str], int]) -> Readings:
    """Readings as the file has them. Quotation marks are part of the words; words are known by story and zone."""
    words, readers, times, known = array("q"), array("q"), array("d"), dict[str, int]()
    with path.open(newline="", encoding="utf8") as stream:
        rows = csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        head = next(rows, [])
        missing = [name for name in COLUMNS if name not in head]
        if missing:
            raise DataMalformed(f"{path.name} has no column {', '.join(missing)}")
        columns = itemgetter(*(head.index(name) for name in COLUMNS))
        for row in rows:
            try:
                reader, item, zone, time = columns(row)
                words.append(by_place[item, zone])
                times.append(float(time))
            except (IndexError, KeyError, ValueError) as error:
                line = f"line {rows.line_num} of {path.name}"
                raise DataMalformed(f"{line} is no reading of a word: {shown(' '.join(row))}") from error
            readers.append(known.setdefault(reader, len(known)))
    found = Readings(words=_integers(words), readers=_integers(readers), times_ms=np.array(times, dtype=np.float64))
    if len(np.unique(found.words * (len(known) + 1) + found.readers)) < len(found.words):
        raise DataMalformed(f"in {path.name} somebody reads a word twice")
    return found


def _integers(values: array[int]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.array(values, dtype=np.intp)


def _means(readings: Readings, n_words: int) -> FloatArray:
    """Mean times over readers, (n_words,) in milliseconds, NaN where nobody reads a word."""
    counts = np.bincount(readings.words, minlength=n_words)
    sums = np.bincount(readings.words, weights=readings.times_ms, minlength=n_words)
    means = np.full(n_words, np.nan)
    means[counts > 0] = sums[counts > 0] / counts[counts > 0]
    return means
