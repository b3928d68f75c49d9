"""GPT-NeoX, which Pythia is made of: rotary positions, attention and feed-forward side by side."""

from .base import Family, Stack

FAMILY = Family(
    name="gpt-neox",
    model_types=("gpt_neox",),
    stacks=(Stack(blocks="layers", final_norm="final_layer_norm"),),
)
