"""MPNet: an encoder with relative positions."""

from .base import Family, Layout, Stack

FAMILY = Family(
    name="mpnet",
    model_types=("mpnet",),
    stacks=(Stack(blocks="encoder.layer"),),
    layout=Layout.ENCODER,
    masked_head=("lm_head",),
    n_reserved_positions=2,
)
