"""From a model id to a checked folder, with the real client against a hub on loopback."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scoring.errors import (
    ArchitectureUnsupported,
    HubUnavailable,
    InsufficientStorage,
    ModelError,
    ModelGated,
    ModelIncomplete,
    ModelNotFound,
    NoSafetensors,
    RemoteCodeRefused,
    RevisionNotFound,
    ScoringError,
)
from scoring.subjects import checks, demo_model, headers
from scoring.subjects.sources import ResolvedModel, resolve
from tests.fake_hub import FakeHub, Fault

SUPPORTED = {"llama", "gpt2"}
Resolve = Callable[..., ResolvedModel]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "upstream"
    demo_model.build(folder)
    (folder / "README.md").write_text("not downloaded")
    return folder


@pytest.fixture
def take(hub: FakeHub, tmp_path: Path) -> Resolve:
    def take(model_id: str, revision: str | None = None, **options: Any) -> ResolvedModel:
        places = {"model_dir": None, "cache_dir": tmp_path / "cache", "endpoint": hub.url, "timeout_s": 5.0}
        return resolve(model_id, revision, **{"supported": SUPPORTED, **places, **options})

    return take


def edit(folder: Path, file: str, **fields: object) -> None:
    path = folder / file
    document = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**document, **fields}))


def write_weights(path: Path, header: object, data: bytes = b"", *, claimed: int | None = None) -> None:
    raw = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw) if claimed is None else claimed) + raw + data)


def shard(folder: Path) -> None:
    """Replace the single file of weights by an index and one file per half of the tensors."""
    whole = (folder / checks.SINGLE_WEIGHTS).read_bytes()
    (header_bytes,) = struct.unpack("<Q", whole[:8])
    entries = json.loads(whole[8 : 8 + header_bytes])
    entries.pop("__metadata__")
    data, weight_map = whole[8 + header_bytes :], {}
    for number, names in enumerate((sorted(entries)[::2], sorted(entries)[1::2]), start=1):
        part, body = {}, b""
        for name in names:
            first, last = entries[name]["data_offsets"]
            part[name] = {**entries[name], "data_offsets": [len(body), len(body) + last - first]}
            body += data[first:last]
            weight_map[name] = f"model-0000{number}-of-00002.safetensors"
        write_weights(folder / f"model-0000{number}-of-00002.safetensors", part, body)
    (folder / checks.WEIGHTS_INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    (folder / checks.SINGLE_WEIGHTS).unlink()


def test_a_good_model_is_downloaded_once_and_described(hub: FakeHub, model: Path, take: Resolve) -> None:
    sha = hub.add("org/good", model)
    progress: list[float] = []
    resolved = take("org/good", on_progress=lambda fraction, detail: progress.append(fraction))
    assert (resolved.revision, resolved.requested_revision, resolved.model_id) == (sha, "main", "org/good")
    assert (resolved.model_type, resolved.architecture) == ("llama", "LlamaForCausalLM")
    assert (resolved.parameters, resolved.n_layers, resolved.width) == (47328, 3, 32)
    assert resolved.signature is None
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert len(set(progress)) > 2
    assert hub.n_weights_served == 1

    assert take("org/good") == resolved
    assert hub.n_weights_served == 1


def test_a_downloaded_commit_is_reused_without_a_request(hub: FakeHub, model: Path, take: Resolve) -> None:
    sha = hub.add("org/good", model)
    folder = take("org/good").folder
    n_requests = hub.n_requests
    assert take("org/good", sha).folder == folder
    assert hub.n_requests == n_requests


def test_a_folder_that_lost_a_file_is_completed(hub: FakeHub, model: Path, take: Resolve) -> None:
    sha = hub.add("org/good", model)
    folder = take("org/good").folder
    (folder / checks.SINGLE_WEIGHTS).resolve().unlink()
    assert take("org/good", sha).parameters == 47328
    assert hub.n_weights_served == 2


def test_sharded_weights_are_taken_whole(hub: FakeHub, model: Path, take: Resolve) -> None:
    shard(model)
    hub.add("org/sharded", model)
    assert take("org/sharded").parameters == 47328


def test_tags_are_resolved_to_commits(hub: FakeHub, model: Path, take: Resolve) -> None:
    hub.add("org/good", model, revisions={"main": "a" * 40, "refs/pr/1": "b" * 40})
    assert take("org/good", "refs/pr/1").revision == "b" * 40


def test_a_token_is_sent_and_no_token_means_anonymous(
    hub: FakeHub, model: Path, take: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_fromtheenvironment")
    hub.add("org/good", model)
    take("org/good")
    assert hub.tokens == set()
    hub.add("org/other", model)
    take("org/other", token="hf_given")
    assert hub.tokens == {"hf_given"}


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (Fault.PRIVATE, ModelNotFound, "401"),
        (Fault.FORBIDDEN, ModelNotFound, "403: Your token may not read"),
        (Fault.GATED, ModelGated, "403: Access to this model is restricted"),
        (Fault.GATED_DESCRIPTION, ModelGated, "401"),
        (Fault.BUSY, HubUnavailable, "429: Too many requests"),
        (Fault.BROKEN, HubUnavailable, "500: Internal Error"),
        (Fault.GARBAGE, HubUnavailable, "cannot be read"),
    ],
)
def test_each_refusal_of_the_hub_has_its_own_error(
    hub: FakeHub, model: Path, take: Resolve, fault: Fault, error: type[ScoringError], words: str
) -> None:
    hub.add("org/model", model, fault=fault)
    with pytest.raises(error, match=words) as caught:
        take("org/model", token="hf_secret")
    assert type(caught.value).code == error.code
    assert "hf_secret" not in f"{caught.value.detail} {caught.value.hint}"
    assert hub.n_weights_served == 0


def test_the_time_to_wait_is_kept(hub: FakeHub, model: Path, take: Resolve) -> None:
    hub.add("org/model", model, fault=Fault.BUSY)
    with pytest.raises(HubUnavailable) as caught:
        take("org/model")
    assert caught.value.retry_after_s == 7.0


def test_a_missing_model_and_a_missing_revision_are_told_apart(hub: FakeHub, model: Path, take: Resolve) -> None:
    with pytest.raises(ModelNotFound, match="Repository not found") as caught:
        take("org/nothing")
    assert caught.value.hint is not None
    assert "token" in caught.value.hint
    hub.add("org/good", model)
    with pytest.raises(RevisionNotFound, match="Invalid rev id"):
        take("org/good", "v9")


def test_a_hub_that_hangs_is_unavailable_after_the_timeout(hub: FakeHub, model: Path, take: Resolve) -> None:
    hub.add("org/slow", model, fault=Fault.HANG)
    with pytest.raises(HubUnavailable, match="Timeout"):
        take("org/slow", timeout_s=0.2)


def test_a_hub_that_is_not_there_is_unavailable(take: Resolve) -> None:
    with pytest.raises(HubUnavailable, match="ConnectError"):
        take("org/model", endpoint="http://127.0.0.1:9")


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.WRONG_CONTENT])
def test_weights_that_arrive_damaged_are_not_kept(hub: FakeHub, model: Path, take: Resolve, fault: Fault) -> None:
    hub.add("org/model", model, fault=fault)
    with pytest.raises(HubUnavailable):
        take("org/model")
    hub.add("org/model", model)
    assert take("org/model").parameters == 47328
    assert hub.n_weights_served == 2


def test_a_connection_that_breaks_is_resumed(hub: FakeHub, model: Path, take: Resolve) -> None:
    hub.add("org/model", model, fault=Fault.DROPPED_ONCE)
    assert take("org/model").parameters == 47328
    assert hub.n_weights_served == 2


def refuse_before_weights(hub: FakeHub, folder: Path, take: Resolve, error: type[ModelError], words: str) -> None:
    """The hub's model and the local one of these files are both refused, and no weights move."""
    hub.add("org/bad", folder)
    with pytest.raises(error, match=words):
        take("org/bad")
    assert hub.n_weights_served == 0
    with pytest.raises(error, match=words):
        take(f"local/{folder.name}", model_dir=folder.parent)


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        ("config.json", {"auto_map": {"AutoModelForCausalLM": "modeling_evil.Evil"}}),
        ("config.json", {"text_config": {"deep": [{"auto_map": {"AutoConfig": "evil.Evil"}}]}}),
        ("config.json", {"_attn_implementation": "evil/kernel"}),
        ("config.json", {"_attn_implementation_internal": "evil/kernel"}),
        ("config.json", {"attn_implementation": "evil/kernel"}),
        ("config.json", {"vision_config": {"_experts_implementation": "evil/kernel"}}),
        ("config.json", {"sub_config": {"_name_or_path": "evil/repository"}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}),
        ("generation_config.json", {"auto_map": {"a": "b"}}),
    ],
)
def test_what_could_run_code_is_refused(
    hub: FakeHub, model: Path, take: Resolve, file: str, fields: dict[str, object]
) -> None:
    edit(model, file, **fields)
    refuse_before_weights(hub, model, take, RemoteCodeRefused, file)


def test_names_that_name_nothing_pass(hub: FakeHub, model: Path, take: Resolve) -> None:
    edit(model, "config.json", _name_or_path="gpt2", _attn_implementation_autoset=True, sub={"_name_or_path": ""})
    hub.add("org/harmless", model)
    assert take("org/harmless").model_type == "llama"


def test_a_model_type_that_is_not_listed_is_named(hub: FakeHub, model: Path, take: Resolve) -> None:
    edit(model, "config.json", model_type="mamba", architectures=["MambaForCausalLM"])
    refuse_before_weights(hub, model, take, ArchitectureUnsupported, "'mamba'.*MambaForCausalLM")


def test_pickled_weights_are_refused_by_name(hub: FakeHub, model: Path, take: Resolve) -> None:
    (model / checks.SINGLE_WEIGHTS).rename(model / "pytorch_model.bin")
    refuse_before_weights(hub, model, take, NoSafetensors, r"pytorch_model\.bin")


def test_a_missing_tokenizer_is_named(hub: FakeHub, model: Path, take: Resolve) -> None:
    (model / "tokenizer.json").unlink()
    refuse_before_weights(hub, model, take, NoSafetensors, r"no tokenizer; found 'tokenizer_config\.json'")


def test_a_vocabulary_that_would_be_read_wrongly_is_refused(hub: FakeHub, model: Path, take: Resolve) -> None:
    (model / "tokenizer.json").rename(model / "tokenizer.model")
    refuse_before_weights(hub, model, take, NoSafetensors, r"built here from tokenizer\.model for model_type 'llama'")


def test_a_missing_shard_is_named(hub: FakeHub, model: Path, take: Resolve) -> None:
    shard(model)
    (model / "model-00002-of-00002.safetensors").unlink()
    refuse_before_weights(hub, model, take, ModelIncomplete, "model-00002-of-00002")


def test_an_index_cannot_name_a_path(hub: FakeHub, model: Path, take: Resolve) -> None:
    shard(model)
    edit(model, checks.WEIGHTS_INDEX, weight_map={"a": "../../secret.safetensors"})
    refuse_before_weights(hub, model, take, ModelIncomplete, "not a plain file")


def test_a_configuration_that_is_not_an_object_is_refused(hub: FakeHub, model: Path, take: Resolve) -> None:
    (model / "config.json").write_text("[" * 100_000)
    refuse_before_weights(hub, model, take, ModelIncomplete, "not JSON")


def test_a_model_larger_than_the_disk_is_refused_with_both_numbers(hub: FakeHub, model: Path, take: Resolve) -> None:
    n_bytes = 10**18
    header = {"a": {"dtype": "F32", "shape": [n_bytes // 4], "data_offsets": [0, n_bytes]}}
    write_weights(model / checks.SINGLE_WEIGHTS, header)
    n_before = (model / checks.SINGLE_WEIGHTS).stat().st_size
    hub.add("org/huge", model, sizes={checks.SINGLE_WEIGHTS: n_before + n_bytes})
    with pytest.raises(InsufficientStorage, match=r"has 1\d{18} bytes.* has \d+ free"):
        take("org/huge")
    assert hub.n_weights_served == 0


@pytest.mark.parametrize(
    ("header", "claimed", "words"),
    [
        ({}, 10**9, "header of 1000000000 bytes"),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, None, "malformed"),
        ({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, None, "malformed"),
        ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, None, "holes"),
        ({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, None, "its header wants 16"),
        ([], None, "malformed"),
    ],
)
def test_a_file_of_weights_that_contradicts_itself_is_refused(
    model: Path, take: Resolve, header: object, claimed: int | None, words: str
) -> None:
    write_weights(model / checks.SINGLE_WEIGHTS, header, bytes(8), claimed=claimed)
    with pytest.raises(ModelIncomplete, match=words):
        take("local/upstream", model_dir=model.parent)


def test_a_header_beyond_the_cap_is_not_read_even_where_the_file_has_it(model: Path, take: Resolve) -> None:
    with (model / checks.SINGLE_WEIGHTS).open("wb") as file:
        file.write(struct.pack("<Q", headers.MAX_HEADER_BYTES + 1))
        file.truncate(headers.MAX_HEADER_BYTES + 100)
    with pytest.raises(ModelIncomplete, match=str(headers.MAX_HEADER_BYTES + 1)):
        take("local/upstream", model_dir=model.parent)


def test_masks_saved_along_are_not_parameters(tmp_path: Path, model: Path) -> None:
    entries = {
        "h.0.attn.bias": {"dtype": "U8", "shape": [1, 1, 4, 4], "data_offsets": [0, 16]},
        "h.0.attn.c_attn.bias": {"dtype": "F16", "shape": [4], "data_offsets": [16, 24]},
    }
    write_weights(model / checks.SINGLE_WEIGHTS, entries, bytes(24))
    assert checks.count_parameters(model) == 4


def test_a_local_folder_has_a_revision_that_follows_its_contents(model: Path, take: Resolve) -> None:
    first = take("local/upstream", model_dir=model.parent)
    assert first.revision == demo_model.REVISION
    assert first.signature is not None
    assert take("local/upstream", first.revision, model_dir=model.parent).revision == first.revision
    edit(model, "generation_config.json", eos_token_id=[1])
    second = take("local/upstream", model_dir=model.parent)
    assert second.revision != first.revision
    assert second.signature != first.signature
    with pytest.raises(RevisionNotFound):
        take("local/upstream", first.revision, model_dir=model.parent)


def test_an_untrained_twin_moves_no_weights_and_needs_none(hub: FakeHub, model: Path, take: Resolve) -> None:
    (model / checks.SINGLE_WEIGHTS).rename(model / "pytorch_model.bin")
    sha = hub.add("org/old", model)
    twin = take("untrained/org/old@7")
    assert (twin.model_id, twin.revision, twin.seed, twin.family) == ("untrained/org/old@7", sha, 7, "llama")
    assert (twin.parameters, twin.n_layers, twin.width) == (None, 3, 32)
    assert (twin.folder / "tokenizer.json").is_file()
    assert hub.n_weights_served == 0
    n_requests = hub.n_requests
    assert take("untrained/org/old@8", sha).seed == 8
    assert hub.n_requests == n_requests
    with pytest.raises(NoSafetensors):
        take("org/old")


def test_the_trained_model_is_still_downloaded_after_its_twin(hub: FakeHub, model: Path, take: Resolve) -> None:
    sha = hub.add("org/good", model)
    assert take("untrained/org/good@0").parameters is None
    assert take("org/good", sha).parameters == 47328
    assert hub.n_weights_served == 1
    assert take("untrained/org/good@0", sha).parameters == 47328


def test_a_twin_passes_the_same_checks(hub: FakeHub, model: Path, take: Resolve) -> None:
    edit(model, "config.json", auto_map={"AutoModelForCausalLM": "modeling_evil.Evil"})
    hub.add("org/bad", model)
    for model_id in ("untrained/org/bad@0", "untrained/local/upstream@0"):
        with pytest.raises(RemoteCodeRefused):
            take(model_id, model_dir=model.parent)


def test_a_local_twin_has_revision_and_signature_of_its_folder(model: Path, take: Resolve) -> None:
    trained = take("local/upstream", model_dir=model.parent)
    twin = take("untrained/local/upstream@1", model_dir=model.parent)
    assert (twin.revision, twin.signature, twin.parameters) == (trained.revision, trained.signature, 47328)
    assert trained.seed is None
    assert take("untrained/demo/tiny@1").revision == demo_model.REVISION


def test_a_missing_local_folder_brings_a_suggestion(model: Path, take: Resolve) -> None:
    with pytest.raises(ModelNotFound) as caught:
        take("local/upstraem", model_dir=model.parent)
    assert caught.value.hint is not None
    assert "local/upstream" in caught.value.hint
    with pytest.raises(ModelNotFound) as without:
        take("local/upstream")
    assert without.value.hint is not None
    assert "BROCA_MODEL_DIR, a setting of the server" in without.value.hint
    assert "start it again" in without.value.hint


def test_links_out_of_the_folder_of_local_models_are_refused(model: Path, tmp_path: Path, take: Resolve) -> None:
    root = tmp_path / "models"
    root.mkdir()
    (root / "linked").symlink_to(model)
    (root / "outer").symlink_to(tmp_path)
    (root / "self").symlink_to(root)
    for name in ("linked", "outer", "self"):
        with pytest.raises(ModelNotFound, match="leads out"):
            take(f"local/{name}", model_dir=root)
    inner = root / "inner"
    demo_model.build(inner)
    (inner / "config.json").unlink()
    (inner / "config.json").symlink_to(model / "config.json")
    with pytest.raises(ModelNotFound, match=r"leads out.*config\.json"):
        take("local/inner", model_dir=root)


def test_the_demonstration_model_needs_no_hub(hub: FakeHub, take: Resolve) -> None:
    resolved = take("demo/tiny")
    assert resolved.revision == demo_model.REVISION
    assert hub.n_requests == 0
