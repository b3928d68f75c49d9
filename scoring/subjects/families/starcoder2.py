"""StarCoder 2: the layout of Llama with biases and layer norms."""

from .base import Family, Stack

FAMILY = Family(
    name="starcoder2",
    model_types=("starcoder2",),
    stacks=(Stack(blocks="layers", final_norm="norm"),),
)
