"""Whether a model fits a machine, told from its configuration and its safetensors headers before any weight moves.

What belongs here: arithmetic on names, shapes and sizes; no disk, no network, no torch. What does not: how the headers
come (`hub`, `checks`) and what else the files have to be (`checks`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from ..errors import ArchitectureUnsupported, InsufficientStorage, ModelTooLarge
from .families.base import family_of
from .headers import Tensor
from .planning import LONGEST_WINDOW, SURPRISAL_CHUNK
from .sizes import depth, n_positions, n_vocabulary, width

ACTIVATIONS_PER_TOKEN = 32
"""Numbers alive at the peak of a forward, per token and unit of width. Measured on a CPU in float32: 24.4 for GPT-2
(an inner layer four times as wide, three copies of it), 12.4 for Llama; the rest is margin."""

OVERHEAD = 1.1
"""What weights take in memory by what they hold: buffers, fragments, the allocator's rounding."""

_UNTIED_BY_DEFAULT = frozenset(
    {
        "codegen",
        "glm",
        "glm4",
        "gpt_neox",
        "gptj",
        "granite",
        "llama",
        "mistral",
        "mixtral",
        "olmo",
        "olmo2",
        "olmo3",
        "olmoe",
        "phi",
        "phi3",
        "qwen2",
        "qwen2_moe",
        "qwen3",
        "qwen3_moe",
        "stablelm",
    }
)
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}
_TABLE = re.compile(
    r"(^|\.)(wte|wpe|embed_tokens|embed_positions|embed_in|shared|word_embeddings|position_embeddings"
    r"|token_type_embeddings|embeddings)\.weight$"
)
_HEAD = re.compile(r"(^|\.)(lm_head|embed_out|output_projection|(lm_head|predictions)\.decoder)\.weight$")
_TOKENS = re.compile(r"(^|\.)(wte|embed_tokens|embed_in|shared|word_embeddings|embeddings)\.weight$")
_COPY_OF_SHARED = re.compile(r"(^|\.)(encoder|decoder)\.embed_tokens\.weight$")
_BUFFER = re.compile(
    r"(^|\.)(attn|attention|self_attn)\.(bias|masked_bias)$|(^|\.)(inv_freq|position_ids|final_logits_bias)$"
)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where a model is to run: memory of its device and free disk, in bytes; None where nobody knows."""

    memory_bytes: int | None = None
    free_disk_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What a model is and what it needs, beside what the machine has. Bytes everywhere; None where nothing is known.

    `n_embedding_parameters` are the tables of tokens and positions and untied output heads, tied ones once; `dtype` is
    the one that the model would run in, `stored_dtypes` those of its file as the header spells them. `n_activations`
    and `n_logits` are the numbers alive at the peak of a forward.
    """

    model_type: str
    family: str | None
    n_parameters: int
    n_embedding_parameters: int
    stored_dtypes: tuple[str, ...]
    dtype: str
    width: int | None
    n_layers: int | None
    n_positions: int | None
    n_activations: int
    n_logits: int
    memory_available_bytes: int | None
    disk_needed_bytes: int
    disk_free_bytes: int | None

    @property
    def n_non_embedding_parameters(self) -> int:
        """The parameters of blocks and norms: what scaling laws count (Kaplan et al. 2020)."""
        return self.n_parameters - self.n_embedding_parameters

    @property
    def memory_needed_bytes(self) -> int:
        """What weights and one forward take in `dtype`."""
        return self.memory_needed_in(self.dtype)

    def memory_needed_in(self, dtype: str) -> int:
        """What weights and one forward would take in another dtype:

        parameters × bytes of `dtype` × OVERHEAD
        + LONGEST_WINDOW × width × ACTIVATIONS_PER_TOKEN × bytes of `dtype` + SURPRISAL_CHUNK × vocabulary × 4
        """
        n_bytes = _BYTES.get(dtype, 4)
        return int(self.n_parameters * n_bytes * OVERHEAD) + self.n_activations * n_bytes + 4 * self.n_logits

    @property
    def fits_memory(self) -> bool:
        """Whether weights and one forward fit, as far as is known."""
        return self.memory_available_bytes is None or self.memory_needed_bytes <= self.memory_available_bytes

    @property
    def fits_disk(self) -> bool:
        """Whether the files fit, as far as is known."""
        return self.disk_free_bytes is None or self.disk_needed_bytes <= self.disk_free_bytes

    def require_fit(self) -> None:
        """Pass where the model fits. Raises ModelTooLarge or InsufficientStorage, with both numbers."""
        if not self.fits_memory:
            raise ModelTooLarge(
                f"the model has {self.n_parameters} parameters and needs {self.memory_needed_bytes} bytes of memory in"
                f" {self.dtype}, this worker has {self.memory_available_bytes}",
                hint=self._what_would_help(),
                param="model",
                needed_bytes=self.memory_needed_bytes,
            )
        if not self.fits_disk:
            raise InsufficientStorage(
                f"the model has {self.disk_needed_bytes} bytes, the disk of the model cache has"
                f" {self.disk_free_bytes} free",
                hint="free space there, or point the cache to a larger disk",
            )

    def _what_would_help(self) -> str:
        halved = self.memory_needed_bytes // 2
        if _BYTES.get(self.dtype, 0) == 4 and halved <= (self.memory_available_bytes or 0):
            return f"in bfloat16 it needs about {halved} bytes, which fit: ask for `--dtype bfloat16`"
        return "score it on a worker with more memory, or name a smaller model of its kind"


def preflight(
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    *,
    dtype: str,
    disk_needed_bytes: int = 0,
    machine: Machine | None = None,
) -> Preflight:
    """What the model of `config` and `tensors` needs to run in `dtype`, beside what `machine` has."""
    machine = machine or Machine()
    counted = _counted(config, tensors)
    n_total = sum(prod(tensor.shape) for tensor in counted.values())
    model_type = str(config.get("model_type"))
    return Preflight(
        model_type=model_type,
        family=_family(model_type),
        n_parameters=n_total,
        n_embedding_parameters=sum(prod(tensor.shape) for name, tensor in counted.items() if _is_table(name, tensor)),
        stored_dtypes=tuple(sorted({tensor.dtype for tensor in counted.values()})),
        dtype=dtype,
        width=width(config),
        n_layers=depth(config),
        n_positions=n_positions(config),
        n_activations=LONGEST_WINDOW * (width(config) or 0) * ACTIVATIONS_PER_TOKEN,
        n_logits=SURPRISAL_CHUNK * (n_vocabulary(config) or _largest_table(counted)),
        memory_available_bytes=machine.memory_bytes,
        disk_needed_bytes=disk_needed_bytes,
        disk_free_bytes=machine.free_disk_bytes,
    )


def require_room_beside(
    n_model_parameters: int,
    tensors: Mapping[str, Tensor],
    *,
    dtype: str,
    disk_needed_bytes: int,
    machine: Machine,
) -> None:
    """Pass where the `tensors` of an adapter fit into memory beside its model, and their file onto the disk.

    They are held in float32 while they are merged. Raises ModelTooLarge or InsufficientStorage, with both numbers.
    """
    n_own = sum(prod(tensor.shape) for tensor in tensors.values())
    n_bytes = int((n_model_parameters * _BYTES.get(dtype, 4) + 4 * n_own) * OVERHEAD)
    if machine.memory_bytes is not None and n_bytes > machine.memory_bytes:
        raise ModelTooLarge(
            f"the adapter has {n_own} parameters and needs with its model {n_bytes} bytes of memory, this worker has"
            f" {machine.memory_bytes}",
            param="options.adapter",
            needed_bytes=n_bytes,
        )
    if machine.free_disk_bytes is not None and disk_needed_bytes > machine.free_disk_bytes:
        raise InsufficientStorage(
            f"the adapter has {disk_needed_bytes} bytes, the disk of the model cache has"
            f" {machine.free_disk_bytes} free",
            hint="free space there, or point the cache to a larger disk",
            param="options.adapter",
        )


def n_parameters(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> int:
    """How many numbers the weights hold: tied ones once, buffers that older checkpoints saved along not at all."""
    return sum(prod(tensor.shape) for tensor in _counted(config, tensors).values())


def require_room_for_twin(config: Mapping[str, Any], *, dtype: str, memory_bytes: int | None) -> None:
    """Pass if the least that an untrained model of this configuration takes fits: its table of tokens, and one square
    of its width in each block. Raises ModelTooLarge.
    """
    wide = width(config) or 0
    n_least = wide * (n_vocabulary(config) or 0) + wide * wide * (depth(config) or 0)
    n_bytes = n_least * _BYTES.get(dtype, 4)
    if memory_bytes is not None and n_bytes > memory_bytes:
        raise ModelTooLarge(
            f"an untrained model of this configuration needs more than {n_bytes} bytes of memory, this worker has"
            f" {memory_bytes}",
            param="model",
        )


def ties_head(config: Mapping[str, Any]) -> bool:
    """Whether the output head is the table of tokens: as the configuration says, else as its class has it."""
    stated = config.get("tie_word_embeddings")
    return stated if isinstance(stated, bool) else config.get("model_type") not in _UNTIED_BY_DEFAULT


def _counted(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors without masks, frequencies, position ids, the bias of zeros in BART and stored copies of tied tables.

    A head that is tied counts as a copy; the tables of an encoder and a decoder are always copies of the `shared` one
    beside them.
    """
    kept = {name: tensor for name, tensor in tensors.items() if not _BUFFER.search(name)}
    tables = {tensor.shape for name, tensor in kept.items() if _TOKENS.search(name)}
    shared = {tensor.shape for name, tensor in kept.items() if name.rsplit(".", 2)[-2:] == ["shared", "weight"]}
    is_tied = ties_head(config)

    def is_copy(name: str, tensor: Tensor) -> bool:
        if _COPY_OF_SHARED.search(name):
            return tensor.shape in shared
        return is_tied and _HEAD.search(name) is not None and tensor.shape in tables

    return {name: tensor for name, tensor in kept.items() if not is_copy(name, tensor)}


def _is_table(name: str, tensor: Tensor) -> bool:
    return len(tensor.shape) == 2 and (_TABLE.search(name) or _HEAD.search(name)) is not None


def _largest_table(tensors: Mapping[str, Tensor]) -> int:
    return max((tensor.shape[0] for name, tensor in tensors.items() if _is_table(name, tensor)), default=0)


def _family(model_type: str) -> str | None:
    try:
        return family_of(model_type).name
    except ArchitectureUnsupported:
        return None
