"""BLOOM: no position embeddings, attention that fades linearly with distance."""

from .base import Family

FAMILY = Family(name="bloom", model_types=("bloom",), blocks="h", final_norm="ln_f")
