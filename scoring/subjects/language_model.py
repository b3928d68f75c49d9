"""A language model from a folder in Hugging Face format, as a subject."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from ..errors import ModelIncomplete
from ..responses import Responses, Surprisals
from ..types import Stimuli
from . import loading
from .contexts import contexts, effective_context
from .encoding import Encoded, encode
from .extraction import Extracted
from .options import ReadingOptions, SurprisalMethod
from .possible import require_possible
from .readers import OpenModel, open_reader
from .surprisal import word_surprisals


class LanguageModel:
    """Activations of every layer and word surprisals, exactly, with as few forward passes as the model allows.

    Make one with `from_folder` or `untrained`. `dtype` is always explicit: float32 on a CPU, bfloat16 on a GPU.
    `reading` says what stimuli are read after, which tokens stand for them, and what is put around a text.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        identifier: str,
        reading: ReadingOptions | None = None,
        token_budget: int | None = None,
    ) -> None:
        self._identifier = identifier
        self._tokenizer = tokenizer
        self._reading = reading or ReadingOptions()
        self.dtype = str(model.dtype).removeprefix("torch.")
        self._open: OpenModel = open_reader(model, tokenizer, self._reading, token_budget=token_budget)

    @classmethod
    def from_folder(
        cls,
        folder: Path,
        *,
        identifier: str,
        device: str = "cpu",
        dtype: str | None = None,
        reading: ReadingOptions | None = None,
        adapter: Path | None = None,
        token_budget: int | None = None,
    ) -> LanguageModel:
        """The trained model in `folder`: safetensors and a fast tokenizer, no code from the repository.

        The adapter in the folder `adapter` is merged into its weights.
        Raises ModelIncomplete where tensors are missing or misshapen, ArchitectureUnsupported where the type is
        unknown or the future leaks into the past, OutOfMemory, OptionUnknown.
        """
        model = loading.load_trained(
            folder, device=device, dtype=dtype, masked=_needs_masked_head(reading), adapter=adapter
        )
        tokenizer = loading.load_tokenizer(folder)
        return cls(model, tokenizer, identifier=identifier, reading=reading, token_budget=token_budget)

    @classmethod
    def untrained(
        cls,
        folder: Path,
        *,
        identifier: str,
        seed: int,
        device: str = "cpu",
        dtype: str | None = None,
        reading: ReadingOptions | None = None,
        token_budget: int | None = None,
    ) -> LanguageModel:
        """The same architecture and tokenizer with random weights, drawn under `seed`; needs no weights in `folder`."""
        model = loading.build_untrained(
            folder, seed=seed, device=device, dtype=dtype, masked=_needs_masked_head(reading)
        )
        tokenizer = loading.load_tokenizer(folder)
        return cls(model, tokenizer, identifier=identifier, reading=reading, token_budget=token_budget)

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
        """Features of each stimulus given its context so far, and surprisals in bits.

        A text longer than the model's limit is read in rolling windows with a stride of half the limit. Raises
        TextUnalignable, ContextTooShort, OutOfMemory; OptionUnknown for surprisals of a model that has none.
        """
        require_possible(self._open.layout, self._reading, asks_surprisal=surprisal)
        texts = [encode(self._tokenizer, context) for context in contexts(stimuli, self._reading.context)]
        self._require_known_ids(texts)
        extracted = self._open.reader.read(
            texts, n_stimuli=len(stimuli), layers=layers, surprisal=surprisal, on_progress=on_progress
        )
        return Responses(
            layers=extracted.layers,
            surprisals=self._surprisals(texts, extracted, len(stimuli)) if surprisal else None,
            conditions={
                "context": effective_context(stimuli, self._reading.context),
                **self._conditions(texts, extracted, surprisal=surprisal),
            },
        )

    def _surprisals(self, texts: list[Encoded], extracted: Extracted, n_stimuli: int) -> Surprisals:
        return word_surprisals(
            texts,
            extracted.token_bits,
            self._open.boundary,
            n_stimuli=n_stimuli,
            kind=self._open.kind,
        )

    def _conditions(
        self, texts: list[Encoded], extracted: Extracted, *, surprisal: bool
    ) -> dict[str, str | int | float | bool | None]:
        opened = self._open
        return {
            "dtype": self.dtype,
            "device": opened.reader.device.type,
            "layout": opened.layout,
            "bos_token_id": opened.bos,
            "n_frame_tokens": opened.n_frame_tokens,
            "frame_sha256": opened.frame_sha256,
            "context_limit": opened.reader.limit,
            "window_stride": opened.stride,
            "n_windows": extracted.n_windows,
            "n_texts": len(texts),
            "n_tokens": sum(len(text.ids) for text in texts),
            "token_budget": extracted.token_budget,
            "pooling": self._reading.pooling,
            "prompt_format": self._reading.prompt_format,
            "surprisal_kind": opened.kind if surprisal else None,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def _require_known_ids(self, texts: list[Encoded]) -> None:
        largest = max(self._open.largest_frame_id, *(int(text.ids.max()) for text in texts))
        if largest >= self._open.n_embeddings:
            raise ModelIncomplete(
                f"the tokenizer gives the token {largest}, but the model knows {self._open.n_embeddings}",
                hint="tokenizer and weights are not of one model",
            )


def _needs_masked_head(reading: ReadingOptions | None) -> bool:
    return reading is not None and reading.surprisal is SurprisalMethod.PSEUDO_LOG_LIKELIHOOD
