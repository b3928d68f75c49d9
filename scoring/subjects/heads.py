"""From a last hidden state to logits, as the model itself does it, for a few positions at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..errors import ArchitectureUnsupported
from .families.base import Family
from .surprisal import Head


def next_token_head(model: Any) -> Head:
    """The head of a model that predicts next tokens, with what its class does before and after the projection.

    Some scale the state (T5), scale the logits (Cohere, Granite), cap them softly (Gemma) or add a bias (BART).
    """
    embeddings = model.get_output_embeddings()
    if embeddings is None:
        raise ArchitectureUnsupported(f"{type(model).__name__} has no head over the vocabulary")
    project = _projection(embeddings)
    config = model.config
    before, after = _state_scale(config), _logit_scale(config)
    cap = getattr(config, "final_logit_softcapping", None)
    bias = getattr(model, "final_logits_bias", None)

    def head(hidden: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = project(hidden * before if before != 1.0 else hidden)
        if bias is not None:
            logits = logits + bias.to(logits.device)
        if after != 1.0:
            logits = logits * after
        return logits if cap is None else cap * torch.tanh(logits.float() / cap)

    return head


def masked_token_head(model: Any, family: Family) -> Head:
    """The head of an encoder that predicts masked tokens: the family's submodules, one after another."""
    steps = []
    for place in family.masked_head:
        step = getattr(model, place, None)
        if step is None:
            raise ArchitectureUnsupported(f"{type(model).__name__} has no {place}: it cannot predict masked tokens")
        steps.append(step)

    def head(hidden: torch.Tensor) -> torch.Tensor:
        for step in steps:
            hidden = step(hidden)
        return hidden

    return head


def _projection(embeddings: nn.Module) -> Head:
    """The projection onto the vocabulary; in float32 on a CPU as (W Xᵀ)ᵀ instead of X Wᵀ.

    Few rows against a large vocabulary: measured with 128 rows and 50,257 tokens, the product takes two thirds of the
    time when the long side comes first.
    """
    if type(embeddings) is not nn.Linear or not _is_plain_float32(embeddings.weight):
        return embeddings
    weight, bias = embeddings.weight, embeddings.bias

    def project(hidden: torch.Tensor) -> torch.Tensor:
        logits = (weight @ hidden.transpose(-1, -2)).transpose(-1, -2)
        return logits if bias is None else logits + bias

    return project


def _is_plain_float32(weight: torch.Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype is torch.float32


def _state_scale(config: Any) -> float:
    """What the decoder's state is multiplied by: T5 with tied embeddings divides by the root of the width."""
    scaled = getattr(config, "scale_decoder_outputs", config.model_type == "umt5" and config.tie_word_embeddings)
    return float(config.d_model**-0.5) if scaled else 1.0


def _logit_scale(config: Any) -> float:
    factor = getattr(config, "logit_scale", None)
    divisor = getattr(config, "logits_scaling", None)
    return float(factor if factor is not None else 1.0) / float(divisor if divisor is not None else 1.0)
