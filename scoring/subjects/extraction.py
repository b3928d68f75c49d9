"""One forward per batch of windows: hooks keep the features that are needed and nothing else.

What belongs here: what every way of reading shares. What does not: which windows are read (`planning`), and how causal
models (`causal`), encoders and encoder-decoders (`prefixes`) are called.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import nn

from ..errors import OutOfMemory
from ..types import FeatureArray, IndexArray
from .encoding import Encoded
from .framing import Frame
from .options import Pooling
from .planning import Window, batches
from .surprisal import TokenBits

OnProgress = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Layers:
    """The places in a stack of blocks whose states are features; `prefix` begins their names."""

    blocks: nn.ModuleList
    final_norm: nn.Module | None
    prefix: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """`embed`, `block.0` …, and `final_norm` where there is one, in order of depth."""
        blocks = (f"block.{index}" for index in range(len(self.blocks)))
        names = ("embed", *blocks, *(("final_norm",) if self.final_norm is not None else ()))
        return tuple(f"{self.prefix}{name}" for name in names)


@dataclass(frozen=True, kw_only=True)
class Extracted:
    """Features by layer, float32 (n_stimuli, n_features); bits by token, text after text; how they were read.

    `token_budget` is the one that sufficed; `n_windows` counts the windows that were read.
    """

    layers: Mapping[str, FeatureArray] = field(default_factory=dict)
    token_bits: Sequence[TokenBits] = ()
    token_budget: int = 0
    n_windows: int = 0


class Reader(Protocol):
    """A loaded model that reads encoded texts, of at most `limit` ids at one time."""

    @property
    def device(self) -> torch.device:
        """Where ids go."""
        ...

    @property
    def limit(self) -> int:
        """Ids in one input at the most, those of a frame included."""
        ...

    def read(
        self, texts: Sequence[Encoded], *, n_stimuli: int, layers: bool, surprisal: bool, on_progress: OnProgress
    ) -> Extracted:
        """Features and bits of every stimulus that is asked for."""
        ...


def padded(texts: Sequence[Encoded], batch: Sequence[Window], frame: Frame) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask of a batch, (rows, longest row), framed and right-padded; padding has the id 0 and is masked."""
    longest = max(map(len, batch)) + len(frame)
    ids = np.zeros((len(batch), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, window in enumerate(batch):
        framed = [*frame.head, *texts[window.text].ids[window.start : window.stop], *frame.tail]
        ids[row, : len(framed)], mask[row, : len(framed)] = framed, 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def in_batches(
    planned: Sequence[Window],
    read: Callable[[list[Window]], None],
    *,
    token_budget: int,
    on_progress: OnProgress,
    length: Callable[[Window], int] = len,
    n_around: int = 0,
) -> int:
    """Read every window, a batch at a time; the token budget that sufficed.

    The budget counts padded tokens, the `n_around` of a frame with each window. Where a batch does not fit into memory
    it is halved and what is left is cut anew; `read` writes its results last, so that a batch that broke off leaves
    nothing. Raises OutOfMemory where a single row does not fit.
    """

    def padded_length(window: Window) -> int:
        return length(window) + n_around

    todo, budget = batches(planned, token_budget=token_budget, length=padded_length), token_budget
    n_tokens, n_read = sum(map(len, planned)), 0
    while todo:
        try:
            read(todo[0])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(todo[0]) == 1:
                raise _too_long(length(todo[0][0]), token_budget, budget, error) from error
            budget = min(budget, len(todo[0]) * padded_length(todo[0][0])) // 2
        else:
            n_read += sum(map(len, todo.pop(0)))
            on_progress(n_read / n_tokens)
            continue
        release_memory()  # after the handler: the error's traceback holds the tensors of the batch
        rest = [window for batch in todo for window in batch]
        todo = batches(rest, token_budget=budget, length=padded_length)
    return budget


def _too_long(n_tokens: int, first_budget: int, last_budget: int, error: BaseException) -> OutOfMemory:
    return OutOfMemory(
        f"one text of {n_tokens} tokens does not fit into memory; the token budget of {first_budget}"
        f" was halved to {last_budget} on the way ({str(error)[:300]})",
        hint="take a worker with more memory, or dtype bfloat16",
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was refused: by the GPU's allocator, by that of the CPU, or by Python."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def release_memory() -> None:
    """Give back what nobody holds any more, on the GPU too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


class FeatureTable:
    """The features of all stimuli, filled batch by batch: (n_stimuli, n_features) by layer."""

    def __init__(self, names: Sequence[str], *, n_stimuli: int) -> None:
        self._names, self._n_stimuli = names, n_stimuli
        self._sums: dict[str, FeatureArray] = {}
        self._counts = np.zeros(n_stimuli, dtype=np.float32)

    def add(self, gathered: Mapping[str, torch.Tensor], rows: IndexArray, counts: IndexArray) -> None:
        """Add sums over tokens of the stimuli `rows`; `counts` says over how many."""
        self._counts[rows] += counts.astype(np.float32)
        for name, values in gathered.items():
            if name not in self._sums:
                self._sums[name] = np.zeros((self._n_stimuli, values.shape[1]), dtype=np.float32)
            self._sums[name][rows] += values.cpu().numpy()

    def means(self) -> dict[str, FeatureArray]:
        """The features, in order of depth."""
        if (self._counts == 1).all():
            return {name: self._sums[name] for name in self._names}
        return {name: self._sums[name] / self._counts[:, None] for name in self._names}


class Taps:
    """Hooks on every layer of one stack that keep, for one batch, sums over the tokens that stand for stimuli."""

    def __init__(self, layers: Layers, device: torch.device) -> None:
        self._layers, self._device = layers, device
        self.gathered: dict[str, torch.Tensor] = {}
        self.rows = self.counts = np.zeros(0, dtype=np.intp)
        self._places = (torch.zeros(0), torch.zeros(0), torch.zeros(0))

    def aim(self, texts: Sequence[Encoded], batch: Sequence[Window], *, n_before: int, pooling: Pooling) -> None:
        """Choose the positions to keep: those of owned stimuli's tokens behind `n_before` ids of a frame."""
        rows, columns, stimuli = [], [], []
        for row, window in enumerate(batch):
            text = texts[window.text]
            owned = text.stimulus_of_token[window.first_owned : window.stop]
            for stimulus in range(int(owned[0]), int(owned[-1]) + 1):
                if text.rows[stimulus] < 0:
                    continue
                first = max(int(text.first_token[stimulus]), window.first_owned)
                stop = min(int(text.last_token[stimulus]) + 1, window.stop)
                if pooling is Pooling.LAST:
                    first = max(first, int(text.last_token[stimulus]))
                rows += [row] * (stop - first)
                columns += list(range(first - window.start + n_before, stop - window.start + n_before))
                stimuli += [int(text.rows[stimulus])] * (stop - first)
        self.rows, local = np.unique(np.array(stimuli, dtype=np.intp), return_inverse=True)
        self.counts = np.bincount(local, minlength=len(self.rows))
        places = (np.array(rows, dtype=np.intp), np.array(columns, dtype=np.intp), local.astype(np.intp))
        self._places = tuple(torch.from_numpy(array).to(self._device) for array in places)  # type: ignore[assignment]
        self.gathered = {}

    @contextmanager
    def attached(self) -> Iterator[None]:
        """The hooks are there while the block runs, and gone afterwards, after an error too."""
        layers, names = self._layers, self._layers.names
        handles = [layers.blocks[0].register_forward_pre_hook(self._entering(names[0]), with_kwargs=True)]
        for name, block in zip(names[1:], layers.blocks, strict=False):
            handles.append(block.register_forward_hook(self._leaving(name)))
        if layers.final_norm is not None:
            handles.append(layers.final_norm.register_forward_hook(self._leaving(names[-1])))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _leaving(self, name: str) -> Callable[[nn.Module, object, object], None]:
        def keep(_module: nn.Module, _inputs: object, output: object) -> None:
            self._keep(name, hidden_of(output))

        return keep

    def _entering(self, name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...], dict[str, torch.Tensor]], None]:
        def keep(_module: nn.Module, inputs: tuple[torch.Tensor, ...], named: dict[str, torch.Tensor]) -> None:
            self._keep(name, inputs[0] if inputs else named["hidden_states"])

        return keep

    def _keep(self, name: str, hidden: torch.Tensor) -> None:
        rows, columns, local = (place.to(hidden.device) for place in self._places)
        kept = hidden[rows, columns].float()
        if len(kept) == len(self.rows):
            self.gathered[name] = kept[torch.argsort(local)]
            return
        sums = torch.zeros((len(self.rows), kept.shape[1]), dtype=torch.float32, device=hidden.device)
        self.gathered[name] = sums.index_add_(0, local, kept)


def hidden_of(output: object) -> torch.Tensor:
    """A layer's hidden state: transformers 5 returns the tensor, older ones a tuple that begins with it."""
    hidden = output[0] if isinstance(output, tuple) else output
    assert isinstance(hidden, torch.Tensor)
    return hidden
