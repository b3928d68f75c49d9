"""Phi-1 and Phi-2: attention and feed-forward side by side."""

from .base import Family, Stack

FAMILY = Family(
    name="phi",
    model_types=("phi",),
    stacks=(Stack(blocks="layers", final_norm="final_layernorm"),),
)
