"""Mixtures of experts in the layout of Llama."""

from .base import Family, Stack

FAMILY = Family(
    name="mixtral",
    model_types=("mixtral", "olmoe", "qwen2_moe", "qwen3_moe"),
    stacks=(Stack(blocks="layers", final_norm="norm"),),
)
