"""From a file and its declaration to its content: which reader takes which kind in which format."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ...errors import ImportMalformed
from .content import Activations, Content, TokenSurprisals, WordSurprisals, WordVectors
from .manifest import Declaration, FileFormat, ImportKind
from .tables import read_activations, read_surprisals
from .tensors import read_tensor_activations, read_tensor_vectors, read_text_vectors


def read_content(path: Path, declared: Declaration, *, max_bytes: int) -> Content:
    """Everything that a file holds, checked; a table of it has at most `max_bytes`. Raises ImportMalformed."""
    if declared.kind is ImportKind.WORD_VECTORS:
        return read_vectors(path, declared)
    return read_rows(path, declared, max_bytes=max_bytes)


def read_vectors(path: Path, declared: Declaration, wanted: Collection[str] | None = None) -> WordVectors:
    """The word vectors of a file, where it is a text only those of the wanted words."""
    if declared.format is FileFormat.TEXT:
        return read_text_vectors(path, wanted)
    return read_tensor_vectors(path)


def read_rows(
    path: Path, declared: Declaration, *, max_bytes: int | None = None
) -> WordSurprisals | TokenSurprisals | Activations:
    """The surprisals or activations of a file; `max_bytes` bounds its table, None where it was accepted before."""
    if declared.kind is ImportKind.SURPRISALS:
        if declared.unit is None:
            raise ImportMalformed("the unit of the surprisals is not declared", hint="say bits or nats", param="unit")
        return read_surprisals(path, declared.format, declared.unit, max_bytes=max_bytes)
    if declared.format is FileFormat.SAFETENSORS:
        return read_tensor_activations(path)
    return read_activations(path, declared.format, max_bytes=max_bytes)
