"""A fast tokenizer from an old vocabulary, proved against the library that the vocabulary was made for.

What belongs here: building one and comparing it. What does not: which vocabularies the loader reads rightly without
help (`tokenizer_files`). Loads transformers, so it runs where models run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import transformers
from sentencepiece import SentencePieceProcessor
from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer
from transformers import AutoTokenizer

from ..errors import NoSafetensors
from .checks import read_json
from .tokenizer_files import BYTE_LEVEL, SENTENCEPIECE, TOKENIZER, TOKENIZER_CONFIG, WORD_PIECE

Reference = Callable[[str], list[int]]
"""The ids of a text without special tokens."""

PROBES = (
    "The house stood at the end of a long street, and nobody had opened its green door for years.",
    "She carried  two chairs;\nthen 3,417 more (and one table).",
    "naïve Zürich — ‘quoted’ 😀 ﬁne",
    "don't re-read: it's U.S. e.g. WORLD",
)
"""Texts that tell tokenizers apart: spaces in a row, a new line, numbers, accents, what no small vocabulary holds."""

_CLASSES = {
    "sentencepiece": ("LlamaTokenizer", "T5Tokenizer"),
    "bytes": ("GPT2Tokenizer",),
    "words": ("BertTokenizer",),
}
_UNUSABLE = (ValueError, TypeError, KeyError, AttributeError, OSError, RuntimeError, ImportError)
"""What transformers raises where a class and a vocabulary do not go together."""


def save_fast_tokenizer(folder: Path, destination: Path) -> str:
    """Write `tokenizer.json` for the vocabulary in `folder` to `destination`; the class that built it.

    The classes are tried in turn, that of the configuration first; the first whose ids are those of the vocabulary's
    own library for every probe is taken, and compared once more as it will be read. Raises NoSafetensors if none is.
    """
    reference = _reference(folder)
    for name, tokenizer in _candidates(folder):
        if getattr(tokenizer, "is_fast", False) and _agrees(tokenizer, reference):
            _save(tokenizer, folder, destination)
            if _agrees(_loaded(AutoTokenizer, destination), reference):
                return name
    raise NoSafetensors(
        "no class of transformers reads this vocabulary as its own library does",
        hint="make `tokenizer.json` with the version of transformers that the model was made with",
        param="model",
    )


def prove_tokenizer(folder: Path) -> None:
    """Pass if the tokenizer of `folder` is read rightly: as `tokenizer.json`, or with the ids of its own library.

    `tokenizer_files` decides by names, before anything is loaded; here the vocabulary itself is asked. Raises
    NoSafetensors.
    """
    if (folder / TOKENIZER).is_file():
        return
    if not _agrees(_loaded(AutoTokenizer, folder), _reference(folder)):
        raise NoSafetensors(
            f"the tokenizer that is built without {TOKENIZER} differs from the library of its vocabulary",
            hint="`broca models convert ID` makes a right one and keeps the model as `local/<name>`",
            param="model",
        )


def _reference(folder: Path) -> Reference:
    """The vocabulary's own library."""
    options = _tokenizer_config(folder)
    for name in SENTENCEPIECE:
        if (folder / name).is_file():
            processor = SentencePieceProcessor(model_file=str(folder / name))
            return lambda text: list(map(int, processor.encode(text)))
    if _kind(folder) == "bytes":
        vocabulary, merges = (str(folder / name) for name in BYTE_LEVEL)
        prefix = bool(options.get("add_prefix_space", False))
        bytes_ = ByteLevelBPETokenizer(vocabulary, merges, add_prefix_space=prefix)
        return lambda text: list(bytes_.encode(text, add_special_tokens=False).ids)
    words = BertWordPieceTokenizer(
        str(folder / WORD_PIECE),
        lowercase=bool(options.get("do_lower_case", True)),
        strip_accents=options.get("strip_accents"),
        handle_chinese_chars=bool(options.get("tokenize_chinese_chars", True)),
    )
    return lambda text: list(words.encode(text, add_special_tokens=False).ids)


def _candidates(folder: Path) -> Iterator[tuple[str, Any]]:
    """Tokenizers that transformers makes of the vocabulary, with the name of their class."""
    for maker in (AutoTokenizer, *(getattr(transformers, name) for name in _CLASSES[_kind(folder)])):
        try:
            tokenizer = _loaded(maker, folder)
        except _UNUSABLE:
            continue
        yield type(tokenizer).__name__, tokenizer


def _loaded(maker: Any, folder: Path) -> Any:
    return maker.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def _kind(folder: Path) -> str:
    names = {path.name for path in folder.iterdir()}
    if any(name in names for name in SENTENCEPIECE):
        return "sentencepiece"
    if all(name in names for name in BYTE_LEVEL):
        return "bytes"
    if WORD_PIECE in names:
        return "words"
    raise NoSafetensors("there is no vocabulary to make a tokenizer from", param="model")


def _agrees(tokenizer: Any, reference: Reference) -> bool:
    return all(
        list(tokenizer(probe, add_special_tokens=False, verbose=False)["input_ids"]) == reference(probe)
        for probe in PROBES
    )


def _save(tokenizer: Any, folder: Path, destination: Path) -> None:
    """Write the tokenizer such that `tokenizer.json` is read as it stands: other classes would build their own."""
    tokenizer.save_pretrained(destination)
    if not (destination / TOKENIZER).is_file():
        raise NoSafetensors(f"{type(tokenizer).__name__} writes no {TOKENIZER}", param="model")
    options = {**_tokenizer_config(destination), "tokenizer_class": "PreTrainedTokenizerFast"}
    (destination / TOKENIZER_CONFIG).write_text(json.dumps(options, ensure_ascii=False, indent=1) + "\n", "utf8")


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    path = folder / TOKENIZER_CONFIG
    return read_json(path) if path.is_file() else {}
