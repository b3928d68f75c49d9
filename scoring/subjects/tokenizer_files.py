"""Which sets of tokenizer files the loader turns into the right fast tokenizer: decided by name and configuration.

What belongs here: files as names and JSON. What does not: building a tokenizer, or proving one (`fast_tokenizers`).

`tokenizer.json` is taken as it is. Older repositories hold the vocabulary alone, and transformers 5 builds a tokenizer
from it by the class in `tokenizer_config.json` or, where there is none, by the model's type. What it builds was
compared with sentencepiece, with byte-level BPE and with WordPiece. It is right for the pairs below and wrong without
a word for others: a Mistral without `tokenizer.json` loses the space before its first word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import NoSafetensors, shown

TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
SENTENCEPIECE = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
"""What a sentencepiece vocabulary is called, by age and author."""

BYTE_LEVEL = ("vocab.json", "merges.txt")
WORD_PIECE = "vocab.txt"
MAX_TOKENIZER_BYTES = 100_000_000
"""The largest file of a tokenizer that is taken: three times that of the largest vocabularies in use."""

_T5 = ("t5", "mt5")
_BERT = ("bert", "distilbert", "electra")
_BYTE_LEVEL_TYPES = ("gpt2", "gpt_neo", "roberta", "bart")


def has_tokenizer(names: Collection[str]) -> bool:
    """Whether `names` hold any vocabulary that a tokenizer can be made from, here or by a conversion."""
    whole = TOKENIZER in names or WORD_PIECE in names or any(name in names for name in SENTENCEPIECE)
    return whole or all(name in names for name in BYTE_LEVEL)


def is_loaded_rightly(names: Collection[str], config: Mapping[str, Any], tokenizer_config: Mapping[str, Any]) -> bool:
    """Whether the loader builds the tokenizer that the model was trained with from the files `names`."""
    if TOKENIZER in names:
        return True
    named = tokenizer_config.get("tokenizer_class")
    wanted = named.removesuffix("Fast") if isinstance(named, str) else None
    model_type = config.get("model_type")
    if "tokenizer.model" in names:
        return model_type == "llama" and wanted == "LlamaTokenizer"
    if "spiece.model" in names:
        return model_type in _T5 and wanted in (None, "T5Tokenizer")
    if all(name in names for name in BYTE_LEVEL):
        return wanted == "GPT2Tokenizer" or (wanted is None and model_type in _BYTE_LEVEL_TYPES)
    return WORD_PIECE in names and model_type in _BERT and wanted in (None, "BertTokenizer", "DistilBertTokenizer")


def check_tokenizer(names: Collection[str], config: Mapping[str, Any], tokenizer_config: Mapping[str, Any]) -> None:
    """Pass where the loader builds the right tokenizer from the files `names`; NoSafetensors, with what to do."""
    if is_loaded_rightly(names, config, tokenizer_config):
        return
    found = [name for name in (*SENTENCEPIECE, *BYTE_LEVEL, WORD_PIECE) if name in names]
    kind, named = (shown(str(value)) for value in (config.get("model_type"), tokenizer_config.get("tokenizer_class")))
    raise NoSafetensors(
        f"there is no {TOKENIZER}, and none is built here from {', '.join(found)} for model_type {kind}"
        f" and tokenizer_class {named}",
        hint="`broca models convert ID` makes one, compares it with its source and keeps the model as `local/<name>`",
        param="model",
    )
