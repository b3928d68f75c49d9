"""Seconds of pieces of work taken in turns, the machine's rate of matrix products, and the work a reading needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import nn

N_ROUNDS = 5
"""Repetitions of each piece of work; their median counts."""


def seconds_in_turns(*works: Callable[[], object], n_rounds: int = N_ROUNDS) -> list[float]:
    """Median seconds of each work; they alternate (ours, peer, ours, peer), so that a busy minute hits all alike."""
    seconds: list[list[float]] = [[] for _ in works]
    for _ in range(n_rounds):
        for work, taken in zip(works, seconds, strict=True):
            start = perf_counter()
            work()
            taken.append(perf_counter() - start)
    return [median(taken) for taken in seconds]


@torch.inference_mode()
def matrix_products(
    shapes: Iterable[tuple[int, int, int]], *, dtype: torch.dtype, device: torch.device, n_times: int
) -> Callable[[], None]:
    """Work that multiplies (n, k) by (k, m) for each shape (n, k, m), `n_times` each: the peak is taken from it."""
    pairs = [
        (torch.randn(n, k, dtype=dtype, device=device), torch.randn(k, m, dtype=dtype, device=device))
        for n, k, m in shapes
    ]

    def multiply() -> None:
        with torch.inference_mode():
            for left, right in pairs:
                for _ in range(n_times):
                    left @ right
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return multiply


def flop_of_products(shapes: Iterable[tuple[int, int, int]], *, n_times: int) -> float:
    """Floating-point operations of `matrix_products`: 2 n k m each."""
    return float(sum(2 * n * k * m for n, k, m in shapes) * n_times)


def flop_of_reading(model: Any, n_tokens: Sequence[int], *, with_head: bool) -> float:
    """Floating-point operations that reading texts of `n_tokens` needs, every token once and no padding.

    2 × weights × tokens for the matrices of the blocks, 4 × width × n (n + 1) / 2 for causal attention in each, and
    2 × width × vocabulary × tokens for the head. Norms and activation functions are left out.
    """
    base = model.base_model
    embeddings = {id(module.weight) for module in base.modules() if isinstance(module, nn.Embedding)}
    n_weights = sum(
        parameter.numel() for parameter in base.parameters() if parameter.dim() == 2 and id(parameter) not in embeddings
    )
    width, n_blocks = model.config.hidden_size, model.config.num_hidden_layers
    attention = n_blocks * 4 * width * sum(n * (n + 1) // 2 for n in n_tokens)
    head = 2 * width * model.config.vocab_size * sum(n_tokens) if with_head else 0
    return float(2 * n_weights * sum(n_tokens) + attention + head)
