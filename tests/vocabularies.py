"""Small vocabularies in the forms that repositories held before `tokenizer.json`, learnt on the spot."""

from __future__ import annotations

import io
import json
from pathlib import Path

import sentencepiece

from scoring.subjects import demo_model

SENTENCES = tuple(" ".join(demo_model._TEXT.split()).split(". "))

LLAMA = {
    "model_type": "bpe",
    "vocab_size": 500,
    "byte_fallback": True,
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "allow_whitespace_only_pieces": True,
    "unk_id": 0,
    "bos_id": 1,
    "eos_id": 2,
    "pad_id": -1,
    "hard_vocab_limit": False,
}
"""How Llama's vocabulary was learnt, and Mistral's after it."""

T5 = {"model_type": "unigram", "vocab_size": 140, "unk_id": 2, "bos_id": -1, "eos_id": 1, "pad_id": 0}
"""How T5's vocabulary was learnt."""


def write_sentencepiece(path: Path, options: dict[str, object]) -> sentencepiece.SentencePieceProcessor:
    """Learn a vocabulary and write it to `path`; the library that reads it."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 3), model_writer=written, minloglevel=2, **options
    )
    path.write_bytes(written.getvalue())
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def split_tokenizer(folder: Path, *, end: str = "</s>") -> None:
    """Replace the demo's `tokenizer.json` in `folder` by vocab.json and merges.txt, as GPT-2 had them."""
    path = folder / "tokenizer.json"
    model = json.loads(path.read_text("utf8"))["model"]
    path.unlink()
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), "utf8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(map(" ".join, model["merges"])) + "\n", "utf8")
    options = {"tokenizer_class": "GPT2Tokenizer", "bos_token": end, "eos_token": end, "unk_token": end}
    (folder / "tokenizer_config.json").write_text(json.dumps(options))


def write_words(path: Path) -> None:
    """A vocabulary as BERT has it: some words, and letters to begin and to continue one."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = sorted({word.strip(".,").lower() for sentence in SENTENCES for word in sentence.split()})[:60]
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens = [*specials, *words, *letters, *(f"##{letter}" for letter in letters), *".,:;'()-"]
    path.write_text("\n".join(dict.fromkeys(tokens)) + "\n", "utf8")
