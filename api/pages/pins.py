"""Rows that stay on top of the leaderboard: up to four, named in the address."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import RequestInvalid
from ..requests import listed
from . import addresses

PINNED = "pinned"
MAX_PINNED = 4
MAX_CHARACTERS = 2048


def pinned_ids(parameters: Mapping[str, str]) -> tuple[str, ...]:
    """The models that are pinned; raises RequestInvalid where they are too many."""
    text = parameters.get(PINNED, "")
    names = listed(text)
    if len(names) > MAX_PINNED or len(text) > MAX_CHARACTERS or not text.isprintable():
        hint = f"name at most {MAX_PINNED}, with commas between them"
        raise RequestInvalid("so many models cannot be pinned at once", hint=hint, param=PINNED)
    return names


def toggled(parameters: Mapping[str, str], model_id: str) -> str | None:
    """The board with this model pinned too, or no more; None where as many are pinned as may be."""
    names = listed(parameters.get(PINNED, ""))
    if model_id in names:
        kept = [name for name in names if name != model_id]
    elif len(names) < MAX_PINNED:
        kept = [*names, model_id]
    else:
        return None
    return addresses.with_query("/", parameters, pinned=",".join(kept) or None)
