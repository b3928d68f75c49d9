"""BERT: an encoder with learned positions; each block ends with its own norm."""

from .base import Family, Layout, Stack

FAMILY = Family(
    name="bert",
    model_types=("bert",),
    stacks=(Stack(blocks="encoder.layer"),),
    layout=Layout.ENCODER,
    masked_head=("cls",),
)
