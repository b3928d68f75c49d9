"""StableLM: the layout of Llama with partly rotated positions."""

from .base import Family, Stack

FAMILY = Family(
    name="stablelm",
    model_types=("stablelm",),
    stacks=(Stack(blocks="layers", final_norm="norm"),),
)
