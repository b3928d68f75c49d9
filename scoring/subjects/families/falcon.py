"""Falcon: one pair of keys and values for many queries."""

from .base import Family

FAMILY = Family(name="falcon", model_types=("falcon",), blocks="h", final_norm="ln_f")
