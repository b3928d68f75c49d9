"""ELECTRA: BERT's blocks; the generator predicts masked tokens, the discriminator is scored the same way."""

from .base import Family, Layout, Stack

FAMILY = Family(
    name="electra",
    model_types=("electra",),
    stacks=(Stack(blocks="encoder.layer"),),
    layout=Layout.ENCODER,
    masked_head=("generator_predictions", "generator_lm_head"),
)
