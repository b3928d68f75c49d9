"""What an untrained twin is made of: two models with the same blueprint have the same twins.

What belongs here: which files and fields decide on random weights and on tokens. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .checks import CONFIG, read_json
from .tokenizer_files import BYTE_LEVEL, SENTENCEPIECE, TOKENIZER, TOKENIZER_CONFIG, WORD_PIECE

_DOCUMENTS = (CONFIG, TOKENIZER_CONFIG)
_FILES = (
    TOKENIZER,
    *SENTENCEPIECE,
    *BYTE_LEVEL,
    WORD_PIECE,
    "added_tokens.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)

_OF_TRAINING = {
    "_commit_hash",
    "_name_or_path",
    "architectures",
    "dtype",
    "name_or_path",
    "torch_dtype",
    "transformers_version",
    "use_cache",
}
"""Fields that say where weights come from or how they are stored; random ones are the same whatever they hold."""


def blueprint_of(folder: Path) -> str:
    """sha256 of the architecture and the tokenizer of the model in `folder`, whatever its weights.

    Raises ModelIncomplete where a configuration is not a JSON object.
    """
    found = hashlib.sha256()
    for name in _DOCUMENTS:
        if (folder / name).is_file():
            _add(found, name, json.dumps(_architecture(read_json(folder / name)), sort_keys=True).encode())
    for name in _FILES:
        if (folder / name).is_file():
            _add(found, name, (folder / name).read_bytes())
    return found.hexdigest()


def _add(found: Any, name: str, content: bytes) -> None:
    found.update(f"{name} {len(content)} ".encode())
    found.update(content)


def _architecture(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in _OF_TRAINING}
