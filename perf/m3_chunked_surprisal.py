"""M3: surprisals over a vocabulary of 128,256 tokens, whose logits are never held for a whole text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers import GPT2Config

from scoring.types import Stimuli

from . import memory, peers, subjects, texts
from .table import Row, at_least

LINE = "M3"
VOCABULARY = 128_256
"""That of Llama 3. The rest of the model is small, so that nearly all memory is that of the logits."""

WORK = f"peak memory of surprisals, vocabulary {VOCABULARY:,}, 700 words; peer: logits of the whole text"


def prepare_ours(device: str) -> Callable[[], object]:
    """Surprisals of the story, in chunks."""
    subject = subjects.subject_of(_model(device))
    subjects.surprisals(subject, texts.words_in_stories(1, 2, seed=0))
    return lambda: subjects.surprisals(subject, _story())


def prepare_whole_logits(device: str) -> Callable[[], object]:
    """The same story, within one window, by its logits as a whole."""
    model = _model(device)
    subjects.surprisals(subjects.subject_of(model), texts.words_in_stories(1, 2, seed=0))
    ids = peers.whole_passages(subjects.tokenizer_of(model), _story())[0]
    return lambda: peers.bits_from_whole_logits(model, ids)


def measure() -> list[Row]:
    """Peak memory of both."""
    device, target = memory.measured_device(), at_least(5, "{:.1f}×")
    if device is None:
        return [Row(line=LINE, work=WORK, figure=None, target=target, ours="this system does not tell peaks")]
    ours, peer = memory.peak_of(prepare_ours, device), memory.peak_of(prepare_whole_logits, device)
    return [
        Row(
            line=LINE,
            work=WORK,
            ours=memory.shown(ours),
            peer=memory.shown(peer),
            figure=peer / ours,
            target=target,
        )
    ]


def _story() -> Stimuli:
    return texts.words_in_stories(1, 700, seed=3)


def _model(device: str) -> Any:
    config = GPT2Config(vocab_size=VOCABULARY, n_embd=256, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=1)
    return subjects.random_model(config, dtype=torch.float32, device=device)
