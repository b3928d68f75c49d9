"""Which files hold a model's weights as pickles: the form from before safetensors, taken for conversion only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from .checks import SINGLE_WEIGHTS, WEIGHTS_INDEX, shard_names

SINGLE_PICKLE = "pytorch_model.bin"
PICKLE_INDEX = "pytorch_model.bin.index.json"


def checked_pickles(names: Collection[str], read: Callable[[str], Mapping[str, Any]]) -> tuple[str, ...]:
    """The files of pickled weights among `names`, with their index; none where there are safetensors too.

    `read` gives the JSON object in a file. Raises ModelIncomplete if the index names what is not there.
    """
    if SINGLE_WEIGHTS in names or WEIGHTS_INDEX in names:
        return ()
    if SINGLE_PICKLE in names:
        return (SINGLE_PICKLE,)
    if PICKLE_INDEX not in names:
        return ()
    return (PICKLE_INDEX, *shard_names(read(PICKLE_INDEX), names, file=PICKLE_INDEX))
