"""Makes plain arrays of the files that Wehbe et al.'s authors share, some of which are pickles.

Run as `python -m scoring.datasets.wehbe_conversion SOURCE TARGET`; nothing that a pickle asks for is run.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataMalformed, DataMissing, ScoringError
from .array_pickles import read_pickled
from .wehbe2014 import PARTICIPANTS

LISTING = "SHA256SUMS"
NEEDED = ("time_fmri", "runs_fmri", "time_words_fmri", "words_fmri")
SUFFIXES = (".npy", ".p", ".pkl", ".pickle")


def convert(source: Path, target: Path) -> tuple[Path, ...]:
    """Plain .npy files in `target`, made of what `source` has, and the list of their sha256 sums.

    Raises DataMissing where a needed file or every participant is missing, DataMalformed where a file holds anything
    but an array of numbers or words.
    """
    names = [*NEEDED, *(f"data_subject_{participant}" for participant in PARTICIPANTS)]
    found = {name: path for name in names for path in _candidates(source, name)[:1]}
    missing = [name for name in NEEDED if name not in found]
    if missing or len(found) == len(NEEDED):
        raise DataMissing(f"{source.name} has no {missing[0] if missing else 'data_subject_X'} ({' '.join(SUFFIXES)})")
    target.mkdir(parents=True, exist_ok=True)
    made = []
    for name, path in found.items():
        array = read_array(path)
        made.append(target / f"{name}.npy")
        np.save(made[-1], array.squeeze() if name in NEEDED else array, allow_pickle=False)
    lines = [f"{_sha256(path)}  {path.name}\n" for path in sorted(made)]
    (target / LISTING).write_text("".join(lines), encoding="utf8")
    return tuple(made)


def read_array(path: Path) -> NDArray[Any]:
    """The array of numbers or words in an .npy file or a pickle. Raises DataMalformed."""
    with path.open("rb") as stream:
        try:
            content = read_pickled(stream)
        except (pickle.UnpicklingError, ValueError, EOFError, TypeError, LookupError, AttributeError) as error:
            raise DataMalformed(f"{path.name} cannot be read: {error}") from error
    return _plain(content, path.name)


def _plain(content: object, name: str) -> NDArray[Any]:
    array = content if isinstance(content, np.ndarray) else np.asarray(content, dtype=object)
    if array.dtype.kind == "O":
        array = _of_objects([_item(one) for one in array.ravel()], name).reshape(array.shape)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf8")
    if array.dtype.kind not in "fiuU":
        raise DataMalformed(f"{name} holds {array.dtype}, neither numbers nor words")
    return array


def _of_objects(items: list[object], name: str) -> NDArray[Any]:
    texts = [item.decode("utf8", errors="replace") if isinstance(item, bytes) else item for item in items]
    if all(isinstance(item, str) for item in texts):
        return np.array(texts, dtype=np.str_)
    if all(isinstance(item, int | float) for item in texts):
        return np.array(texts, dtype=np.float64)
    raise DataMalformed(f"{name} holds objects that are neither numbers nor words")


def _item(value: object) -> object:
    """A value out of the little arrays and lists that hold just one."""
    while isinstance(value, np.ndarray | np.generic | list | tuple):
        if isinstance(value, np.ndarray | np.generic) and value.size == 1:
            value = value.item()
        elif isinstance(value, list | tuple) and len(value) == 1:
            value = value[0]
        else:
            break
    return value


def _candidates(source: Path, name: str) -> list[Path]:
    return [path for path in (source / f"{name}{suffix}" for suffix in SUFFIXES) if path.is_file()]


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main(arguments: list[str]) -> int:
    """Convert the folder that the first argument names into the second; 0, or 1 with the reason on stderr."""
    if len(arguments) != 2:
        print("usage: python -m scoring.datasets.wehbe_conversion SOURCE TARGET", file=sys.stderr)
        return 2
    try:
        for path in convert(Path(arguments[0]), Path(arguments[1])):
            print(path)
    except ScoringError as error:
        print(f"error: {error.detail}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
