"""Loading refuses what is no model with a code, before it allocates what a configuration claims."""

import json

import numpy as np
import pytest
import torch

from scoring.errors import ModelIncomplete, ModelTooLarge
from scoring.subjects.architecture import n_parameters, read_config
from scoring.subjects.checks import count_parameters
from scoring.subjects.families.base import supported_model_types
from scoring.subjects.language_model import LanguageModel
from scoring.subjects.library_errors import understood
from scoring.subjects.loading import build_untrained, load_tokenizer, load_trained
from tests.models import write_model


@pytest.fixture
def folder(tmp_path):
    return write_model(tmp_path / "llama", "llama")


def edit(folder, file="config.json", **fields):
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


BAD = [
    {"hidden_size": 30, "head_dim": None},
    {"num_hidden_layers": "3"},
    {"num_attention_heads": 0, "head_dim": None},
    {"hidden_act": "evil"},
    {"vocab_size": -3},
    {"num_hidden_layers": 10**9},
]


@pytest.mark.parametrize("fields", BAD, ids=str)
def test_a_configuration_that_contradicts_itself_is_an_incomplete_model(folder, fields):
    edit(folder, **fields)
    with pytest.raises(ModelIncomplete):
        load_trained(folder, device="cpu", dtype=None)
    with pytest.raises(ModelIncomplete):
        build_untrained(folder, seed=0, device="cpu", dtype=None)


@pytest.mark.parametrize("content", ["{}", "[", '{"model": {"type": "evil"}}'])
def test_a_tokenizer_that_is_none_is_an_incomplete_model(folder, content):
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(ModelIncomplete, match="tokenizer's files cannot be loaded"):
        load_tokenizer(folder)


def test_weights_that_the_configuration_does_not_describe_are_refused_before_memory_is_asked_for(folder):
    edit(folder, intermediate_size=10**9)
    with pytest.raises(ModelIncomplete, match=r"describes 288\d{9} parameters, the weights hold 56608"):
        load_trained(folder, device="cpu", dtype=None)


def test_a_twin_that_does_not_fit_into_memory_is_refused_with_both_numbers(folder):
    edit(folder, intermediate_size=10**12)
    with pytest.raises(ModelTooLarge, match=r"needs 1152\d{12} bytes of memory on cpu, \d+ are free") as caught:
        build_untrained(folder, seed=0, device="cpu", dtype=None)
    assert caught.value.param == "model"


@pytest.mark.parametrize("model_type", sorted(supported_model_types()))
def test_an_architecture_without_memory_has_the_parameters_of_the_files(model_type, tmp_path):
    folder = write_model(tmp_path, model_type)
    assert n_parameters(read_config(folder), masked=True) == count_parameters(folder)


def test_the_gpus_own_faults_are_not_the_models():
    with pytest.raises(torch.AcceleratorError), understood("weights"):
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")


def test_an_untrained_encoder_has_the_head_for_masked_tokens_where_it_is_asked_for(tmp_path):
    folder = write_model(tmp_path, "bert")
    assert not hasattr(build_untrained(folder, seed=0, device="cpu", dtype=None), "cls")
    assert hasattr(build_untrained(folder, seed=0, device="cpu", dtype=None, masked=True), "cls")


def test_a_twin_knows_the_ends_of_documents_that_the_trained_model_knows(folder):
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [1, 7]}))
    trained = LanguageModel.from_folder(folder, identifier="trained")
    twin = LanguageModel.untrained(folder, identifier="twin", seed=0)
    assert 7 in trained._open.boundary.ids
    np.testing.assert_array_equal(twin._open.boundary.ids, trained._open.boundary.ids)
