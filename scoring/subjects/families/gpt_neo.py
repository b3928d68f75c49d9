"""GPT-Neo: the layout of GPT-2, every other block with a local window of attention."""

from .base import Family, Stack

FAMILY = Family(
    name="gpt-neo",
    model_types=("gpt_neo",),
    stacks=(Stack(blocks="h", final_norm="ln_f"),),
)
