"""GPT-BigCode (SantaCoder, StarCoder): GPT-2 with one pair of keys and values."""

from .base import Family, Stack

FAMILY = Family(
    name="gpt_bigcode",
    model_types=("gpt_bigcode",),
    stacks=(Stack(blocks="h", final_norm="ln_f"),),
)
