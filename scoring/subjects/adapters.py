"""Adapters: small matrices that were trained beside a model's own and are merged into them when it is loaded.

What belongs here: the checks before their weights move. What does not: merging them (`merging`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..errors import ArchitectureUnsupported, ModelIncomplete, NoSafetensors
from . import checks
from .headers import Tensor, read_header
from .hub import Files, bring
from .hub_files import Hub, content, header
from .hub_progress import OnProgress
from .model_ids import parse_adapter
from .preflight import Machine, require_room_beside

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
STORAGE = "adapters"
"""The folder in the model cache for adapters, apart from models: one repository can be both, and a folder with a
model and an adapter would be loaded as the two together."""

KINDS = ("LORA",)
"""Kinds of adapters that can be merged into weights exactly, so that layers stay where they are."""


def fetch_adapter(
    hub: Hub, adapter: str, *, dtype: str, n_model_parameters: int, machine: Machine, on_progress: OnProgress
) -> Path:
    """The folder with the adapter's two files, downloaded at its commit and checked.

    In `dtype` it has to fit beside a model of `n_model_parameters`. Raises OptionUnknown, ModelNotFound,
    RevisionNotFound, ModelGated, NoSafetensors, RemoteCodeRefused, ArchitectureUnsupported, ModelIncomplete,
    ModelTooLarge, InsufficientStorage, HubUnavailable.
    """
    name, sha = parse_adapter(adapter)
    apart = replace(hub, cache_dir=hub.cache_dir / STORAGE, root=hub.cache_dir)

    def choose(_sha: str, files: Files) -> list[str]:
        tensors = checked_adapter(apart, name, sha, files)
        n_bytes = sum(files[file].size or 0 for file in (CONFIG, WEIGHTS))
        require_room_beside(n_model_parameters, tensors, dtype=dtype, disk_needed_bytes=n_bytes, machine=machine)
        return [CONFIG, WEIGHTS]

    _, folder = bring(apart, name, sha, choose, on_progress=on_progress)
    tensors = read_header(folder / WEIGHTS)
    require_room_beside(n_model_parameters, tensors, dtype=dtype, disk_needed_bytes=0, machine=machine)
    return folder


def checked_adapter(hub: Hub, name: str, sha: str, files: Files) -> Mapping[str, Tensor]:
    """What the adapter's weights declare, after every check of its configuration."""
    if CONFIG not in files or WEIGHTS not in files:
        raise NoSafetensors(f"{name} has no {CONFIG} with {WEIGHTS}", param="options.adapter")
    checks.check_config_size(CONFIG, files[CONFIG].size or 0)
    config = checks.parse_json(content(hub, name, sha, CONFIG, limit=checks.MAX_CONFIG_BYTES), CONFIG)
    checks.check_no_code(config, CONFIG)
    if config.get("auto_mapping") or config.get("peft_type") not in KINDS:
        raise ArchitectureUnsupported(
            f"the adapter's type is {str(config.get('peft_type'))[:64]!a}; no exact merge of it is known here",
            hint=f"supported: {', '.join(KINDS)}",
            param="options.adapter",
        )
    tensors = header(hub, name, sha, files[WEIGHTS])
    if not tensors:
        raise ModelIncomplete(f"{WEIGHTS} of {name} holds no tensors", param="options.adapter")
    return tensors
