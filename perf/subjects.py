"""Models of known shape with random weights, and the one place that knows the public face of what is measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, GPT2Config, PretrainedConfig

from scoring.responses import Responses
from scoring.subjects.language_model import LanguageModel
from scoring.types import FeatureArray, FloatArray, Stimuli

from . import texts

SEED = 0


def gpt2_small() -> PretrainedConfig:
    """The shape of GPT-2 small: 12 layers, width 768, 50,257 tokens, context 1,024."""
    return GPT2Config(bos_token_id=0, eos_token_id=1)


def random_model(config: PretrainedConfig, *, dtype: torch.dtype, device: str) -> Any:
    """A model of this shape with random weights under a seed, made where it stays: there is no copy elsewhere."""
    with torch.random.fork_rng(), torch.device(device):
        torch.manual_seed(SEED)
        build: Any = AutoModelForCausalLM.from_config
        return build(config, dtype=dtype).eval()


def subject_of(model: Any) -> LanguageModel:
    """The model as the service scores it."""
    return LanguageModel(model, tokenizer_of(model), identifier="untrained/perf")


def tokenizer_of(model: Any) -> Any:
    """The made-up tokenizer with the model's own limit."""
    return texts.tokenizer(int(model.config.max_position_embeddings))


def activations(subject: LanguageModel, stimuli: Stimuli) -> Responses:
    """Features of all layers, without surprisals."""
    return subject.respond(stimuli, layers=True, surprisal=False)


def surprisals(subject: LanguageModel, stimuli: Stimuli) -> Responses:
    """Surprisals without features."""
    return subject.respond(stimuli, layers=False, surprisal=True)


def features(answers: Responses, layer: str) -> FeatureArray:
    """Features of a layer, (n_stimuli, n_features)."""
    found = answers.layers[layer]
    assert isinstance(found, np.ndarray)
    return found


def bits(answers: Responses) -> FloatArray:
    """Surprisal of each stimulus in bits, (n_stimuli,)."""
    assert answers.surprisals is not None
    return answers.surprisals.sum_bits


def condition(answers: Responses, name: str) -> int:
    """A whole number that the answers state about how they came about, such as `window_stride`."""
    value = answers.conditions[name]
    assert isinstance(value, int)
    return value
