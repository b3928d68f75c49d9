"""Word vectors as text, and word vectors or activations as safetensors."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImportMalformed, shown
from ...types import FeatureArray
from .content import Activations, WordVectors, refuse_duplicates, refuse_infinite
from .limits import MAX_LAYERS, MAX_WORDS, refuse_more

VECTORS = "vectors"
WORDS = "words"
STIMULUS_IDS = "stimulus_ids"
LAYERS = "layers"

MAX_LINE_CHARACTERS = 2_000_000
_FLOATS = ("F16", "F32", "F64")
_NUMBER = re.compile(r"\d+")
_COUNT = re.compile(r"[0-9]{1,15}")


def read_text_vectors(path: Path, wanted: Collection[str] | None = None) -> WordVectors:
    """The vectors of a text file: a word and its numbers on each line, and maybe a first line with both counts.

    With `wanted`, only the numbers of these words are kept. The number of dimensions is that of the first vector;
    what stands before the last so many numbers of a line is the word.
    """
    rows: dict[str, int] = {}
    n_rows, width, stated = 0, 0, None
    kept = array("f")
    for number, fields in _lines(path):
        if number == 1 and len(fields) == 2 and all(field.isdigit() for field in fields):
            stated = _counts(fields)
            continue
        width = width or (stated[1] if stated else len(fields) - 1)
        word = " ".join(fields[:-width])
        if width < 1 or not word:
            raise ImportMalformed(f"line {number} is not a word and {width or 'its'} numbers")
        n_rows += 1
        refuse_more(n_rows, MAX_WORDS, "words or more")
        if wanted is not None and word not in wanted:
            continue
        if word in rows:
            raise ImportMalformed(f"the word {shown(word)} stands in line {number} for the second time")
        rows[word] = len(rows)
        kept.frombytes(_vector(fields[-width:], number).tobytes())
    if not n_rows or (stated is not None and stated[0] != n_rows):
        raise ImportMalformed(f"there are {n_rows} vectors" + (f", the first line says {stated[0]}" if stated else ""))
    return WordVectors(rows=rows, vectors=np.array(kept, dtype=np.float32).reshape(-1, width), n_rows=n_rows)


def read_tensor_vectors(path: Path) -> WordVectors:
    """The tensor `vectors` (n_words, width) of a safetensors file and the words of its rows."""
    with _opened(path) as file:
        names = _tensors(file)
        words = _names(file, WORDS, names)
        vectors = _features(file, VECTORS, names)
    refuse_duplicates(words, "the word")
    if vectors.ndim != 2 or vectors.shape[0] != len(words) or not vectors.size:
        raise ImportMalformed(f"vectors have the shape {vectors.shape}, which does not fit {len(words)} words")
    return WordVectors(rows={word: row for row, word in enumerate(words)}, vectors=vectors, n_rows=len(words))


def read_tensor_activations(path: Path) -> Activations:
    """The tensors of a safetensors file as layers, rows in the order of its `stimulus_ids`.

    The format keeps no order of tensors: that of depth is the list `layers` in the metadata, else that of the names
    with their numbers as numbers (`block.2` before `block.10`).
    """
    with _opened(path) as file:
        names = _tensors(file)
        ids = _names(file, STIMULUS_IDS, names)
        found = sorted(names - {STIMULUS_IDS}, key=_natural)
        order = _parsed((file.metadata() or {}).get(LAYERS), LAYERS) or tuple(found)
        if sorted(order) != sorted(found) or not found:
            raise ImportMalformed(f"the list of layers does not name the {len(found)} tensors of the file once each")
        layers = {name: _features(file, name, names) for name in order}
    return Activations(stimulus_ids=ids, layers=layers)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The number and the fields of every line that is not empty."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline="\n") as stream:
            while line := stream.readline(MAX_LINE_CHARACTERS):
                number += 1
                if stripped := line.strip(" \t\r\n"):
                    yield number, stripped.replace("\t", " ").split(" ")
    except UnicodeDecodeError as error:
        raise ImportMalformed(f"after line {number} the file is not text in UTF-8") from error


def _counts(fields: list[str]) -> tuple[int, int]:
    """The number of words and of dimensions that a first line of digits states."""
    if not all(_COUNT.fullmatch(field) for field in fields):
        raise ImportMalformed(f"line 1 states counts that cannot be read: {shown(' '.join(fields))}")
    return int(fields[0]), int(fields[1])


def _vector(fields: list[str], number: int) -> FeatureArray:
    try:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused below
            vector = np.array(fields, dtype=np.float64).astype(np.float32)
    except ValueError as error:
        raise ImportMalformed(f"line {number} does not end with {len(fields)} numbers") from error
    if not np.isfinite(vector).all():
        raise ImportMalformed(f"line {number} holds a number that is not finite")
    return vector


def _opened(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        raise ImportMalformed("the file is not in the format of safetensors") from error


def _tensors(file: Any) -> frozenset[str]:
    """The names of all tensors of a file."""
    names = file.keys()
    refuse_more(len(names), MAX_LAYERS + 1, "tensors")
    return frozenset(names)


def _features(file: Any, name: str, names: Collection[str]) -> FeatureArray:
    if name not in names:
        raise ImportMalformed(f"the file has no tensor {shown(name)}")
    dtype = file.get_slice(name).get_dtype()
    if dtype not in _FLOATS:
        raise ImportMalformed(f"the tensor {shown(name)} is of type {dtype}, not one of {', '.join(_FLOATS)}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused below
        features: FeatureArray = np.asarray(file.get_tensor(name)).astype(np.float32)
    if features.ndim:
        refuse_infinite(features, f"the tensor {shown(name)}")
    return features


def _names(file: Any, name: str, names: Collection[str]) -> tuple[str, ...]:
    """A list of names in the metadata, or as a tensor of the bytes of the same JSON."""
    text: str | bytes | None = (file.metadata() or {}).get(name)
    if text is None and name in names and file.get_slice(name).get_dtype() == "U8":
        text = file.get_tensor(name).tobytes()
    found = _parsed(text, name)
    if not found:
        raise ImportMalformed(
            f"the file has no list of {name}",
            hint=f"a JSON list of texts in the metadata, or its bytes in UTF-8 as a tensor {name} of uint8",
        )
    return found


def _parsed(text: str | bytes | None, name: str) -> tuple[str, ...] | None:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ImportMalformed(f"{name} is not JSON") from error
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ImportMalformed(f"{name} is not a JSON list of texts")
    return tuple(found)


def _natural(name: str) -> tuple[bool, str]:
    """A key that sorts the numbers in names as numbers, and `embed` before them all, as the first layer."""
    return not name.startswith("embed"), _NUMBER.sub(lambda match: match.group().zfill(12), name)
