"""Falcon: one pair of keys and values for many queries."""

from .base import Family, Stack

FAMILY = Family(
    name="falcon",
    model_types=("falcon",),
    stacks=(Stack(blocks="h", final_norm="ln_f"),),
)
