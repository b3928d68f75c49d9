"""Adapters: small matrices that were trained beside a model's own and are merged into them when it is loaded.

What belongs here: the checks before their weights move. What does not: merging them (`merging`).
"""

from __future__ import annotations

from pathlib import Path

from ..errors import ArchitectureUnsupported, ModelIncomplete, NoSafetensors
from . import checks
from .hub import Files, bring
from .hub_files import Hub, content, header
from .hub_progress import OnProgress
from .model_ids import parse_adapter

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
KINDS = ("LORA",)
"""Kinds of adapters that can be merged into weights exactly, so that layers stay where they are."""


def fetch_adapter(hub: Hub, adapter: str, *, on_progress: OnProgress) -> Path:
    """The folder with the adapter's two files, downloaded at its commit and checked.

    Raises OptionUnknown, ModelNotFound, RevisionNotFound, ModelGated, NoSafetensors, RemoteCodeRefused,
    ArchitectureUnsupported, ModelIncomplete, HubUnavailable.
    """
    name, sha = parse_adapter(adapter)

    def choose(_sha: str, files: Files) -> list[str]:
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
        if not header(hub, name, sha, files[WEIGHTS]):
            raise ModelIncomplete(f"{WEIGHTS} of {name} holds no tensors", param="options.adapter")
        return [CONFIG, WEIGHTS]

    _, folder = bring(hub, name, sha, choose, on_progress=on_progress)
    return folder
