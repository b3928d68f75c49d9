"""Weights from pickles as safetensors: read without running code, checked against the architecture, not changed.

What belongs here: the tensors. What does not: where the files come from and go to (`worker.conversion`), tokenizers
(`fast_tokenizers`).
"""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSeq2SeqLM, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES

from ..errors import ModelIncomplete, RemoteCodeRefused
from .checks import SINGLE_WEIGHTS, read_json, shard_names
from .pickled_files import PICKLE_INDEX, SINGLE_PICKLE

_HEADED = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration", "ForMaskedLM", "ForPreTraining")


@dataclass(frozen=True, kw_only=True)
class WeightsReport:
    """What a conversion of weights came to; `unexpected` are tensors that the architecture has no place for."""

    n_tensors: int
    architecture: str
    unexpected: tuple[str, ...]


def save_as_safetensors(folder: Path, destination: Path) -> None:
    """Write the tensors in the pickles of `folder` to `destination`, names, dtypes and bits as they are.

    Raises RemoteCodeRefused where a pickle holds anything but tensors and containers, ModelIncomplete where it cannot
    be read.
    """
    tensors: dict[str, torch.Tensor] = {}
    for name in _pickles(folder):
        tensors |= _tensors(folder / name)
    if not tensors:
        raise ModelIncomplete("the pickles hold no tensor", param="model")
    save_file({name: _own(tensor) for name, tensor in tensors.items()}, destination / SINGLE_WEIGHTS, {"format": "pt"})


def check_against_architecture(folder: Path) -> WeightsReport:
    """Load the safetensors in `folder` as its configuration says, and tell what was left over.

    Raises ModelIncomplete where the architecture needs a tensor that is not there or has another shape.
    """
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    maker = _architecture(config)
    loaded: Any = maker.from_pretrained(
        folder,
        dtype=torch.float32,
        use_safetensors=True,
        local_files_only=True,
        ignore_mismatched_sizes=True,  # reported below, with a code
        output_loading_info=True,
    )
    model, report = loaded
    for kind in ("missing_keys", "mismatched_keys"):
        names = sorted(map(str, report[kind]))
        if names:
            raise ModelIncomplete(f"the weights have {kind.replace('_', ' ')}: {', '.join(names[:5])}", param="model")
    return WeightsReport(
        n_tensors=len(model.state_dict()),
        architecture=type(model).__name__,
        unexpected=tuple(sorted(map(str, report["unexpected_keys"]))),
    )


def _pickles(folder: Path) -> tuple[str, ...]:
    if (folder / SINGLE_PICKLE).is_file():
        return (SINGLE_PICKLE,)
    names = {path.name for path in folder.iterdir()}
    return shard_names(read_json(folder / PICKLE_INDEX), names, file=PICKLE_INDEX)


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors in one pickle."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise RemoteCodeRefused(
            f"{path.name} holds more than tensors: {_first_line(error)}",
            hint="code in a pickle is never run here; ask the model's owner for safetensors",
            param="model",
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelIncomplete(f"{path.name} cannot be read: {type(error).__name__}", param="model") from error
    if not isinstance(state, dict):
        raise ModelIncomplete(f"{path.name} holds no table of tensors by name", param="model")
    odd = sorted(str(name) for name, value in state.items() if not _is_plain(name, value))
    if odd:
        raise ModelIncomplete(f"{path.name} holds what is no plain tensor: {', '.join(odd[:5])}", param="model")
    return dict(state)


def _is_plain(name: object, value: object) -> bool:
    return isinstance(name, str) and isinstance(value, torch.Tensor) and value.layout == torch.strided


def _own(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in memory of its own, in order, as the format wants it: tied ones are written twice."""
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def _architecture(config: Any) -> Any:
    """The class that the configuration names, if transformers has it for this type and it has a head to score with."""
    for name in config.architectures or ():
        found = getattr(transformers, name, None) if str(name).endswith(_HEADED) else None
        if isinstance(found, type) and issubclass(found, PreTrainedModel) and found.config_class is type(config):
            return found
    if config.is_encoder_decoder:
        return AutoModelForSeq2SeqLM
    reads_both_ways = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    is_causal = config.model_type in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES and not reads_both_ways
    return AutoModelForCausalLM if is_causal else AutoModel


def _first_line(error: Exception) -> str:
    """What the refusal of a pickle says of its cause."""
    lines = [line.strip() for line in str(error).splitlines() if "GLOBAL" in line or "Unsupported" in line]
    return (lines or str(error).splitlines() or ["no reason given"])[0][:300]
