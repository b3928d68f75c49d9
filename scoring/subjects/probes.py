"""What only running a model can tell: that it is causal, finite, alive, and that its head is understood."""

from __future__ import annotations

import torch

from ..errors import ArchitectureUnsupported, ModelIncomplete

N_PROBE_TOKENS = 8

_RELATIVE_NOISE = {torch.float32: 1e-3, torch.float64: 1e-6}
_COARSE_NOISE = 0.1
"""Of the largest value: what rounding may move in bfloat16 and float16."""


def probe_ids(n_embeddings: int, device: torch.device) -> torch.Tensor:
    """Two rows of ids that differ in their last one only: (2, 8)."""
    ids = torch.arange(1, N_PROBE_TOKENS + 1).remainder(n_embeddings).repeat(2, 1)
    ids[1, -1] = (ids[0, -1] + 1) % n_embeddings
    return ids.to(device)


def probe_states(states: torch.Tensor) -> None:
    """Pass if the states of `probe_ids` (2, 8, width) are finite and react to the input; ModelIncomplete otherwise."""
    if not torch.isfinite(states).all():
        raise ModelIncomplete("the model's states are not finite; its weights may be damaged")
    if torch.equal(states[0, -1], states[1, -1]):
        raise ModelIncomplete("the model does not react to its input")


def probe_causality(states: torch.Tensor) -> None:
    """Pass if the last token moved no earlier state; ArchitectureUnsupported otherwise.

    Some encoders load through the class for causal models and would read the future.
    """
    moved = (states[0, :-1].float() - states[1, :-1].float()).abs().max()
    if moved > _tolerance(states):
        raise ArchitectureUnsupported("the model is not causal: a later token changes the states of earlier ones")


def probe_head(ours: torch.Tensor, logits: torch.Tensor) -> None:
    """Pass if our way from states to logits gives the model's own logits; ArchitectureUnsupported otherwise."""
    if ours.shape[-1] != logits.shape[-1] or (ours.float() - logits.float()).abs().max() > _tolerance(logits):
        raise ArchitectureUnsupported(
            "the model changes its logits in a way that is not known here",
            hint="its layers could be scored; its surprisals would be wrong",
        )


def _tolerance(values: torch.Tensor) -> float:
    return _RELATIVE_NOISE.get(values.dtype, _COARSE_NOISE) * float(values.float().abs().max())
