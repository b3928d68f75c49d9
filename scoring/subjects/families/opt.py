"""OPT: learned positions, pre-norm blocks inside a decoder. The one with a norm after each block (350m) is refused."""

from .base import Family, Stack

FAMILY = Family(
    name="opt",
    model_types=("opt",),
    stacks=(Stack(blocks="decoder.layers", final_norm="decoder.final_layer_norm"),),
)
