"""Models that do not see the future: one forward per window answers for all of its stimuli, activations and bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from .encoding import Encoded
from .extraction import Extracted, FeatureTable, Layers, OnProgress, Taps, hidden_of, in_batches, padded
from .framing import Frame
from .options import Pooling
from .planning import Window, rolling
from .surprisal import Readout, Run, TokenBits


@dataclass(frozen=True, kw_only=True)
class CausalReader:
    """A causal model ready to read: `base` without its head, its layers, and the way from states to surprisals.

    Windows hold at most `limit` ids, the frame included, and start `stride` tokens apart.
    """

    base: nn.Module
    layers: Layers
    readout: Readout
    frame: Frame
    device: torch.device
    limit: int
    pooling: Pooling
    token_budget: int

    @property
    def stride(self) -> int:
        """Half of what fits beside the frame."""
        return (self.limit - len(self.frame) + 1) // 2

    def plan(self, texts: Sequence[Encoded]) -> list[Window]:
        """Rolling windows over every text."""
        return rolling(texts, capacity=self.limit - len(self.frame), stride=self.stride)

    @torch.inference_mode()
    def read(
        self, texts: Sequence[Encoded], *, n_stimuli: int, layers: bool, surprisal: bool, on_progress: OnProgress
    ) -> Extracted:
        """Read every window once, and gather what was asked for from the same forward."""
        table = FeatureTable(self.layers.names, n_stimuli=n_stimuli)
        token_bits = [TokenBits.unknown(len(text.ids)) for text in texts]
        taps = Taps(self.layers, self.device)

        def read(batch: list[Window]) -> None:
            if layers:
                taps.aim(texts, batch, n_before=len(self.frame.head), pooling=self.pooling)
                with taps.attached():
                    hidden = self._forward(texts, batch)
            else:
                hidden = self._forward(texts, batch)
            if surprisal:
                self._fill(texts, batch, hidden, token_bits)
            if layers:
                table.add(taps.gathered, taps.rows, taps.counts)

        planned = self.plan(texts)
        budget = in_batches(
            planned, read, token_budget=self.token_budget, on_progress=on_progress, n_around=len(self.frame)
        )
        return Extracted(
            layers=table.means() if layers else {}, token_bits=token_bits, token_budget=budget, n_windows=len(planned)
        )

    def _forward(self, texts: Sequence[Encoded], batch: Sequence[Window]) -> torch.Tensor:
        """Last hidden state, (rows, longest row, width).

        Padding stands on the right, where a causal model's tokens do not look, so no mask is needed: attention takes
        the same path as for a text alone, with the same rounding, and needs no (longest row)² of mask.
        """
        ids, _ = padded(texts, batch, self.frame)
        return hidden_of(self.base(input_ids=ids.to(self.device), use_cache=False)[0])

    def _fill(
        self, texts: Sequence[Encoded], batch: Sequence[Window], hidden: torch.Tensor, token_bits: Sequence[TokenBits]
    ) -> None:
        """Bits of every owned token that has something before it in its window."""
        n_before = len(self.frame.head)
        runs = []
        for row, window in enumerate(batch):
            first = window.first_owned
            if n_before == 0 and first == window.start:
                first += 1
            if first < window.stop:
                ids = texts[window.text].ids[first : window.stop]
                place = first - window.start + n_before - 1
                past = first - window.start
                runs.append(Run(known=token_bits[window.text], ids=ids, first=first, past=past, row=row, place=place))
        self.readout.fill(hidden, runs)
