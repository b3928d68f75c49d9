"""GPT-J and CodeGen: rotary positions, attention and feed-forward side by side."""

from .base import Family, Stack

FAMILY = Family(
    name="gptj",
    model_types=("gptj", "codegen"),
    stacks=(Stack(blocks="h", final_norm="ln_f"),),
)
