"""One forward per batch of windows: hooks keep the features that are needed, surprisals come in chunks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..types import FeatureArray, FloatArray, IndexArray
from .encoding import Encoded, Window, batches

SURPRISAL_CHUNK = 128
"""Rows of logits that exist at one time: memory is chunk × vocabulary, whatever the text's length."""


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """Features by layer, float32 (n_stimuli, n_features); bits by token, float64, passage after passage."""

    layers: dict[str, FeatureArray]
    token_bits: list[FloatArray]


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """A causal model ready to read: `base` without its head, its blocks and final norm, and the head.

    `bos` is put before every window; `token_budget` bounds rows × longest row of a batch.
    """

    base: nn.Module
    blocks: nn.ModuleList
    final_norm: nn.Module
    head: nn.Module
    device: torch.device
    bos: int | None
    token_budget: int

    @torch.inference_mode()
    def run(
        self,
        passages: Sequence[Encoded],
        planned: Sequence[Window],
        *,
        layers: bool,
        surprisal: bool,
        on_progress: Callable[[float], None],
    ) -> Extracted:
        """Read every window once, and gather what was asked for from the same forward."""
        offsets = np.cumsum([0, *(len(passage.last_token) for passage in passages)])
        features: dict[str, FeatureArray] = {}
        token_bits = [np.full(len(passage.ids), np.nan) for passage in passages]
        todo = batches(planned, token_budget=self.token_budget)
        n_tokens = sum(map(len, planned))
        n_read = 0
        for batch in todo:
            gathered = _Gathered(*self._positions(passages, batch, offsets)) if layers else None
            hidden = self._forward(passages, batch, gathered)
            if gathered is not None:
                gathered.write(features, n_stimuli=int(offsets[-1]))
            if surprisal:
                self._write_bits(passages, batch, hidden, token_bits)
            n_read += sum(map(len, batch))
            on_progress(n_read / n_tokens)
        return Extracted(
            layers={name: features[name] for name in self.layer_names} if layers else {}, token_bits=token_bits
        )

    @property
    def layer_names(self) -> tuple[str, ...]:
        """`embed`, `block.0` …, `final_norm`, in order of depth."""
        return ("embed", *(f"block.{index}" for index in range(len(self.blocks))), "final_norm")

    @property
    def _n_before(self) -> int:
        return 0 if self.bos is None else 1

    def _forward(
        self, passages: Sequence[Encoded], batch: Sequence[Window], gathered: _Gathered | None
    ) -> torch.Tensor:
        """Last hidden state, (rows, longest row, width), right-padded under an explicit mask."""
        longest = max(map(len, batch)) + self._n_before
        ids = torch.zeros((len(batch), longest), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, window in enumerate(batch):
            tokens = passages[window.passage].ids[window.start : window.stop]
            if self.bos is not None:
                ids[row, 0] = self.bos
            stop = self._n_before + len(tokens)
            ids[row, self._n_before : stop] = torch.from_numpy(tokens)
            mask[row, :stop] = 1
        with self._hooks(gathered):
            output = self.base(input_ids=ids.to(self.device), attention_mask=mask.to(self.device), use_cache=False)
        return _first(output[0])

    @contextmanager
    def _hooks(self, gathered: _Gathered | None) -> Iterator[None]:
        """Hooks on every layer while the block runs; they are gone afterwards, after an error too."""
        if gathered is None:
            yield
            return
        handles = [self.blocks[0].register_forward_pre_hook(gathered.entering("embed"), with_kwargs=True)]
        for index, block in enumerate(self.blocks):
            handles.append(block.register_forward_hook(gathered.leaving(f"block.{index}")))
        handles.append(self.final_norm.register_forward_hook(gathered.leaving("final_norm")))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _positions(
        self, passages: Sequence[Encoded], batch: Sequence[Window], offsets: IndexArray
    ) -> tuple[torch.Tensor, torch.Tensor, IndexArray]:
        """Where last tokens of owned stimuli stand in the batch (rows, columns), and their row among all stimuli."""
        rows, columns, stimuli = [], [], []
        for row, window in enumerate(batch):
            last = passages[window.passage].last_token
            owned = np.flatnonzero((last >= window.first_owned) & (last < window.stop))
            rows.append(np.full(len(owned), row))
            columns.append(last[owned] - window.start + self._n_before)
            stimuli.append(owned + offsets[window.passage])
        index = [torch.from_numpy(np.concatenate(parts)).to(self.device) for parts in (rows, columns)]
        return index[0], index[1], np.concatenate(stimuli)

    def _write_bits(
        self,
        passages: Sequence[Encoded],
        batch: Sequence[Window],
        hidden: torch.Tensor,
        token_bits: Sequence[FloatArray],
    ) -> None:
        """Surprisal of every owned token that has a predecessor in its window, in bits."""
        for row, window in enumerate(batch):
            first = window.first_owned
            if self.bos is None and first == window.start:
                first += 1
            if first == window.stop:
                continue
            before = slice(first - window.start + self._n_before - 1, window.stop - window.start + self._n_before - 1)
            targets = torch.from_numpy(passages[window.passage].ids[first : window.stop]).to(self.device)
            token_bits[window.passage][first : window.stop] = surprisal_bits(self.head, hidden[row, before], targets)


@torch.inference_mode()
def surprisal_bits(
    head: nn.Module, hidden: torch.Tensor, targets: torch.Tensor, *, chunk: int = SURPRISAL_CHUNK
) -> FloatArray:
    """−log2 p(target | past) for each row: hidden (n, width), targets (n,) → (n,) float64.

    The head runs on `chunk` rows at a time and its logits are float32 before the logsumexp: in bfloat16 the
    normalisation alone is wrong by hundredths of a bit.
    """
    bits = []
    for rows, wanted in zip(torch.split(hidden, chunk), torch.split(targets, chunk), strict=True):
        logits = head(rows).float()
        chosen = logits.gather(1, wanted[:, None])[:, 0]
        bits.append((torch.logsumexp(logits, dim=1) - chosen).double().cpu())
    return np.asarray(torch.cat(bits).numpy() / math.log(2))


class SoftcappedHead(nn.Module):
    """A head whose logits are capped softly, c · tanh(logits / c), in float32."""

    def __init__(self, head: nn.Module, cap: float) -> None:
        super().__init__()
        self._head, self._cap = head, cap

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits of hidden states: (n, width) → (n, vocabulary)."""
        logits: torch.Tensor = self._head(hidden).float()
        return self._cap * torch.tanh(logits / self._cap)


class _Gathered:
    """The features of one batch at the positions asked for, filled by hooks."""

    def __init__(self, rows: torch.Tensor, columns: torch.Tensor, stimuli: IndexArray) -> None:
        self._rows, self._columns, self._stimuli = rows, columns, stimuli
        self._features: dict[str, FeatureArray] = {}

    def leaving(self, name: str) -> Callable[[nn.Module, object, object], None]:
        """A forward hook that keeps a module's output."""

        def keep(_module: nn.Module, _inputs: object, output: object) -> None:
            self._keep(name, _first(output))

        return keep

    def entering(self, name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...], dict[str, torch.Tensor]], None]:
        """A forward pre-hook that keeps a module's input."""

        def keep(_module: nn.Module, inputs: tuple[torch.Tensor, ...], named: dict[str, torch.Tensor]) -> None:
            self._keep(name, inputs[0] if inputs else named["hidden_states"])

        return keep

    def write(self, features: dict[str, FeatureArray], *, n_stimuli: int) -> None:
        """Put this batch's rows into the arrays of all stimuli."""
        for name, values in self._features.items():
            if name not in features:
                features[name] = np.full((n_stimuli, values.shape[1]), np.nan, dtype=np.float32)
            features[name][self._stimuli] = values

    def _keep(self, name: str, hidden: torch.Tensor) -> None:
        self._features[name] = hidden[self._rows, self._columns].float().cpu().numpy()


def _first(output: object) -> torch.Tensor:
    """A layer's hidden state: transformers 5 returns the tensor, older ones a tuple that begins with it."""
    hidden = output[0] if isinstance(output, tuple) else output
    assert isinstance(hidden, torch.Tensor)
    return hidden
