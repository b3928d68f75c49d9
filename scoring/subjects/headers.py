"""What a safetensors file says of itself: the tensors of its header, checked against its length. No weight is read.

What belongs here: the format. What does not: which files a model has (`checks`) and how they come (`hub`).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ..errors import ModelIncomplete

MAX_HEADER_BYTES = 25_000_000
"""The largest safetensors header that is read: room for 200,000 tensors in one file. The format allows 100 MB, which
unpack to some gigabytes of memory."""

MAX_DIMENSIONS, MAX_SIZE = 16, 2**63
"""The most dimensions of a tensor, and what each size and offset stays below."""

LENGTH_BYTES = 8
"""The bytes at a file's start that hold the header's length."""

_ITEM_BITS = {"BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16}
_ITEM_BITS |= {"I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64}


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """What a safetensors header says of one tensor."""

    dtype: str
    shape: tuple[int, ...]


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors that a safetensors file declares. Raises ModelIncomplete as `header_bytes` and `parse_header` do."""
    n_bytes = path.stat().st_size
    with path.open("rb") as file:
        n_header = header_bytes(file.read(LENGTH_BYTES), name=path.name, n_bytes=n_bytes)
        return parse_header(file.read(n_header), name=path.name, n_bytes=n_bytes)


def header_bytes(start: bytes, *, name: str, n_bytes: int) -> int:
    """The length of the header in a file of `n_bytes` that begins with `start`.

    Raises ModelIncomplete for a header beyond MAX_HEADER_BYTES or beyond the file's end.
    """
    claimed: int = struct.unpack("<Q", start[:LENGTH_BYTES])[0] if len(start) >= LENGTH_BYTES else 0
    if not 2 <= claimed <= min(MAX_HEADER_BYTES, n_bytes - LENGTH_BYTES):
        raise ModelIncomplete(
            f"{name} claims a header of {claimed} bytes in a file of {n_bytes} (at most {MAX_HEADER_BYTES} are read)",
            param="model",
        )
    return claimed


def parse_header(raw: bytes, *, name: str, n_bytes: int) -> dict[str, Tensor]:
    """The tensors that the header `raw` of a file of `n_bytes` declares.

    The format: 8 bytes with the header's length, the header as JSON, the data. Raises ModelIncomplete for a file that
    ends early or goes on, and for offsets that do not fit shape and dtype.
    """
    try:
        entries = json.loads(raw)
        spans = {tensor: _span(entry) for tensor, entry in entries.items() if tensor != "__metadata__"}
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        raise ModelIncomplete(f"the header of {name} is malformed: {type(error).__name__}", param="model") from error
    end = 0
    for first, last, _ in sorted(spans.values(), key=lambda span: span[:2]):
        if first != end:
            raise ModelIncomplete(f"the tensors of {name} overlap or leave holes at byte {end}", param="model")
        end = last
    n_weights = n_bytes - LENGTH_BYTES - len(raw)
    if end != n_weights:
        raise ModelIncomplete(f"{name} has {n_weights} bytes of weights, its header wants {end}", param="model")
    return {tensor: declared for tensor, (_, _, declared) in spans.items()}


def _span(entry: Mapping[str, Any]) -> tuple[int, int, Tensor]:
    """First byte, end and declaration of one header entry; ValueError where they contradict one another."""
    first, last = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if len(shape) > MAX_DIMENSIONS:
        raise ValueError("there are more dimensions than any tensor has")
    if not all(type(number) is int and 0 <= number < MAX_SIZE for number in (first, last, *shape)):
        raise ValueError("a size is not a natural number")
    dtype = str(entry["dtype"])
    if last < first or (dtype in _ITEM_BITS and 8 * (last - first) != prod(shape) * _ITEM_BITS[dtype]):
        raise ValueError("shape and offsets disagree")
    return first, last, Tensor(dtype=dtype, shape=shape)
