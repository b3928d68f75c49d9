"""Llama and the models that keep its layout: rotary positions, pre-norm blocks, one final norm."""

from .base import Family, Stack

FAMILY = Family(
    name="llama",
    model_types=("llama", "mistral", "qwen2", "qwen3", "smollm3"),
    stacks=(Stack(blocks="layers", final_norm="norm"),),
)
