"""Arrays and text in one safetensors file that carries a sha256 over all of its own bytes.

What belongs here: bytes. What does not: what the arrays mean (`entries`), and where the files lie (`cache`).

Any reader of safetensors opens such a file. Its digest stands in the metadata under `sha256` and is taken over the
whole file with 64 zeros in the digest's place, so that no byte, of header or data, can change unnoticed. Arrays are
written and read where they lie in memory: entries can be as large as memory allows once, not three times.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
Pieces = Sequence[bytes | memoryview]

_CODES = {"<f4": "F32", "<f8": "F64", "<i8": "I64"}
_DTYPES = {code: dtype for dtype, code in _CODES.items()}
_LENGTH_BYTES = 8
_ALIGNMENT = 8
_UNSEALED = "0" * 64
_SEAL = re.compile(rb'"sha256":"([0-9a-f]{64})"')


class Damaged(Exception):
    """The bytes are not a sealed file, or not the one that was sealed."""


def pack(arrays: Arrays, metadata: Mapping[str, str]) -> Pieces:
    """The sealed file as pieces to be written one after the other; arrays are float32, float64 or int64."""
    ordered = {
        name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays, key=lambda name: _place(arrays, name))
    }
    described: dict[str, Any] = {}
    end = 0
    for name, array in ordered.items():
        start, end = end, end + array.nbytes
        described[name] = {"dtype": _CODES[array.dtype.str], "shape": array.shape, "data_offsets": (start, end)}
    pieces = [array.data for array in ordered.values()]
    digest = hashlib.sha256(_header(described, metadata, _UNSEALED))
    for piece in pieces:
        digest.update(piece)
    return [_header(described, metadata, digest.hexdigest()), *pieces]


def unpack(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """The arrays and the metadata of a sealed file. Raises Damaged unless every byte is as it was written."""
    start = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "little")
    head = data[:start]
    seal = _SEAL.search(head)
    if seal is None:
        raise Damaged("it is not a sealed file" if data else "it is empty")
    digest = hashlib.sha256(head[: seal.start(1)] + _UNSEALED.encode() + head[seal.end(1) :])
    digest.update(memoryview(data)[start:])
    if digest.hexdigest() != seal.group(1).decode():
        raise Damaged("its bytes are not those that were written")
    described = json.loads(head[_LENGTH_BYTES:])
    metadata = described.pop("__metadata__")
    return {name: _array(data, start, place) for name, place in described.items()}, metadata


def _place(arrays: Arrays, name: str) -> tuple[int, str]:
    """Wide numbers first, so that each array starts at a multiple of its numbers' width."""
    return -arrays[name].itemsize, name


def _header(described: Mapping[str, Any], metadata: Mapping[str, str], sha256: str) -> bytes:
    text = json.dumps({"__metadata__": {**metadata, "sha256": sha256}, **described}, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(_LENGTH_BYTES, "little") + text


def _array(data: bytes, start: int, place: Mapping[str, Any]) -> NDArray[Any]:
    begin, end = place["data_offsets"]
    dtype = np.dtype(_DTYPES[place["dtype"]])
    return np.frombuffer(data, dtype, (end - begin) // dtype.itemsize, start + begin).reshape(place["shape"])
