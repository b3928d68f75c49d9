"""What G1 to G4 share: a Llama shape in bfloat16 reads texts of the size of the brain and reading stimuli."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LlamaConfig, PretrainedConfig

from scoring.types import Stimuli

from . import memory, peers, subjects, texts, timing
from .table import Row, at_least, at_most

NO_GPU = "no GPU here"

SHARE = at_least(0.4, "{:.0%}")
LEFT = at_most(16, "{:.0f} MiB")
SECONDS = at_most(60, "{:.1f} s")


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """What one shape took: seconds of all texts, the rates of reading and of products, bytes left when it is gone."""

    brain_s: float
    reading_s: float
    flop_per_s: float
    peak_flop_per_s: float
    held_bytes: int
    left_bytes: int


def one_billion() -> PretrainedConfig:
    """The shape of Llama 3.2 1B."""
    return _llama(
        vocab_size=128_256,
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=16,
        num_attention_heads=32,
        num_key_value_heads=8,
        tie_word_embeddings=True,
    )


def seven_billion() -> PretrainedConfig:
    """The shape of Llama 2 7B."""
    return _llama(hidden_size=4096, intermediate_size=11008, num_hidden_layers=32, num_attention_heads=32)


def thirteen_billion() -> PretrainedConfig:
    """The shape of Llama 2 13B."""
    return _llama(hidden_size=5120, intermediate_size=13824, num_hidden_layers=40, num_attention_heads=40)


def brain_stimuli() -> Stimuli:
    """Texts of the size of Pereira et al. (2018): 627 sentences in 168 passages."""
    return texts.sentences_in_passages([4] * 123 + [3] * 45, seed=1)


def reading_stimuli() -> Stimuli:
    """Texts of the size of the Natural Stories (Futrell et al. 2018): ten stories of 1,026 words."""
    return texts.words_in_stories(10, 1026, seed=2)


def extract(
    config: PretrainedConfig, brain: Stimuli, reading: Stimuli, *, device: str, n_rounds: int = timing.N_ROUNDS
) -> Extraction:
    """Activations of the brain stimuli and surprisals of the stories by a random model of this shape, then its end."""
    place = torch.device(device)
    before = memory.held_bytes(place)
    extraction = _while_loaded(config, brain, reading, place, n_rounds=n_rounds)
    left = _freed(place) - before
    return Extraction(left_bytes=left, **extraction)


def share_rows(
    line: str, work: str, config: Callable[[], PretrainedConfig], *, measured: Extraction | None = None
) -> list[Row]:
    """Share of the bfloat16 matrix peak while extracting, and GPU memory that stays when the model is gone."""
    found = measured or extraction_here(config)
    work = f"{work}: share of the bfloat16 matrix peak while extracting"
    left = "GPU memory left when the model is gone"
    if found is None:
        return [
            Row(line=line, work=work, figure=None, target=SHARE, ours=NO_GPU),
            Row(line=line, work=left, figure=None, target=LEFT, ours=NO_GPU),
        ]
    return [
        Row(
            line=line,
            work=work,
            ours=f"{found.flop_per_s / 1e12:.1f} TFLOP/s",
            peer=f"{found.peak_flop_per_s / 1e12:.1f} TFLOP/s",
            figure=found.flop_per_s / found.peak_flop_per_s,
            target=SHARE,
        ),
        Row(
            line=line,
            work=left,
            ours=f"of {memory.shown(found.held_bytes)}",
            figure=found.left_bytes / memory.MEBIBYTE,
            target=LEFT,
        ),
    ]


def extraction_here(config: Callable[[], PretrainedConfig]) -> Extraction | None:
    """The extraction on this machine's GPU; None where torch sees none."""
    if not torch.cuda.is_available():
        return None
    return extract(config(), brain_stimuli(), reading_stimuli(), device="cuda")


def _while_loaded(
    config: PretrainedConfig, brain: Stimuli, reading: Stimuli, device: torch.device, *, n_rounds: int
) -> dict[str, Any]:
    """All figures that need the model; nothing that is returned refers to it.

    One round goes before those that count: it sets up what a first reading alone sets up.
    """
    unloaded = memory.held_bytes(device)
    model = subjects.random_model(config, dtype=torch.bfloat16, device=device.type)
    held = memory.held_bytes(device) - unloaded
    subject, tokenizer = subjects.subject_of(model), subjects.tokenizer_of(model)
    shapes = _shapes(config)
    works = (
        lambda: subjects.activations(subject, brain),
        lambda: subjects.surprisals(subject, reading),
        timing.matrix_products(shapes, dtype=torch.bfloat16, device=device, n_times=4),
    )
    timing.seconds_in_turns(*works, n_rounds=1)
    brain_s, reading_s, products_s = timing.seconds_in_turns(*works, n_rounds=n_rounds)
    flop = sum(
        timing.flop_of_reading(model, [len(ids) for ids in peers.whole_passages(tokenizer, read)], with_head=with_head)
        for read, with_head in ((brain, False), (reading, True))
    )
    return {
        "brain_s": brain_s,
        "reading_s": reading_s,
        "flop_per_s": flop / (brain_s + reading_s),
        "peak_flop_per_s": timing.flop_of_products(shapes, n_times=4) / products_s,
        "held_bytes": held,
    }


def _freed(device: torch.device) -> int:
    """Bytes in use after the caches of the allocator are given back."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return memory.held_bytes(device)


def _shapes(config: Any) -> list[tuple[int, int, int]]:
    width, inner = config.hidden_size, config.intermediate_size
    return [(8192, width, width), (8192, width, inner), (8192, inner, width)]


def _llama(**sizes: Any) -> PretrainedConfig:
    return LlamaConfig(max_position_embeddings=4096, bos_token_id=0, eos_token_id=1, **sizes)
