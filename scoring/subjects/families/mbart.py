"""mBART and Pegasus: BART with a norm after the last block of each stack."""

from .base import Family, Layout, Stack

STACK = Stack(blocks="layers", final_norm="layer_norm")

FAMILY = Family(
    name="mbart",
    model_types=("mbart", "pegasus"),
    stacks=(STACK, STACK),
    layout=Layout.ENCODER_DECODER,
)
