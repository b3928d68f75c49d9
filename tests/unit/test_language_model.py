"""Extraction is exact: one pass, batches, windows and chunks give what the plainest reading gives."""

import math

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, MptConfig, Phi3Config

from scoring.errors import ArchitectureUnsupported, ModelIncomplete
from scoring.subjects.families.base import family_of
from scoring.subjects.language_model import LanguageModel
from scoring.subjects.loading import default_dtype
from scoring.subjects.readers import context_limit
from scoring.subjects.surprisal import Readout
from scoring.types import Passage, Stimuli
from tests import tokenizers_made
from tests.models import write_model

SENTENCES = [
    ["The fox crossed the river.", "It was cold!", "Nobody, not even the heron, saw it."],
    ["A clock ran backwards."],
    ["Maps agree.", "Do they?"],
]


def stimuli_of(passages):
    made = tuple(Passage.join(f"p{index}", texts) for index, texts in enumerate(passages))
    n = sum(map(len, passages))
    return Stimuli(ids=tuple(map(str, range(n))), passages=made, groups=("g",) * n)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "tiny", "llama")


@pytest.fixture(scope="module")
def model(folder):
    return LanguageModel.from_folder(folder, identifier="tiny")


@pytest.fixture(scope="module")
def plain(folder):
    """The same model the way a tutorial would load and call it."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(
        folder
    )


def hidden_states(plain, text):
    """(n_layers + 1, n_tokens, width) of BOS + text, by output_hidden_states."""
    network, tokenizer = plain
    ids = [tokenizer.bos_token_id, *tokenizer(text, add_special_tokens=False)["input_ids"]]
    with torch.inference_mode():
        output = network(torch.tensor([ids]), output_hidden_states=True)
    return torch.stack(output.hidden_states)[:, 0].numpy(), output.logits[0].double(), ids


def test_one_pass_equals_growing_re_encoding_in_every_layer(model, plain):
    answers = model.respond(stimuli_of(SENTENCES), layers=True, surprisal=False)
    row = 0
    for sentences in SENTENCES:
        for n_read in range(1, len(sentences) + 1):
            states, _, _ = hidden_states(plain, " ".join(sentences[:n_read]))
            for name, layer in (("embed", 0), ("block.0", 1), ("block.1", 2), ("final_norm", 3)):
                np.testing.assert_allclose(answers.layers[name][row], states[layer, -1], atol=1e-5)
            row += 1
    assert list(answers.layers) == ["embed", "block.0", "block.1", "block.2", "final_norm"]


def test_the_last_block_is_taken_before_the_final_norm(model, plain):
    answers = model.respond(stimuli_of([["One sentence."]]), layers=True, surprisal=False)
    norm = plain[0].model.norm
    with torch.inference_mode():
        normed = norm(torch.from_numpy(answers.layers["block.2"])).numpy()
    np.testing.assert_allclose(normed, answers.layers["final_norm"], atol=1e-6)


def test_batched_equals_single(model):
    together = model.respond(stimuli_of(SENTENCES), layers=True, surprisal=True)
    row = 0
    for sentences in SENTENCES:
        alone = model.respond(stimuli_of([sentences]), layers=True, surprisal=True)
        rows = slice(row, row + len(sentences))
        for name, features in alone.layers.items():
            np.testing.assert_allclose(together.layers[name][rows], features, atol=1e-5)
        np.testing.assert_allclose(together.surprisals.sum_bits[rows], alone.surprisals.sum_bits, atol=1e-5)
        row += len(sentences)


def test_activations_and_surprisals_come_out_of_the_same_pass(model):
    both = model.respond(stimuli_of(SENTENCES), layers=True, surprisal=True)
    only = model.respond(stimuli_of(SENTENCES), layers=False, surprisal=True)
    np.testing.assert_array_equal(both.surprisals.sum_bits, only.surprisals.sum_bits)
    assert only.layers == {}


def test_surprisal_is_the_sum_over_a_words_tokens_of_float64_log_softmax(model, plain):
    words = ["The", "fox", "wanted", "to", "cross", "the", "river"]
    answers = model.respond(stimuli_of([words]), layers=False, surprisal=True)
    _, logits, ids = hidden_states(plain, " ".join(words))
    bits = -torch.log_softmax(logits, dim=-1)[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].numpy() / math.log(2)
    assert answers.surprisals.sum_bits.sum() == pytest.approx(bits.sum(), abs=1e-4)
    first = len(plain[1](words[0], add_special_tokens=False)["input_ids"])
    assert answers.surprisals.sum_bits[0] == pytest.approx(bits[:first].sum(), abs=1e-5)
    assert answers.surprisals.n_tokens.sum() == len(bits)


def test_surprisal_equals_reading_token_by_token_with_a_cache(model, plain):
    network, tokenizer = plain
    words = ["Nobody", "saw", "the", "heron", "at", "the", "river"]
    ids = tokenizer(" ".join(words), add_special_tokens=False)["input_ids"]
    total, cache, token = 0.0, None, tokenizer.bos_token_id
    with torch.inference_mode():
        for target in ids:
            output = network(torch.tensor([[token]]), past_key_values=cache, use_cache=True)
            cache = output.past_key_values
            total -= torch.log_softmax(output.logits[0, -1].double(), dim=-1)[target].item() / math.log(2)
            token = target
    answers = model.respond(stimuli_of([words]), layers=False, surprisal=True)
    assert answers.surprisals.sum_bits.sum() == pytest.approx(total, abs=1e-4)


@pytest.mark.parametrize("chunk", [1, 7, 128, 1000])
def test_chunked_surprisal_equals_float64_log_softmax(chunk):
    torch.manual_seed(0)
    head = torch.nn.Linear(16, 3000, bias=False)
    ends = torch.arange(0, 3000, 7)
    hidden, targets = 3 * torch.randn(200, 16), torch.randint(0, 3000, (200,))
    exact = torch.log_softmax((hidden.double() @ head.weight.double().T), dim=1)
    bits, of_boundary = Readout(head=head, boundary=ends, chunk=chunk).bits(hidden, targets)
    np.testing.assert_allclose(bits, -exact[torch.arange(200), targets].detach().numpy() / math.log(2), atol=1e-5)
    summed = exact[:, ends].logsumexp(dim=1)
    np.testing.assert_allclose(of_boundary, -summed.detach().numpy() / math.log(2), atol=1e-5)


LONG = ("The fox wanted to cross the river before the rain came. " * 8).split()


def test_long_texts_are_read_in_windows_that_score_every_word(model):
    answers = model.respond(stimuli_of([LONG]), layers=True, surprisal=True)
    assert answers.conditions["n_windows"] > 1
    assert np.isfinite(answers.surprisals.sum_bits).all()
    assert answers.conditions["window_stride"] == 32


def test_rolling_windows_give_what_each_window_gives_alone(model, plain):
    """The last word of a long text is read with exactly the tokens of its window before it."""
    network, tokenizer = plain
    ids = tokenizer(" ".join(LONG), add_special_tokens=False)["input_ids"]
    capacity, stride = 63, 32
    start = 0
    while start + capacity < len(ids):
        start += stride
    window = [tokenizer.bos_token_id, *ids[start:]]
    with torch.inference_mode():
        states = network(torch.tensor([window]), output_hidden_states=True).hidden_states
    answers = model.respond(stimuli_of([LONG]), layers=True, surprisal=False)
    np.testing.assert_allclose(answers.layers["block.1"][-1], states[2][0, -1].numpy(), atol=1e-5)


def test_without_bos_the_first_word_has_no_probability(plain, folder):
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    without = LanguageModel(network, tokenizers_made.byte_level(bos=None, eos=None), identifier="tiny")
    answers = without.respond(stimuli_of([["a", "river", "ran"]]), layers=False, surprisal=True)
    assert np.isnan(answers.surprisals.sum_bits[0])
    assert np.isfinite(answers.surprisals.sum_bits[1:]).all()
    assert answers.conditions["bos_token_id"] is None


def test_hooks_are_gone_after_an_error(model, monkeypatch):
    layers = model._open.reader.layers

    def fail(_module, _inputs, _output):
        raise RuntimeError("halfway")

    handle = layers.blocks[1].register_forward_hook(fail)
    with pytest.raises(RuntimeError, match="halfway"):
        model.respond(stimuli_of([["A sentence."]]), layers=True, surprisal=False)
    handle.remove()
    assert all(not block._forward_hooks and not block._forward_pre_hooks for block in layers.blocks)
    assert not layers.final_norm._forward_hooks


def test_an_untrained_twin_is_the_same_under_its_seed_and_another_under_another(folder):
    stimuli = stimuli_of(SENTENCES)
    first, again, other = (
        LanguageModel.untrained(folder, identifier="twin", seed=seed)
        .respond(stimuli, layers=True, surprisal=False)
        .layers["final_norm"]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_dtype_is_explicit_and_recorded(folder):
    half = LanguageModel.from_folder(folder, identifier="tiny", dtype="bfloat16")
    answers = half.respond(stimuli_of([["One sentence."]]), layers=True, surprisal=True)
    assert answers.conditions["dtype"] == "bfloat16"
    assert answers.layers["block.0"].dtype == np.float32
    assert (default_dtype("cpu"), default_dtype("cuda")) == ("float32", "bfloat16")


def test_the_context_limit_is_the_lesser_of_config_and_a_believable_tokenizer_limit(plain):
    network, tokenizer = plain
    assert context_limit(network.config, tokenizer, family_of("llama")) == 64
    tokenizer.model_max_length = 20
    assert context_limit(network.config, tokenizer, family_of("llama")) == 20
    tokenizer.model_max_length = int(1e30)
    assert context_limit(network.config, tokenizer, family_of("llama")) == 64


def test_the_limit_of_frequencies_that_change_with_the_longest_text_is_their_first_length(plain):
    """Beyond it the states of a short text would depend on a long neighbour."""
    config = Phi3Config(
        hidden_size=32,
        num_attention_heads=4,
        max_position_embeddings=256,
        original_max_position_embeddings=32,
        rope_parameters={
            "rope_type": "longrope",
            "rope_theta": 10000.0,
            "short_factor": [1.0] * 4,
            "long_factor": [4.0] * 4,
            "original_max_position_embeddings": 32,
        },
    )
    plain[1].model_max_length = int(1e30)
    assert context_limit(config, plain[1], family_of("phi3")) == 32
    assert context_limit(MptConfig(max_seq_len=64), plain[1], family_of("mpt")) == 64


def test_missing_tensors_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = write_model(tmp_path / "broken", "llama")
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.layers.1.mlp.up_proj.weight")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelIncomplete, match=r"missing keys: model\.layers\.1\.mlp\.up_proj\.weight"):
        LanguageModel.from_folder(folder, identifier="broken")


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(plain, folder):
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["heron"])
    model = LanguageModel(network, tokenizer, identifier="mixed")
    with pytest.raises(ModelIncomplete, match=r"gives the token \d+, but the model knows \d+"):
        model.respond(stimuli_of([["a", "heron"]]), layers=False, surprisal=True)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = write_model(tmp_path / "broken", "llama")
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][:] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelIncomplete, match="not finite"):
        LanguageModel.from_folder(folder, identifier="broken")


def test_a_model_that_reads_the_future_is_refused(plain, folder):
    network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    network.model.layers[0].register_forward_hook(
        lambda _module, _inputs, output: output + output.mean(1, keepdim=True)
    )
    with pytest.raises(ArchitectureUnsupported, match="not causal"):
        LanguageModel(network, plain[1], identifier="leaky")


def test_a_variant_without_the_known_layers_is_refused(tmp_path):
    folder = write_model(tmp_path / "post-norm", "opt", do_layer_norm_before=False)
    with pytest.raises(ArchitectureUnsupported, match=r"has no decoder\.final_layer_norm"):
        LanguageModel.from_folder(folder, identifier="post-norm")


def test_an_unknown_type_is_refused_before_its_weights_are_read(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "mamba"}')
    with pytest.raises(ArchitectureUnsupported, match="'mamba' is not supported"):
        LanguageModel.from_folder(tmp_path, identifier="mamba")
