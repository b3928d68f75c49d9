"""The demonstration model is the same everywhere and loads like any other."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from scoring.subjects import demo_model
from scoring.subjects.checks import check_folder, count_parameters
from scoring.subjects.local import content_revision, signature


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "demo-tiny"
    demo_model.build(folder)
    return folder


def test_every_build_has_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    demo_model.build(tmp_path / "again")
    for path in folder.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_the_revision_is_the_hash_of_what_is_written(folder: Path) -> None:
    assert content_revision(folder) == demo_model.REVISION


def test_building_again_leaves_the_folder_alone_and_nothing_behind(folder: Path) -> None:
    before = signature(folder)
    demo_model.build(folder)
    assert signature(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_transformers_loads_it_without_a_warning_or_a_missing_tensor(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        tokenizer = AutoTokenizer.from_pretrained(folder)
        loaded: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    model, loading = loaded
    assert not caplog.records
    assert not any(loading.values())
    assert len(tokenizer) == model.config.vocab_size == demo_model.N_VOCABULARY
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1)
    architecture = check_folder(folder, {"llama"}).architecture
    assert count_parameters(folder) == model.num_parameters()
    assert (architecture.n_layers, architecture.width) == (demo_model.N_LAYERS, demo_model.WIDTH)


def test_the_tokenizer_gives_every_text_back(folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for text in ("The house stood at the end.", "naïve – “quoted”\n\ttab", "日本語 🙂"):
        encoding = tokenizer.encode(text)
        assert tokenizer.decode(encoding.ids) == text
        assert max(encoding.ids) < demo_model.N_VOCABULARY
    assert tokenizer.encode(" the house").tokens == ["Ġthe", "Ġhouse"]


def test_surprisal_is_finite_and_differs_from_token_to_token(folder: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = torch.tensor([[0, *tokenizer("In the spring a woman came with a key.")["input_ids"]]])
    with torch.no_grad():
        log_probabilities = model(ids).logits.log_softmax(-1)
    surprisal_bits = -log_probabilities[0, :-1].gather(-1, ids[0, 1:, None]) / torch.log(torch.tensor(2.0))
    assert torch.isfinite(surprisal_bits).all()
    assert surprisal_bits.std() > 1
