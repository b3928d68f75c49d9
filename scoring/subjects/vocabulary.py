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

_WORD_STARTS = ("Ġ", "▁")
"""How raw pieces write a leading space, in byte-level and in SentencePiece vocabularies."""
_BYTE_LEVEL_SPACES = ("Ċ", "ĉ", "č", "ċ", "Č")
"""How byte-level pieces write a leading newline, tab, carriage return, vertical tab and form feed."""
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


@dataclass(frozen=True, kw_only=True)
class BoundarySet:
    """Ids of the tokens that end the word before them, rising; None, with a reason, where there is no such set."""

    ids: IndexArray | None
    reason: str | None = None


def boundary_set(pieces: Sequence[str | None], *, ends: Collection[int], n_outputs: int) -> BoundarySet:
    """The boundary set of a vocabulary whose raw pieces are `pieces`, by id.

    `ends` are the ids that end a document or a turn; `n_outputs` is the number of logits. Not applicable where a
    vocabulary marks continuations (`##`, `</w>`) instead of word starts.
    """
    if any(piece is not None and (piece.startswith("##") or piece.endswith("</w>")) for piece in pieces):
        return BoundarySet(ids=None, reason="the vocabulary marks how words go on or end, not how they begin")
    starts = {index for index, piece in enumerate(pieces) if piece is not None and begins_with_space(piece)}
    if not starts:
        return BoundarySet(ids=None, reason="no token of the vocabulary begins with white space")
    known = sorted(index for index in starts | set(ends) if index < n_outputs)
    return BoundarySet(ids=np.array(known, dtype=np.intp))


def begins_with_space(piece: str) -> bool:
    """Whether the text of a raw piece begins with white space."""
    byte = _BYTE.fullmatch(piece)
    if byte is not None:
        return chr(int(byte.group(1), 16)).isspace() and int(byte.group(1), 16) < 0x80
    return piece.startswith((*_WORD_STARTS, *_BYTE_LEVEL_SPACES)) or piece[:1].isspace()
