"""Cohere: attention and feed-forward side by side, logits scaled."""

from .base import Family, Stack

FAMILY = Family(
    name="cohere",
    model_types=("cohere", "cohere2"),
    stacks=(Stack(blocks="layers", final_norm="norm"),),
)
