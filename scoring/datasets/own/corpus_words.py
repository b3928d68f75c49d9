"""What can be wrong with the words of a reading corpus: what they are, where they stand, how frequent they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from .cells import check_cells, is_no_text, refuse_cells
from .findings import Findings, agreeing, listed, rows_listed
from .material import Table, is_whole, lines_of
from .tables import LARGEST, numbers_of

SMALLEST_N_STORIES = 2
"""Intervals and everything held out go by stories."""

SMALLEST_N_WORDS = 3
"""Of a story: words are looked at together with the two before them."""

Places = Mapping[tuple[str, int], int]
"""The row of a word by its story and number."""


def places_of(words: Table, findings: Findings) -> Places | None:
    """Look words over; where each stands, or None, with errors, where that is not clear."""
    n_before = len(findings.errors)
    check_cells(words, "words", findings, names=("story",))
    _check_texts(words, findings)
    _check_frequencies(words, findings)
    n_with_texts = len(findings.errors)
    if "story" in words:
        _check_stories(words["story"], findings)
    if not is_whole(words, ("story", "word_index")):
        return None
    places = _numbered(words, findings)
    is_clear = len(findings.errors) == n_with_texts and not any(
        error.code.startswith("cell") for error in findings.errors[n_before:]
    )
    return places if is_clear else None


def number_of(cell: str) -> int | None:
    """A whole number from 1 on; None where the cell is not one."""
    text = cell.strip().removesuffix(".0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0 else None


def _check_texts(words: Table, findings: Findings) -> None:
    refuse_cells(words, "word", lambda text: not text.strip(), findings, code="word_blank", what="words: no word in")
    refuse_cells(
        words,
        "word",
        lambda text: bool(text.strip()) and any(character.isspace() for character in text),
        findings,
        code="word_with_space",
        what="words: a word is read as a whole and has no space in it; this is not so in",
    )
    refuse_cells(words, "word", is_no_text, findings, code="not_text", what="words: bytes that are no text in")


def _check_frequencies(words: Table, findings: Findings) -> None:
    refuse_cells(
        words,
        "log_frequency",
        lambda cell: isinstance(found := numbers_of([cell]), str) or not abs(found[0]) <= LARGEST,
        findings,
        code="frequency_malformed",
        what="words: no number as log_frequency in",
    )


def _numbered(words: Table, findings: Findings) -> Places:
    """The row of each word; with an error for each story whose words are not numbered 1 to n in order."""
    places: dict[tuple[str, int], int] = {}
    wrong = []
    for story, rows in _runs(words["story"]):
        for expected, row in enumerate(rows, start=1):
            if number_of(words["word_index"][row]) != expected:
                cell = words["word_index"][row] or "nothing"
                place = rows_listed([row], lines_of(words))
                wrong.append(f"story {story}, {place} has {cell} and not {expected}")
                break
            places[story, expected] = row
    if wrong:
        detail = f"words of a story are numbered 1, 2, 3 … in reading order: {listed(wrong)}"
        findings.error("word_index_wrong", detail)
    return places


def _check_stories(stories: Sequence[str], findings: Findings) -> None:
    runs = Counter(story for story, _ in _runs(stories))
    torn = [story for story, count in runs.items() if count > 1]
    if torn:
        findings.error("story_in_pieces", f"words: the rows of a story stand together; not those of {listed(torn)}")
    short = [story for story, count in Counter(stories).items() if count < SMALLEST_N_WORDS]
    if short:
        have = agreeing(len(short), "has", "have")
        detail = f"words: a story has at least {SMALLEST_N_WORDS} words; fewer {have} {listed(short)}"
        findings.error("story_too_short", detail)
    if len(runs) < SMALLEST_N_STORIES:
        detail = f"words: at least {SMALLEST_N_STORIES} stories are needed, which may be texts or sections of one"
        findings.error("stories_too_few", f"{detail}; there is {listed(runs)} alone")


def _runs(stories: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Each story with the rows of it that follow one another."""
    for story, rows in groupby(range(len(stories)), key=lambda row: stories[row]):
        yield story, [*rows]
