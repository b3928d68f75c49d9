"""What a secret is, by the name of its variable or by how it looks, and text without the hub's. Standard library only.

The environments of child processes (`scoring.child_environment`) and the log (`broca.logs`) go by this too.
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

TOKEN_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
"""Where the hub's token stands."""

HIDDEN = "[token]"

SHORTEST_SECRET = 6
"""Shorter values are taken for no secret: they would be found in ordinary words."""

BEFORE_PASSWORD = r"""[A-Za-z][A-Za-z0-9+.\-]*://[^\s:/@"']*:"""
PASSWORD = r"""[^\s@"']+(?=@)"""
"""Two parts of a pattern: an address as far as its password, and the password."""

_TOKEN = re.compile(r"hf_[A-Za-z0-9]{30,}")
"""What tokens of the hub look like."""

_SECRET_NAME = re.compile(r"TOKEN(?!IZER)|PASSWORD|PASSWD|SECRET|CREDENTIAL|_KEY", re.IGNORECASE)
_PASSWORD = re.compile(f"{BEFORE_PASSWORD}({PASSWORD})")


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def passwords_in(text: str) -> set[str]:
    """The passwords of addresses in a text, as they stand there and as they are meant."""
    found = set(_PASSWORD.findall(text))
    return found | {unquote(password) for password in found}


def without_tokens(text: str) -> str:
    """The text with the hub's token of this process, and whatever looks like one, replaced."""
    for name in TOKEN_VARIABLES:
        token = os.environ.get(name, "").strip()
        if len(token) >= SHORTEST_SECRET:
            text = text.replace(token, HIDDEN)
    return _TOKEN.sub(HIDDEN, text)
