"""Contexts, pooling, chat templates and memory as a model carries them out."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from scoring.errors import OptionUnknown, OutOfMemory
from scoring.subjects.contexts import contexts
from scoring.subjects.encoding import encode
from scoring.subjects.language_model import LanguageModel
from scoring.subjects.options import Pooling, PromptFormat, ReadingOptions
from scoring.types import Passage, Stimuli
from tests.models import write_model

SENTENCES = [["The raft carried her.", "It was cold!"], ["Nobody, not even the heron, saw it."]]
TEMPLATE = "{{ bos_token }}{% for m in messages %}<{{ m.role }}> {{ m.content }} </{{ m.role }}>{% endfor %}"


def stimuli_of(passages):
    n = sum(map(len, passages))
    made = tuple(Passage.join(f"p{index}", texts) for index, texts in enumerate(passages))
    return Stimuli(ids=tuple(map(str, range(n))), passages=made, groups=("g",) * n)


def words(passages):
    return stimuli_of([" ".join(texts).split() for texts in passages])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "tiny", "llama")


@pytest.fixture(scope="module")
def plain(folder):
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    return network, AutoTokenizer.from_pretrained(folder)


def reading(folder, **options):
    return LanguageModel.from_folder(folder, identifier="tiny", reading=ReadingOptions(**options))


def test_mean_pooling_is_the_mean_over_a_stimulus_own_tokens(folder, plain):
    network, tokenizer = plain
    answers = reading(folder, pooling=Pooling.MEAN).respond(stimuli_of(SENTENCES), layers=True, surprisal=False)
    row = 0
    for passage in stimuli_of(SENTENCES).passages:
        (context,) = contexts(stimuli_of([list(passage.texts)]), "story")
        text = encode(tokenizer, context)
        with torch.inference_mode():
            ids = torch.tensor([[tokenizer.bos_token_id, *text.ids]])
            states = network(ids, output_hidden_states=True).hidden_states
        for stimulus in range(len(passage.spans)):
            own = slice(1 + text.first_token[stimulus], 2 + text.last_token[stimulus])
            for name, state in (("embed", states[0]), ("block.0", states[1]), ("final_norm", states[3])):
                np.testing.assert_allclose(answers.layers[name][row], state[0, own].mean(0).numpy(), atol=1e-5)
            row += 1
    assert answers.conditions["pooling"] == "mean"


def test_mean_pooling_over_windows_takes_every_token_once(folder):
    long = " ".join(["the raft carried her over and over"] * 12)
    model = reading(folder, pooling=Pooling.MEAN)
    answers = model.respond(stimuli_of([[long]]), layers=True, surprisal=False)
    assert answers.conditions["n_windows"] > 1
    by_token = model.respond(words([[long]]), layers=True, surprisal=True)
    weights = by_token.surprisals.n_tokens
    mean = np.average(by_token.layers["embed"], axis=0, weights=weights)
    np.testing.assert_allclose(answers.layers["embed"][0], mean, atol=1e-5)


def test_each_sentence_alone_equals_each_sentence_as_a_passage(folder):
    together = reading(folder, context="sentence").respond(words(SENTENCES), layers=True, surprisal=True)
    apart = reading(folder).respond(
        words([[text] for texts in SENTENCES for text in texts]), layers=True, surprisal=True
    )
    np.testing.assert_allclose(together.surprisals.sum_bits, apart.surprisals.sum_bits, atol=1e-5)
    np.testing.assert_allclose(together.surprisals.boundary_bits, apart.surprisals.boundary_bits, atol=1e-5)
    np.testing.assert_allclose(together.layers["final_norm"], apart.layers["final_norm"], atol=1e-5)
    assert together.conditions["context"] == "sentence"


def test_one_stream_of_all_stories_equals_one_story(folder):
    stream = reading(folder, context="concat").respond(words(SENTENCES), layers=False, surprisal=True)
    joined = reading(folder).respond(words([SENTENCES[0] + SENTENCES[1]]), layers=False, surprisal=True)
    np.testing.assert_allclose(stream.surprisals.sum_bits, joined.surprisals.sum_bits, atol=1e-5)
    story = reading(folder).respond(words(SENTENCES), layers=False, surprisal=True)
    n_first = len(" ".join(SENTENCES[0]).split())
    np.testing.assert_allclose(stream.surprisals.sum_bits[:n_first], story.surprisals.sum_bits[:n_first], atol=1e-5)
    assert abs(stream.surprisals.sum_bits[n_first] - story.surprisals.sum_bits[n_first]) > 1e-3
    assert stream.surprisals.context_tokens[n_first] > 0
    assert story.surprisals.context_tokens[n_first] == 0


def test_a_window_of_words_reads_exactly_those_words(folder):
    stimuli = words([SENTENCES[0] + SENTENCES[1]])
    windowed = reading(folder, context="window:3").respond(stimuli, layers=True, surprisal=True)
    for row in range(2, len(stimuli)):
        alone = reading(folder).respond(
            stimuli_of([list(stimuli.texts[row - 2 : row + 1])]), layers=True, surprisal=True
        )
        np.testing.assert_allclose(windowed.surprisals.sum_bits[row], alone.surprisals.sum_bits[2], atol=1e-5)
        np.testing.assert_allclose(windowed.layers["block.1"][row], alone.layers["block.1"][2], atol=1e-5)


def test_a_window_as_wide_as_the_story_is_the_story(folder):
    stimuli = words([SENTENCES[0] + SENTENCES[1]])
    windowed = reading(folder, context="window:999").respond(stimuli, layers=False, surprisal=True)
    story = reading(folder).respond(stimuli, layers=False, surprisal=True)
    np.testing.assert_allclose(windowed.surprisals.sum_bits, story.surprisals.sum_bits, atol=1e-5)
    np.testing.assert_allclose(windowed.surprisals.boundary_bits, story.surprisals.boundary_bits, atol=1e-5)
    np.testing.assert_array_equal(windowed.surprisals.context_tokens, story.surprisals.context_tokens)


def with_template(plain, template):
    network, tokenizer = plain
    tokenizer.chat_template = template
    return LanguageModel(network, tokenizer, identifier="chat", reading=ReadingOptions(prompt_format=PromptFormat.CHAT))


def test_a_chat_template_stands_before_the_text_and_is_never_scored(plain):
    network, tokenizer = plain
    model = with_template(plain, TEMPLATE)
    stimuli = words(SENTENCES[1:])
    answers = model.respond(stimuli, layers=True, surprisal=True)
    text = tokenizer(stimuli.passages[0].text, add_special_tokens=False)["input_ids"]
    head = [tokenizer.bos_token_id, *tokenizer("<user> ", add_special_tokens=False)["input_ids"]]
    with torch.inference_mode():
        output = network(torch.tensor([[*head, *text]]), output_hidden_states=True)
    bits = -torch.log_softmax(output.logits[0].double(), dim=-1) / np.log(2)
    expected = sum(bits[len(head) - 1 + place, token].item() for place, token in enumerate(text))
    assert answers.surprisals.sum_bits.sum() == pytest.approx(expected, abs=1e-4)
    assert answers.surprisals.n_tokens.sum() == len(text)
    assert answers.surprisals.context_tokens[0] == 0
    np.testing.assert_allclose(answers.layers["block.1"][-1], output.hidden_states[2][0, -1].numpy(), atol=1e-5)
    assert answers.conditions["n_frame_tokens"] == len(head)
    assert answers.conditions["prompt_format"] == "chat"


@pytest.mark.parametrize("template", [TEMPLATE, TEMPLATE.replace("{{ bos_token }}", "")])
def test_bos_stands_once_whether_the_template_has_it_or_not(plain, template):
    _, tokenizer = plain
    head = with_template(plain, template)._open.reader.frame.head
    assert head[0] == tokenizer.bos_token_id
    assert head.count(tokenizer.bos_token_id) == 1


def test_a_template_that_writes_the_date_is_the_same_every_day(plain):
    """Some templates ask for the time of day; a score must not depend on it."""
    template = "{{ strftime_now('%d %b %Y %H:%M:%S.%f') }} {{ date_string }}" + TEMPLATE
    first, second = (with_template(plain, template)._open for _ in range(2))
    assert first.frames == second.frames
    assert first.frame_sha256 == second.frame_sha256
    day = plain[1]("26 Jul 2024", add_special_tokens=False)["input_ids"]
    assert list(first.frames[0].head[1 : len(day) + 1]) == day


def test_the_budget_counts_what_stands_around_a_text(plain):
    sizes = []
    handle = plain[0].base_model.register_forward_pre_hook(
        lambda _module, _inputs, named: sizes.append(named["input_ids"].numel()), with_kwargs=True
    )
    network, tokenizer = plain
    tokenizer.chat_template = TEMPLATE
    options = ReadingOptions(prompt_format=PromptFormat.CHAT, context="window:1")
    model = LanguageModel(network, tokenizer, identifier="chat", reading=options, token_budget=200)
    sizes.clear()
    model.respond(words(SENTENCES * 20), layers=False, surprisal=True)
    handle.remove()
    assert len(sizes) > 1
    assert max(sizes) <= 200


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (None, "no chat template"),
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("hello", "does not keep a message's text"),
    ],
)
def test_a_model_without_a_template_that_works_is_told_so(plain, template, words):
    with pytest.raises(OptionUnknown, match=words) as caught:
        with_template(plain, template)
    assert caught.value.param == "options.prompt_format"


class Cramped:
    """A hook that refuses batches beyond so many ids, as an allocator does."""

    def __init__(self, network, n_ids):
        self.n_ids, self.n_refused = n_ids, 0
        network.base_model.register_forward_pre_hook(self, with_kwargs=True)

    def __call__(self, _module, _inputs, named):
        if named["input_ids"].numel() > self.n_ids:
            self.n_refused += 1
            raise torch.OutOfMemoryError(f"tried to allocate {named['input_ids'].numel()} ids")


@pytest.mark.parametrize("pooling", list(Pooling))
def test_a_batch_that_does_not_fit_is_halved_until_it_does(folder, pooling):
    stimuli = stimuli_of(SENTENCES * 20)
    roomy = reading(folder, pooling=pooling).respond(stimuli, layers=True, surprisal=True)
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    options = ReadingOptions(pooling=pooling)
    model = LanguageModel(network, AutoTokenizer.from_pretrained(folder), identifier="cramped", reading=options)
    cramped = Cramped(network, 120)
    answers = model.respond(stimuli, layers=True, surprisal=True)
    assert cramped.n_refused > 1
    assert answers.conditions["token_budget"] < 150
    assert roomy.conditions["token_budget"] == 1024
    np.testing.assert_allclose(answers.surprisals.sum_bits, roomy.surprisals.sum_bits, atol=1e-5)
    for name, features in roomy.layers.items():
        np.testing.assert_allclose(answers.layers[name], features, atol=1e-5)


def test_a_text_that_does_not_fit_alone_fails_with_the_numbers(folder):
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model = LanguageModel(network, AutoTokenizer.from_pretrained(folder), identifier="cramped")
    Cramped(network, 9)
    with pytest.raises(
        OutOfMemory, match=r"one text of \d+ tokens does not fit.*1024 was halved to \d+.*tried to allocate"
    ):
        model.respond(stimuli_of(SENTENCES), layers=True, surprisal=False)


def test_other_errors_are_not_taken_for_memory(folder):
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model = LanguageModel(network, AutoTokenizer.from_pretrained(folder), identifier="broken")

    def fail(_module, _inputs, _named):
        raise RuntimeError("shapes disagree")

    network.base_model.register_forward_pre_hook(fail, with_kwargs=True)
    with pytest.raises(RuntimeError, match="shapes disagree"):
        model.respond(stimuli_of(SENTENCES), layers=True, surprisal=False)
