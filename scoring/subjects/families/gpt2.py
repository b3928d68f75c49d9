"""GPT-2: learned positions added to the embedding, pre-norm blocks."""

from .base import Family, Stack

FAMILY = Family(
    name="gpt2",
    model_types=("gpt2",),
    stacks=(Stack(blocks="h", final_norm="ln_f"),),
)
