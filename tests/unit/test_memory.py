"""What a reading allocates, counted by torch's own allocator: the same on every machine."""

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from transformers import LlamaConfig, LlamaForCausalLM

from scoring.subjects.language_model import LanguageModel
from scoring.subjects.surprisal import Readout
from scoring.types import Passage, Stimuli
from tests import tokenizers_made

N_LAYERS = 8
SENTENCE = "Every morning the children walked past the green door and over the raft."


def peak_bytes(call):
    """The most bytes that tensors made inside the call held at one time."""
    with torch.inference_mode(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        call()
    events = [event for event in recorded.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = highest = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        highest = max(highest, held)
    return highest


@pytest.fixture(scope="module")
def network():
    config = LlamaConfig(
        vocab_size=8000,
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=N_LAYERS,
        num_attention_heads=4,
        max_position_embeddings=2048,
        bos_token_id=0,
        eos_token_id=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LlamaForCausalLM(config).eval()


@pytest.fixture(scope="module")
def stimuli():
    passages = tuple(Passage.join(f"p{index}", [SENTENCE] * 4) for index in range(16))
    return Stimuli(ids=tuple(map(str, range(64))), passages=passages, groups=("g",) * 64)


def test_hooks_on_every_layer_cost_little_more_than_the_bare_forward(network, stimuli):
    tokenizer = tokenizers_made.byte_level()
    tokenizer.model_max_length = 2048
    model = LanguageModel(network, tokenizer, identifier="model")
    read = peak_bytes(lambda: model.respond(stimuli, layers=True, surprisal=False))
    longest = 1 + max(len(tokenizer(passage.text)["input_ids"]) for passage in stimuli.passages)
    ids = torch.zeros((16, longest), dtype=torch.long)
    assert model.respond(stimuli, layers=True, surprisal=False).conditions["n_windows"] == 16
    bare = peak_bytes(lambda: network.model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False))
    everything = peak_bytes(lambda: network(input_ids=ids, output_hidden_states=True, use_cache=True))
    assert read <= 1.1 * bare
    assert everything > 2 * read


def test_logits_exist_for_one_chunk_at_a_time():
    vocabulary, width, chunk = 20_000, 16, 32
    readout = Readout(head=torch.nn.Linear(width, vocabulary), boundary=torch.arange(0, vocabulary, 2), chunk=chunk)
    peaks = []
    for n_tokens in (256, 2048):
        hidden, targets = torch.randn(n_tokens, width), torch.zeros(n_tokens, dtype=torch.long)
        peaks.append(peak_bytes(lambda hidden=hidden, targets=targets: readout.bits(hidden, targets)))
    assert peaks[1] <= 1.1 * peaks[0]
    assert peaks[1] < 6 * chunk * vocabulary * 4
