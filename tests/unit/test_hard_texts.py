"""Texts and tokenizers that break careless readers: the right answer or an error that says what is wrong."""

import re

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from scoring.errors import DataMalformed, TextUnalignable
from scoring.subjects.contexts import contexts
from scoring.subjects.encoding import encode
from scoring.subjects.language_model import LanguageModel
from scoring.types import Passage, Stimuli
from tests import tokenizers_made
from tests.models import write_model

MADE = {
    "byte-level": tokenizers_made.byte_level,
    "llama-2 style": tokenizers_made.llama2_style,
    "unigram": tokenizers_made.unigram,
    "word pieces": tokenizers_made.word_piece,
}


def stimuli_of(*passages):
    n = sum(len(passage.spans) for passage in passages)
    return Stimuli(ids=tuple(map(str, range(n))), passages=passages, groups=("g",) * n)


def encoded(tokenizer, passage):
    (context,) = contexts(stimuli_of(passage), "story")
    return encode(tokenizer, context)


@pytest.fixture(scope="module", params=["gpt2", "llama"])
def model(request, tmp_path_factory):
    folder = write_model(tmp_path_factory.mktemp("hard") / request.param, request.param)
    return LanguageModel.from_folder(folder, identifier=request.param)


def read(model, *passages):
    answers = model.respond(stimuli_of(*passages), layers=True, surprisal=True)
    assert np.isfinite(answers.surprisals.sum_bits).all()
    assert np.isfinite(answers.surprisals.boundary_bits).all()
    return answers


@pytest.mark.parametrize(("text", "spans"), [("", ()), ("", ((0, 0),)), ("a", ((0, 0),)), ("a", ((1, 0),))])
def test_an_empty_text_is_refused(text, spans):
    with pytest.raises(DataMalformed):
        Passage(name="p", text=text, spans=spans)


def test_a_stimulus_of_spaces_alone_is_refused():
    with pytest.raises(DataMalformed, match="empty stimulus"):
        Passage(name="p", text="a    b", spans=((0, 1), (2, 4), (5, 6)))


def test_a_word_of_5000_characters_is_read_in_windows(model):
    answers = read(model, Passage.join("p", ["before", "raft" * 1250, "after"]))
    assert answers.surprisals.n_tokens[1] > 1000
    assert answers.conditions["n_windows"] > 10
    assert answers.surprisals.sum_bits[1] > 1000


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize(
    "texts",
    [
        ["a", "😀", "raft👩‍👩‍👧", "end."],
        ["café", "cafe\u0301", "n\u0303a\u0300", "ẛ̣"],
        ["日本語", "と", "English"],
        ["soft\u00adhyphen", "zero\u200bwidth", "bom\ufeff"],
        ["“Who’s", "there?”", "—", "…"],
    ],
)
def test_emoji_combining_marks_and_other_scripts_keep_their_words(kind, texts):
    found = encoded(MADE[kind](), Passage.join("p", texts))
    assert (found.last_token >= found.first_token).all()
    assert set(found.stimulus_of_token.tolist()) == set(range(len(texts)))
    assert (np.diff(found.stimulus_of_token) >= 0).all()


def test_emoji_and_combining_marks_have_surprisals(model):
    answers = read(model, Passage.join("p", ["a", "👩‍👩‍👧", "cafe\u0301", "日本語", "end"]))
    assert (answers.surprisals.n_tokens[1:4] > 1).all()


def test_a_passage_beyond_the_context_answers_for_every_word(model):
    answers = read(model, Passage.join("p", ["raft", "over", "the", "door."] * 100))
    assert len(answers.surprisals) == 400
    assert answers.conditions["n_windows"] > 5
    # what a late word was read after: at least half of the limit, never more than it
    late = answers.surprisals.context_tokens[200:]
    assert late.min() >= 31
    assert late.max() <= 64


@pytest.mark.parametrize("kind", MADE)
def test_a_stimulus_that_starts_inside_a_word_is_an_error_that_shows_it(kind):
    with pytest.raises(TextUnalignable, match=r"straddles.*'aft'"):
        encoded(MADE[kind](), Passage(name="p", text="The raft", spans=((0, 3), (5, 8))))


def test_a_last_stimulus_that_ends_inside_a_token_is_an_error_that_shows_it():
    """The raft is one token: nothing of it may be lost."""
    tokenizer = tokenizers_made.word_piece()
    assert len(tokenizer("raft", add_special_tokens=False)["input_ids"]) == 1
    with pytest.raises(TextUnalignable, match="token 'raft' in p straddles 'raf' and what follows it"):
        encoded(tokenizer, Passage(name="p", text="The raft", spans=((0, 3), (4, 7))))


@pytest.mark.parametrize("kind", MADE)
def test_repeated_spaces_belong_to_no_other_word(kind):
    tokenizer = MADE[kind]()
    passage = Passage(name="p", text="The   raft\n\n carried\ther", spans=((0, 3), (6, 10), (13, 20), (21, 24)))
    found = encoded(tokenizer, passage)
    for stimulus, word in enumerate(passage.texts):
        own = found.ids[found.first_token[stimulus] : found.last_token[stimulus] + 1]
        said = tokenizer.decode(own.tolist())
        assert "".join(re.sub("▁|<unk>|<0x0A>|<0x09>", " ", said).split()).lower() == word.lower()


def test_repeated_spaces_are_read_as_they_stand(model):
    wide = Passage(name="p", text="The   raft", spans=((0, 3), (6, 10)))
    narrow = Passage.join("p", ["The", "raft"])
    assert read(model, wide).surprisals.sum_bits[1] != pytest.approx(read(model, narrow).surprisals.sum_bits[1])


class BrokenOffsets:
    """A tokenizer whose offsets went through `change`."""

    all_special_ids: tuple[int, ...] = ()

    def __init__(self, change):
        self._tokenizer, self._change = tokenizers_made.byte_level(), change

    def __call__(self, text, **options):
        encoding = self._tokenizer(text, **options)
        return {**encoding, "offset_mapping": [self._change(*offset) for offset in encoding["offset_mapping"]]}


def swapped(start, end):
    """The first word's offsets for the last word's and the other way round."""
    if start < 3:
        return start + 17, end + 17
    return (max(start - 17, 0), end - 17) if start >= 16 else (start, end)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda start, end: (0, 0), "drops a character"),
        (lambda start, end: (start + 1000, end + 1000), "leave the text"),
        (lambda start, end: (end, start), "end before they begin"),
        (lambda start, end: (start - 1, end), "leave the text"),
        (lambda start, end: (20 - end, 20 - start), "straddles"),
        (swapped, "do not come in the order"),
        (lambda start, end: (0, 20), "straddles"),
        (lambda start, end: (start, start), "drops a character"),
    ],
)
def test_broken_offsets_are_found_out(change, words):
    with pytest.raises(TextUnalignable, match=words):
        encoded(BrokenOffsets(change), Passage.join("p", ["The", "raft", "carried", "her"]))


def test_a_special_token_that_the_tokenizer_adds_by_itself_is_dropped():
    tokenizer = tokenizers_made.byte_level()

    class Adding(BrokenOffsets):
        def __call__(self, text, **options):
            encoding = tokenizer(text, **options)
            ids, offsets = encoding["input_ids"], encoding["offset_mapping"]
            return {"input_ids": [tokenizer.bos_token_id, *ids], "offset_mapping": [(0, 0), *offsets]}

    adding = Adding(None)
    adding.all_special_ids = tokenizer.all_special_ids
    passage = Passage.join("p", ["The", "raft"])
    np.testing.assert_array_equal(encoded(adding, passage).ids, encoded(tokenizer, passage).ids)


def test_text_after_the_last_stimulus_is_not_read():
    tokenizer = tokenizers_made.byte_level()
    whole = encoded(tokenizer, Passage(name="p", text="The raft carried her", spans=((0, 3), (4, 8))))
    np.testing.assert_array_equal(whole.ids, encoded(tokenizer, Passage.join("p", ["The", "raft"])).ids)


@pytest.mark.parametrize("model_type", ["bert", "t5"])
def test_a_prefix_longer_than_the_limit_is_cut_from_the_left(model_type, tmp_path):
    folder = write_model(tmp_path / model_type, model_type)
    model = LanguageModel.from_folder(folder, identifier=model_type)
    texts = ["the raft carried her over", "it was cold", "nobody saw the heron"] * 8
    answers = model.respond(stimuli_of(Passage.join("p", texts)), layers=True, surprisal=False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    framed, inner = tokenizer("a")["input_ids"], tokenizer("a", add_special_tokens=False)["input_ids"]
    head = framed[: framed.index(inner[0])]
    tail = framed[len(head) + len(inner) :]
    reader = model._open.reader
    capacity = 64 - (len(head) + len(tail) if model_type == "bert" else max(len(reader.encoder_frame), 1))
    last = tokenizer(" ".join(texts), add_special_tokens=False)["input_ids"][-capacity:]
    base = reader.base if model_type == "bert" else reader.encoder
    with torch.inference_mode():
        ids = torch.tensor([[*head, *last, *tail]])
        assert ids.shape[1] <= 64
        states = base(input_ids=ids).last_hidden_state[0, len(head) + len(last) - 1]
    name = "block.2" if model_type == "bert" else "encoder.final_norm"
    np.testing.assert_allclose(answers.layers[name][-1], states.numpy(), atol=1e-5)


def test_bert_is_refused_as_a_causal_model(tmp_path, monkeypatch):
    """Transformers loads it as one without a word of complaint, and it would read the future."""
    from scoring.errors import ArchitectureUnsupported
    from scoring.subjects import readers
    from scoring.subjects.families.base import Family, Stack

    folder = write_model(tmp_path / "bert", "bert")
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    as_decoder = Family(name="bert", model_types=("bert",), stacks=(Stack(blocks="encoder.layer"),))
    monkeypatch.setattr(readers, "family_of", lambda _: as_decoder)
    with pytest.raises(ArchitectureUnsupported, match="not causal"):
        LanguageModel(network, AutoTokenizer.from_pretrained(folder), identifier="bert")
