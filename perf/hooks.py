"""What M1 and M2 share: the reading of P6 in three ways, and their peaks set against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from . import memory, p6_activations, peers, subjects, texts
from .table import Row, Target


def prepare_ours(device: str) -> Callable[[], object]:
    """Features of all layers, as the service reads them."""
    subject, stimuli = subjects.subject_of(_model(device)), p6_activations.stimuli()
    subjects.activations(subject, _warm_up())
    return lambda: subjects.activations(subject, stimuli)


def prepare_bare_forward(device: str) -> Callable[[], object]:
    """The same batches through the model without head, hooks or cache."""
    model, batches = _model_and_batches(device)
    return lambda: peers.bare_forward(model, batches)


def prepare_everything(device: str) -> Callable[[], object]:
    """The same batches through the whole model: logits, all hidden states and the cache."""
    model, batches = _model_and_batches(device)
    return lambda: peers.forward_with_everything(model, batches)


def answered_bytes() -> int:
    """What the features themselves take: float32 for each sentence, each layer, embedding and final norm, each unit."""
    shape: Any = subjects.gpt2_small()
    n_bytes: int = len(p6_activations.stimuli()) * (shape.num_hidden_layers + 2) * shape.hidden_size * 4
    return n_bytes


def row(line: str, work: str, peer: memory.Preparation, *, target: Target, not_counted: int = 0) -> Row:
    """Ours set against one of the others: peer / ours where much is wanted, ours / peer where little is.

    `not_counted` bytes are taken off ours before.
    """
    device = memory.measured_device()
    if device is None:
        return Row(line=line, work=work, figure=None, target=target, ours="this system does not tell peaks")
    ours_bytes, peer_bytes = memory.peak_of(prepare_ours, device) - not_counted, memory.peak_of(peer, device)
    return Row(
        line=line,
        work=work,
        ours=memory.shown(ours_bytes),
        peer=memory.shown(peer_bytes),
        figure=peer_bytes / ours_bytes if target.is_floor else ours_bytes / peer_bytes,
        target=target,
    )


def _model_and_batches(device: str) -> tuple[Any, list[peers.Batch]]:
    model = _model(device)
    answers = subjects.activations(subjects.subject_of(model), _warm_up())
    passages = peers.whole_passages(subjects.tokenizer_of(model), p6_activations.stimuli())
    return model, peers.padded(passages, token_budget=subjects.condition(answers, "token_budget"))


def _warm_up() -> Any:
    """One short sentence, read first in each process: what a first reading alone sets up is in none of the figures."""
    return texts.sentences_in_passages([1], seed=0)


def _model(device: str) -> Any:
    return subjects.random_model(subjects.gpt2_small(), dtype=torch.float32, device=device)
