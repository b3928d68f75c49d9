"""ModernBERT: an encoder with rotary positions and pre-norm blocks."""

from .base import Family, Layout, Stack

FAMILY = Family(
    name="modernbert",
    model_types=("modernbert",),
    stacks=(Stack(blocks="layers", final_norm="final_norm"),),
    layout=Layout.ENCODER,
    masked_head=("head", "decoder"),
)
