"""`demo/tiny`: a causal model small enough to be written in a moment, the same bytes on every machine.

It has learnt nothing; it exists so that the tutorial, the tests and a first run need no network. All that is random
comes from the raw output of PCG64, whose stream numpy guarantees across versions, and the vocabulary is learnt by the
few lines below, so that REVISION is a constant. Needs neither torch nor transformers.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from ..types import FeatureArray

REVISION = "7a0067de387aa4029bd828d2628024521baf8bfd"
"""The revision of the folder that `build` writes: its `content_revision`."""

SEED = 20240
WIDTH = 32
INNER_WIDTH = 64
N_LAYERS = 3
N_HEADS = 4
N_POSITIONS = 256
N_VOCABULARY = 512
SPECIAL_TOKENS = ("<s>", "</s>")

_STANDARD_DEVIATION = 0.35
"""With it the model prefers some tokens clearly to others; 0.02 would make every surprisal log2 of the vocabulary."""

_TEXT = """
The house stood at the end of a long street, and nobody had opened its green door for years. Every morning the children
walked past it on their way to school, and every morning one of them said that there was a light in the upper window.
Their teacher laughed when she heard the story. A light, she said, is only the sun in an old piece of glass. But when
the winter came and the mornings were dark, the light was still there, small and yellow, and it moved from one room to
another as if someone were looking for something that had been lost. In the spring a woman came with a key. She was
neither young nor old, and she did not seem surprised at what she found behind the door. She carried the chairs into
the garden, washed the windows, and planted beans along the wall. When the children asked her about the light, she
thought for a while before she answered. It was waiting for me, she said, and so it could not sleep. After that nobody
saw the light again, though they looked for it in the evenings when the street was quiet and the birds had gone.
"""


def build(folder: Path) -> None:
    """Write the model to `folder` in Hugging Face's format; a folder that is there already is left as it is.

    The files appear all at once: they are written beside `folder`, which is then named.
    """
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write(temporary)
        temporary.chmod(0o755)
        temporary.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(folder: Path) -> None:
    _write_json(folder / "config.json", _config())
    _write_json(folder / "generation_config.json", {"bos_token_id": 0, "eos_token_id": 1})
    _write_json(folder / "tokenizer.json", _tokenizer())
    _write_json(
        folder / "tokenizer_config.json",
        {
            "bos_token": SPECIAL_TOKENS[0],
            "eos_token": SPECIAL_TOKENS[1],
            "clean_up_tokenization_spaces": False,
            "model_max_length": N_POSITIONS,
            "tokenizer_class": "PreTrainedTokenizerFast",
        },
    )
    save_file(_weights(), folder / "model.safetensors", metadata={"format": "pt"})


def _config() -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": N_VOCABULARY,
        "hidden_size": WIDTH,
        "intermediate_size": INNER_WIDTH,
        "num_hidden_layers": N_LAYERS,
        "num_attention_heads": N_HEADS,
        "num_key_value_heads": N_HEADS,
        "max_position_embeddings": N_POSITIONS,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "dtype": "float32",
    }


def _weights() -> dict[str, FeatureArray]:
    """All tensors by their names in transformers' Llama, in float32; norms are one, the rest is drawn."""
    raw = np.random.PCG64(SEED)

    def drawn(*shape: int) -> FeatureArray:
        """Uniform numbers of mean 0 and the standard deviation above, from the upper 24 bits of each draw."""
        bits = np.asarray(raw.random_raw(int(np.prod(shape))) >> np.uint64(40), dtype=np.float64)
        unit = (bits / 2.0**23 - 1.0) * 3.0**0.5
        return np.asarray(unit * _STANDARD_DEVIATION, dtype=np.float32).reshape(shape)

    tensors = {"model.embed_tokens.weight": drawn(N_VOCABULARY, WIDTH)}
    for layer in range(N_LAYERS):
        block = f"model.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            tensors[f"{block}.self_attn.{name}.weight"] = drawn(WIDTH, WIDTH)
        for name in ("gate_proj", "up_proj"):
            tensors[f"{block}.mlp.{name}.weight"] = drawn(INNER_WIDTH, WIDTH)
        tensors[f"{block}.mlp.down_proj.weight"] = drawn(WIDTH, INNER_WIDTH)
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{block}.{name}.weight"] = np.ones(WIDTH, dtype=np.float32)
    tensors["model.norm.weight"] = np.ones(WIDTH, dtype=np.float32)
    return tensors


def _tokenizer() -> dict[str, Any]:
    """A byte-level BPE tokenizer in the format of `tokenizers`: specials, 256 bytes, then merges of the text."""
    letters = _byte_letters()
    merges = _merges(letters, N_VOCABULARY - len(SPECIAL_TOKENS) - len(letters))
    tokens = [*SPECIAL_TOKENS, *sorted(letters.values()), *("".join(pair) for pair in merges)]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": id_, "content": token, **flags} for id_, token in enumerate(SPECIAL_TOKENS)],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: id_ for id_, token in enumerate(tokens)},
            "merges": [list(pair) for pair in merges],
        },
    }


def _merges(letters: dict[int, str], n_merges: int) -> list[tuple[str, str]]:
    """The most frequent neighbours in the words of the text, one after another; ties go to the first in code points.

    Byte-pair encoding (Sennrich, Haddow & Birch 2016, algorithm 1), within words that carry the space before them.
    """
    words = Counter(tuple(letters[byte] for byte in f" {word}".encode()) for word in _TEXT.split())
    merges: list[tuple[str, str]] = []
    while len(merges) < n_merges:
        counts: Counter[tuple[str, str]] = Counter()
        for word, n_times in words.items():
            for pair in pairwise(word):
                counts[pair] += n_times
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(best)
        words = Counter({_merged(word, best): n_times for word, n_times in words.items()})
    return merges


def _merged(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """`word` with each occurrence of `pair`, from the left, made one piece."""
    pieces: list[str] = []
    position = 0
    while position < len(word):
        is_pair = word[position : position + 2] == pair
        pieces.append("".join(pair) if is_pair else word[position])
        position += 2 if is_pair else 1
    return tuple(pieces)


def _byte_letters() -> dict[int, str]:
    """The printable letter that stands for each byte in byte-level vocabularies (Radford et al. 2019)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    other = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(other)}


def _write_json(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
