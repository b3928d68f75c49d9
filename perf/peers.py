"""The plain ways of getting the same numbers, written with transformers alone.

Each peer reads in inference mode and gets its tokens ready made, so that only the reading itself is compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from scoring.types import FeatureArray, FloatArray, Passage, Stimuli

Batch = tuple[torch.Tensor, torch.Tensor]
"""Token ids and attention mask, (rows, longest row) each."""


def prefixes(tokenizer: Any, stimuli: Stimuli) -> list[torch.Tensor]:
    """For each stimulus the ids of its passage up to its own end, BOS first: (1, n_tokens) each."""
    return [
        torch.tensor([_with_bos(tokenizer, passage.text[:end])])
        for passage in stimuli.passages
        for _, end in passage.spans
    ]


def whole_passages(tokenizer: Any, stimuli: Stimuli) -> list[list[int]]:
    """The ids of each passage, BOS first."""
    return [_with_bos(tokenizer, passage.text) for passage in stimuli.passages]


def word_pieces(tokenizer: Any, passage: Passage) -> list[list[int]]:
    """The ids of each word of a passage, all but the first with the space before them."""
    spaced = [f" {text}" if index else text for index, text in enumerate(passage.texts)]
    return [tokenizer(text, add_special_tokens=False)["input_ids"] for text in spaced]


@torch.inference_mode()
def growing(model: Any, inputs: Sequence[torch.Tensor]) -> dict[str, FeatureArray]:
    """Features at the last token of each input, one input at a time, by the whole model: what Brain-Score does.

    Hidden states of Hugging Face lack the last block's output: their last entry stands after the final norm.
    """
    rows = []
    for ids in inputs:
        states = model(input_ids=ids.to(model.device), output_hidden_states=True).hidden_states
        rows.append([state[0, -1].float().cpu().numpy() for state in states])
    names = ["embed", *(f"block.{index}" for index in range(len(rows[0]) - 2)), "final_norm"]
    return {name: np.stack(features) for name, features in zip(names, zip(*rows, strict=True), strict=True)}


@torch.inference_mode()
def word_by_word(model: Any, words: Sequence[Sequence[int]], *, bos: int, limit: int, stride: int) -> FloatArray:
    """Bits of each word, one forward a word on a key-value cache, in windows of `limit` tokens, `stride` apart.

    The past that a window shares with the one before is read at one time.
    """
    ends = np.cumsum([len(word) for word in words])
    ids = [token for word in words for token in word]
    bits = np.empty(len(ids))
    start = n_read = 0
    while n_read < len(ids):
        stop = min(start + limit - 1, len(ids))
        cuts = sorted({n_read, stop, *ends[(ends > n_read) & (ends < stop)].tolist()})
        past = [bos, *ids[start:n_read]]
        bits[n_read:stop] = _cached_bits(model, past, [ids[a:b] for a, b in pairwise(cuts)])
        start, n_read = start + stride, stop
    return np.add.reduceat(bits, [0, *ends[:-1].tolist()])


def padded(passages: Sequence[Sequence[int]], *, token_budget: int) -> list[Batch]:
    """Passages from long to short, right-padded, in batches of at most `token_budget` tokens with their padding."""
    groups: list[list[torch.Tensor]] = []
    for ids in sorted(map(torch.tensor, passages), key=len, reverse=True):
        if groups and len(groups[-1][0]) * (len(groups[-1]) + 1) <= token_budget:
            groups[-1].append(ids)
        else:
            groups.append([ids])
    masks = [[torch.ones_like(ids) for ids in group] for group in groups]
    pad = torch.nn.utils.rnn.pad_sequence
    return [(pad(ids, batch_first=True), pad(mask, batch_first=True)) for ids, mask in zip(groups, masks, strict=True)]


@torch.inference_mode()
def bare_forward(model: Any, batches: Sequence[Batch]) -> None:
    """Every batch through the model without head, hooks or cache; nothing is kept."""
    for ids, mask in batches:
        model.base_model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device), use_cache=False)


@torch.inference_mode()
def forward_with_everything(model: Any, batches: Sequence[Batch]) -> None:
    """Every batch through the whole model, which returns logits, all hidden states and its cache."""
    for ids, mask in batches:
        model(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            output_hidden_states=True,
            use_cache=True,
        )


@torch.inference_mode()
def bits_from_whole_logits(model: Any, ids: Sequence[int]) -> FloatArray:
    """Bits of every token but the first, from the logits of the whole text at one time."""
    tokens = torch.tensor([ids], device=model.device)
    logits = model(input_ids=tokens, use_cache=False).logits[0, :-1].float()
    chosen = torch.log_softmax(logits, dim=-1).gather(1, tokens[0, 1:, None])[:, 0]
    return np.asarray(-chosen.double().cpu().numpy() / math.log(2))


def _cached_bits(model: Any, past: Sequence[int], words: Sequence[Sequence[int]]) -> FloatArray:
    bits = []
    read = model(input_ids=torch.tensor([past], device=model.device), use_cache=True, logits_to_keep=1)
    for word in words:
        ids = torch.tensor([word], device=model.device)
        before = read.logits[0, -1:]
        read = model(input_ids=ids, past_key_values=read.past_key_values, use_cache=True)
        predictions = torch.cat([before, read.logits[0, :-1]]).float()
        bits.append(-torch.log_softmax(predictions, dim=-1).gather(1, ids[0, :, None])[:, 0].double().cpu())
    return np.asarray(torch.cat(bits).numpy() / math.log(2))


def _with_bos(tokenizer: Any, text: str) -> list[int]:
    return [tokenizer.bos_token_id, *tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]]
