"""Gemma: embeddings scaled by the root of the width; the second generation caps its logits softly."""

from .base import Family, Stack

FAMILY = Family(
    name="gemma",
    model_types=("gemma", "gemma2", "gemma3_text"),
    stacks=(Stack(blocks="layers", final_norm="norm"),),
)
