"""The architecture that a configuration describes, and whether it fits: known before any weight is allocated.

What belongs here: configurations as transformers understands them, built without memory. What does not: weights
(`loading`) and what can be told without transformers (`checks`, `preflight`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

from ..errors import ModelIncomplete, ModelTooLarge
from ..host_memory import host_memory
from .checks import count_parameters
from .families.base import Layout, family_of
from .library_errors import understood
from .sizes import depth

DEEPEST = 1000
"""Blocks of the deepest model that is built; each one costs time, also without memory."""

_FAR_MORE = 2
"""Times the numbers in a model's files: an architecture beyond it is not theirs. Poolers and heads stay far below."""


def read_config(folder: Path) -> Any:
    """The configuration in `folder`. Raises ModelIncomplete."""
    with understood("the configuration's values"):
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def auto_class(model_type: str, *, masked: bool) -> Any:
    """The class of transformers for a model of this type; `masked`: with an encoder's head for masked tokens."""
    layout = family_of(model_type).layout
    if layout is Layout.DECODER:
        return AutoModelForCausalLM
    if layout is Layout.ENCODER_DECODER:
        return AutoModelForSeq2SeqLM
    return AutoModelForMaskedLM if masked else AutoModel


def n_parameters(config: Any, *, masked: bool) -> int:
    """The parameters of the architecture, tied ones once, counted without allocating them. Raises ModelIncomplete."""
    with understood("the configuration's values"), torch.device("meta"):
        n_blocks = depth(config.to_dict()) or 0
        if n_blocks > DEEPEST:
            raise ModelIncomplete(f"the configuration asks for {n_blocks} blocks; {DEEPEST} are built at most")
        sketch = auto_class(config.model_type, masked=masked).from_config(config, dtype=torch.float32)
        return sum(parameter.numel() for parameter in sketch.parameters())


def require_agreement(folder: Path, n_described: int) -> None:
    """Pass if the files hold about as many numbers as their configuration describes; ModelIncomplete otherwise."""
    n_stored = count_parameters(folder)
    if n_described > _FAR_MORE * n_stored:
        raise ModelIncomplete(
            f"the configuration describes {n_described} parameters, the weights hold {n_stored}",
            hint="configuration and weights are not of one model",
            param="model",
        )


def require_room(n_needed: int, *, itemsize: int, device: str, spread: bool = True) -> None:
    """Pass if so many numbers fit into the memory that is free now, as far as that is known; ModelTooLarge otherwise.

    `spread`: over all GPUs and the machine's memory; else they have to fit on the one device.
    """
    n_free = free_memory(device, spread=spread)
    if n_free is not None and n_needed * itemsize > n_free:
        raise ModelTooLarge(
            f"the model has {n_needed} parameters and needs {n_needed * itemsize} bytes of memory on {device},"
            f" {n_free} are free",
            hint="score it on a worker with more memory, or name a smaller model of its kind",
            param="model",
            needed_bytes=n_needed * itemsize,
        )


def free_memory(device: str, *, spread: bool) -> int | None:
    """Bytes that are free for weights; None where nothing tells."""
    if not device.startswith("cuda"):
        return host_memory()
    if not spread:
        return torch.cuda.mem_get_info(device)[0]
    on_gpus = sum(torch.cuda.mem_get_info(index)[0] for index in range(torch.cuda.device_count()))
    return on_gpus + (host_memory() or 0)
