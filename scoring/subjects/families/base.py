"""The Family type: how the layers of one kind of model are found. Family files hold names only and import no torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ...errors import ArchitectureUnsupported
from ...registry import Shelf, load, names


class Layout(StrEnum):
    """What a model's tokens see, which decides how it is read."""

    DECODER = "decoder-only"
    """Only earlier tokens: one pass over a text answers for all of its stimuli."""
    ENCODER = "encoder-only"
    """All tokens: each stimulus is read with the text before it, and there are no probabilities of next words."""
    ENCODER_DECODER = "encoder-decoder"
    """A text in the encoder, and earlier tokens in the decoder."""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Where the list of blocks and the last normalisation, if there is one, stand inside a base model."""

    blocks: str
    final_norm: str | None = None


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of model: the values of `model_type` in config.json that share a layout, and where their layers are.

    `stacks` has one Stack, or those of encoder and decoder. For encoders, `masked_head` names the submodules that
    lead one after another from a hidden state to the logits of a masked token, and `n_reserved_positions` counts
    positions of the table that no token stands at.
    """

    name: str
    model_types: tuple[str, ...]
    stacks: tuple[Stack, ...]
    layout: Layout = Layout.DECODER
    masked_head: tuple[str, ...] = ()
    n_reserved_positions: int = 0


def families() -> tuple[Family, ...]:
    """Every family on the shelf."""
    found = (load(Shelf.FAMILIES, name, error=ArchitectureUnsupported).FAMILY for name in names(Shelf.FAMILIES))
    return tuple(family for family in found if isinstance(family, Family))


def supported_model_types() -> frozenset[str]:
    """Every `model_type` that can be scored."""
    return frozenset(model_type for family in families() for model_type in family.model_types)


def family_of(model_type: str) -> Family:
    """The family of a config's `model_type`. Raises ArchitectureUnsupported, naming what is supported."""
    for family in families():
        if model_type in family.model_types:
            return family
    raise ArchitectureUnsupported(
        f"model_type {model_type!r} is not supported", hint=f"supported: {', '.join(sorted(supported_model_types()))}"
    )
