"""Encoders see the future: each stimulus is read with the text before it and nothing after it, in batches.

The special tokens around a text are read and never stand for a stimulus. Their probabilities of masked tokens are a
measure of its own, given only where it was chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..errors import ContextTooShort
from .encoding import Encoded
from .extraction import Extracted, FeatureTable, Layers, OnProgress, Taps, hidden_of, in_batches, padded
from .framing import Frame
from .options import Pooling
from .planning import Window, prefixes
from .surprisal import Readout, TokenBits


@dataclass(frozen=True, kw_only=True)
class EncoderReader:
    """An encoder ready to read; `masked` computes pseudo-log-likelihoods where they were chosen."""

    base: nn.Module
    layers: Layers
    frame: Frame
    device: torch.device
    limit: int
    pooling: Pooling
    token_budget: int
    masked: MaskedReadout | None = None

    def plan(self, texts: Sequence[Encoded]) -> list[Window]:
        """One prefix for each stimulus that is asked for."""
        return prefixes(texts, capacity=self.limit - len(self.frame))

    @torch.inference_mode()
    def read(
        self, texts: Sequence[Encoded], *, n_stimuli: int, layers: bool, surprisal: bool, on_progress: OnProgress
    ) -> Extracted:
        """Features from growing prefixes; bits, where asked for, from masked tokens."""
        table, taps = FeatureTable(self.layers.names, n_stimuli=n_stimuli), Taps(self.layers, self.device)

        def read(batch: list[Window]) -> None:
            taps.aim(texts, batch, n_before=len(self.frame.head), pooling=self.pooling)
            ids, mask = (tensor.to(self.device) for tensor in padded(texts, batch, self.frame))
            with taps.attached():
                self.base(input_ids=ids, attention_mask=mask)
            table.add(taps.gathered, taps.rows, taps.counts)

        budget, planned = self.token_budget, []
        if layers:
            planned = self.plan(texts)
            budget = in_batches(planned, read, token_budget=budget, on_progress=on_progress, n_around=len(self.frame))
        token_bits = [TokenBits.unknown(len(text.ids)) for text in texts]
        if surprisal and self.masked is not None:
            rows = masked_rows(texts, capacity=self.limit - len(self.frame))
            planned += rows
            budget = self._read_masked(self.masked, texts, rows, token_bits, on_progress=on_progress)
        return Extracted(
            layers=table.means() if layers else {}, token_bits=token_bits, token_budget=budget, n_windows=len(planned)
        )

    def _read_masked(
        self,
        masked: MaskedReadout,
        texts: Sequence[Encoded],
        planned: Sequence[Window],
        token_bits: Sequence[TokenBits],
        *,
        on_progress: OnProgress,
    ) -> int:
        def read(batch: list[Window]) -> None:
            ids, mask = padded(texts, batch, self.frame)
            places = np.array([window.first_owned - window.start + len(self.frame.head) for window in batch])
            for row, window in enumerate(batch):
                text = texts[window.text]
                last = int(text.last_token[text.stimulus_of_token[window.first_owned]])
                stop = min(last + 1, window.stop) - window.start + len(self.frame.head)
                ids[row, places[row] : stop] = masked.mask_id
            hidden = hidden_of(self.base(input_ids=ids.to(self.device), attention_mask=mask.to(self.device))[0])
            states = hidden[torch.arange(len(batch), device=hidden.device), torch.from_numpy(places).to(hidden.device)]
            targets = np.array([texts[window.text].ids[window.first_owned] for window in batch])
            bits, _ = masked.readout.bits(states, torch.from_numpy(targets).to(hidden.device))
            for window, found in zip(batch, bits, strict=True):
                token_bits[window.text].token[window.first_owned] = found
                token_bits[window.text].past[window.first_owned] = window.first_owned - window.start

        return in_batches(
            planned, read, token_budget=self.token_budget, on_progress=on_progress, n_around=len(self.frame)
        )


@dataclass(frozen=True, kw_only=True)
class MaskedReadout:
    """How an encoder predicts a masked token."""

    readout: Readout
    mask_id: int


def masked_rows(texts: Sequence[Encoded], *, capacity: int) -> list[Window]:
    """One row for each token that is scored: `first_owned` is the token, in the middle of its window.

    At the ends of a text the window is as long and the token stands aside.
    """
    if capacity < 1:
        raise ContextTooShort(f"a context of {capacity} tokens has no room for a token")
    found = []
    for index, text in enumerate(texts):
        n_tokens = len(text.ids)
        for token in range(text.first_asked_token, n_tokens):
            start = max(0, min(token - capacity // 2, n_tokens - capacity))
            found.append(Window(text=index, start=start, stop=min(start + capacity, n_tokens), first_owned=token))
    return found
