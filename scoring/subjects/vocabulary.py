"""Which tokens of a vocabulary can only follow the end of a word. Pure: no model, no torch.

A tokenizer that marks word starts leaves open, after a word's last token, whether the word goes on. The probability
that it does not is the sum over the boundary set: the tokens that begin with white space, and those that end a text
(Pimentel & Meister 2024; Oh & Schuler 2024).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..types import IndexArray

_BYTE_LEVEL = "Ġ"
"""How byte-level pieces write a leading space."""
_BYTE_LEVEL_SPACES = (_BYTE_LEVEL, "Ċ", "ĉ", "č", "ċ", "Č")
"""The same for space, newline, tab, carriage return, vertical tab and form feed; letters of Czech elsewhere."""
_SENTENCEPIECE = "▁"
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True, kw_only=True)
class BoundarySet:
    """Ids of the tokens that end the word before them, rising; None, with a reason, where there is no such set."""

    ids: IndexArray | None
    reason: str | None = None


def boundary_set(
    pieces: Sequence[str | None], *, ends: Collection[int], n_outputs: int, marks_continuation: bool = False
) -> BoundarySet:
    """The boundary set of a vocabulary whose raw pieces are `pieces`, by id.

    `ends` are the ids that end a document or a turn; `n_outputs` is the number of logits. Not applicable to a
    tokenizer that marks how words go on or end (`##`, `</w>`) instead of how they begin.
    """
    if marks_continuation:
        return BoundarySet(ids=None, reason="the vocabulary marks how words go on or end, not how they begin")
    spaces = _leading_spaces(pieces)
    starts = {index for index, piece in enumerate(pieces) if piece is not None and _begins_with(piece, spaces)}
    if not starts:
        return BoundarySet(ids=None, reason="no token of the vocabulary begins with white space")
    known = sorted(index for index in starts | set(ends) if 0 <= index < n_outputs)
    return BoundarySet(ids=np.array(known, dtype=np.intp))


def _leading_spaces(pieces: Sequence[str | None]) -> tuple[str, ...]:
    """How this vocabulary writes white space at the beginning of a piece."""
    is_byte_level = any(piece is not None and piece.startswith(_BYTE_LEVEL) for piece in pieces)
    return _BYTE_LEVEL_SPACES if is_byte_level else (_SENTENCEPIECE,)


def _begins_with(piece: str, spaces: tuple[str, ...]) -> bool:
    byte = _BYTE.fullmatch(piece)
    if byte is not None:
        return int(byte.group(1), 16) < 0x80 and chr(int(byte.group(1), 16)).isspace()
    return piece.startswith(spaces) or piece[:1].isspace()
