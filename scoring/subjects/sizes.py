"""How wide, deep and long a model is by its configuration, whatever its class calls these.

A size is None where the configuration leaves it to the class.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..errors import ModelIncomplete

_DEPTH = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers")
_WIDTH = ("hidden_size", "n_embd", "d_model", "n_embed", "dim")
_POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_seq_len")
_VOCABULARY = ("vocab_size",)

MAX_DEPTH, MAX_WIDTH, MAX_POSITIONS, MAX_VOCABULARY = 10_000, 1_000_000, 1_000_000_000, 100_000_000
"""Far beyond the largest models there are."""


def depth(config: Mapping[str, Any]) -> int | None:
    """The number of blocks; those of encoder and decoder together where there are both."""
    sizes = _outer(config)
    if not sizes.get("is_encoder_decoder"):
        return _size(sizes, _DEPTH)
    encoder = _size(sizes, ("encoder_layers", "num_layers", *_DEPTH))
    decoder = _size(sizes, ("decoder_layers", "num_decoder_layers"))
    return None if encoder is None else encoder + (encoder if decoder is None else decoder)


def width(config: Mapping[str, Any]) -> int | None:
    """The length of a hidden state."""
    return _size(_outer(config), _WIDTH)


def n_positions(config: Mapping[str, Any]) -> int | None:
    """The longest input in tokens that the configuration states."""
    return _size(_outer(config), _POSITIONS)


def n_vocabulary(config: Mapping[str, Any]) -> int | None:
    """The number of tokens that the model tells apart."""
    return _size(_outer(config), _VOCABULARY)


def require_plausible(config: Mapping[str, Any]) -> None:
    """Pass if no size is beyond what any model has: building one takes memory and time before a weight is missed.

    Raises ModelIncomplete.
    """
    for what, found, most in (
        ("blocks", depth(config), MAX_DEPTH),
        ("numbers in a hidden state", width(config), MAX_WIDTH),
        ("positions", n_positions(config), MAX_POSITIONS),
        ("tokens in its vocabulary", n_vocabulary(config), MAX_VOCABULARY),
    ):
        if found is not None and found > most:
            raise ModelIncomplete(f"the configuration claims more than {most} {what}", param="model")


def _outer(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration with the fields of its text model, where it has one inside."""
    text = config.get("text_config")
    return {**text, **config} if isinstance(text, dict) else config


def _size(config: Mapping[str, Any], keys: Collection[str]) -> int | None:
    found = (config[key] for key in keys if type(config.get(key)) is int and config[key] >= 0)
    return next(found, None)
