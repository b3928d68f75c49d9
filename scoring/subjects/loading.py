"""From a checked folder to weights in memory: the class for its layout, an explicit dtype, the right device.

What belongs here: calls into transformers and what its reports mean. What does not: reading texts (`language_model`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM
from transformers import AutoTokenizer as HuggingFaceTokenizer

from ..errors import ModelIncomplete, OutOfMemory
from .checks import count_parameters
from .extraction import is_out_of_memory, release_memory
from .families.base import Layout, family_of
from .fast_tokenizers import prove_tokenizer
from .merging import merged

_ROOM = 1.1
"""Weights and what torch keeps beside them, over the weights alone."""
_UNUSED = ("pooler.",)
"""Parts of encoders that many checkpoints lack and that no layer passes through."""


def default_dtype(device: str) -> str:
    """float32 on a CPU, bfloat16 on a GPU; never the checkpoint's own, which may be float16 on a CPU."""
    return "bfloat16" if device.startswith("cuda") else "float32"


def load_trained(
    folder: Path, *, device: str, dtype: str | None, masked: bool = False, adapter: Path | None = None
) -> Any:
    """The model in `folder`: safetensors only, no code from the repository, every tensor there.

    `masked`: with the head for masked tokens, where it is an encoder. A model that one GPU cannot hold is spread over
    all of them and the CPU. `adapter`: a folder with LoRA matrices, which are merged into the weights. Raises
    ModelIncomplete, ArchitectureUnsupported, OutOfMemory.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    number_format = dtype or default_dtype(device)
    try:
        model, report = _auto_class(config.model_type, masked=masked).from_pretrained(
            folder,
            dtype=getattr(torch, number_format),
            device_map=_device_map(folder, device, getattr(torch, number_format)),
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        release_memory()
        raise OutOfMemory(
            f"the weights do not fit on {device}: {count_parameters(folder)} parameters in {number_format}"
            f" ({str(error)[:300]})",
            hint="take a worker with more memory, or dtype bfloat16",
        ) from error
    _require_complete(report)
    return (model if adapter is None else merged(model, adapter)).eval()


def build_untrained(folder: Path, *, seed: int, device: str, dtype: str | None) -> Any:
    """The architecture of `folder` with random weights: drawn on the CPU in float32 under `seed`, then moved."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _auto_class(config.model_type, masked=False).from_config(config, dtype=torch.float32)
    return model.to(dtype=getattr(torch, dtype or default_dtype(device)), device=device).eval()


def load_tokenizer(folder: Path) -> Any:
    """The fast tokenizer in `folder`; one made from an old vocabulary is compared with the vocabulary's own library."""
    prove_tokenizer(folder)
    return HuggingFaceTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _auto_class(model_type: str, *, masked: bool) -> Any:
    layout = family_of(model_type).layout
    if layout is Layout.DECODER:
        return AutoModelForCausalLM
    if layout is Layout.ENCODER_DECODER:
        return AutoModelForSeq2SeqLM
    return AutoModelForMaskedLM if masked else AutoModel


def _device_map(folder: Path, device: str, dtype: torch.dtype) -> Any:
    """Where weights go: straight to the device, or, where one GPU is too small, wherever accelerate finds room."""
    if not device.startswith("cuda"):
        return None
    n_bytes = count_parameters(folder) * dtype.itemsize * _ROOM
    n_free, _ = torch.cuda.mem_get_info(device)
    return "auto" if n_bytes > n_free else {"": device}


def _require_complete(report: dict[str, Any]) -> None:
    for kind in ("missing_keys", "mismatched_keys"):
        names = sorted(name for name in map(str, report[kind]) if not name.startswith(_UNUSED))
        if names:
            raise ModelIncomplete(
                f"the weights have {len(names)} {kind.replace('_', ' ')}: {', '.join(names[:5])}",
                hint="without them these parts of the model would be random",
            )
