"""StableLM: the layout of Llama with partly rotated positions."""

from .base import Family

FAMILY = Family(name="stablelm", model_types=("stablelm",), blocks="layers", final_norm="norm")
