"""Tiny random models in Hugging Face format, made on the spot: every supported type, with a tokenizer of its kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSeq2SeqLM,
    PreTrainedTokenizerFast,
)

from scoring.subjects.families.base import Layout, family_of
from tests import tokenizers_made

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "head_dim": 8,
}
ENCODER = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
AFTER_PADDING = {**ENCODER, "max_position_embeddings": 66}
T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 3, "num_decoder_layers": 2, "num_heads": 4, "n_positions": 64}
BART = {
    "d_model": 32,
    "encoder_layers": 3,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": 64,
}
GPT = {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 64}
OTHER_NAMES: dict[str, dict[str, Any]] = {
    "gpt2": GPT,
    "gptj": {**GPT, "rotary_dim": 8},
    "codegen": {**GPT, "rotary_dim": 8},
    "gpt_bigcode": GPT,
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
    "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 3, "max_seq_len": 64},
    "bert": ENCODER,
    "electra": {**ENCODER, "embedding_size": 32},
    "modernbert": {**ENCODER, "global_attn_every_n_layers": 2, "local_attention": 16, "reference_compile": False},
    "distilbert": {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": 64},
    "deberta-v2": {
        **ENCODER,
        "relative_attention": True,
        "pos_att_type": ["p2c", "c2p"],
        "type_vocab_size": 0,
        "position_biased_input": False,
    },
    "roberta": AFTER_PADDING,
    "xlm-roberta": AFTER_PADDING,
    "camembert": AFTER_PADDING,
    "mpnet": AFTER_PADDING,
    "t5": T5,
    "mt5": {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
    "umt5": T5,
    "bart": BART,
    "mbart": BART,
    "pegasus": BART,
    "mixtral": {**SMALL, "num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen2_moe": {**SMALL, "num_experts": 4, "moe_intermediate_size": 24, "shared_expert_intermediate_size": 24},
    "qwen3_moe": {**SMALL, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24},
    "olmoe": {**SMALL, "num_experts": 4, "num_experts_per_tok": 2},
    "cohere": {**SMALL, "logit_scale": 0.25},
    "cohere2": {**SMALL, "logit_scale": 0.25},
    "granite": {**SMALL, "logits_scaling": 3.0, "embedding_multiplier": 2.0},
}
"""Sizes of the types that do not use the names of most, or that need more than those."""

_WITH_UNIGRAM = ("t5", "mt5", "umt5", "pegasus")
_WITH_WORD_PIECE = ("bert", "electra", "distilbert", "mpnet")
_WITH_LLAMA2_STYLE = ("llama", "mistral", "mixtral", "gemma", "gemma2", "gemma3_text", "phi3")


def write_model(folder: Path, model_type: str, *, seed: int = 0, **changes: object) -> Path:
    """A random model of this type with three layers and a context of 64 tokens, saved in `folder`."""
    tokenizer = made_tokenizer(model_type)()
    config = tiny_config(model_type, tokenizer, **changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = auto_class(model_type).from_config(config, dtype=torch.float32)
        for parameter in model.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_config(model_type: str, tokenizer: PreTrainedTokenizerFast, **changes: object) -> Any:
    """The type's own configuration class, small, with the tokenizer's special ids."""
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    specials = {name: value for name, value in ids.items() if value is not None}
    specials.setdefault("pad_token_id", 1)
    if model_type == "modernbert":
        specials |= {"cls_token_id": tokenizer.bos_token_id, "sep_token_id": tokenizer.eos_token_id}
    if family_of(model_type).layout is Layout.ENCODER_DECODER:
        start = tokenizer.eos_token_id if model_type in ("bart", "mbart") else tokenizer.pad_token_id
        specials["decoder_start_token_id"] = start
    size = OTHER_NAMES.get(model_type, SMALL)
    return AutoConfig.for_model(model_type, vocab_size=len(tokenizer), **{**specials, **size, **changes})


def auto_class(model_type: str) -> Any:
    """The class of transformers that loads the type with its head."""
    return {
        Layout.DECODER: AutoModelForCausalLM,
        Layout.ENCODER: AutoModelForMaskedLM,
        Layout.ENCODER_DECODER: AutoModelForSeq2SeqLM,
    }[family_of(model_type).layout]


def made_tokenizer(model_type: str) -> Callable[[], PreTrainedTokenizerFast]:
    """What makes a tokenizer of the kind that models of this type bring."""
    if model_type in _WITH_UNIGRAM:
        return tokenizers_made.unigram
    if model_type in _WITH_WORD_PIECE:
        return tokenizers_made.word_piece
    if model_type == "deberta-v2":
        return lambda: tokenizers_made.unigram(framed=True)
    if model_type in _WITH_LLAMA2_STYLE:
        return tokenizers_made.llama2_style
    if family_of(model_type).layout is not Layout.DECODER:
        return tokenizers_made.byte_level_encoder
    return tokenizers_made.byte_level
