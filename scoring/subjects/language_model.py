"""A causal language model from a folder in Hugging Face format, as a subject."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from ..errors import ArchitectureUnsupported, ModelIncomplete, OutOfMemory
from ..responses import Responses, SurprisalKind, Surprisals
from ..types import FloatArray, Stimuli
from .encoding import Encoded, bos_id, encode, windows
from .extraction import Extracted, Extractor, SoftcappedHead
from .families.base import family_of
from .options import ReadingOptions

TOKEN_BUDGET = 8192
"""Padded tokens in one forward."""

LONGEST_WINDOW = 8192
"""Tokens that are read at one time at most, whatever a model allows: the cap on memory."""

UNBELIEVABLE_LENGTH = 1_000_000
"""Tokenizers without a limit of their own state a number beyond this."""


class LanguageModel:
    """A causal language model: activations of every layer and word surprisals, exactly, in one pass per passage.

    Make one with `from_folder` or `untrained`. `dtype` is always explicit: float32 on a CPU, bfloat16 on a GPU.
    """

    def __init__(
        self, model: Any, tokenizer: Any, *, identifier: str, reading: ReadingOptions | None = None
    ) -> None:
        family = family_of(model.config.model_type)
        self._identifier = identifier
        self._tokenizer = tokenizer
        self._limit = context_limit(model.config, tokenizer)
        self.dtype = str(model.dtype).removeprefix("torch.")
        self._n_embeddings = len(model.get_input_embeddings().weight)
        base = model.base_model
        self._extractor = Extractor(
            base=base,
            blocks=_part(base, family.blocks),
            final_norm=_part(base, family.final_norm),
            head=_head(model),
            device=model.device,
            bos=bos_id(tokenizer),
            token_budget=TOKEN_BUDGET,
        )
        self._probe()

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        *,
        identifier: str,
        device: str = "cpu",
        dtype: str | None = None,
        reading: ReadingOptions | None = None,
    ) -> LanguageModel:
        """The trained model in `folder`: safetensors and tokenizer.json, no code from the repository.

        Raises ModelIncomplete where tensors are missing or misshapen, ArchitectureUnsupported where the type is
        unknown or the future leaks into the past, OutOfMemory.
        """
        family_of(AutoConfig.from_pretrained(folder).model_type)
        try:
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                dtype=getattr(torch, dtype or default_dtype(device)),
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )
            model, report = loaded
            _require_complete(report)
            model = model.to(device).eval()
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(f"the weights do not fit on {device}: {error}") from error
        return cls(model, _tokenizer(folder), identifier=identifier, reading=reading)

    @classmethod
    def untrained(cls, folder: Path, *, identifier: str, seed: int, device: str = "cpu") -> LanguageModel:
        """The same architecture and tokenizer with random weights, drawn under `seed`."""
        config = AutoConfig.from_pretrained(folder)
        family_of(config.model_type)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            build: Any = AutoModelForCausalLM.from_config
            model = build(config, dtype=torch.float32)
        return cls(model.to(device).eval(), _tokenizer(folder), identifier=identifier)

    @property
    def identifier(self) -> str:
        """The name under which scores stand."""
        return self._identifier

    def respond(
        self,
        stimuli: Stimuli,
        *,
        layers: bool,
        surprisal: bool,
        on_progress: Callable[[float], None] = lambda _: None,
    ) -> Responses:
        """Features at the last token of each stimulus given its passage so far, and surprisals in bits.

        A passage longer than the context is read in rolling windows with a stride of half the limit. Raises
        TextUnalignable, ContextTooShort, OutOfMemory.
        """
        passages = [encode(self._tokenizer, passage) for passage in stimuli.passages]
        self._require_known_ids(passages)
        capacity = self._limit - (self._extractor.bos is not None)
        planned = [
            window
            for index, passage in enumerate(passages)
            for window in windows(len(passage.ids), passage=index, capacity=capacity, stride=self._stride)
        ]
        try:
            extracted = self._extractor.run(
                passages, planned, layers=layers, surprisal=surprisal, on_progress=on_progress
            )
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(f"reading {TOKEN_BUDGET} tokens at a time does not fit: {error}") from error
        return Responses(
            layers=extracted.layers,
            surprisals=_surprisals(passages, extracted) if surprisal else None,
            conditions=self._conditions(len(planned), len(passages), sum(len(passage.ids) for passage in passages)),
        )

    @property
    def _stride(self) -> int:
        return self._limit // 2

    def _conditions(self, n_windows: int, n_passages: int, n_tokens: int) -> dict[str, str | int | float | bool | None]:
        return {
            "dtype": self.dtype,
            "device": self._extractor.device.type,
            "bos_token_id": self._extractor.bos,
            "context_limit": self._limit,
            "window_stride": self._stride,
            "n_windows": n_windows,
            "n_passages": n_passages,
            "n_tokens": n_tokens,
            "token_budget": TOKEN_BUDGET,
            "pooling": "last",
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def _require_known_ids(self, passages: list[Encoded]) -> None:
        largest = max(int(passage.ids.max()) for passage in passages)
        if max(largest, self._extractor.bos or 0) >= self._n_embeddings:
            raise ModelIncomplete(
                f"the tokenizer gives the token {largest}, but the model knows {self._n_embeddings}",
                hint="tokenizer and weights are not of one model",
            )

    @torch.inference_mode()
    def _probe(self) -> None:
        """Change the last token: no earlier state may move, and every state must be finite.

        Some encoders load through the class for causal models and would read the future.
        """
        ids = torch.arange(1, 9).remainder(self._n_embeddings).repeat(2, 1)
        ids[1, -1] = (ids[0, -1] + 1) % self._n_embeddings
        states = self._extractor.base(input_ids=ids.to(self._extractor.device), use_cache=False)[0].float()
        if not torch.isfinite(states).all():
            raise ModelIncomplete("the model's states are not finite; its weights may be damaged")
        tolerance = 1e-3 if self.dtype == "float32" else 0.1
        scale = states.abs().max()
        if (states[0, :-1] - states[1, :-1]).abs().max() > tolerance * scale:
            raise ArchitectureUnsupported("the model is not causal: a later token changes the states of earlier ones")
        if torch.equal(states[0, -1], states[1, -1]):
            raise ModelIncomplete("the model does not react to its input")


def default_dtype(device: str) -> str:
    """float32 on a CPU, bfloat16 on a GPU; never the checkpoint's own, which may be float16 on a CPU."""
    return "bfloat16" if device.startswith("cuda") else "float32"


def context_limit(config: Any, tokenizer: Any) -> int:
    """The longest input in tokens, BOS included: the least of what config and tokenizer state, and of our own cap.

    Models without position embeddings state the length that they were trained on (`seq_length`), or nothing.
    """
    stated = getattr(config, "max_position_embeddings", None) or getattr(config, "seq_length", None)
    limits = [LONGEST_WINDOW, *([int(stated)] if stated else [])]
    if tokenizer.model_max_length < UNBELIEVABLE_LENGTH:
        limits.append(int(tokenizer.model_max_length))
    return min(limits)


def _part(base: nn.Module, place: str) -> Any:
    """A part of the model at the place that its family names."""
    try:
        return base.get_submodule(place)
    except AttributeError:
        raise ArchitectureUnsupported(
            f"the model has no {place}: it is a variant of its type whose layers are not known here"
        ) from None


def _head(model: Any) -> nn.Module:
    """From the last hidden state to logits, as the model itself does it."""
    head: nn.Module = model.get_output_embeddings()
    cap = getattr(model.config, "final_logit_softcapping", None)
    return head if cap is None else SoftcappedHead(head, float(cap))


def _tokenizer(folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _require_complete(report: dict[str, Any]) -> None:
    for kind in ("missing_keys", "mismatched_keys"):
        names = sorted(map(str, report[kind]))
        if names:
            raise ModelIncomplete(f"the weights have {kind.replace('_', ' ')}: {', '.join(names[:5])}")


def _surprisals(passages: list[Encoded], extracted: Extracted) -> Surprisals:
    n_tokens = np.concatenate([np.bincount(passage.stimulus_of_token) for passage in passages])
    return Surprisals(
        sum_bits=_word_bits(passages, extracted),
        boundary_bits=None,
        boundary_reason="not computed",
        n_tokens=n_tokens,
        context_tokens=np.zeros_like(n_tokens),
        kind=SurprisalKind.CAUSAL,
    )


def _word_bits(passages: list[Encoded], extracted: Extracted) -> FloatArray:
    """Bits of each stimulus: the sum over its tokens, NaN where one of them has no probability."""
    return np.concatenate(
        [
            np.bincount(passage.stimulus_of_token, weights=bits)
            for passage, bits in zip(passages, extracted.token_bits, strict=True)
        ]
    )
