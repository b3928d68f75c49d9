"""DistilBERT: half of BERT's blocks."""

from .base import Family, Layout, Stack

FAMILY = Family(
    name="distilbert",
    model_types=("distilbert",),
    stacks=(Stack(blocks="transformer.layer"),),
    layout=Layout.ENCODER,
    masked_head=("vocab_transform", "activation", "vocab_layer_norm", "vocab_projector"),
)
