"""P6: activations of every layer for 384 sentences in 96 passages, against re-reading the past with each sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from scoring.responses import Responses
from scoring.types import FeatureArray, Stimuli

from . import peers, subjects, texts, timing
from .table import Row, at_least, at_most

LINE = "P6"


def stimuli() -> Stimuli:
    """Texts of the size of Pereira et al. (2018), experiment 2: 96 passages of four sentences."""
    return texts.sentences_in_passages([4] * 96, seed=6)


def measure() -> list[Row]:
    """Time of both, share of the peak rate of matrix products, and the largest difference of features."""
    model = subjects.random_model(subjects.gpt2_small(), dtype=torch.float32, device="cpu")
    return compare(model, stimuli(), n_rounds=timing.N_ROUNDS)


def compare(model: Any, read: Stimuli, *, n_rounds: int) -> list[Row]:
    """The rows of this line for a model and its stimuli.

    The peak is that of float32 products in the shapes of the model's own matrices, on 4,096 rows, between the rounds.
    """
    subject, tokenizer = subjects.subject_of(model), subjects.tokenizer_of(model)
    inputs = peers.prefixes(tokenizer, read)
    shapes = _shapes(model)
    products = timing.matrix_products(shapes, dtype=torch.float32, device=torch.device("cpu"), n_times=2)
    answers: list[Responses] = []
    states: list[dict[str, FeatureArray]] = []
    ours_s, peer_s, products_s = timing.seconds_in_turns(
        lambda: answers.append(subjects.activations(subject, read)),
        lambda: states.append(peers.growing(model, inputs)),
        products,
        n_rounds=n_rounds,
    )
    n_tokens = [len(ids) for ids in peers.whole_passages(tokenizer, read)]
    difference = Row(
        line=LINE,
        work="largest difference, relative to the largest value of the same token",
        figure=largest_difference(answers[-1], states[-1]),
        target=at_most(1e-5, "{:.1e}"),
    )
    rate = timing.flop_of_reading(model, n_tokens, with_head=False) / ours_s
    peak = timing.flop_of_products(shapes, n_times=2) / products_s
    return [*_speed(read, ours_s=ours_s, peer_s=peer_s, rate=rate, peak=peak), difference]


def largest_difference(answers: Responses, states: dict[str, FeatureArray]) -> float:
    """max |ours − peer| / max |peer of that token and layer|, over all tokens and the layers that the peer has."""
    return max(
        float((np.abs(subjects.features(answers, name) - wanted).max(axis=1) / np.abs(wanted).max(axis=1)).max())
        for name, wanted in states.items()
    )


def _shapes(model: Any) -> list[tuple[int, int, int]]:
    width = model.config.hidden_size
    return [(4096, width, 3 * width), (4096, width, width), (4096, width, 4 * width), (4096, 4 * width, width)]


def _speed(read: Stimuli, *, ours_s: float, peer_s: float, rate: float, peak: float) -> list[Row]:
    return [
        Row(
            line=LINE,
            work=f"activations, {len(read)} sentences in {len(read.passages)} passages, all layers; peer: growing",
            ours=f"{ours_s:.2f} s",
            peer=f"{peer_s:.2f} s",
            figure=peer_s / ours_s,
            target=at_least(4.5, "{:.1f}×"),
        ),
        Row(
            line=LINE,
            work="share of the float32 matrix peak",
            ours=f"{rate / 1e9:.0f} GFLOP/s",
            peer=f"{peak / 1e9:.0f} GFLOP/s",
            figure=rate / peak,
            target=at_least(0.6, "{:.0%}"),
        ),
    ]
