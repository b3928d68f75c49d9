"""Looking at a model without bringing it: what it is and needs, from its description, configuration and headers.

Runs as a program of its own, `python -m scoring.subjects.look`, with little memory, for a web process that loads no
client of the hub and parses nothing of strangers. Reads what is asked from standard input and answers on standard
output. It has no token: what it sees is public. Nothing is written but a temporary folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..child_environment import prefer_to_kill
from ..errors import CodedError, ScoringError
from ..redaction import without_tokens
from . import demo_model, model_ids
from .adapters import STORAGE, checked_adapter
from .checks import CONFIG, check_config, check_folder, check_plain_files, read_json
from .families.base import family_of, supported_model_types
from .hub import Wanted, examine, listed
from .hub_files import Hub
from .hub_hosts import keep_to_public_hosts
from .imports.store import find_import
from .local import local_folder
from .model_cache import Keeping
from .model_ids import DEFAULT_REVISION, ModelId, Namespace
from .options import ReadingOptions
from .preflight import Preflight, preflight

MEMORY_BYTES = 512 << 20
"""What the program may allocate. 300 MiB are enough for the largest header that is read, with 200,000 tensors."""

DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class Question:
    """Which model is looked at, and how it is to read. `timeout_s` is for everything together."""

    model_id: str
    revision: str | None
    options: Mapping[str, Any]
    asks_surprisal: bool
    model_dir: str | None
    import_dir: str
    endpoint: str | None
    hosts: tuple[str, ...]
    max_model_bytes: int
    timeout_s: float


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a model is; None where it is not known. `memory_needed_bytes` by dtype."""

    revision: str | None = None
    family: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    n_embedding_parameters: int | None = None
    n_layers: int | None = None
    width: int | None = None
    n_positions: int | None = None
    stored_dtypes: tuple[str, ...] | None = None
    download_bytes: int | None = None
    memory_needed_bytes: Mapping[str, int] | None = None


def look(question: Question) -> Seen:
    """What the model is, after every check that can be made without its weights. Raises any ModelError, OptionUnknown,
    HubUnavailable.
    """
    model = model_ids.parse(question.model_id)
    requested = model_ids.check_revision(question.revision or DEFAULT_REVISION)
    if model.namespace is Namespace.IMPORTED:
        found = find_import(Path(question.import_dir), model.name, requested)
        manifest = found.manifest
        return Seen(
            revision=found.revision,
            family=Namespace.IMPORTED,
            architecture=manifest.kind,
            n_layers=manifest.n_layers,
            width=manifest.width,
            download_bytes=0,
        )
    wanted = Wanted(
        supported=supported_model_types(),
        weights=model.inner is None,
        reading=ReadingOptions.from_mapping(question.options),
        asks_surprisal=question.asks_surprisal,
    )
    seen = _seen(question, model.inner or model, requested, wanted)
    adapter = question.options.get("adapter")
    return seen if adapter is None else _with_adapter(question, str(adapter), seen)


def _seen(question: Question, source: ModelId, requested: str, wanted: Wanted) -> Seen:
    if source.namespace is Namespace.HUB:
        return _on_hub(question, source.name, requested, wanted)
    if source.namespace is Namespace.DEMO:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary) / "demo"
            demo_model.build(folder)
            return replace(_in_folder(folder, wanted), revision=demo_model.REVISION)
    return _in_folder(
        local_folder(None if question.model_dir is None else Path(question.model_dir), source.name), wanted
    )


def _on_hub(question: Question, name: str, requested: str, wanted: Wanted) -> Seen:
    hub = _hub(question)
    sha, files = listed(hub, name, requested)
    examined = examine(hub, name, sha, files, wanted)
    n_bytes = sum(files[file].size or 0 for file in examined.chosen)
    return replace(_described(examined.config, wanted, examined.needs), revision=sha, download_bytes=n_bytes)


def _in_folder(folder: Path, wanted: Wanted) -> Seen:
    if not wanted.weights:
        check_plain_files(folder, wanted.supported)
        return replace(_described(read_json(folder / CONFIG), wanted, None), download_bytes=0)
    found = check_folder(folder, wanted.supported)
    needs = preflight(found.config, found.tensors, dtype=wanted.dtype)
    return replace(_described(found.config, wanted, needs), download_bytes=0)


def _described(config: Mapping[str, Any], wanted: Wanted, needs: Preflight | None) -> Seen:
    architecture = check_config(config, wanted.supported)
    seen = Seen(
        family=family_of(architecture.model_type).name,
        architecture=architecture.name,
        n_layers=architecture.n_layers,
        width=architecture.width,
    )
    if needs is None:
        return seen
    return replace(
        seen,
        parameters=needs.n_parameters,
        n_embedding_parameters=needs.n_embedding_parameters,
        n_positions=needs.n_positions,
        stored_dtypes=needs.stored_dtypes,
        memory_needed_bytes={dtype: needs.memory_needed_in(dtype) for dtype in DTYPES},
    )


def _with_adapter(question: Question, adapter: str, seen: Seen) -> Seen:
    hub = _hub(question)
    apart = replace(hub, cache_dir=hub.cache_dir / STORAGE)
    name, sha = model_ids.parse_adapter(adapter)
    _, files = listed(apart, name, sha)
    checked_adapter(apart, name, sha, files)
    return seen


def _hub(question: Question) -> Hub:
    return Hub(
        cache_dir=Path(os.devnull),
        endpoint=question.endpoint,
        timeout_s=question.timeout_s,
        keeping=Keeping(max_model_bytes=question.max_model_bytes),
    )


def main() -> None:
    """Answer the question on standard input with `seen` or a `failure`, as JSON."""
    question = Question(**json.load(sys.stdin))
    signal.setitimer(signal.ITIMER_REAL, question.timeout_s + 1)
    prefer_to_kill(os.getpid())
    most = resource.getrlimit(resource.RLIMIT_DATA)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, most))
    keep_to_public_hosts(question.endpoint, question.hosts)
    answer: dict[str, Any] = {"seen": None, "failure": None}
    try:
        answer["seen"] = asdict(look(question))
    except ScoringError as error:
        answer["failure"] = _failure(error)
    json.dump(answer, sys.stdout)


def _failure(error: CodedError) -> dict[str, Any]:
    hint = None if error.hint is None else without_tokens(error.hint)
    return {"code": error.code, "detail": without_tokens(error.detail), "hint": hint, "retryable": error.retryable}


if __name__ == "__main__":
    main()
