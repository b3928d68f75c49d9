"""Phi-1 and Phi-2: attention and feed-forward side by side."""

from .base import Family

FAMILY = Family(name="phi", model_types=("phi",), blocks="layers", final_norm="final_layernorm")
