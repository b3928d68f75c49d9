"""Phi-3: the layout of Llama with fused projections."""

from .base import Family, Stack

FAMILY = Family(
    name="phi3",
    model_types=("phi3",),
    stacks=(Stack(blocks="layers", final_norm="norm"),),
)
