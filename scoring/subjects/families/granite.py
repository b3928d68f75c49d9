"""Granite: embeddings, residuals and logits scaled."""

from .base import Family, Stack

FAMILY = Family(
    name="granite",
    model_types=("granite",),
    stacks=(Stack(blocks="layers", final_norm="norm"),),
)
