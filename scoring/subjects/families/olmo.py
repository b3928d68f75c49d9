"""OLMo: the layout of Llama; the second generation normalises after attention and feed-forward."""

from .base import Family

FAMILY = Family(name="olmo", model_types=("olmo", "olmo2"), blocks="layers", final_norm="norm")
