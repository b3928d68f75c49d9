"""What a subject answers: features by layer, and how surprising each stimulus was.

What belongs here: the answer's shapes. What does not: how a model comes to it (`subjects`), what it is compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from .errors import NumericalFailure
from .regression.gram import Gram, gram_bytes
from .types import FeatureArray, FloatArray, IndexArray

Conditions = Mapping[str, str | int | float | bool | None]
"""How answers were obtained: dtype, windows, BOS …"""


class SurprisalKind(StrEnum):
    """What the probabilities behind surprisals are; different kinds must not be ranked together."""

    CAUSAL = "causal"
    """The next token's, given everything before it."""
    SEQ2SEQ = "seq2seq"
    """The decoder's for a sentence, with the text before the sentence in the encoder."""
    PSEUDO_LOG_LIKELIHOOD = "pseudo-log-likelihood"
    """A masked token's, given both sides: the future is seen."""
    IMPORTED = "imported"
    """Brought as a file; how they were made is the bringer's word."""


@dataclass(frozen=True, kw_only=True)
class Surprisals:
    """−log2 of each stimulus' probability by two rules, all (n_stimuli,), NaN where no probability exists.

    `sum_bits` sums over the stimulus' tokens. `boundary_bits` corrects for what the tokenizer leaves open about the
    end of a word (Pimentel & Meister 2024); None, with `boundary_reason`, where the vocabulary does not mark word
    starts. `n_tokens` is 0 where their number is not known. `context_tokens` counts the tokens read before the
    stimulus' first one.
    """

    sum_bits: FloatArray
    boundary_bits: FloatArray | None
    n_tokens: IndexArray
    context_tokens: IndexArray
    kind: SurprisalKind
    boundary_reason: str | None = None

    def __post_init__(self) -> None:
        arrays = (self.sum_bits, self.n_tokens, self.context_tokens)
        shapes = {array.shape for array in (*arrays, *(() if self.boundary_bits is None else (self.boundary_bits,)))}
        if len(shapes) != 1 or self.sum_bits.ndim != 1:
            raise NumericalFailure(f"surprisals of different shapes: {sorted(shapes)}")
        if (self.boundary_bits is None) == (self.boundary_reason is None):
            raise NumericalFailure("surprisals have bits by the boundary rule, or a reason why not")

    def __len__(self) -> int:
        return len(self.sum_bits)


@dataclass(frozen=True, kw_only=True)
class Responses:
    """What a subject answers to stimuli.

    `layers` maps a layer's name, in order of depth, to float32 (n_stimuli, n_features) or to the Gram matrix of these
    features. `conditions` says how they were obtained.
    """

    layers: Mapping[str, FeatureArray | Gram] = field(default_factory=dict)
    surprisals: Surprisals | None = None
    conditions: Conditions = field(default_factory=dict)

    def __post_init__(self) -> None:
        n_rows = {len(layer) for layer in self.layers.values()}
        if self.surprisals is not None:
            n_rows.add(len(self.surprisals))
        if len(n_rows) > 1:
            raise NumericalFailure(f"responses have different numbers of stimuli: {sorted(n_rows)}")
        for name, layer in self.layers.items():
            if not isinstance(layer, Gram) and not np.isfinite(layer).all():
                raise NumericalFailure(f"features of layer {name} are not all finite")

    def reduced(self) -> Responses:
        """The same with each layer as its features or their Gram matrix, whichever takes fewer bytes; scores agree."""
        return replace(self, layers={name: _smaller(layer) for name, layer in self.layers.items()})


def _smaller(layer: FeatureArray | Gram) -> FeatureArray | Gram:
    return layer if isinstance(layer, Gram) or layer.nbytes <= gram_bytes(len(layer)) else Gram.of(layer)
