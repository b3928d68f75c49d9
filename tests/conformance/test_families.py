"""Every model type of every family file, as a tiny random model made offline. A new file is picked up by itself.

The peer is written straight from transformers: texts grow stimulus by stimulus, one at a time, in float32.
"""

import math

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from scoring.errors import OptionUnknown
from scoring.responses import SurprisalKind
from scoring.subjects.families.base import Layout, families, family_of, supported_model_types
from scoring.subjects.language_model import LanguageModel
from scoring.subjects.options import ReadingOptions, SurprisalMethod
from scoring.types import Passage, Stimuli
from tests.models import auto_class, write_model

TYPES = sorted(supported_model_types())
TEXTS = ["The raft carried her over.", "She had asked the heron.", "It said nothing at all, as ever."]


def of_layout(*layouts):
    return [name for name in TYPES if family_of(name).layout in layouts]


@pytest.fixture(scope="module")
def folder(request, tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("families") / request.param, request.param)


@pytest.fixture(scope="module")
def model(folder):
    return LanguageModel.from_folder(folder, identifier=folder.name)


@pytest.fixture(scope="module")
def plain(folder):
    network = auto_class(folder.name).from_pretrained(folder, dtype=torch.float32).eval()
    return network, AutoTokenizer.from_pretrained(folder)


def in_one_passage():
    return Stimuli(ids=("a", "b", "c"), passages=(Passage.join("p", TEXTS),), groups=("g",) * 3)


def words_of(texts):
    words = " ".join(texts).split()
    n = len(words)
    return Stimuli(ids=tuple(map(str, range(n))), passages=(Passage.join("p", words),), groups=("g",) * n)


def growing_states(plain, layout):
    """For each stimulus the states of its last token, by the names of layers: the text so far, alone."""
    network, tokenizer = plain
    for count in range(1, len(TEXTS) + 1):
        text = " ".join(TEXTS[:count])
        bare = tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            if layout is Layout.DECODER:
                ids = torch.tensor([[tokenizer.bos_token_id, *bare]])
                stacks = {"": (network(ids, output_hidden_states=True).hidden_states, -1)}
            elif layout is Layout.ENCODER:
                ids = torch.tensor([tokenizer(text)["input_ids"]])
                stacks = {"": (network(ids, output_hidden_states=True).hidden_states, -2)}
            else:
                ids = tokenizer(text)["input_ids"]
                start = [network.config.decoder_start_token_id, *ids[: -1 if ids[-1] != bare[-1] else None]]
                output = network(torch.tensor([ids]), decoder_input_ids=torch.tensor([start]), output_hidden_states=True)
                stacks = {"encoder.": (output.encoder_hidden_states, -2), "decoder.": (output.decoder_hidden_states, -1)}
        yield stacks


def expected_name(prefix, index, n_states, *, normed):
    if index == 0:
        return f"{prefix}embed"
    return f"{prefix}final_norm" if normed and index == n_states - 1 else f"{prefix}block.{index - 1}"


@pytest.mark.parametrize("folder", TYPES, indirect=True)
def test_one_pass_gives_what_growing_re_encoding_gives_in_every_layer(folder, model, plain):
    family = family_of(folder.name)
    answers = model.respond(in_one_passage(), layers=True, surprisal=False)
    for row, stacks in enumerate(growing_states(plain, family.layout)):
        for (prefix, (states, place)), stack in zip(stacks.items(), family.stacks, strict=True):
            for index, state in enumerate(states):
                name = expected_name(prefix, index, len(states), normed=stack.final_norm is not None)
                expected = state[0, place].numpy()
                np.testing.assert_allclose(answers.layers[name][row], expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("folder", TYPES, indirect=True)
def test_layers_are_named_by_depth(folder, model):
    answers = model.respond(in_one_passage(), layers=True, surprisal=False)
    family = family_of(folder.name)
    expected = []
    for stack, prefix, n_blocks in zip(
        family.stacks, ("encoder.", "decoder.") if len(family.stacks) == 2 else ("",), (3, 2), strict=False
    ):
        blocks = [f"block.{index}" for index in range(n_blocks)]
        expected += [f"{prefix}{name}" for name in ("embed", *blocks, *(["final_norm"] if stack.final_norm else []))]
    assert list(answers.layers) == expected


@pytest.mark.parametrize("folder", of_layout(Layout.DECODER), indirect=True)
def test_surprisals_agree_with_the_models_own_logits(folder, model, plain):
    network, tokenizer = plain
    answers = model.respond(in_one_passage(), layers=False, surprisal=True)
    ids = [tokenizer.bos_token_id, *tokenizer(" ".join(TEXTS), add_special_tokens=False)["input_ids"]]
    with torch.inference_mode():
        logits = network(torch.tensor([ids])).logits[0].double()
    bits = -torch.log_softmax(logits, dim=-1)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].sum() / math.log(2)
    assert answers.surprisals.kind is SurprisalKind.CAUSAL
    assert answers.surprisals.sum_bits.sum() == pytest.approx(bits.item(), rel=1e-6)
    assert np.isfinite(answers.surprisals.boundary_bits).all()
    assert answers.conditions["context_limit"] == 64


@pytest.mark.parametrize("folder", of_layout(Layout.ENCODER_DECODER), indirect=True)
def test_sentences_are_decoded_after_the_text_before_them(folder, model, plain):
    """Each sentence's bits are the model's own loss for it as the target, with the text before it as the source."""
    network, tokenizer = plain
    stimuli = words_of(TEXTS)
    answers = model.respond(stimuli, layers=False, surprisal=True)
    assert answers.surprisals.kind is SurprisalKind.SEQ2SEQ
    whole = tokenizer(" ".join(TEXTS), add_special_tokens=False, return_offsets_mapping=True)
    ends = np.array([end for _, end in whole["offset_mapping"]])
    framed = tokenizer("a")["input_ids"]
    inner = tokenizer("a", add_special_tokens=False)["input_ids"]
    head, tail = framed[: framed.index(inner[0])], framed[framed.index(inner[-1]) + 1 :]
    position, row = 0, 0
    for text in TEXTS:
        stop = len(" ".join(TEXTS)[: position + len(text)])
        past = [token for token, end in zip(whole["input_ids"], ends, strict=True) if end <= max(position - 1, 0)]
        own = [t for t, end in zip(whole["input_ids"], ends, strict=True) if max(position - 1, 0) < end <= stop]
        source = torch.tensor([[*head, *past, *tail]])
        target = torch.tensor([[network.config.decoder_start_token_id, *head, *own]])
        with torch.inference_mode():
            logits = network(source, decoder_input_ids=target).logits[0, len(head) : -1].double()
        bits = -torch.log_softmax(logits, dim=-1)[torch.arange(len(own)), torch.tensor(own)].sum() / math.log(2)
        n_words = len(text.split())
        assert answers.surprisals.sum_bits[row : row + n_words].sum() == pytest.approx(bits.item(), rel=1e-6)
        position, row = stop + 1, row + n_words


@pytest.mark.parametrize("folder", of_layout(Layout.ENCODER), indirect=True)
def test_encoders_give_no_surprisals_unless_pseudo_ones_are_chosen(folder, model, plain):
    with pytest.raises(OptionUnknown, match="gives no surprisals"):
        model.respond(in_one_passage(), layers=False, surprisal=True)
    chosen = ReadingOptions(surprisal=SurprisalMethod.PSEUDO_LOG_LIKELIHOOD)
    masked = LanguageModel.from_folder(folder, identifier="masked", reading=chosen)
    stimuli = words_of(TEXTS[:1])
    answers = masked.respond(stimuli, layers=False, surprisal=True)
    assert answers.surprisals.kind is SurprisalKind.PSEUDO_LOG_LIKELIHOOD
    assert answers.surprisals.boundary_bits is None
    network, tokenizer = plain
    encoding = tokenizer(TEXTS[0], return_offsets_mapping=True)
    word_ends = np.array([end for _, end in stimuli.passages[0].spans])
    expected = np.zeros(len(stimuli))
    for place, (start, end) in enumerate(encoding["offset_mapping"]):
        if start == end:
            continue
        word = int(np.searchsorted(word_ends, end))
        ids = list(encoding["input_ids"])
        for later, (first, last) in enumerate(encoding["offset_mapping"]):
            if later >= place and first != last and np.searchsorted(word_ends, last) == word:
                ids[later] = tokenizer.mask_token_id
        with torch.inference_mode():
            logits = network(torch.tensor([ids])).logits[0, place].double()
        expected[word] -= torch.log_softmax(logits, dim=-1)[encoding["input_ids"][place]].item() / math.log(2)
    np.testing.assert_allclose(answers.surprisals.sum_bits, expected, atol=1e-4)


@pytest.mark.parametrize("folder", TYPES, indirect=True)
def test_batches_do_not_change_the_answer(folder, model):
    passages = tuple(Passage.join(text[:3], [text]) for text in TEXTS)
    surprisal = family_of(folder.name).layout is not Layout.ENCODER
    together = model.respond(
        Stimuli(ids=("a", "b", "c"), passages=passages, groups=("g",) * 3), layers=True, surprisal=surprisal
    )
    for row, passage in enumerate(passages):
        alone = model.respond(Stimuli(ids=("a",), passages=(passage,), groups=("g",)), layers=True, surprisal=surprisal)
        if surprisal:
            np.testing.assert_allclose(together.surprisals.sum_bits[row], alone.surprisals.sum_bits[0], rtol=1e-6)
        for name, features in alone.layers.items():
            np.testing.assert_allclose(
                together.layers[name][row], features[0], atol=1e-5 * max(1, np.abs(features).max())
            )


@pytest.mark.parametrize("folder", TYPES, indirect=True)
def test_no_hook_stays_behind(folder, model):
    model.respond(in_one_passage(), layers=True, surprisal=False)
    reader = model._open.reader
    stacks = [getattr(reader, name) for name in ("base", "encoder", "decoder") if hasattr(reader, name)]
    modules = [module for stack in stacks for module in stack.modules()]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)


def test_every_type_belongs_to_one_family():
    listed = [model_type for family in families() for model_type in family.model_types]
    assert len(listed) == len(set(listed))
