"""Keeping a copy of a hub's model that can be scored, where the hub has it only in an older form.

What belongs here: the parent's side: the download with network and token, the process that converts, the folder that
appears whole or not at all. What does not: reading pickles and vocabularies (`worker.convert` and `scoring.subjects`).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from scoring.errors import OptionUnknown, OutOfMemory, ScoringError
from scoring.subjects import model_ids
from scoring.subjects.checks import check_folder
from scoring.subjects.families.base import supported_model_types
from scoring.subjects.hub import Wanted, fetch
from scoring.subjects.hub_files import Hub
from scoring.subjects.model_ids import DEFAULT_REVISION, Namespace

from .child import Child, scoring_environment
from .exchange import ANSWER_FILE, ORDER_FILE, Failure, Message

SOURCE_FILE = "broca-source.json"
"""Beside a converted model: what it was made from, and by which versions."""

TIMEOUT_S = 6 * 3600.0
"""How long one conversion may take."""

MEMORY_PER_BYTE, MEMORY_BESIDE = 6, 8 << 30
"""The most memory that a conversion may address, by the bytes of its files and beside them: pickles and their copy in
float32, both mapped and held, and libraries."""

_PREFIX = ".convert-"
_YOUNG_S = 60.0
"""Until then a folder without its process's lock may be one that is just being made."""

_LIBRARIES = ("broca", "safetensors", "sentencepiece", "tokenizers", "torch", "transformers")

OnProgress = Callable[[float, str], None]


class ConversionOrder(Message):
    """What the conversion process has to read, and the folder it has to write."""

    source: Path
    destination: Path
    memory_bytes: int


class ConversionAnswer(Message):
    """What came of it, or why nothing did; `is_confined`: whether the process could leave the network."""

    failure: Failure | None = None
    is_confined: bool
    architecture: str = ""
    n_tensors: int = 0
    unexpected: tuple[str, ...] = ()
    tokenizer: str = ""


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A model that is now `local/<name>`."""

    name: str
    folder: Path
    revision: str
    answer: ConversionAnswer


def convert_model(
    model_id: str,
    model_dir: Path,
    *,
    revision: str | None,
    name: str | None,
    on_progress: OnProgress,
    timeout_s: float = TIMEOUT_S,
) -> Converted | Failure:
    """The hub's model `model_id` as a folder `name` (its last part) in `model_dir`, or why that cannot be.

    The conversion itself may take `timeout_s`. The token and the address of the hub come from the environment, as for
    a worker.
    """
    try:
        parsed, requested = model_ids.parse(model_id), model_ids.check_revision(revision or DEFAULT_REVISION)
        if parsed.namespace is not Namespace.HUB:
            raise OptionUnknown(f"{model_id} is not a model of the hub", param="model")
        wanted_name = model_ids.parse(f"local/{name or parsed.name.rpartition('/')[2]}").name
        _require_free(model_dir / wanted_name)
        model_dir.mkdir(parents=True, exist_ok=True)
        remove_abandoned(model_dir)
        with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=model_dir) as temporary, _held(Path(temporary)):
            work = _Work(folder=Path(temporary), destination=model_dir / wanted_name, timeout_s=timeout_s)
            return _convert_in(work, parsed.name, requested, on_progress)
    except ScoringError as error:
        return Failure.of(error)
    except OSError as error:
        return Failure(code="insufficient_storage", detail=f"{model_dir} cannot be written: {error.strerror}")


def remove_abandoned(model_dir: Path) -> None:
    """Remove what conversions left behind whose processes are dead: the lock on such a folder is free."""
    for folder in model_dir.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # held by a living process, or gone in the meantime
            if time.time() - folder.stat().st_mtime > _YOUNG_S:
                with _held(folder):
                    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The lock on a folder, which ends with this process. Raises BlockingIOError where another one holds it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


@dataclass(frozen=True, kw_only=True)
class _Work:
    """Where a conversion works, where its result goes, and how long it may take."""

    folder: Path
    destination: Path
    timeout_s: float


def _convert_in(work: _Work, name: str, requested: str, on_progress: OnProgress) -> Converted | Failure:
    """Download, convert, and give the result its name."""
    destination = work.destination
    hub = Hub(
        cache_dir=work.folder / "hub", endpoint=os.environ.get("HF_ENDPOINT"), token=os.environ.get("HF_TOKEN") or None
    )
    wanted = Wanted(supported=supported_model_types(), convertible=True)
    sha, source = fetch(hub, name, requested, wanted, on_progress=on_progress)
    built = work.folder / "built"
    on_progress(1.0, "converting")
    n_bytes = sum(path.stat().st_size for path in source.iterdir())
    order = ConversionOrder(source=source, destination=built, memory_bytes=MEMORY_PER_BYTE * n_bytes + MEMORY_BESIDE)
    answer = _run(work.folder, order, timeout_s=work.timeout_s)
    if answer.failure is not None:
        return answer.failure
    check_folder(built, wanted.supported)
    _write_source(built, source, answer, model_id=name, sha=sha)
    built.chmod(0o755)
    _require_free(destination)
    built.rename(destination)
    return Converted(name=destination.name, folder=destination, revision=sha, answer=answer)


def _run(folder: Path, order: ConversionOrder, *, timeout_s: float) -> ConversionAnswer:
    """The answer of a process without network and token. Raises OutOfMemory where it was killed."""
    deadline = time.monotonic() + timeout_s
    order.write(folder / ORDER_FILE)
    child = Child("worker.convert", folder, scoring_environment(folder))
    try:
        while child.read(timeout_s=min(1.0, timeout_s)) is not None:
            if time.monotonic() > deadline:
                detail = f"the conversion took longer than {timeout_s:.0f} s"
                return ConversionAnswer(failure=Failure(code="timeout", detail=detail), is_confined=False)
    finally:
        child.close()
    if not (folder / ANSWER_FILE).is_file():
        raise OutOfMemory(
            f"the conversion ended before its answer was there: {child.ending}",
            hint="a conversion holds the weights in memory twice",
        )
    return ConversionAnswer.read(folder / ANSWER_FILE)


def _require_free(destination: Path) -> None:
    if destination.exists():
        raise OptionUnknown(
            f"local/{destination.name} is there already",
            hint="choose another name with `--name`, or remove that folder",
            param="name",
        )


def _write_source(built: Path, source: Path, answer: ConversionAnswer, *, model_id: str, sha: str) -> None:
    document = {
        "model_id": model_id,
        "revision": sha,
        "files_sha256": {path.name: _sha256(path) for path in sorted(source.iterdir())},
        "architecture": answer.architecture,
        "unexpected_tensors": answer.unexpected,
        "tokenizer": answer.tokenizer,
        "network_was_closed_off": answer.is_confined,
        "versions": {library: version(library) for library in _LIBRARIES},
    }
    (built / SOURCE_FILE).write_text(json.dumps(document, indent=1) + "\n", "utf8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
