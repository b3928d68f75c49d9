"""Repositories made to harm: what each is refused with, and what stays out of reach, through the real client."""

import json
import struct
import subprocess
import sys

import pytest
from huggingface_hub.utils._http import set_client_factory

from scoring.errors import CodedError, HubUnavailable, ModelTooLarge
from scoring.redaction import without_tokens
from scoring.subjects import checks, demo_model, hub_hosts
from scoring.subjects.hub_hosts import keep_to_public_hosts
from scoring.subjects.model_cache import Keeping
from scoring.subjects.sources import resolve
from tests.fake_hub import FakeHub, Fault
from worker.exchange import Failure, Progress, Stage

SUPPORTED = {"llama", "gpt2"}
TOKEN = "hf_" + "Q" * 34
NOTES = {".quota.lock", "CACHEDIR.TAG"}
"""Files of the cache itself."""

WEIGHTS = checks.SINGLE_WEIGHTS


@pytest.fixture
def model(tmp_path):
    demo_model.build(tmp_path / "upstream")
    return tmp_path / "upstream"


@pytest.fixture
def take(hub, tmp_path):
    def take(model_id="org/model", **options):
        places = {"model_dir": None, "cache_dir": tmp_path / "cache", "endpoint": hub.url, "timeout_s": 2.0}
        return resolve(model_id, None, supported=SUPPORTED, **{**places, **options})

    return take


@pytest.fixture
def public_hosts_only(hub):
    """What a fetch process does first; undone when the test ends."""
    from huggingface_hub.utils._http import default_client_factory

    keep_to_public_hosts(hub.url)
    yield
    set_client_factory(default_client_factory)


def config(folder, text):
    (folder / "config.json").write_text(text)


def nested(depth, inside):
    return '{"a":' * depth + inside + "}" * depth


def add(folder, file="config.json", **fields):
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def header_of(folder, entries):
    raw = json.dumps(entries).encode()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(8))


def index_to(folder, *shards):
    (folder / WEIGHTS).unlink()
    (folder / checks.WEIGHTS_INDEX).write_text(json.dumps({"weight_map": dict(enumerate(shards))}))


def tensor(first, last, shape=(1,)):
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [first, last]}


BAD = {
    "deep": (lambda folder: config(folder, nested(500, "1")), "model_incomplete"),
    "deep and wide": (lambda folder: config(folder, nested(90, "[" + "{}," * 500_000 + "{}]")), "model_incomplete"),
    "too deep to parse": (lambda folder: config(folder, nested(100_000, "1")), "model_incomplete"),
    "number of 10,000 digits": (lambda folder: config(folder, '{"a":' + "9" * 10_000 + "}"), "model_incomplete"),
    "blocks without end": (lambda folder: add(folder, num_hidden_layers=10**9), "model_incomplete"),
    "vocabulary without end": (lambda folder: add(folder, vocab_size=10**30), "model_incomplete"),
    "trust_remote_code": (lambda folder: add(folder, trust_remote_code=True), "remote_code_refused"),
    "nested trust": (lambda folder: add(folder, text_config={"trust_remote_code": True}), "remote_code_refused"),
    "nested repository": (lambda folder: add(folder, part=[{"_name_or_path": "evil/repo"}]), "remote_code_refused"),
    "generation": (lambda folder: add(folder, "generation_config.json", custom_generate="e/r"), "remote_code_refused"),
    "tokenizer": (lambda folder: add(folder, "tokenizer_config.json", auto_map={"a": "b"}), "remote_code_refused"),
    "type that is a list": (lambda folder: add(folder, model_type=["llama"]), "architecture_unsupported"),
    "quantised": (lambda folder: add(folder, quantization_config={"a": 1}), "architecture_unsupported"),
    "overlapping": (lambda folder: header_of(folder, {"a": tensor(0, 4), "b": tensor(0, 4)}), "model_incomplete"),
    "beyond the end": (lambda folder: header_of(folder, {"a": tensor(0, 400, (100,))}), "model_incomplete"),
    "before the start": (lambda folder: header_of(folder, {"a": tensor(-4, 0)}), "model_incomplete"),
    "a tensor of many dimensions": (
        lambda folder: header_of(folder, {"a": tensor(0, 8, [10**4000] * 100)}),
        "model_incomplete",
    ),
    "a shard above": (lambda folder: index_to(folder, "../x.safetensors"), "model_incomplete"),
    "an absolute shard": (lambda folder: index_to(folder, "/etc/x.safetensors"), "model_incomplete"),
    "thousands of shards": (
        lambda folder: index_to(folder, *(f"m{number}.safetensors" for number in range(5000))),
        "model_incomplete",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_repository_made_to_harm_is_refused_from_the_hub_and_from_a_folder(hub, model, take, tmp_path, kind):
    change, code = BAD[kind]
    change(model)
    hub.add("org/model", model)
    for model_id in ("org/model", "local/upstream"):
        with pytest.raises(CodedError) as caught:
            take(model_id, model_dir=model.parent)
        assert caught.value.code == code
    assert hub.n_weights_served == 0
    assert not (tmp_path / "cache").exists()


def test_a_deep_and_wide_configuration_takes_little_memory(tmp_path):
    text = nested(60, "[" + "{}," * 1_000_000 + "{}]")
    (tmp_path / "config.json").write_text(text)
    code = (
        "import resource, sys; from pathlib import Path; from scoring.subjects import checks\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))\n"
        "checks.check_no_code(checks.read_json(Path(sys.argv[1])), 'config.json')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "config.json")], check=True)


def test_an_architecture_that_is_no_name_is_not_kept(hub, model, take):
    add(model, architectures=["evil\u0000name"])
    hub.add("org/model", model)
    assert take().architecture == ""


def test_an_untrained_twin_that_cannot_fit_is_refused(hub, model, take):
    add(model, vocab_size=10**8, hidden_size=10**6)
    (model / WEIGHTS).unlink()
    hub.add("org/model", model)
    with pytest.raises(ModelTooLarge, match="untrained"):
        take("untrained/org/model@0", memory_bytes=10**10)


def test_a_model_above_the_limit_is_refused_before_it_moves(hub, model, take):
    hub.add("org/model", model)
    with pytest.raises(ModelTooLarge, match=r"takes models of at most 1000"):
        take(keeping=Keeping(max_model_bytes=1000))
    assert hub.n_weights_served == 0


@pytest.mark.parametrize(
    "elsewhere",
    [
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]:1/",
        "https://127.0.0.1:1/x",
        "https://10.0.0.1/x",
        "https://localhost/x",
        "http://example.org/x",
        "gopher://example.org/",
    ],
)
def test_a_redirection_into_this_network_is_not_followed(hub, model, take, public_hosts_only, elsewhere):
    hub.add("org/model", model, fault=Fault.SENDS_ELSEWHERE, elsewhere=elsewhere)
    with pytest.raises(HubUnavailable) as caught:
        take(token=TOKEN)
    assert "passwd" not in caught.value.detail


def test_a_service_of_this_machine_is_not_reached_unless_it_is_named(hub, model, take, public_hosts_only, tmp_path):
    with FakeHub() as service:
        sha = hub.add("org/model", model, fault=Fault.SENDS_ELSEWHERE, elsewhere=f"{service.url}/org/model/secret")
        with pytest.raises(HubUnavailable, match="not public"):
            take(token=TOKEN)
        assert service.n_requests == 0
        keep_to_public_hosts(hub.url, ["127.0.0.1"])
        with pytest.raises(CodedError):
            take(token=TOKEN)
        assert service.n_requests > 0
        assert service.tokens == set(), "the token stays with the hub"
        assert len(sha) == 40


def test_public_hosts_are_told_from_others():
    assert hub_hosts._is_public("93.184.216.34")
    for host in ("127.0.0.1", "10.1.2.3", "::1", "192.168.1.1", "100.64.0.1", "0.0.0.0", "localhost"):
        assert not hub_hosts._is_public(host), host


def test_a_hub_that_sends_without_end_is_broken_off(hub, model, take, tmp_path):
    hub.add("org/model", model, fault=Fault.ENDLESS)
    with pytest.raises(HubUnavailable, match="more than the"):
        take(keeping=Keeping(keeps_partial=False))
    assert list((tmp_path / "cache").glob("models--*")) == []


def test_a_hub_that_drips_is_given_up(hub, model, take, tmp_path):
    hub.add("org/model", model, fault=Fault.DRIPS)
    with pytest.raises(HubUnavailable, match="not whole after"):
        take(timeout_s=0.2)


def test_a_hub_that_asks_for_ages_is_asked_again_within_an_hour(hub, model, take):
    hub.add("org/model", model, fault=Fault.BUSY_FOR_AGES)
    with pytest.raises(HubUnavailable) as caught:
        take()
    assert caught.value.retry_after_s == 3600


def test_a_token_that_the_hub_repeats_is_in_no_error(hub, model, take, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    hub.add("org/model", model, fault=Fault.TELLS_TOKEN)
    with pytest.raises(HubUnavailable) as caught:
        take(token=TOKEN)
    assert hub.tokens == {TOKEN}
    told = Failure.of(caught.value)
    assert TOKEN not in told.model_dump_json()
    assert "[token]" in told.detail


def test_a_file_that_repeats_the_token_is_not_read(hub, model, take):
    hub.add("org/model", model, fault=Fault.TELLS_TOKEN_IN_FILES)
    with pytest.raises(HubUnavailable, match="repeats the token") as caught:
        take(token=TOKEN)
    assert TOKEN not in caught.value.detail


def test_words_for_callers_and_logs_hold_no_token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret-of-a-mirror")
    line = Progress(stage=Stage.DOWNLOAD, fraction=0, detail="secret-of-a-mirror", warning=f"with {TOKEN}!")
    assert (line.detail, line.warning) == ("[token]", "with [token]!")
    assert without_tokens("org/hf_finetuned_model") == "org/hf_finetuned_model"


def test_a_disk_that_takes_no_more_leaves_nothing(hub, model, tmp_path):
    hub.add("org/model", model)
    code = (
        "import resource, signal, sys; from pathlib import Path; from scoring.subjects.sources import resolve\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "resolve('org/model', None, supported={'llama'}, model_dir=None, cache_dir=Path(sys.argv[1]),"
        " endpoint=sys.argv[2])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "cache"), hub.url], capture_output=True, text=True, check=False
    )
    assert "InsufficientStorage: the model cache cannot be written" in ended.stderr
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.name not in NOTES] == []
