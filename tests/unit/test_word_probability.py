"""Word probabilities by the two rules, against a vocabulary small enough to list all of its words."""

from itertools import product

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from scoring.subjects.language_model import LanguageModel
from scoring.subjects.surprisal import Readout
from scoring.subjects.vocabulary import boundary_set
from scoring.types import Passage, Stimuli
from tests import tokenizers_made
from tests.models import tiny_config

CONTEXT = ["ab", "b", "aab"]
LONGEST = 8


@pytest.fixture(scope="module")
def model():
    """A random model over ▁a ▁b a b that never ends a text, never says <unk>, and often ends a word."""
    tokenizer = tokenizers_made.two_letters()
    config = tiny_config("phi", tokenizer)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
        for parameter in network.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.3)
    with torch.no_grad():
        network.lm_head.bias += torch.tensor([1.0, 1.5, 0.0, -0.3, -100.0, -100.0])
    return LanguageModel(network, tokenizer, identifier="two letters")


@pytest.fixture(scope="module")
def next_words(model):
    """Surprisals of every word of up to LONGEST letters after the context."""
    words = ["".join(letters) for n in range(1, LONGEST + 1) for letters in product("ab", repeat=n)]
    passages = tuple(Passage.join(word, [*CONTEXT, word]) for word in words)
    n = len(CONTEXT) + 1
    stimuli = Stimuli(ids=tuple(map(str, range(n * len(words)))), passages=passages, groups=("g",) * (n * len(words)))
    answers = model.respond(stimuli, layers=False, surprisal=True).surprisals
    return answers.sum_bits[n - 1 :: n], answers.boundary_bits[n - 1 :: n]


def test_boundary_probabilities_of_all_words_sum_to_one(next_words):
    _, boundary = next_words
    assert (2**-boundary).sum() == pytest.approx(1.0, abs=2e-3)
    assert (2**-boundary).sum() < 1.0 + 1e-6


def test_plain_sums_over_tokens_do_not(next_words):
    plain, _ = next_words
    assert abs((2**-plain).sum() - 1.0) > 0.2


def test_what_is_missing_from_one_is_the_mass_of_longer_words(next_words):
    """The sum comes closer with each letter that words may have more: nothing else is lost."""
    _, boundary = next_words
    sums = [(2 ** -boundary[: 2 ** (n + 1) - 2]).sum() for n in range(2, LONGEST + 1)]
    missing = 1 - np.array(sums)
    assert (np.diff(missing) < 0).all()
    assert missing[-1] < missing[0] / 50


def test_the_rule_moves_the_end_of_a_word_and_leaves_the_whole_text(model):
    """Over a text the corrections telescope: the whole differs only at its two ends."""
    stimuli = Stimuli(ids=("0", "1", "2"), passages=(Passage.join("p", CONTEXT),), groups=("g",) * 3)
    found = model.respond(stimuli, layers=False, surprisal=True).surprisals
    assert np.abs(found.boundary_bits - found.sum_bits).max() > 0.05
    longer = Stimuli(ids=tuple("0123"), passages=(Passage.join("p", [*CONTEXT, "a"]),), groups=("g",) * 4)
    more = model.respond(longer, layers=False, surprisal=True).surprisals
    np.testing.assert_allclose(more.boundary_bits[:3], found.boundary_bits, atol=1e-5)


MARKED = {
    "byte_level": ["Ġ", "Ċ", "ĉ", "Ġs"],
    "llama2_style": ["▁", "▁the", "<0x0A>", "<0x20>", "<0x09>"],
    "unigram": ["▁"],
}


@pytest.mark.parametrize("kind", MARKED)
def test_boundary_sets_hold_what_begins_with_space_and_what_ends_texts(kind):
    tokenizer = getattr(tokenizers_made, kind)()
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    ends = {tokenizer.eos_token_id}
    found = boundary_set(pieces, ends=ends, n_outputs=len(tokenizer))
    assert {tokenizer.convert_tokens_to_ids(piece) for piece in MARKED[kind]} | ends <= set(found.ids.tolist())
    inner = {index for index, piece in enumerate(pieces) if piece.isalpha() and piece.isascii()}
    assert not inner & set(found.ids.tolist())
    assert (np.diff(found.ids) > 0).all()


def test_ids_beyond_the_models_outputs_are_left_out():
    assert boundary_set(["▁a", "b", "▁c"], ends=(7,), n_outputs=2).ids.tolist() == [0]


@pytest.mark.parametrize(
    ("pieces", "marks_continuation"), [(["a", "##b", "▁"], True), (["a</w>", "▁b"], True), (["a", "b"], False)]
)
def test_vocabularies_that_do_not_mark_word_starts_have_no_boundary_set(pieces, marks_continuation):
    found = boundary_set(pieces, ends=(0,), n_outputs=len(pieces), marks_continuation=marks_continuation)
    assert found.ids is None
    assert found.reason


def test_a_token_that_looks_like_a_continuation_mark_changes_nothing():
    """Byte-level vocabularies hold ## and #### as ordinary tokens: headings of Markdown."""
    found = boundary_set(["the", "Ġthe", "##", "####", "Ċ"], ends=(), n_outputs=5)
    assert found.ids.tolist() == [1, 4]


def test_letters_that_stand_for_spaces_do_so_in_byte_level_vocabularies_only():
    assert boundary_set(["Ġa", "če", "b"], ends=(), n_outputs=3).ids.tolist() == [0, 1]
    assert boundary_set(["▁a", "če", "b"], ends=(), n_outputs=3).ids.tolist() == [0]


def test_without_a_boundary_set_only_sums_are_given():
    tokenizer = tokenizers_made.word_piece()
    network = AutoModelForCausalLM.from_config(tiny_config("gpt2", tokenizer, bos_token_id=2), dtype=torch.float32)
    model = LanguageModel(network.eval(), tokenizer, identifier="pieces")
    stimuli = Stimuli(ids=("0", "1"), passages=(Passage.join("p", ["the", "rafts"]),), groups=("g", "g"))
    found = model.respond(stimuli, layers=False, surprisal=True).surprisals
    assert found.boundary_bits is None
    assert "marks how words go on" in found.boundary_reason
    assert np.isfinite(found.sum_bits[1])


def test_bytes_that_are_spaces_are_told_from_others():
    pieces = ["▁", "<0x20>", "<0x0A>", "<0x41>", "<0x85>", "<0xC2>"]
    assert boundary_set(pieces, ends=(-1,), n_outputs=6).ids.tolist() == [0, 1, 2]


def test_a_boundary_that_has_vanished_beside_the_likeliest_token_keeps_its_digits():
    """exp(x − max) is 0 in float32 from about −104 on; the boundary's bits are not infinite for that."""
    logits = torch.tensor([[200.0, 0.0, 1.0], [3.0, 2.0, 1.0]])
    readout = Readout(head=lambda rows: logits[rows[:, 0].long()].clone(), boundary=torch.tensor([1, 2]))
    _, bits = readout.bits(torch.tensor([[0.0], [1.0]]), torch.tensor([0, 0]))
    exact = torch.logsumexp(logits.double(), 1) - torch.logsumexp(logits.double()[:, 1:], 1)
    np.testing.assert_allclose(bits, exact.numpy() / np.log(2), rtol=1e-6)
