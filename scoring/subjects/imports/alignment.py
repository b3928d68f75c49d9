"""Imported surprisals given to the stimuli of a benchmark: by id, or by the characters of the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from ...errors import ImportUnsuited, shown
from ...types import FloatArray, IndexArray, Passage, Stimuli
from .content import HIGHEST_BITS, TokenSurprisals, WordSurprisals, words_of

N_SHOWN = 5
"""Differing words that an error names."""


@dataclass(frozen=True, kw_only=True)
class Aligned:
    """Bits of each stimulus, NaN where there are none, (n_stimuli,); from how many tokens, read after how many.

    `n_tokens` is 0 where the number is not known, as it is for every word of a file by word.
    `differing` names the words whose text is another one in the file; `n_rows_unused` counts rows for no stimulus.
    """

    bits: FloatArray
    n_tokens: IndexArray
    context_tokens: IndexArray
    differing: tuple[str, ...]
    n_rows_unused: int

    def require_agreement(self, *, allow_mismatch: bool) -> None:
        """Raises ImportUnsuited, naming the words, where texts differ and that was not allowed, or by half or more."""
        n_differing, n_stimuli = len(self.differing), len(self.bits)
        if not n_differing or (allow_mismatch and 2 * n_differing < n_stimuli):
            return
        more = f" and {n_differing - N_SHOWN} more" if n_differing > N_SHOWN else ""
        words = f"{n_differing} word{'s' if n_differing > 1 else ''} of {n_stimuli}"
        raise ImportUnsuited(
            f"{words} differ between benchmark and file: {'; '.join(self.differing[:N_SHOWN])}{more}",
            hint="is the file about this benchmark's text?"
            if 2 * n_differing >= n_stimuli
            else "import it with allow_mismatch (and replace): such words then count as missing",
        )


def align_words(content: WordSurprisals, stimuli: Stimuli) -> Aligned:
    """The surprisal in the row of each stimulus' id. Raises ImportUnsuited where no row is about any stimulus."""
    rows = {stimulus: row for row, stimulus in enumerate(content.ids)}
    found = [rows.get(stimulus) for stimulus in stimuli.ids]
    used = [row for row in found if row is not None]
    if not used:
        raise ImportUnsuited(
            f"the file has no row for any of the {len(stimuli)} stimuli; the first is {shown(stimuli.ids[0])}",
            hint="a stimulus is named by `stimulus_id`, or by `story` and `zone` with a dot between them",
        )
    bits = np.array([np.nan if row is None else content.bits[row] for row in found])
    differing = []
    for place, (row, text) in enumerate(zip(found, stimuli.texts, strict=True)):
        if row is not None and content.words is not None and content.words[row] != text:
            differing.append(f"{shown(text)} is {shown(content.words[row])} in row {row + 1}")
            bits[place] = np.nan
    return Aligned(
        bits=bits,
        n_tokens=np.zeros(len(bits), dtype=np.intp),
        context_tokens=np.zeros(len(bits), dtype=np.intp),
        differing=tuple(differing),
        n_rows_unused=len(content.ids) - len(used),
    )


def align_tokens(content: TokenSurprisals, stimuli: Stimuli) -> Aligned:
    """The surprisals of each stimulus' tokens, summed; passage i is the file's story i, counted from 0.

    A token belongs to the word that holds its last character, in the file's own text; words of file and benchmark are
    then matched in order. Raises ImportUnsuited where a token spans two words, or no story has a passage.
    """
    parts = [_align_story(content, story, passage) for story, passage in enumerate(stimuli.passages)]
    n_used = int((content.stories < len(parts)).sum())
    if not n_used:
        raise ImportUnsuited(f"the file has no story below {len(parts)}, and stories count from 0")
    bits = np.concatenate([part.bits for part in parts])
    if np.nan_to_num(bits).sum() > HIGHEST_BITS * np.isfinite(bits).sum():
        raise ImportUnsuited(f"the words have more than {HIGHEST_BITS:.0f} bits on average")
    return Aligned(
        bits=bits,
        n_tokens=np.concatenate([part.n_tokens for part in parts]),
        context_tokens=np.concatenate([part.context_tokens for part in parts]),
        differing=tuple(word for part in parts for word in part.differing),
        n_rows_unused=len(content.tokens) - n_used,
    )


def _align_story(content: TokenSurprisals, story: int, passage: Passage) -> Aligned:
    rows = np.flatnonzero(content.stories == story)
    text = "".join(content.tokens[row] for row in rows)
    spans = words_of(text)
    word_of_token = _words_of_tokens(content, rows, spans)
    n_file = len(spans)
    within = word_of_token < n_file
    sums = np.bincount(word_of_token[within], weights=content.bits[rows][within], minlength=n_file)
    counts = np.bincount(word_of_token[within], minlength=n_file)
    firsts = np.searchsorted(word_of_token, np.arange(n_file))
    here, there = _words(passage.text), [text[start:end] for start, end in spans]
    match, differing = _match(here, there, passage.name)
    n_stimuli = len(passage.spans)
    bits, n_tokens = np.zeros(n_stimuli), np.zeros(n_stimuli, dtype=np.intp)
    context = np.full(n_stimuli, len(rows), dtype=np.intp)
    for word, stimulus in enumerate(_stimuli_of_words(passage)):
        if stimulus is None:
            continue
        place = match[word]
        bits[stimulus] += np.nan if place is None else sums[place]
        if place is not None:
            n_tokens[stimulus] += counts[place]
            context[stimulus] = min(context[stimulus], firsts[place])
    return Aligned(bits=bits, n_tokens=n_tokens, context_tokens=context, differing=tuple(differing), n_rows_unused=0)


def _words_of_tokens(content: TokenSurprisals, rows: IndexArray, spans: Sequence[tuple[int, int]]) -> IndexArray:
    """For each token the word with its last character; len(spans) for whitespace after the last word."""
    tokens = [content.tokens[row] for row in rows]
    starts = content.offsets[rows] + np.array([len(token) - len(token.lstrip()) for token in tokens], dtype=np.intp)
    ends = content.offsets[rows] + np.array([len(token) for token in tokens], dtype=np.intp)
    found = np.searchsorted(np.array([end for _, end in spans], dtype=np.intp), ends)
    firsts = np.array([*(start for start, _ in spans), 0], dtype=np.intp)
    astride = np.flatnonzero((starts < firsts[found]) & (starts < ends))
    if len(astride):
        row = int(rows[astride[0]])
        raise ImportUnsuited(f"the token {shown(content.tokens[row])} in row {row + 1} spans two words")
    return np.asarray(found, dtype=np.intp)


def _match(here: Sequence[str], there: Sequence[str], name: str) -> tuple[list[int | None], list[str]]:
    """For each word of the benchmark its place in the file; and what the words are that have none."""
    match: list[int | None] = [None] * len(here)
    differing: list[str] = []
    if not there:
        return match, differing
    pieces = (
        [("equal", 0, len(here), 0, len(there))]
        if list(here) == list(there)
        else SequenceMatcher(None, here, there, autojunk=False).get_opcodes()
    )
    for tag, first, last, other, other_last in pieces:
        if tag == "equal":
            match[first:last] = range(other, other_last)
            continue
        file_words = " ".join(there[other:other_last])
        for place in range(first, last):
            same = last - first == other_last - other
            found = there[other + place - first] if same else file_words
            differing.append(f"word {place + 1} of {name} is {shown(here[place])}, in the file {shown(found)}")
        if first == last:
            differing.append(f"before word {first + 1} of {name} the file has {shown(file_words)} more")
    return match, differing


def _stimuli_of_words(passage: Passage) -> list[int | None]:
    """For each word of a passage the stimulus that it belongs to; None between stimuli."""
    ends = [end for _, end in passage.spans]
    places = np.searchsorted(ends, [end for _, end in words_of(passage.text)])
    found: list[int | None] = []
    for (start, end), place in zip(words_of(passage.text), places, strict=True):
        first = passage.spans[place][0] if place < len(ends) else len(passage.text)
        if start < first < end:
            raise ImportUnsuited(
                f"a stimulus of {passage.name} begins inside the word {shown(passage.text[start:end])}"
            )
        found.append(int(place) if first <= start else None)
    return found


def _words(text: str) -> list[str]:
    return [text[start:end] for start, end in words_of(text)]
