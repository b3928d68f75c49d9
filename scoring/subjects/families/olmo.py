"""OLMo: the layout of Llama; the second generation normalises after attention and feed-forward."""

from .base import Family, Stack

FAMILY = Family(
    name="olmo",
    model_types=("olmo", "olmo2", "olmo3"),
    stacks=(Stack(blocks="layers", final_norm="norm"),),
)
