"""Whether a model fits, from configuration and headers alone: nothing is loaded, except to check the counts."""

import json
import struct

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

from scoring.errors import InsufficientStorage, ModelTooLarge
from scoring.subjects.checks import read_json, read_tensors
from scoring.subjects.families.base import supported_model_types
from scoring.subjects.headers import Tensor, header_bytes, parse_header, read_header
from scoring.subjects.preflight import Machine, preflight, ties_head
from scoring.subjects.sizes import depth
from tests.models import write_model

WIDTH, VOCABULARY = 4096, 32000
CONFIG = {
    "model_type": "llama",
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 2048,
}
TENSORS = {
    "model.embed_tokens.weight": Tensor(dtype="F16", shape=(VOCABULARY, WIDTH)),
    "model.layers.0.mlp.up_proj.weight": Tensor(dtype="F16", shape=(WIDTH, 2 * WIDTH)),
    "model.norm.weight": Tensor(dtype="F32", shape=(WIDTH,)),
    "lm_head.weight": Tensor(dtype="F16", shape=(VOCABULARY, WIDTH)),
}


def test_the_sum_is_the_documented_one():
    found = preflight(CONFIG, TENSORS, dtype="bfloat16")
    n_parameters = 2 * VOCABULARY * WIDTH + 2 * WIDTH * WIDTH + WIDTH
    assert found.n_parameters == n_parameters
    assert found.n_embedding_parameters == 2 * VOCABULARY * WIDTH
    assert found.n_non_embedding_parameters == 2 * WIDTH * WIDTH + WIDTH
    expected = int(n_parameters * 2 * 1.1) + 8192 * WIDTH * 32 * 2 + 128 * VOCABULARY * 4
    assert found.memory_needed_bytes == expected
    assert (found.family, found.n_layers, found.width, found.n_positions) == ("llama", 2, WIDTH, 2048)
    assert found.stored_dtypes == ("F16", "F32")
    assert found.fits_memory
    assert found.fits_disk


def test_a_tied_head_that_is_stored_is_counted_once():
    tied = preflight({**CONFIG, "tie_word_embeddings": True}, TENSORS, dtype="float32")
    untied = preflight({**CONFIG, "tie_word_embeddings": False}, TENSORS, dtype="float32")
    assert untied.n_parameters - tied.n_parameters == VOCABULARY * WIDTH
    assert tied.n_embedding_parameters == VOCABULARY * WIDTH


@pytest.mark.parametrize("model_type", sorted(supported_model_types() | {"t5", "bart", "bert", "roberta"}))
def test_a_configuration_that_says_nothing_of_ties_means_what_its_class_means(model_type):
    assert ties_head({"model_type": model_type}) == AutoConfig.for_model(model_type).tie_word_embeddings


def test_what_does_not_fit_is_refused_with_both_numbers():
    found = preflight(CONFIG, TENSORS, dtype="bfloat16", machine=Machine(memory_bytes=1000))
    with pytest.raises(ModelTooLarge, match=rf"needs {found.memory_needed_bytes} bytes.*has 1000") as caught:
        found.require_fit()
    assert "more memory" in caught.value.hint
    enough = found.memory_needed_bytes
    preflight(CONFIG, TENSORS, dtype="bfloat16", machine=Machine(memory_bytes=enough)).require_fit()
    full = preflight(CONFIG, TENSORS, dtype="bfloat16", disk_needed_bytes=11, machine=Machine(free_disk_bytes=10))
    with pytest.raises(InsufficientStorage, match=r"11 bytes.*10 free"):
        full.require_fit()


def test_the_hint_names_the_smaller_dtype_where_it_would_do():
    needed = preflight(CONFIG, TENSORS, dtype="float32").memory_needed_bytes
    found = preflight(CONFIG, TENSORS, dtype="float32", machine=Machine(memory_bytes=needed - 1))
    with pytest.raises(ModelTooLarge) as caught:
        found.require_fit()
    assert "--dtype bfloat16" in caught.value.hint


@pytest.mark.parametrize("model_type", sorted(supported_model_types() & {"gpt2", "llama", "opt", "gpt_neox", "bloom"}))
def test_counts_are_those_of_the_loaded_model(model_type, tmp_path):
    folder = write_model(tmp_path / model_type, model_type)
    found = preflight(read_json(folder / "config.json"), read_tensors(folder), dtype="float32")
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert found.n_parameters == model.num_parameters()
    tables = [module.weight for module in model.modules() if isinstance(module, torch.nn.Embedding)]
    head = model.get_output_embeddings().weight
    untied = [] if any(head is table for table in tables) else [head]
    assert found.n_embedding_parameters == sum(table.numel() for table in [*tables, *untied])


@pytest.mark.parametrize(
    ("model_type", "sizes"),
    [
        ("t5", {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4}),
        (
            "bart",
            {
                "d_model": 32,
                "encoder_layers": 2,
                "decoder_layers": 3,
                "encoder_ffn_dim": 48,
                "decoder_ffn_dim": 48,
                "encoder_attention_heads": 4,
                "decoder_attention_heads": 4,
            },
        ),
    ],
)
def test_encoder_decoders_have_the_depth_of_both_and_shared_tables_once(model_type, sizes, tmp_path):
    specials = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1, "decoder_start_token_id": 0}
    config = AutoConfig.for_model(model_type, vocab_size=64, **specials, **sizes)
    model = AutoModelForSeq2SeqLM.from_config(config)
    model.save_pretrained(tmp_path)
    document, tensors = read_json(tmp_path / "config.json"), read_header(tmp_path / "model.safetensors")
    found = preflight(document, tensors, dtype="float32")
    assert (found.n_layers, found.width) == (5, 32)
    assert found.n_parameters == model.num_parameters()
    copies = {f"{part}.embed_tokens.weight": Tensor(dtype="F32", shape=(64, 32)) for part in ("encoder", "decoder")}
    if "shared.weight" in tensors:
        assert preflight(document, tensors | copies, dtype="float32").n_parameters == found.n_parameters


def test_a_decoder_that_states_no_depth_has_that_of_its_encoder():
    assert depth({"is_encoder_decoder": True, "num_layers": 6, "num_decoder_layers": None}) == 12
    assert depth({"text_config": {"num_hidden_layers": 4}}) == 4
    assert depth({}) is None


def test_an_unknown_family_is_none_and_unknown_sizes_are_too():
    found = preflight({"model_type": "mamba"}, {}, dtype="float32")
    assert (found.family, found.width, found.n_layers, found.n_positions) == (None, None, None, None)


def test_a_header_read_in_parts_is_the_file_s_own(tmp_path):
    write_model(tmp_path / "gpt2", "gpt2")
    path = tmp_path / "gpt2" / "model.safetensors"
    raw, n_bytes = path.read_bytes(), path.stat().st_size
    end = 8 + header_bytes(raw[:8], name="w", n_bytes=n_bytes)
    assert end == 8 + struct.unpack("<Q", raw[:8])[0]
    assert parse_header(raw[8:end], name="w", n_bytes=n_bytes) == read_header(path)
    assert set(read_header(path)) == set(json.loads(raw[8:end])) - {"__metadata__"}
