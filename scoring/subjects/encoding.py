"""From text to tokens that know their stimulus, and from tokens to windows and batches. Pure: no model, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..errors import ContextTooShort, TextUnalignable
from ..types import IndexArray, Passage


class Tokenizer(Protocol):
    """The little that is asked of a fast tokenizer of transformers."""

    bos_token_id: int | None
    eos_token_id: int | None

    def __call__(
        self, text: str, *, add_special_tokens: bool, return_offsets_mapping: bool, verbose: bool
    ) -> dict[str, list[int] | list[tuple[int, int]]]:
        """Token ids and their character offsets."""
        ...


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """A passage in tokens, without BOS.

    `ids` (n_tokens,); `stimulus_of_token` (n_tokens,) rises from 0 to n_stimuli − 1; `last_token` (n_stimuli,).
    """

    ids: IndexArray
    stimulus_of_token: IndexArray
    last_token: IndexArray


@dataclass(frozen=True, kw_only=True)
class Window:
    """Tokens [start, stop) of passage `passage` in one forward; those from `first_owned` on are answered for here."""

    passage: int
    start: int
    stop: int
    first_owned: int

    def __len__(self) -> int:
        return self.stop - self.start


def bos_id(tokenizer: Tokenizer) -> int | None:
    """The token put once before every window: BOS where the model has one, else EOS, else none."""
    return tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id


def encode(tokenizer: Tokenizer, passage: Passage) -> Encoded:
    """Tokens of a passage, each given to the stimulus that holds its last character.

    Raises TextUnalignable where a token straddles two stimuli, a stimulus has no token of its own, or the offsets
    do not cover the text.
    """
    encoding = tokenizer(passage.text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    offsets = np.asarray(encoding["offset_mapping"], dtype=np.intp).reshape(-1, 2)
    ends = np.array([end for _, end in passage.spans])
    stimulus_of_token = np.searchsorted(ends, offsets[:, 1])
    _require_cover(passage, offsets)
    _require_no_straddling(passage, offsets, stimulus_of_token)
    if (np.diff(stimulus_of_token) < 0).any():
        raise TextUnalignable(f"the tokens of {passage.name} do not come in the order of its text")
    last_token = np.searchsorted(stimulus_of_token, np.arange(len(ends)), side="right") - 1
    missing = np.flatnonzero(stimulus_of_token[last_token] != np.arange(len(ends)))
    if missing.size:
        start, end = passage.spans[missing[0]]
        raise TextUnalignable(f"{passage.text[start:end]!r} in {passage.name} has no token of its own")
    return Encoded(
        ids=np.asarray(encoding["input_ids"], dtype=np.intp),
        stimulus_of_token=stimulus_of_token,
        last_token=last_token,
    )


def windows(n_tokens: int, *, passage: int, capacity: int, stride: int) -> list[Window]:
    """Rolling windows over a passage: every token is owned once, by the window that gives it the most past.

    Windows start `stride` tokens apart and hold at most `capacity`; a token beyond the first window keeps at least
    capacity − stride tokens of past. Raises ContextTooShort where capacity or stride leave no room.
    """
    if not 0 < stride < capacity:
        raise ContextTooShort(f"a context of {capacity} tokens has no room for windows with stride {stride}")
    found: list[Window] = []
    owned = 0
    while owned < n_tokens:
        start = 0 if not found else found[-1].start + stride
        stop = min(start + capacity, n_tokens)
        found.append(Window(passage=passage, start=start, stop=stop, first_owned=owned))
        owned = stop
    return found


def batches(planned: Sequence[Window], *, token_budget: int) -> list[list[Window]]:
    """Windows sorted by length and cut so that rows × longest row stays within `token_budget` (at least one row)."""
    result: list[list[Window]] = []
    for window in sorted(planned, key=len, reverse=True):
        if result and len(result[-1][0]) * (len(result[-1]) + 1) <= token_budget:
            result[-1].append(window)
        else:
            result.append([window])
    return result


def _require_cover(passage: Passage, offsets: IndexArray) -> None:
    """The tokenizer's self-test: every character that is no space lies in some token."""
    depth = np.zeros(len(passage.text) + 1, dtype=np.intp)
    np.add.at(depth, offsets[:, 0], 1)
    np.add.at(depth, offsets[:, 1], -1)
    covered = np.cumsum(depth)[:-1] > 0
    for position in np.flatnonzero(~covered).tolist():
        if not passage.text[position].isspace():
            around = passage.text[max(position - 10, 0) : position + 10]
            raise TextUnalignable(f"the tokenizer drops a character of {passage.name} near {around!r}")


def _require_no_straddling(passage: Passage, offsets: IndexArray, stimulus_of_token: IndexArray) -> None:
    starts = [start for start, _ in passage.spans]
    for (start, end), stimulus in zip(offsets.tolist(), stimulus_of_token.tolist(), strict=True):
        if stimulus < len(starts) and passage.text[start : min(end, starts[stimulus])].strip():
            before, after = passage.texts[stimulus - 1 : stimulus + 1]
            token = passage.text[start:end]
            raise TextUnalignable(f"token {token!r} in {passage.name} straddles {before!r} and {after!r}")
