"""MPT: no positions, a bias on attention that grows with distance."""

from .base import Family, Stack

FAMILY = Family(
    name="mpt",
    model_types=("mpt",),
    stacks=(Stack(blocks="blocks", final_norm="norm_f"),),
)
