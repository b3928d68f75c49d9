"""From a model id to a checked folder on this disk: the one door through which models come in.

What belongs here: which source answers for which id, and what every source has to deliver. What does not: how the hub
is asked (`hub`), what files must look like (`checks`), and loading them (`language_model`). Runs without torch.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..errors import RevisionNotFound
from . import demo_model, model_ids
from .checks import check_folder
from .hub import Wanted, fetch
from .hub_files import Hub
from .hub_progress import OnProgress
from .local import content_revision, downloaded_folder, local_folder, signature
from .model_ids import DEFAULT_REVISION, Namespace
from .preflight import Machine, preflight

DEMO_FOLDER = "demo-tiny"


@dataclass(frozen=True, kw_only=True)
class ResolvedModel:
    """A model whose files lie in `folder` and passed every check that can be made without loading it.

    `revision` is the hub's commit sha, or 40 digits of a hash over the contents of a local folder. `parameters` counts
    the numbers in the weights, tied ones once, `n_embedding_parameters` those in tables and untied heads. `n_layers`
    and `width` are None where the configuration leaves them to its class. `signature` fingerprints a local folder's
    files, else it is None.
    """

    model_id: str
    requested_revision: str
    revision: str
    folder: Path
    model_type: str
    architecture: str
    parameters: int
    n_embedding_parameters: int
    n_layers: int | None
    width: int | None
    signature: str | None


def resolve(
    model_id: str,
    revision: str | None,
    *,
    supported: Collection[str],
    model_dir: Path | None,
    cache_dir: Path,
    token: str | None = None,
    endpoint: str | None = None,
    timeout_s: float = 10.0,
    dtype: str = "float32",
    memory_bytes: int | None = None,
    on_progress: OnProgress = lambda fraction, detail: None,
) -> ResolvedModel:
    """The model `model_id` at `revision` (None: the main branch), downloaded into `cache_dir` if it is the hub's.

    `supported` are the values of `model_type` that may come in; in `dtype` the model has to fit into `memory_bytes`
    where that is known. A verified commit is taken without asking the hub. Raises any ModelError, InsufficientStorage,
    HubUnavailable.
    """
    wanted = Wanted(supported=supported, dtype=dtype, machine=Machine(memory_bytes=memory_bytes))
    parsed = model_ids.parse(model_id)
    requested = model_ids.check_revision(revision or DEFAULT_REVISION)
    if parsed.namespace is Namespace.HUB:
        hub = Hub(cache_dir=cache_dir, endpoint=endpoint, token=token, timeout_s=timeout_s)
        found, folder = _from_hub(hub, parsed.name, requested, wanted, on_progress)
        return _resolved(model_id, requested, found, folder, wanted)
    if parsed.namespace is Namespace.DEMO:
        folder = cache_dir / DEMO_FOLDER
        demo_model.build(folder)
        return _resolved(model_id, requested, _only_revision(requested, folder), folder, wanted)
    folder = local_folder(model_dir, parsed.name)
    before = signature(folder)
    check_folder(folder, supported)
    found = _only_revision(requested, folder)
    return _resolved(model_id, requested, found, folder, wanted, signature=before)


def _from_hub(hub: Hub, name: str, requested: str, wanted: Wanted, on_progress: OnProgress) -> tuple[str, Path]:
    """The commit and the folder, without a request where the commit is named in full and here already."""
    folder = downloaded_folder(hub.cache_dir, name, requested) if model_ids.is_commit_sha(requested) else None
    if folder is not None:
        return requested, folder
    return fetch(hub, name, requested, wanted, on_progress=on_progress)


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


def _resolved(
    model_id: str, requested: str, revision: str, folder: Path, wanted: Wanted, *, signature: str | None = None
) -> ResolvedModel:
    """What lies in `folder`, checked again as it is now. Raises ModelTooLarge too."""
    inspected = check_folder(folder, wanted.supported)
    found = preflight(inspected.config, inspected.tensors, dtype=wanted.dtype, machine=wanted.machine)
    found.require_fit()
    architecture = inspected.architecture
    return ResolvedModel(
        model_id=model_id,
        requested_revision=requested,
        revision=revision,
        folder=folder,
        model_type=architecture.model_type,
        architecture=architecture.name,
        parameters=found.n_parameters,
        n_embedding_parameters=found.n_embedding_parameters,
        n_layers=architecture.n_layers,
        width=architecture.width,
        signature=signature,
    )
