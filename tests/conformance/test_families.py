"""Every model type of every family file, as a tiny random model made offline. A new file is picked up by itself."""

import math

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from scoring.subjects.families.base import families, supported_model_types
from scoring.subjects.language_model import LanguageModel
from scoring.types import Passage, Stimuli
from tests.models import write_model

TYPES = sorted(supported_model_types())
TEXTS = ["The raft carried her over.", "She had asked the heron.", "It said nothing at all, as ever."]


@pytest.fixture(scope="module", params=TYPES)
def folder(request, tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("families") / request.param, request.param)


@pytest.fixture(scope="module")
def model(folder):
    return LanguageModel.from_folder(folder, identifier=folder.name)


def in_one_passage():
    return Stimuli(ids=("a", "b", "c"), passages=(Passage.join("p", TEXTS),), groups=("g",) * 3)


def test_layers_agree_with_the_models_own_hidden_states(folder, model):
    answers = model.respond(in_one_passage(), layers=True, surprisal=False)
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer.bos_token_id, *tokenizer(" ".join(TEXTS), add_special_tokens=False)["input_ids"]]
    with torch.inference_mode():
        states = network(torch.tensor([ids]), output_hidden_states=True).hidden_states
    names = list(answers.layers)
    assert names == ["embed", "block.0", "block.1", "block.2", "final_norm"]
    for name, state in zip([*names[:3], names[-1]], states, strict=True):
        np.testing.assert_allclose(answers.layers[name][-1], state[0, -1].numpy(), atol=1e-5)


def test_surprisals_agree_with_the_models_own_logits(folder, model):
    answers = model.respond(in_one_passage(), layers=False, surprisal=True)
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = [tokenizer.bos_token_id, *tokenizer(" ".join(TEXTS), add_special_tokens=False)["input_ids"]]
    with torch.inference_mode():
        logits = network(torch.tensor([ids])).logits[0].double()
    bits = -torch.log_softmax(logits, dim=-1)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].sum() / math.log(2)
    assert answers.surprisal_bits.sum() == pytest.approx(bits.item(), abs=1e-3)
    assert answers.conditions["context_limit"] == 64


def test_batches_do_not_change_the_answer(model):
    passages = tuple(Passage.join(text[:3], [text]) for text in TEXTS)
    together = model.respond(
        Stimuli(ids=("a", "b", "c"), passages=passages, groups=("g",) * 3), layers=True, surprisal=True
    )
    for row, passage in enumerate(passages):
        alone = model.respond(Stimuli(ids=("a",), passages=(passage,), groups=("g",)), layers=True, surprisal=True)
        np.testing.assert_allclose(together.surprisal_bits[row], alone.surprisal_bits[0], atol=1e-5)
        for name, features in alone.layers.items():
            np.testing.assert_allclose(together.layers[name][row], features[0], atol=1e-5)


def test_no_hook_stays_behind(model):
    model.respond(in_one_passage(), layers=True, surprisal=False)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model._extractor.base.modules())


def test_every_type_belongs_to_one_family():
    listed = [model_type for family in families() for model_type in family.model_types]
    assert len(listed) == len(set(listed))
