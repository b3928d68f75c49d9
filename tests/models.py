"""Tiny random models in Hugging Face format, made on the spot: every supported type, with the demo's tokenizer."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from scoring.subjects import demo_model

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "head_dim": 8,
}
OTHER_NAMES = {
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64},
    "gpt_neo": {
        "hidden_size": 32,
        "num_layers": 3,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1], [["global"], 1]],
        "max_position_embeddings": 64,
        "intermediate_size": 48,
    },
    "opt": {
        "hidden_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "ffn_dim": 48,
        "max_position_embeddings": 64,
        "word_embed_proj_dim": 32,
    },
    "bloom": {"hidden_size": 32, "n_layer": 3, "n_head": 4, "seq_length": 64},
    "falcon": {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "max_position_embeddings": 64},
}
"""Sizes of the types that do not use the names of most."""


def write_model(folder: Path, model_type: str, *, seed: int = 0, **changes: object) -> Path:
    """A random model of this type with three layers and a context of 64 tokens, saved in `folder`."""
    tokenizer_folder = folder.parent / f"{folder.name}-tokenizer"
    demo_model.build(tokenizer_folder)
    vocabulary = AutoConfig.from_pretrained(tokenizer_folder).vocab_size
    size = OTHER_NAMES.get(model_type, SMALL)
    specials = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = AutoConfig.for_model(model_type, vocab_size=vocabulary, **specials, **size, **changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer_folder / name, folder / name)
    shutil.rmtree(tokenizer_folder)
    return folder
