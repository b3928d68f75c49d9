"""Reads pickles of arrays without running them: a pickle is a program, and this reader knows few of its words.

What belongs here: what a pickled array is made of. What does not: which files are read (`wehbe_conversion`). None of
numpy's own reconstruction is called; arrays and types are noted down and built from checked parts.
"""

from __future__ import annotations

import math
import pickle
import re
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ..errors import shown

_KINDS = re.compile(r"[bBhHiIlLqQefdO?]|[iuf][1248]|b1|O[48]|[SU][0-9]{1,6}")
"""Types of numbers, text and objects; nothing with fields."""


def read_pickled(stream: BinaryIO) -> object:
    """What an .npy file or a pickle of arrays, numbers, text and containers holds.

    Raises pickle.UnpicklingError for any other name that a pickle calls; ValueError, TypeError, EOFError and others
    for a damaged one.
    """
    is_npy = stream.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX
    stream.seek(0)
    if not is_npy:
        return _resolved(_ArrayUnpickler(stream, encoding="latin1").load())
    version = npy.read_magic(stream)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read_header(stream)
    if dtype.hasobject:
        return _resolved(_ArrayUnpickler(stream, encoding="latin1").load())
    return np.frombuffer(stream.read(), dtype=dtype).reshape(shape, order="F" if is_fortran else "C")


class _Type:
    """A type as a pickle describes it: a kind, then a state with its byte order."""

    def __init__(self, kind: object, *_: object) -> None:
        if not isinstance(kind, str) or not _KINDS.fullmatch(kind):
            raise pickle.UnpicklingError(f"it asks for the type {shown(str(kind))}")
        self._kind, self._order = kind, ""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._order = state[1] if state[1] in ("<", ">") else ""

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(object) if self._kind.startswith("O") else np.dtype(f"{self._order}{self._kind}")


class _Array:
    """An array as a pickle describes it: nothing, then a state with shape, type and content."""

    def __init__(self, *_: object) -> None:
        self.value: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        shape, kind, is_fortran, content = state[-4:]
        self.value = _built(content, kind, shape, "F" if is_fortran else "C")


class _ArrayUnpickler(pickle.Unpickler):
    """Knows the names that arrays and containers are made of, and no other."""

    def find_class(self, module: str, name: str) -> Any:
        """What stands for a name. Raises UnpicklingError for one that no array needs."""
        package = module.replace("numpy._core.", "numpy.core.").replace("__builtin__", "builtins")
        if (package, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it asks for {shown(f'{module}.{name}')}, which no array needs")
        return _KNOWN[package, name]


def _scalar(kind: _Type, content: object) -> object:
    return _built(content, kind, (), "C").item()


def _of_buffer(content: object, kind: _Type, shape: tuple[int, ...], order: str) -> NDArray[Any]:
    return _built(content, kind, shape, order)


def _built(content: object, kind: object, shape: tuple[int, ...], order: str) -> NDArray[Any]:
    """An array of a checked type: of bytes, or of as many objects as its shape has places."""
    if not isinstance(kind, _Type):
        raise pickle.UnpicklingError("an array without a type")
    if isinstance(content, str):  # bytes of Python 2
        content = content.encode("latin1")
    if kind.dtype.hasobject:
        if not isinstance(content, list) or len(content) != math.prod(shape):
            raise pickle.UnpicklingError("an array of objects without its objects")
        array = np.empty(len(content), dtype=object)
        array[:] = content
    else:
        if not isinstance(content, bytes | bytearray):
            raise pickle.UnpicklingError("an array of numbers without its bytes")
        array = np.frombuffer(content, dtype=kind.dtype)
    return array.reshape(shape, order="F" if order == "F" else "C")


def _latin1(text: str, encoding: str) -> bytes:
    """Stands for `_codecs.encode`, by which old pickles hold bytes; it knows one encoding."""
    if encoding not in {"latin1", "latin-1"}:
        raise pickle.UnpicklingError(f"it asks for the encoding {shown(encoding)}")
    return text.encode("latin1")


def _resolved(value: object) -> object:
    """A value with arrays in the place of what stood for them."""
    if isinstance(value, _Array):
        value = value.value
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        resolved = np.empty(value.size, dtype=object)
        for index, item in enumerate(value.ravel()):
            resolved[index] = _resolved(item)
        return resolved.reshape(value.shape)
    if isinstance(value, list | tuple):
        return [_resolved(item) for item in value]
    return value


_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _of_buffer,
    ("_codecs", "encode"): _latin1,
    **{("builtins", kind.__name__): kind for kind in (list, tuple, dict, set, frozenset, bytearray, complex)},
}
