"""P7: surprisals of a story of 1,000 words, against one forward a word on a key-value cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from scoring.responses import Responses
from scoring.types import FloatArray, Passage, Stimuli

from . import memory, peers, subjects, texts, timing
from .table import Row, at_least, at_most

LINE = "P7"

CHUNK = 128
"""Rows of logits that are held at one time, by design."""

N_WORDS = 1000


def story(tokenizer: Any) -> Stimuli:
    """A thousand words that a context of 1,024 holds at once: those of a longer story that are one token."""
    (longer,) = texts.words_in_stories(1, 3 * N_WORDS, seed=7).passages
    pieces = peers.word_pieces(tokenizer, longer)
    words = [word for word, ids in zip(longer.texts, pieces, strict=True) if len(ids) == 1][:N_WORDS]
    return Stimuli(
        ids=tuple(map(str, range(N_WORDS))), passages=(Passage.join("story", words),), groups=("g",) * N_WORDS
    )


def long_story() -> Stimuli:
    """A thousand words of 1.3 tokens each: two windows, of which the second reads half a context again."""
    return texts.words_in_stories(1, N_WORDS, seed=7)


def measure() -> list[Row]:
    """Time of both, the largest difference, and the memory that surprisals take beyond the forward itself."""
    model = _model("cpu")
    return [*compare(model, story(subjects.tokenizer_of(model)), n_rounds=timing.N_ROUNDS), _memory()]


def compare(model: Any, read: Stimuli, *, n_rounds: int) -> list[Row]:
    """The rows on time and difference, for a model and one story; the peer reads the windows that ours states."""
    subject, tokenizer = subjects.subject_of(model), subjects.tokenizer_of(model)
    words = peers.word_pieces(tokenizer, read.passages[0])
    answers: list[Responses] = [subjects.surprisals(subject, read)]
    limit, stride = (subjects.condition(answers[0], name) for name in ("context_limit", "window_stride"))
    bits: list[FloatArray] = []
    ours_s, peer_s = timing.seconds_in_turns(
        lambda: answers.append(subjects.surprisals(subject, read)),
        lambda: bits.append(peers.word_by_word(model, words, bos=tokenizer.bos_token_id, limit=limit, stride=stride)),
        n_rounds=n_rounds,
    )
    return [
        Row(
            line=LINE,
            work=f"surprisals, {len(read):,} words, {sum(map(len, words)):,} tokens; peer: cache, word by word",
            ours=f"{ours_s:.2f} s",
            peer=f"{peer_s:.2f} s",
            figure=peer_s / ours_s,
            target=at_least(20, "{:.0f}×"),
        ),
        Row(
            line=LINE,
            work="largest difference in bits",
            figure=float(np.abs(subjects.bits(answers[-1]) - bits[-1]).max()),
            target=at_most(1e-5, "{:.1e}"),
        ),
    ]


def prepare_surprisals(device: str) -> Callable[[], object]:
    """Surprisals of the story."""
    subject = subjects.subject_of(_model(device))
    return lambda: subjects.surprisals(subject, long_story())


def prepare_bare_forward(device: str) -> Callable[[], object]:
    """The same windows through the model without its head."""
    model = _model(device)
    subject, read = subjects.subject_of(model), long_story()
    answers = subjects.surprisals(subject, texts.words_in_stories(1, 2, seed=0))
    limit, stride = (subjects.condition(answers, name) for name in ("context_limit", "window_stride"))
    token_budget = subjects.condition(answers, "token_budget")
    bos, *ids = peers.whole_passages(subjects.tokenizer_of(model), read)[0]
    windows = [[bos, *ids[: limit - 1]], [bos, *ids[stride : stride + limit - 1]]]
    batches = peers.padded(windows, token_budget=token_budget)
    return lambda: peers.bare_forward(model, batches)


def _memory() -> Row:
    """Peak beyond that of the bare forward, in units of chunk × vocabulary float32 numbers."""
    device = memory.measured_device()
    unit = CHUNK * subjects.gpt2_small().vocab_size * 4
    target = at_most(4, "{:.1f}")
    work = f"memory beyond the bare forward, in logits of {CHUNK} tokens ({memory.shown(unit)})"
    if device is None:
        return Row(line=LINE, work=work, figure=None, target=target, ours="this system does not tell peaks")
    ours, peer = memory.peak_of(prepare_surprisals, device), memory.peak_of(prepare_bare_forward, device)
    return Row(
        line=LINE,
        work=work,
        ours=memory.shown(ours),
        peer=memory.shown(peer),
        figure=(ours - peer) / unit,
        target=target,
    )


def _model(device: str) -> Any:
    return subjects.random_model(subjects.gpt2_small(), dtype=torch.float32, device=device)
