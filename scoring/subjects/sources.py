"""From a model id to a checked folder on this disk: the one door through which models come in.

What belongs here: which source answers for which id, and what every source has to deliver. What does not: how the hub
is asked (`hub`), what files must look like (`checks`), and loading them (`language_model`). Runs without torch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ModelIncomplete, NoSafetensors, OptionUnknown, RevisionNotFound
from . import demo_model, model_ids
from .adapters import fetch_adapter
from .checks import CODE_BEARING, CONFIG, check_folder, check_plain_files, read_json
from .families.base import family_of
from .hub import Wanted, fetch
from .hub_files import Hub
from .hub_progress import OnProgress
from .imports.store import find_import
from .local import content_revision, downloaded_folder, local_folder, signature
from .model_cache import Keeping
from .model_ids import DEFAULT_REVISION, ModelId, Namespace
from .options import ReadingOptions
from .preflight import Machine, preflight, require_room_for_twin

DEMO_FOLDER = "demo-tiny"


@dataclass(frozen=True, kw_only=True)
class ResolvedModel:
    """A model whose files lie in `folder` and passed every check that can be made without loading it.

    `revision` is the hub's commit sha, or 40 digits of a hash over the contents of a local folder or an import.
    `parameters` counts the numbers in the weights, tied ones once, `n_embedding_parameters` those in tables and untied
    heads; both are None where no weights are at hand. `n_layers` and `width` are None where the configuration leaves
    them to its class. `signature` fingerprints a local folder's files, else it is None. `seed` draws the weights of an
    untrained twin, `adapter_folder` holds what is merged into the weights; else they are None.
    """

    model_id: str
    requested_revision: str
    revision: str
    folder: Path
    model_type: str
    architecture: str
    parameters: int | None
    n_embedding_parameters: int | None
    n_layers: int | None
    width: int | None
    signature: str | None
    seed: int | None = None
    adapter_folder: Path | None = None

    @property
    def family(self) -> str:
        """The name of the family that the model belongs to; `imported` for what was brought as a file."""
        return self.model_type if self.model_type == Namespace.IMPORTED else family_of(self.model_type).name


def resolve(
    model_id: str,
    revision: str | None,
    *,
    supported: Collection[str],
    model_dir: Path | None,
    cache_dir: Path,
    import_dir: Path | None = None,
    token: str | None = None,
    endpoint: str | None = None,
    timeout_s: float = 10.0,
    dtype: str = "float32",
    memory_bytes: int | None = None,
    options: Mapping[str, Any] | None = None,
    asks_surprisal: bool = False,
    keeping: Keeping | None = None,
    on_progress: OnProgress = lambda fraction, detail: None,
) -> ResolvedModel:
    """The model `model_id` at `revision` (None: the main branch), downloaded into `cache_dir` if it is the hub's.

    `supported` are the values of `model_type` that may come in; in `dtype` it has to fit into `memory_bytes`. A
    verified commit is taken without asking the hub. `options` say how it is to read and which adapter comes beside it,
    `keeping` what may be kept. Raises any ModelError, OptionUnknown, InsufficientStorage, HubUnavailable.
    """
    parsed, requested = model_ids.parse(model_id), model_ids.check_revision(revision or DEFAULT_REVISION)
    if parsed.namespace is Namespace.IMPORTED:
        return _imported(parsed, requested, import_dir)
    hub = Hub(cache_dir=cache_dir, endpoint=endpoint, token=token, timeout_s=timeout_s, keeping=keeping or Keeping())
    wanted = Wanted(
        supported=supported,
        dtype=dtype,
        machine=Machine(memory_bytes=memory_bytes),
        weights=parsed.inner is None,
        reading=ReadingOptions.from_mapping(options or {}),
        asks_surprisal=asks_surprisal,
    )
    adapter = _adapter_for(parsed, options or {})
    place = _place(hub, parsed.inner or parsed, requested, wanted, model_dir=model_dir, on_progress=on_progress)
    resolved = _resolved(parsed, requested, place, wanted)
    return resolved if adapter is None else _with_adapter(resolved, hub, adapter, wanted, on_progress)


def _adapter_for(model: ModelId, options: Mapping[str, Any]) -> str | None:
    adapter = options.get("adapter")
    if adapter is not None and model.inner is not None:
        raise OptionUnknown("an untrained twin takes no adapter", param="options.adapter")
    return None if adapter is None else str(adapter)


def _with_adapter(
    model: ResolvedModel, hub: Hub, adapter: str, wanted: Wanted, on_progress: OnProgress
) -> ResolvedModel:
    folder = fetch_adapter(
        hub,
        adapter,
        dtype=wanted.dtype,
        n_model_parameters=model.parameters or 0,
        machine=wanted.machine,
        on_progress=on_progress,
    )
    return replace(model, adapter_folder=folder)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where a model's files are, and which state of them."""

    folder: Path
    revision: str
    signature: str | None = None


def _place(
    hub: Hub, source: ModelId, requested: str, wanted: Wanted, *, model_dir: Path | None, on_progress: OnProgress
) -> _Place:
    """Where the files of a model are that is no import, brought there if they have to be."""
    if source.namespace is Namespace.HUB:
        return _from_hub(hub, source.name, requested, wanted, on_progress)
    if source.namespace is Namespace.DEMO:
        folder = hub.cache_dir / DEMO_FOLDER
        demo_model.build(folder)
        return _Place(folder=folder, revision=_only_revision(requested, folder))
    return _from_folder(local_folder(model_dir, source.name), requested, wanted)


def _from_hub(hub: Hub, name: str, requested: str, wanted: Wanted, on_progress: OnProgress) -> _Place:
    """The commit and the folder, without a request where the commit is named in full and here already."""
    is_named_in_full = model_ids.is_commit_sha(requested)
    if is_named_in_full:
        hub.cache.hold(hub.place(name, requested))
    folder = downloaded_folder(hub.cache_dir, name, requested, weights=wanted.weights) if is_named_in_full else None
    if folder is not None:
        return _Place(folder=folder, revision=requested)
    revision, folder = fetch(hub, name, requested, wanted, on_progress=on_progress)
    return _Place(folder=folder, revision=revision)


def _from_folder(folder: Path, requested: str, wanted: Wanted) -> _Place:
    """A local model; its signature is taken before its contents are read, so that a later change is noticed."""
    before = signature(folder)
    if wanted.weights:
        check_folder(folder, wanted.supported)
    else:
        check_plain_files(folder, wanted.supported)
    return _Place(folder=folder, revision=_only_revision(requested, folder), signature=before)


def _only_revision(requested: str, folder: Path) -> str:
    """The revision of a folder without commits, if that is what was asked for."""
    revision = content_revision(folder)
    if requested not in (DEFAULT_REVISION, revision):
        raise RevisionNotFound(
            f"{folder.name} is a folder without branches; its contents have the revision {revision}, not {requested}",
            hint="leave the revision out",
            param="revision",
        )
    return revision


def _resolved(model: ModelId, requested: str, place: _Place, wanted: Wanted) -> ResolvedModel:
    """What lies in the place, checked again as it is now. Raises ModelTooLarge too."""
    architecture = check_plain_files(place.folder, wanted.supported)
    names = {path.name for path in place.folder.iterdir()}
    wanted.require_possible(names, {name: read_json(place.folder / name) for name in CODE_BEARING if name in names})
    n_parameters, n_embedding_parameters = _parameters(place.folder, wanted)
    return ResolvedModel(
        model_id=str(model),
        requested_revision=requested,
        revision=place.revision,
        folder=place.folder,
        model_type=architecture.model_type,
        architecture=architecture.name,
        parameters=n_parameters,
        n_embedding_parameters=n_embedding_parameters,
        n_layers=architecture.n_layers,
        width=architecture.width,
        signature=place.signature,
        seed=model.seed,
    )


def _parameters(folder: Path, wanted: Wanted) -> tuple[int, int] | tuple[None, None]:
    """How many parameters there are, in all and in embeddings; unknown where weights are neither there nor needed."""
    try:
        inspected = check_folder(folder, wanted.supported)
    except (NoSafetensors, ModelIncomplete):
        if wanted.weights:
            raise
        config, memory_bytes = read_json(folder / CONFIG), wanted.machine.memory_bytes
        require_room_for_twin(config, dtype=wanted.dtype, memory_bytes=memory_bytes)
        return None, None
    found = preflight(inspected.config, inspected.tensors, dtype=wanted.dtype, machine=wanted.machine)
    found.require_fit()
    return found.n_parameters, found.n_embedding_parameters


def _imported(model: ModelId, requested: str, import_dir: Path | None) -> ResolvedModel:
    """What was imported under this name, its file checked against the manifest."""
    found = find_import(import_dir, model.name, requested)
    found.require_checksum()
    return ResolvedModel(
        model_id=str(model),
        requested_revision=requested,
        revision=found.revision,
        folder=found.folder,
        model_type=Namespace.IMPORTED,
        architecture=found.manifest.kind,
        parameters=None,
        n_embedding_parameters=None,
        n_layers=found.manifest.n_layers,
        width=found.manifest.width,
        signature=None,
    )
