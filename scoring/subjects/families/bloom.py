"""BLOOM: no position embeddings, attention that fades linearly with distance."""

from .base import Family, Stack

FAMILY = Family(
    name="bloom",
    model_types=("bloom",),
    stacks=(Stack(blocks="h", final_norm="ln_f"),),
)
