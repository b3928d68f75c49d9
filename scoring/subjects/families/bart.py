"""BART: learned positions; each block ends with its own norm."""

from .base import Family, Layout, Stack

STACK = Stack(blocks="layers")

FAMILY = Family(
    name="bart",
    model_types=("bart",),
    stacks=(STACK, STACK),
    layout=Layout.ENCODER_DECODER,
)
