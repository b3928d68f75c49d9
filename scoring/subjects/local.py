"""Model folders on this machine: where one is, whether it is whole or changed, and a revision for what it holds.

What belongs here: names, sizes and contents of files. What does not: what the files mean (`checks`).
Standard library only, since the web process asks for signatures too.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from ..errors import ModelNotFound

_PLAIN_FILES = frozenset({"config.json", "generation_config.json", "special_tokens_map.json", "added_tokens.json"})
_VOCABULARY_FILES = frozenset({"vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja"})
_SENTENCEPIECE_FILES = frozenset({"spiece.model", "sentencepiece.bpe.model"})
_TOKENIZER_FILE = re.compile(r"tokenizer[A-Za-z0-9._-]*\.(json|model|jinja|txt)")
_WEIGHT_ENDINGS = (".safetensors", ".safetensors.index.json")
_MARKER = "broca-verified"


def is_model_file(name: str) -> bool:
    """Whether a file of this name can change what the model says: configuration, tokenizer or weights."""
    plain = name in _PLAIN_FILES or name in _VOCABULARY_FILES or name in _SENTENCEPIECE_FILES
    return plain or _TOKENIZER_FILE.fullmatch(name) is not None or name.endswith(_WEIGHT_ENDINGS)


def local_folder(model_dir: Path | None, name: str) -> Path:
    """The folder of the model `local/<name>`, which lies in `model_dir` with every file that it is read from.

    Raises ModelNotFound where no such folder exists or where a link leads out of `model_dir`.
    """
    if model_dir is None:
        raise ModelNotFound(
            f"local/{name} cannot be read: this server has no folder of local models",
            hint="set BROCA_MODEL_DIR, a setting of the server, to the folder that holds them, and start it again",
            param="model",
        )
    folder = model_dir / name
    if not folder.is_dir():
        raise _missing(model_dir, name)
    root = model_dir.resolve()
    for path in (folder, *_model_files(folder)):
        if not path.resolve().is_relative_to(root) or path.resolve() == root:
            raise ModelNotFound(
                f"local/{name} leads out of the folder of local models at {path.name!r}",
                hint="copy the files there instead of linking to them",
                param="model",
            )
    return folder


def downloaded_folder(cache_dir: Path, name: str, sha: str, *, weights: bool = True) -> Path | None:
    """The folder of a hub's commit that `mark_verified` vouches for, if all of it is still there; asks nobody.

    Without `weights` it is enough that everything else is there.
    """
    storage = hub_storage(cache_dir, name)
    marker, folder = storage / _MARKER / _mark(sha, weights=weights), storage / "snapshots" / sha
    if not marker.is_file():
        return None if weights else downloaded_folder(cache_dir, name, sha)
    for line in marker.read_text().splitlines():
        file, _, n_bytes = line.partition("\t")
        if not (folder / file).is_file() or (folder / file).stat().st_size != int(n_bytes):
            return None
    return folder


def mark_verified(cache_dir: Path, name: str, sha: str, files: Iterable[str], *, weights: bool = True) -> None:
    """Remember that these files of a commit are here with the right checksums, and how large they are."""
    storage = hub_storage(cache_dir, name)
    marker, folder = storage / _MARKER / _mark(sha, weights=weights), storage / "snapshots" / sha
    marker.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=marker.parent)
    with os.fdopen(handle, "w") as lines:
        lines.writelines(f"{file}\t{(folder / file).stat().st_size}\n" for file in files)
    Path(temporary).replace(marker)


def marks(storage: Path, sha: str) -> tuple[Path, Path]:
    """The files by which `mark_verified` vouches for a commit, with its weights and without."""
    folder = storage / _MARKER
    return folder / _mark(sha, weights=True), folder / _mark(sha, weights=False)


def is_verified(storage: Path, sha: str) -> bool:
    """Whether `mark_verified` vouches for a commit, with its weights or without."""
    return any(mark.is_file() for mark in marks(storage, sha))


def has_verified_commit(storage: Path) -> bool:
    """Whether `mark_verified` vouches for any commit of the model that is kept in `storage`."""
    return (storage / _MARKER).is_dir() and any((storage / _MARKER).iterdir())


def hub_storage(cache_dir: Path, name: str) -> Path:
    """Where the hub's client keeps a model: its documented cache layout."""
    return cache_dir / f"models--{name.replace('/', '--')}"


def signature(folder: Path) -> str:
    """A cheap fingerprint of a model folder: sha256 over the sorted (name, bytes, time of change) of its files.

    Equal signatures mean that nobody wrote to the folder; `content_revision` tells what it holds.
    """
    digest = hashlib.sha256()
    for path in _model_files(folder):
        status = path.stat()
        digest.update(f"{path.name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def content_revision(folder: Path) -> str:
    """A revision for a folder without commits: 40 hexadecimal digits of sha256 over names and contents of its files."""
    digest = hashlib.sha256()
    for path in _model_files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name}\0{content}\n".encode())
    return digest.hexdigest()[:40]


def _mark(sha: str, *, weights: bool) -> str:
    return sha if weights else f"{sha}-without-weights"


def _model_files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if is_model_file(path.name) and path.is_file())


def _missing(model_dir: Path, name: str) -> ModelNotFound:
    names = sorted(path.name for path in model_dir.iterdir() if path.is_dir()) if model_dir.is_dir() else []
    near = get_close_matches(name, names, n=3)
    hint = f"did you mean {' or '.join(f'`local/{close}`' for close in near)}?" if near else None
    return ModelNotFound(
        f"the folder of local models has no folder {name!r}",
        hint=hint or f"it holds {len(names)} folders; put the model there under this name",
        param="model",
    )
