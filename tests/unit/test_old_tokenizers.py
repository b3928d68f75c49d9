"""Vocabularies without tokenizer.json: what the loader makes of them, against the library of each vocabulary."""

import json

import numpy as np
import pytest
from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer
from transformers import AutoTokenizer

from scoring.errors import NoSafetensors
from scoring.subjects import demo_model
from scoring.subjects.contexts import Context
from scoring.subjects.encoding import encode
from scoring.subjects.fast_tokenizers import PROBES, prove_tokenizer, save_fast_tokenizer
from scoring.subjects.tokenizer_files import check_tokenizer, is_loaded_rightly
from scoring.types import Passage
from tests.vocabularies import LLAMA, SENTENCES, T5, split_tokenizer, write_sentencepiece, write_words

FORMS = [
    ("llama", "tokenizer.model", LLAMA, {"tokenizer_class": "LlamaTokenizer"}),
    ("llama", "tokenizer.model", LLAMA, {"tokenizer_class": "LlamaTokenizerFast", "legacy": False}),
    ("t5", "spiece.model", T5, {"tokenizer_class": "T5Tokenizer"}),
    ("t5", "spiece.model", T5, {}),
    ("mt5", "spiece.model", T5, {"tokenizer_class": "T5Tokenizer"}),
]


def write_configs(folder, model_type, tokenizer_config):
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    if tokenizer_config:
        (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))


def loaded(folder):
    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(("model_type", "file", "options", "tokenizer_config"), FORMS)
def test_sentencepiece_vocabularies_that_are_accepted_give_the_library_s_ids(
    model_type, file, options, tokenizer_config, tmp_path
):
    library = write_sentencepiece(tmp_path / file, options)
    write_configs(tmp_path, model_type, tokenizer_config)
    assert is_loaded_rightly(names(tmp_path), {"model_type": model_type}, tokenizer_config)
    tokenizer = loaded(tmp_path)
    assert tokenizer.is_fast
    for text in (*PROBES, *SENTENCES):
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == library.encode(text)


@pytest.mark.parametrize(("model_type", "file", "options", "tokenizer_config"), FORMS)
def test_tokens_of_sentencepiece_vocabularies_fall_into_the_words_that_they_spell(
    model_type, file, options, tokenizer_config, tmp_path
):
    library = write_sentencepiece(tmp_path / file, options)
    write_configs(tmp_path, model_type, tokenizer_config)
    passage = Passage.join("sentence", SENTENCES[0].split())
    encoded = encode(loaded(tmp_path), Context(passage=passage, rows=np.arange(len(passage.spans))))
    pieces = library.encode(SENTENCES[0], out_type=str)
    expected, word = [], -1
    for piece in pieces:
        word += piece.startswith("▁")
        expected.append(word)
    assert encoded.stimulus_of_token.tolist() == expected


@pytest.mark.parametrize(
    ("model_type", "tokenizer_config"),
    [
        ("mistral", {"tokenizer_class": "LlamaTokenizer"}),
        ("llama", {}),
        ("gemma", {"tokenizer_class": "GemmaTokenizer"}),
    ],
)
def test_what_the_loader_would_read_wrongly_is_refused_and_can_be_converted(model_type, tokenizer_config, tmp_path):
    """If this fails since the loader reads them rightly now, they can be accepted."""
    source, destination = tmp_path / "source", tmp_path / "destination"
    for folder in (source, destination):
        folder.mkdir()
        write_configs(folder, model_type, tokenizer_config)
    library = write_sentencepiece(source / "tokenizer.model", LLAMA)
    wrong = loaded(source)(PROBES[0], add_special_tokens=False)["input_ids"]
    assert wrong != library.encode(PROBES[0])
    with pytest.raises(NoSafetensors, match=model_type) as caught:
        check_tokenizer(names(source), {"model_type": model_type}, tokenizer_config)
    assert "broca models convert" in caught.value.hint
    assert save_fast_tokenizer(source, destination) == "LlamaTokenizer"
    converted = loaded(destination)
    for text in (*PROBES, *SENTENCES):
        assert converted(text, add_special_tokens=False)["input_ids"] == library.encode(text)


def test_a_vocabulary_that_only_looks_like_an_accepted_one_is_found_out(tmp_path):
    """Llama's class puts a space before the first word; this vocabulary was learnt without it."""
    tokenizer_config = {"tokenizer_class": "LlamaTokenizer"}
    write_configs(tmp_path, "llama", tokenizer_config)
    write_sentencepiece(tmp_path / "tokenizer.model", {**LLAMA, "add_dummy_prefix": False})
    assert is_loaded_rightly(names(tmp_path), {"model_type": "llama"}, tokenizer_config)
    with pytest.raises(NoSafetensors, match="differs"):
        prove_tokenizer(tmp_path)
    write_sentencepiece(tmp_path / "tokenizer.model", LLAMA)
    prove_tokenizer(tmp_path)


@pytest.mark.parametrize("model_type", ["gpt2", "gpt_neo", "opt"])
def test_byte_level_vocabularies_give_the_ids_of_their_library(model_type, tmp_path):
    folder = tmp_path / "model"
    demo_model.build(folder)
    whole = loaded(folder)
    split_tokenizer(folder)
    write_configs(folder, model_type, {})
    named = json.loads((folder / "tokenizer_config.json").read_text())
    assert is_loaded_rightly(names(folder), {"model_type": model_type}, named)
    library = ByteLevelBPETokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer = loaded(folder)
    for text in (*PROBES, *SENTENCES):
        encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        expected = whole(text, add_special_tokens=False, return_offsets_mapping=True)
        assert encoding["input_ids"] == library.encode(text).ids == expected["input_ids"]
    assert tokenizer.bos_token_id == 1


@pytest.mark.parametrize("tokenizer_config", [{}, {"do_lower_case": False}, {"do_lower_case": True}])
def test_word_piece_vocabularies_give_the_ids_of_their_library(tokenizer_config, tmp_path):
    write_words(tmp_path / "vocab.txt")
    write_configs(tmp_path, "bert", tokenizer_config)
    assert is_loaded_rightly(names(tmp_path), {"model_type": "bert"}, tokenizer_config)
    lower = tokenizer_config.get("do_lower_case", True)
    library = BertWordPieceTokenizer(str(tmp_path / "vocab.txt"), lowercase=lower)
    tokenizer = loaded(tmp_path)
    for text in (*PROBES, *SENTENCES):
        encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        expected = library.encode(text, add_special_tokens=False)
        assert encoding["input_ids"] == expected.ids
        assert [tuple(span) for span in encoding["offset_mapping"]] == expected.offsets


def test_a_vocabulary_that_no_class_reads_rightly_is_refused(tmp_path):
    source, destination = tmp_path / "source", tmp_path / "destination"
    for folder in (source, destination):
        folder.mkdir()
    write_sentencepiece(source / "sentencepiece.bpe.model", {**T5, "treat_whitespace_as_suffix": True})
    write_configs(source, "llama", {})
    with pytest.raises(NoSafetensors, match="no class"):
        save_fast_tokenizer(source, destination)
