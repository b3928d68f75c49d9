"""`broca models convert`: older forms of models from a hub on loopback, converted in a process of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from scoring.subjects import checks
from scoring.subjects.language_model import LanguageModel
from scoring.types import Passage, Stimuli
from tests.fake_hub import Fault
from tests.models import write_model
from tests.vocabularies import LLAMA, split_tokenizer, write_sentencepiece
from worker.conversion import convert_model, remove_abandoned
from worker.exchange import Failure

PASSAGE = Passage.join("p", ["The", "children", "walked", "past", "the", "green", "door", "every", "morning"])
STIMULI = Stimuli(ids=tuple("abcdefghi"), passages=(PASSAGE,), groups=("p",) * 9)


@pytest.fixture
def convert(hub, tmp_path):
    """Runs the command; gives the finished process. Models are kept in tmp_path / "models"."""

    def run(*arguments, **environment):
        given = {name: value for name, value in os.environ.items() if not name.startswith(("BROCA_", "HF_"))}
        given |= {
            "BROCA_MODEL_DIR": str(tmp_path / "models"),
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "home"),
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(Path.cwd()),
            **environment,
        }
        command = [sys.executable, "-m", "broca", "models", "convert", *arguments]
        given = {name: value for name, value in given.items() if value is not None}
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=300, check=False)

    return run


def pickle_weights(folder, *, n_files=1):
    """Replace the safetensors in `folder` by pickles of the same tensors."""
    tensors = load_file(folder / checks.SINGLE_WEIGHTS)
    (folder / checks.SINGLE_WEIGHTS).unlink()
    if n_files == 1:
        torch.save(tensors, folder / "pytorch_model.bin")
        return tensors
    weight_map = {}
    for number in range(n_files):
        file = f"pytorch_model-{number + 1:05}-of-{n_files:05}.bin"
        part = {name: tensors[name] for name in sorted(tensors)[number::n_files]}
        torch.save(part, folder / file)
        weight_map |= dict.fromkeys(part, file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return tensors


def responses(folder):
    model = LanguageModel.from_folder(folder, identifier="m")
    return model.respond(STIMULI, layers=True, surprisal=True)


def left_in(folder):
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


@pytest.mark.parametrize(("model_type", "n_files"), [("gpt2", 1), ("llama", 3)])
def test_a_converted_model_gives_the_activations_of_the_original(hub, convert, tmp_path, model_type, n_files):
    original = write_model(tmp_path / "original", model_type)
    upstream = write_model(tmp_path / "upstream", model_type)
    tensors = pickle_weights(upstream, n_files=n_files)
    sha = hub.add("org/old", upstream)
    ended = convert("org/old")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "local/old\n"
    folder = tmp_path / "models" / "old"
    converted = load_file(folder / checks.SINGLE_WEIGHTS)
    assert converted.keys() == tensors.keys()
    assert all(torch.equal(converted[name], tensors[name]) for name in tensors)
    found, expected = responses(folder), responses(original)
    for name, layer in expected.layers.items():
        assert (found.layers[name] == layer).all()
    assert (found.surprisals.sum_bits == expected.surprisals.sum_bits).all()
    source = json.loads((folder / "broca-source.json").read_text())
    assert isinstance(source["network_was_closed_off"], bool)
    assert (source["model_id"], source["revision"], source["tokenizer"]) == ("org/old", sha, "as found")
    assert {name for name in source["files_sha256"] if name.endswith(".bin")} == {
        path.name for path in upstream.glob("*.bin")
    }
    assert left_in(tmp_path / "models") == sorted(["old", *(path.name for path in folder.iterdir())])
    assert not list(folder.glob("*.bin"))


def test_the_name_can_be_chosen_and_is_not_overwritten(hub, convert, tmp_path):
    upstream = write_model(tmp_path / "upstream", "gpt2")
    pickle_weights(upstream)
    hub.add("org/old", upstream, revisions={"main": "a" * 40, "v1": "b" * 40})
    assert convert("org/old", "--name", "mine", "--revision", "v1").stdout == "local/mine\n"
    assert json.loads((tmp_path / "models" / "mine" / "broca-source.json").read_text())["revision"] == "b" * 40
    again = convert("org/old", "--name", "mine")
    assert again.returncode == 2
    assert "local/mine is there already" in again.stderr
    assert convert("org/old", "--name", "../out").returncode == 2


class Harmful:
    """A pickle of this object writes a file when it is read."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


def test_code_in_a_pickle_is_not_run_and_leaves_no_trace(hub, convert, tmp_path):
    upstream = write_model(tmp_path / "upstream", "gpt2")
    tensors = pickle_weights(upstream)
    torch.save({**tensors, "harm": Harmful(tmp_path / "trace")}, upstream / "pytorch_model.bin")
    hub.add("org/evil", upstream)
    ended = convert("org/evil")
    assert ended.returncode == 1
    assert "remote_code_refused" in ended.stderr
    assert "pytorch_model.bin holds more than tensors" in ended.stderr
    assert not (tmp_path / "trace").exists()
    assert left_in(tmp_path / "models") == []


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda tensors: tensors.pop("transformer.h.1.mlp.c_fc.weight"), "model_incomplete", "h.1.mlp.c_fc.weight"),
        (
            lambda tensors: tensors.update({"transformer.h.1.mlp.c_fc.weight": torch.zeros(3, 3)}),
            "model_incomplete",
            "mlp.c_fc.weight",
        ),
        (lambda tensors: tensors.update({"number": 7}), "model_incomplete", "number"),
    ],
)
def test_weights_that_are_not_those_of_the_architecture_are_refused(hub, convert, tmp_path, change, code, words):
    upstream = write_model(tmp_path / "upstream", "gpt2")
    tensors = pickle_weights(upstream)
    change(tensors)
    torch.save(tensors, upstream / "pytorch_model.bin")
    hub.add("org/other", upstream)
    ended = convert("org/other")
    assert ended.returncode == 1
    assert code in ended.stderr
    assert words in ended.stderr
    assert left_in(tmp_path / "models") == []


def test_tensors_without_a_place_are_reported_and_kept_out_of_nothing_else(hub, convert, tmp_path):
    upstream = write_model(tmp_path / "upstream", "gpt2")
    tensors = pickle_weights(upstream)
    torch.save({**tensors, "extra.weight": torch.ones(2)}, upstream / "pytorch_model.bin")
    hub.add("org/more", upstream)
    ended = convert("org/more")
    assert ended.returncode == 0, ended.stderr
    assert "extra.weight" in ended.stderr
    assert "extra.weight" in (tmp_path / "models" / "more" / "broca-source.json").read_text()


def test_configurations_are_checked_before_anything_is_downloaded(hub, convert, tmp_path):
    upstream = write_model(tmp_path / "upstream", "gpt2")
    pickle_weights(upstream)
    config = json.loads((upstream / "config.json").read_text())
    (upstream / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoConfig": "evil.Evil"}}))
    hub.add("org/evil", upstream)
    hub.add("org/gated", upstream, fault=Fault.GATED)
    ended = convert("org/evil")
    assert (ended.returncode, "remote_code_refused" in ended.stderr) == (1, True)
    ended = convert("org/gated")
    assert (ended.returncode, "model_gated" in ended.stderr) == (1, True)
    assert hub.n_weights_served == 0
    assert left_in(tmp_path / "models") == []


def test_a_slow_tokenizer_alone_is_converted_too(hub, convert, tmp_path):
    upstream = write_model(tmp_path / "upstream", "mistral")
    (upstream / "tokenizer.json").unlink()
    library = write_sentencepiece(upstream / "tokenizer.model", LLAMA)
    (upstream / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "LlamaTokenizer"}))
    hub.add("org/slow", upstream)
    ended = convert("org/slow")
    assert ended.returncode == 0, ended.stderr
    model = LanguageModel.from_folder(tmp_path / "models" / "slow", identifier="m")
    ids = model._tokenizer(PASSAGE.text, add_special_tokens=False)["input_ids"]
    assert ids == library.encode(PASSAGE.text)


def test_pickles_and_an_old_vocabulary_are_converted_together(hub, convert, tmp_path):
    upstream = write_model(tmp_path / "upstream", "opt")
    pickle_weights(upstream)
    split_tokenizer(upstream)
    hub.add("org/opt", upstream)
    ended = convert("org/opt")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "models" / "opt" / "tokenizer.json").is_file()


def test_a_model_that_needs_no_conversion_is_refused(hub, convert, tmp_path):
    hub.add("org/new", write_model(tmp_path / "upstream", "gpt2"))
    ended = convert("org/new")
    assert ended.returncode == 2
    assert "needs no conversion" in ended.stderr
    assert hub.n_weights_served == 0


def test_without_a_folder_of_models_it_says_so(convert):
    ended = convert("org/old", BROCA_MODEL_DIR=None)
    assert ended.returncode == 2
    assert "BROCA_MODEL_DIR" in ended.stderr


def test_the_token_reaches_the_hub_and_nothing_else(hub, convert, tmp_path):
    upstream = write_model(tmp_path / "upstream", "gpt2")
    pickle_weights(upstream)
    hub.add("org/old", upstream)
    ended = convert("org/old", HF_TOKEN="hf_secret")
    assert ended.returncode == 0, ended.stderr
    assert hub.tokens == {"hf_secret"}
    assert "hf_secret" not in ended.stderr + (tmp_path / "models" / "old" / "broca-source.json").read_text()


CONFINED = """
import socket, sys
from worker.confinement import leave_the_network
if not leave_the_network():
    sys.exit(77)
try:
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2)
except OSError:
    open(sys.argv[2], "w").write("alive")
"""


def test_a_confined_process_reaches_no_address_and_still_writes_its_files(hub, tmp_path):
    port = hub.url.rpartition(":")[2]
    ended = subprocess.run([sys.executable, "-c", CONFINED, port, str(tmp_path / "file")], check=False)
    if ended.returncode == 77:
        pytest.skip("this kernel lets no process leave the network")
    assert (tmp_path / "file").read_text() == "alive"


def test_the_original_format_of_gpt2_without_prefixes_is_understood(hub, convert, tmp_path):
    upstream = write_model(tmp_path / "upstream", "gpt2")
    tensors = pickle_weights(upstream)
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items() if name != "lm_head.weight"}
    masks = {f"h.{layer}.attn.bias": torch.tril(torch.ones(1, 1, 64, 64)) for layer in range(3)}
    torch.save(bare | masks, upstream / "pytorch_model.bin")
    hub.add("org/gpt2", upstream)
    ended = convert("org/gpt2")
    assert ended.returncode == 0, ended.stderr
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "models" / "gpt2")
    assert torch.equal(model.transformer.wte.weight, tensors["transformer.wte.weight"])


def test_a_small_pickle_cannot_ask_for_terabytes(hub, convert, tmp_path):
    upstream = write_model(tmp_path / "upstream", "gpt2")
    tensors = pickle_weights(upstream)
    torch.save({**tensors, "huge": torch.zeros(1).expand(1 << 40)}, upstream / "pytorch_model.bin")
    hub.add("org/huge", upstream)
    ended = convert("org/huge")
    assert ended.returncode == 1
    assert "out_of_memory" in ended.stderr
    assert left_in(tmp_path / "models") == []


def test_memory_beyond_the_files_need_is_refused_where_the_machine_has_it(tmp_path):
    program = (
        "import torch; from worker.convert import limit_memory, _of_memory\n"
        "limit_memory(4 << 30)\n"
        "try: torch.empty(1 << 30)\n"
        "except RuntimeError as error: print(_of_memory(error).code)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == "out_of_memory\n"


def test_a_conversion_that_takes_too_long_is_ended(hub, tmp_path):
    upstream = write_model(tmp_path / "upstream", "gpt2")
    pickle_weights(upstream)
    hub.add("org/old", upstream)
    found = convert_model(
        "org/old",
        tmp_path / "models",
        revision=None,
        name=None,
        on_progress=lambda fraction, detail: None,
        timeout_s=0.01,
    )
    assert isinstance(found, Failure)
    assert found.code == "timeout"
    assert left_in(tmp_path / "models") == []


HOLD = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print(flush=True)
input()
"""


def test_what_dead_conversions_left_is_removed_and_what_living_ones_hold_is_not(tmp_path):
    dead, living, young = (tmp_path / f".convert-{name}" for name in ("dead", "living", "young"))
    for folder in (dead, living, young):
        (folder / "hub").mkdir(parents=True)
    for folder in (dead, living):
        os.utime(folder, (0, 0))
    arguments = [sys.executable, "-c", HOLD, str(living)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        remove_abandoned(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == [".convert-living", ".convert-young"]
        holder.communicate(b"\n")
    remove_abandoned(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".convert-young"]
