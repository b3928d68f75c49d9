"""Surprisals from hidden states, in chunks of rows; and from tokens to words by two rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..responses import SurprisalKind, Surprisals
from ..types import FloatArray, IndexArray
from .encoding import Encoded
from .planning import SURPRISAL_CHUNK
from .vocabulary import BoundarySet

Head = Callable[[torch.Tensor], torch.Tensor]
"""From hidden states (n, width) to logits (n, vocabulary)."""

NO_TARGET = 0
"""Stands where a row has no next token; its bits are not used."""


@dataclass(frozen=True, kw_only=True)
class TokenBits:
    """By token of one text, all (n_tokens,) float64, NaN where unknown.

    `token`: −log2 p(token | past). `before` and `after`: −log2 of the probability that a boundary comes at the place
    before the token, and after it. `past` counts the text's tokens that were read before it.
    """

    token: FloatArray
    before: FloatArray
    after: FloatArray
    past: FloatArray

    @classmethod
    def unknown(cls, n_tokens: int) -> TokenBits:
        """Arrays to be filled."""
        return cls(**{name: np.full(n_tokens, np.nan) for name in ("token", "before", "after", "past")})


@dataclass(frozen=True, kw_only=True)
class Run:
    """Consecutive tokens `ids` of a text that are scored in one window, the first of them its token `first`.

    Their states stand in row `row` of the batch from `place` on: at the place before the first token, at that token, …
    and at the last. `past` counts the text's tokens before the first one in the window.
    """

    known: TokenBits
    ids: IndexArray
    first: int
    past: int
    row: int
    place: int


@dataclass(frozen=True, kw_only=True)
class Readout:
    """How hidden states become surprisals: the head, and the ids of the boundary set on the head's device."""

    head: Head
    boundary: torch.Tensor | None
    chunk: int = SURPRISAL_CHUNK

    @torch.inference_mode()
    def bits(self, hidden: torch.Tensor, targets: torch.Tensor) -> tuple[FloatArray, FloatArray]:
        """For each row −log2 p(target) and −log2 p(boundary): hidden (n, width), targets (n,) → two (n,) float64.

        log Σ exp(x) − x_target = log Σ exp(x − max) − (x_target − max): both terms are small where the target is
        likely, so that float32 keeps digits which it loses in a sum of logits of some tens. In bfloat16 the
        normalisation alone would be wrong by hundredths of a bit.
        """
        token, boundary = [], []
        for rows, wanted in zip(torch.split(hidden, self.chunk), torch.split(targets, self.chunk), strict=True):
            logits = _at_least_float32(self.head(rows))
            shifted = logits.sub_(logits.amax(dim=1, keepdim=True))
            chosen = shifted.gather(1, wanted.to(shifted.device)[:, None])[:, 0].double()
            weights = shifted.exp_()
            total = weights.sum(dim=1).double().log()
            token.append((total - chosen).cpu())
            if self.boundary is not None:
                boundary.append((total - self._log_boundary(weights, rows)).cpu())
        found = torch.cat(token).numpy() / math.log(2)
        of_boundary = torch.cat(boundary).numpy() / math.log(2) if boundary else np.full(len(found), np.nan)
        return found, of_boundary

    def _log_boundary(self, weights: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """log Σ exp(x − max) over the boundary set, from `weights` = exp(x − max): one pass over them, no copy.

        Where the whole set has vanished beside the most likely token, it is summed by itself from the logits.
        """
        assert self.boundary is not None
        ids = self.boundary.to(weights.device)
        is_boundary = torch.zeros(weights.shape[1], dtype=weights.dtype, device=weights.device)
        is_boundary[ids] = 1.0
        summed = (weights @ is_boundary).double()
        vanished = summed == 0
        if vanished.any():
            logits = _at_least_float32(self.head(rows[vanished.to(rows.device)]))
            found = torch.logsumexp(logits[:, ids], dim=1) - logits.amax(dim=1)
            summed[vanished] = 1.0
            return summed.log().index_put((vanished.nonzero()[:, 0],), found.double())
        return summed.log()

    def fill(self, hidden: torch.Tensor, runs: Sequence[Run]) -> None:
        """Write the bits of runs of tokens read in one batch, `hidden` (rows, longest row, width), chunk by chunk."""
        if not runs:
            return
        states = torch.cat([hidden[run.row, run.place : run.place + len(run.ids) + 1] for run in runs])
        targets = np.concatenate([np.append(run.ids, NO_TARGET) for run in runs])
        token, boundary = self.bits(states, torch.from_numpy(targets).to(states.device))
        start = 0
        for run in runs:
            stop, own = start + len(run.ids), slice(run.first, run.first + len(run.ids))
            run.known.token[own] = token[start:stop]
            run.known.before[own], run.known.after[own] = boundary[start:stop], boundary[start + 1 : stop + 1]
            run.known.past[own] = run.past + np.arange(len(run.ids))
            start = stop + 1


def _at_least_float32(logits: torch.Tensor) -> torch.Tensor:
    return logits.float() if logits.dtype.itemsize < torch.float32.itemsize else logits


def word_surprisals(
    texts: Sequence[Encoded],
    known: Sequence[TokenBits],
    boundary: BoundarySet,
    *,
    n_stimuli: int,
    kind: SurprisalKind,
) -> Surprisals:
    """Bits of each stimulus that was asked for, by both rules.

    `sum`: Σ −log2 p over its tokens. `boundary`: the same − log2 B(after) + log2 B(before), the last term only where
    its first token is in the boundary set: then the boundary before it is part of its own tokens' probability.
    """
    sums, corrected = np.full(n_stimuli, np.nan), np.full(n_stimuli, np.nan)
    n_tokens, past = np.zeros(n_stimuli, dtype=np.intp), np.zeros(n_stimuli, dtype=np.intp)
    for text, bits in zip(texts, known, strict=True):
        asked, rows = text.asked, text.rows[text.asked]
        first, last = text.first_token[asked], text.last_token[asked]
        whole = np.bincount(text.stimulus_of_token, weights=bits.token)[asked]
        sums[rows], n_tokens[rows] = whole, last - first + 1
        past[rows] = np.nan_to_num(bits.past[first], nan=0).astype(np.intp)
        if boundary.ids is not None:
            opens = np.isin(text.ids[first], boundary.ids)
            corrected[rows] = whole + bits.after[last] - np.where(opens, bits.before[first], 0.0)
    return Surprisals(
        sum_bits=sums,
        boundary_bits=None if boundary.ids is None else corrected,
        boundary_reason=boundary.reason,
        n_tokens=n_tokens,
        context_tokens=past,
        kind=kind,
    )
