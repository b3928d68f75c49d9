"""GLM-4: rotary positions on half of each head, norms around both halves of a block."""

from .base import Family, Stack

FAMILY = Family(
    name="glm",
    model_types=("glm", "glm4"),
    stacks=(Stack(blocks="layers", final_norm="norm"),),
)
