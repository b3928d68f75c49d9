"""What each stimulus is read after: from stimuli and a context mode to texts. Pure: no tokenizer, no torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..sentences import sentence_starts
from ..types import IndexArray, Passage, Stimuli

NOT_ASKED = -1
"""The row of a stimulus that is only read, for the sake of a later one."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """A text that is read from its start, and which of its stimuli are answered for.

    `rows` has for each stimulus of `passage` its row among all stimuli, or NOT_ASKED.
    """

    passage: Passage
    rows: IndexArray

    def __post_init__(self) -> None:
        assert len(self.rows) == len(self.passage.spans), "one row for each stimulus"


def contexts(stimuli: Stimuli, mode: str) -> list[Context]:
    """The texts in which every stimulus is answered for exactly once.

    `story`: each passage, or the stimuli's own window. `sentence`: each sentence of a passage by itself. `window:N`:
    each stimulus after the N − 1 before it in its passage. `concat`: all passages as one, a space between.
    """
    mode = effective_context(stimuli, mode)
    if mode == "concat":
        return [Context(passage=_joined(stimuli.passages), rows=np.arange(len(stimuli)))]
    found: list[Context] = []
    first_row = 0
    for passage in stimuli.passages:
        for first, asked, stop in _pieces(passage, mode):
            rows = np.full(stop - first, NOT_ASKED)
            rows[asked - first :] = np.arange(first_row + asked, first_row + stop)
            found.append(Context(passage=_cut(passage, first, stop), rows=rows))
        first_row += len(passage.spans)
    return found


def effective_context(stimuli: Stimuli, mode: str) -> str:
    """The mode in which stimuli are read: `story` gives way to what is their own, a window or a stream."""
    if mode != "story":
        return mode
    return "concat" if stimuli.is_stream else mode if stimuli.window is None else f"window:{stimuli.window}"


def _pieces(passage: Passage, mode: str) -> Iterator[tuple[int, int, int]]:
    """For each text of a passage: its first stimulus, the first one answered for, and the one after its last."""
    n_stimuli = len(passage.spans)
    if mode == "story":
        yield 0, 0, n_stimuli
    elif mode == "sentence":
        starts = sentence_starts(passage.texts)
        for start, stop in zip(starts, [*starts[1:], n_stimuli], strict=True):
            yield start, start, stop
    else:
        n_window = int(mode.removeprefix("window:"))
        for stimulus in range(n_stimuli):
            yield max(0, stimulus + 1 - n_window), stimulus, stimulus + 1


def _cut(passage: Passage, first: int, stop: int) -> Passage:
    """The stimuli [first, stop) of a passage with the text between them; the whole passage keeps its whole text."""
    if (first, stop) == (0, len(passage.spans)):
        return passage
    begin, end = passage.spans[first][0], passage.spans[stop - 1][1]
    spans = tuple((start - begin, last - begin) for start, last in passage.spans[first:stop])
    return Passage(name=passage.name, text=passage.text[begin:end], spans=spans)


def _joined(passages: Sequence[Passage]) -> Passage:
    spans, offset = [], 0
    for passage in passages:
        spans += [(start + offset, end + offset) for start, end in passage.spans]
        offset += len(passage.text) + 1
    return Passage(name="all passages", text=" ".join(passage.text for passage in passages), spans=tuple(spans))
