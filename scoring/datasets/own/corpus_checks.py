"""What can be wrong with a reading corpus as a whole: words nobody read, times away from their words."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...errors import DataMalformed
from ...metrics.correlation import pearson
from ...types import FloatArray
from ..alignment import MINIMUM_WORDS, require_standing
from ..manifest import Alignment
from .corpus_material import AMPLITUDE_SUFFIX, TIME_SUFFIX, CorpusTimes, as_means, is_time, word_names
from .findings import Findings, agreeing, counted, listed
from .material import Table, n_rows
from .tables import numbers_of

SMALLEST_N_TIMED = 3
"""Words with a time: of fewer there is no correlation."""


def check_measure(measure: str, alignment: Alignment, findings: Findings) -> None:
    """Errors for a measure without a unit, and for an alignment of what is no time."""
    if not measure.lower().endswith((TIME_SUFFIX, AMPLITUDE_SUFFIX)) or not measure.isprintable():
        units = f"{TIME_SUFFIX} or {AMPLITUDE_SUFFIX}"
        detail = f"the name of a measure ends in {units}; not so {listed([measure])}"
        findings.error("measure_without_unit", detail, param="measure")
    elif not is_time(measure) and alignment is Alignment.ORIGINAL:
        detail = f"alignment is {alignment}, which is said of self-paced times, and {measure} is no time"
        findings.error("declaration_unsuited", detail, param="alignment")


def check_corpus(words: Table, times: CorpusTimes, measure: str, alignment: Alignment, findings: Findings) -> None:
    """Look over which words have values, that these vary, and that times stand as they are declared to."""
    means = as_means(times, n_rows(words)).means
    _check_coverage(words, means, findings)
    known = means[np.isfinite(means)]
    if len(known) < SMALLEST_N_TIMED or np.ptp(known) == 0:
        have = agreeing(len(known), "has", "have")
        detail = f"{counted(len(known), 'word')} {have} a value; at least {SMALLEST_N_TIMED} that vary are needed"
        findings.error("times_constant", detail)
        return
    lengths = np.array([len(word) for word in words["word"]], dtype=np.float64)
    _check_known(words, lengths, np.isfinite(means), findings)
    if not is_time(measure):
        return
    try:
        found = require_standing(means, lengths, words["story"], alignment)
    except DataMalformed as error:
        findings.error("alignment_contradicted", f"{error.detail} ({error.hint})", param="alignment")
        return
    if found is None and np.ptp(lengths[np.isfinite(means)]) > 0:
        _tell_unchecked(means, lengths, alignment, findings)


def _tell_unchecked(means: FloatArray, lengths: FloatArray, alignment: Alignment, findings: Findings) -> None:
    """A warning that the times cannot tell whether they stand as they are declared to."""
    n_timed = int(np.isfinite(means).sum())
    what = "times that follow the lengths of words so little do not tell whether they stand"
    if n_timed < MINIMUM_WORDS:
        what = f"{n_timed} words with a time are too few to tell whether they stand"
    r = f"their r with the length of the word at which they stand is {pearson(lengths, means):.2f}"
    detail = f"times: {what} as declared, {alignment}, which is taken on trust ({r})"
    findings.warn("alignment_unchecked", detail, param="alignment")


def _check_known(words: Table, lengths: FloatArray, has_value: NDArray[np.bool_], findings: Findings) -> None:
    """Errors for words of one length or one frequency: every score is told beside what these explain."""
    if np.ptp(lengths[has_value]) == 0:
        findings.error("words_of_one_length", "words: all that have a value are equally long; no score can be computed")
    frequencies = numbers_of(words["log_frequency"]) if "log_frequency" in words else None
    if isinstance(frequencies, np.ndarray) and np.ptp(frequencies[has_value]) == 0:
        detail = "words: log_frequency is the same for all words that have a value; leave the column out"
        findings.error("frequency_constant", detail)


def _check_coverage(words: Table, means: FloatArray, findings: Findings) -> None:
    is_missing = np.isnan(means)
    if not is_missing.any():
        return
    stories = np.array(words["story"])
    unread = [story for story in dict.fromkeys(words["story"]) if is_missing[stories == story].all()]
    if unread:
        detail = f"no word of {listed(unread)} has a value; a story that nobody read does not stand in words.csv"
        findings.error("story_without_times", detail)
    names = word_names(words)
    missing = [names[row] for row in np.flatnonzero(is_missing) if stories[row] not in unread]
    if missing:
        verbs = agreeing(len(missing), "has no value and is", "have no value and are")
        detail = f"{len(missing):,} of {len(means):,} words {verbs} left out: {listed(missing)}"
        findings.warn("word_without_time", detail)
