"""T5 and Flan-T5, with their multilingual kin: relative positions, pre-norm blocks in both stacks."""

from .base import Family, Layout, Stack

STACK = Stack(blocks="block", final_norm="final_layer_norm")

FAMILY = Family(
    name="t5",
    model_types=("t5", "mt5", "umt5"),
    stacks=(STACK, STACK),
    layout=Layout.ENCODER_DECODER,
)
