"""Text that leaves a process without the hub's token in it. Standard library only."""

from __future__ import annotations

import os
import re

TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
HIDDEN = "[token]"

_TOKEN = re.compile(r"hf_[A-Za-z0-9]{30,}")
"""What tokens of the hub look like."""

_LEAST = 6
"""Shorter values are taken for no token: they would be found in ordinary words."""


def without_tokens(text: str) -> str:
    """The text with the hub's token of this process, and whatever looks like one, replaced."""
    for name in TOKEN_VARIABLES:
        token = os.environ.get(name, "").strip()
        if len(token) >= _LEAST:
            text = text.replace(token, HIDDEN)
    return _TOKEN.sub(HIDDEN, text)
