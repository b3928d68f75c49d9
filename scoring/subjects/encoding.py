"""From text to tokens that know their stimulus. Pure: no model, no torch; everything is validated here."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import TextUnalignable
from ..sentences import sentence_starts
from ..types import IndexArray, Passage
from .contexts import Context

_INVISIBLE = frozenset({"Mn", "Me", "Cf", "Cc"})
"""Categories of characters that a tokenizer's normaliser may drop: combining marks, format and control characters."""


class Tokenizer(Protocol):
    """The little that is asked of a fast tokenizer of transformers."""

    bos_token_id: int | None
    eos_token_id: int | None
    all_special_ids: Sequence[int]

    def __call__(
        self, text: str, *, add_special_tokens: bool, return_offsets_mapping: bool, verbose: bool
    ) -> dict[str, list[int] | list[tuple[int, int]]]:
        """Token ids and their character offsets."""
        ...


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A text in tokens, without BOS or a template.

    `ids` (n_tokens,); `stimulus_of_token` (n_tokens,) rises from 0 to n_stimuli − 1; `first_token` and `last_token`
    (n_stimuli,); `rows` (n_stimuli,) as in Context; `sentence_starts` are the stimuli that begin a sentence.
    """

    ids: IndexArray
    stimulus_of_token: IndexArray
    first_token: IndexArray
    last_token: IndexArray
    rows: IndexArray
    sentence_starts: tuple[int, ...]

    @property
    def asked(self) -> IndexArray:
        """The stimuli that are answered for: positions in this text."""
        return np.flatnonzero(self.rows >= 0)

    @property
    def first_asked_token(self) -> int:
        """The first token of the first stimulus that is answered for."""
        return int(self.first_token[self.asked[0]])


def encode(tokenizer: Tokenizer, context: Context) -> Encoded:
    """Tokens of a text, each given to the stimulus that holds its last character.

    Text after the last stimulus is not read. Raises TextUnalignable where a token straddles two stimuli, a stimulus
    has no token of its own, or the tokenizer's offsets do not cover the text, leave it or go back.
    """
    passage = context.passage
    ids, offsets = _tokens(tokenizer, passage)
    ends = np.array([end for _, end in passage.spans])
    stimulus_of_token = np.searchsorted(ends, offsets[:, 1])
    _require_no_straddling(passage, offsets, stimulus_of_token)
    _require_whole_end(passage, offsets)
    read = stimulus_of_token < len(ends)
    ids, stimulus_of_token = ids[read], stimulus_of_token[read]
    if (np.diff(stimulus_of_token) < 0).any():
        raise TextUnalignable(f"the tokens of {passage.name} do not come in the order of its text")
    stimuli = np.arange(len(ends))
    first_token = np.searchsorted(stimulus_of_token, stimuli)
    last_token = np.searchsorted(stimulus_of_token, stimuli, side="right") - 1
    missing = np.flatnonzero(last_token < first_token)
    if missing.size:
        start, end = passage.spans[missing[0]]
        raise TextUnalignable(f"{_shown(passage.text[start:end])} in {passage.name} has no token of its own")
    return Encoded(
        ids=ids,
        stimulus_of_token=stimulus_of_token,
        first_token=first_token,
        last_token=last_token,
        rows=context.rows,
        sentence_starts=tuple(sentence_starts(passage.texts)),
    )


def _tokens(tokenizer: Tokenizer, passage: Passage) -> tuple[IndexArray, IndexArray]:
    """Ids (n_tokens,) and character offsets (n_tokens, 2), without special tokens of no width."""
    encoding = tokenizer(passage.text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids = np.asarray(encoding["input_ids"], dtype=np.intp)
    offsets = np.asarray(encoding["offset_mapping"], dtype=np.intp).reshape(-1, 2)
    added = (offsets[:, 0] == offsets[:, 1]) & np.isin(ids, np.asarray(tokenizer.all_special_ids, dtype=np.intp))
    ids, offsets = ids[~added], offsets[~added]
    if len(offsets) and (offsets.min() < 0 or offsets.max() > len(passage.text) or (np.diff(offsets) < 0).any()):
        raise TextUnalignable(
            f"the tokenizer's offsets leave the text of {passage.name} or end before they begin",
            hint="its tokenizer.json is damaged or made for a slow tokenizer; save it again with a fast one",
        )
    _require_cover(passage, offsets)
    return ids, offsets


def _require_cover(passage: Passage, offsets: IndexArray) -> None:
    """The tokenizer's self-test: every character that can be seen lies in some token."""
    depth = np.zeros(len(passage.text) + 1, dtype=np.intp)
    np.add.at(depth, offsets[:, 0], 1)
    np.add.at(depth, offsets[:, 1], -1)
    for position in np.flatnonzero(np.cumsum(depth)[:-1] <= 0).tolist():
        character = passage.text[position]
        if not character.isspace() and unicodedata.category(character) not in _INVISIBLE:
            around = passage.text[max(position - 10, 0) : position + 10]
            raise TextUnalignable(f"the tokenizer drops a character of {passage.name} near {around!r}")


def _require_no_straddling(passage: Passage, offsets: IndexArray, stimulus_of_token: IndexArray) -> None:
    """No token may hold visible text of two stimuli, or of a stimulus and of what stands before it."""
    starts = np.array([*(start for start, _ in passage.spans), len(passage.text)])
    suspects: NDArray[np.intp] = np.flatnonzero(offsets[:, 0] < starts[stimulus_of_token])
    for token in suspects.tolist():
        (start, end), stimulus = offsets[token].tolist(), int(stimulus_of_token[token])
        if stimulus < len(passage.spans) and passage.text[start : min(end, int(starts[stimulus]))].strip():
            before = passage.texts[stimulus - 1] if stimulus else passage.text[: int(starts[0])]
            raise TextUnalignable(
                f"token {passage.text[start:end]!r} in {passage.name} straddles"
                f" {_shown(before)} and {_shown(passage.texts[stimulus])}"
            )


def _require_whole_end(passage: Passage, offsets: IndexArray) -> None:
    """The last stimulus may not end inside a token: what follows it is not read."""
    end = passage.spans[-1][1]
    for start, stop in offsets[(offsets[:, 0] < end) & (offsets[:, 1] > end)].tolist():
        if passage.text[end:stop].strip() and passage.text[start:end].strip():
            raise TextUnalignable(
                f"token {passage.text[start:stop]!r} in {passage.name} straddles"
                f" {_shown(passage.texts[-1])} and what follows it"
            )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 64 else f"{text[:64]}…")
