"""DeBERTa: attention to content and to position apart."""

from .base import Family, Layout, Stack

FAMILY = Family(
    name="deberta",
    model_types=("deberta-v2",),
    stacks=(Stack(blocks="encoder.layer"),),
    layout=Layout.ENCODER,
    masked_head=("cls",),
)
