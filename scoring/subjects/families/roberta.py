"""RoBERTa and its multilingual kin: BERT's blocks; positions are counted from behind that of padding."""

from .base import Family, Layout, Stack

FAMILY = Family(
    name="roberta",
    model_types=("roberta", "xlm-roberta", "camembert"),
    stacks=(Stack(blocks="encoder.layer"),),
    layout=Layout.ENCODER,
    masked_head=("lm_head",),
    n_reserved_positions=2,
)
