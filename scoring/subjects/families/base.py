"""The Family type: how the layers of one kind of model are found. Family files hold names only and import no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import ArchitectureUnsupported
from ...registry import Shelf, load, names


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kind of decoder-only model.

    `model_types` are the values of `model_type` in config.json that share this layout; `blocks` and `final_norm`
    are the places of the list of blocks and of the last normalisation inside the base model.
    """

    name: str
    model_types: tuple[str, ...]
    blocks: str
    final_norm: str


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
