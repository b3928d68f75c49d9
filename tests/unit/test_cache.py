"""The cache of responses: what comes out is what went in, or nothing; whatever breaks costs time and never a run."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from scoring.regression.gram import Gram
from scoring.responses import Responses, SurprisalKind, Surprisals
from scoring.subjects.sources import ResolvedModel
from scoring.types import Passage, Stimuli
from worker.cache import ResponseCache
from worker.container import Damaged, pack, unpack
from worker.entries import response_key

KEY, OTHER_KEY, THIRD_KEY = "a" * 64, "b" * 64, "c" * 64
LIMIT = 10**6

STIMULI = Stimuli(
    ids=("1", "2", "3"),
    passages=(Passage.join("p", ["The boat", "café"]), Passage.join("q", ['"Why?"'])),
    groups=("a", "a", "b"),
)


def answers(*, seed=0, n_features=40):
    rng = np.random.default_rng(seed)
    bits = rng.gamma(2, 2, 3)
    bits[0] = np.nan
    return Responses(
        layers={
            "wide": rng.standard_normal((3, n_features)).astype(np.float32),
            "narrow": rng.standard_normal((3, 3)).astype(np.float32),
        },
        surprisals=Surprisals(
            sum_bits=bits,
            boundary_bits=bits / 3,
            n_tokens=np.array([1, 2, 3], dtype=np.intp),
            context_tokens=np.array([0, 1, 0], dtype=np.intp),
            kind=SurprisalKind.CAUSAL,
        ),
        conditions={"dtype": "float32", "n_windows": 2, "is_causal": True, "scale": 0.1, "bos": None},
    )


def same(one, other):
    """Whether two responses are equal bit for bit."""
    return flat(one) == flat(other)


def flat(responses):
    layers = [
        (name, sorted((part, bits(value)) for part, value in vars(layer).items()))
        if isinstance(layer, Gram)
        else (name, bits(layer))
        for name, layer in responses.layers.items()
    ]
    surprisals = None if responses.surprisals is None else [(k, bits(v)) for k, v in vars(responses.surprisals).items()]
    return layers, surprisals, dict(responses.conditions)


def bits(value):
    return (value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "home" / "responses"


@pytest.fixture
def cache(folder, warnings):
    return ResponseCache(folder, limit_bytes=LIMIT, warn=warnings.append)


def test_what_was_kept_comes_back_bit_for_bit(cache, warnings):
    kept = cache.keep(KEY, answers(), STIMULI)
    assert isinstance(kept.layers["wide"], Gram)
    assert same(cache.find(KEY), kept)
    assert same(kept, answers().reduced())
    assert warnings == []


def test_surprisals_without_a_boundary_rule_come_back_with_their_reason(cache):
    surprisals = replace(answers().surprisals, boundary_bits=None, boundary_reason="marks no word starts")
    kept = cache.keep(KEY, Responses(surprisals=surprisals), STIMULI)
    assert same(cache.find(KEY), kept)
    assert cache.find(KEY).surprisals.boundary_reason == "marks no word starts"


def test_what_was_never_kept_is_unknown(cache, folder, warnings):
    assert cache.find(KEY) is None
    cache.keep(KEY, answers(), STIMULI)
    assert cache.find(OTHER_KEY) is None
    assert [path.name for path in folder.iterdir()] == [f"{KEY}.safetensors"]
    assert warnings == []


def test_any_reader_of_safetensors_opens_an_entry(cache, folder):
    kept = cache.keep(KEY, answers(), STIMULI)
    path = folder / f"{KEY}.safetensors"
    arrays = load_file(path)
    np.testing.assert_array_equal(arrays["layer.0.K"], kept.layers["wide"].K)
    np.testing.assert_array_equal(arrays["layer.1.features"], kept.layers["narrow"])
    np.testing.assert_array_equal(arrays["surprisals.sum_bits"], kept.surprisals.sum_bits)
    with safe_open(path, framework="numpy") as opened:
        metadata = opened.metadata()
    assert json.loads(metadata["rows"]) == {"stimulus_id": ["1", "2", "3"], "word": ["The boat", "café", '"Why?"']}
    assert json.loads(metadata["conditions"])["dtype"] == "float32"
    assert json.loads(metadata["surprisals"])["kind"] == "causal"


def test_not_one_byte_can_change_unnoticed():
    data = b"".join(pack({"x": np.arange(3.0), "y": np.arange(5, dtype=np.float32)}, {"key": KEY, "z": '"sha256":"'}))
    arrays, metadata = unpack(data)
    assert (arrays["x"].tolist(), arrays["y"].tolist(), metadata["key"]) == ([0, 1, 2], [0, 1, 2, 3, 4], KEY)
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        with pytest.raises(Damaged):
            unpack(bytes(changed))
    for length in range(len(data)):
        with pytest.raises(Damaged):
            unpack(data[:length])


DAMAGES = {
    "flipped byte": lambda data: data[:-9] + bytes([data[-9] ^ 4]) + data[-8:],
    "flipped byte of the header": lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
    "truncated": lambda data: data[: len(data) // 2],
    "longer": lambda data: data + b"\0",
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "not safetensors": lambda data: b"\x80\x04\x95pickle",
    "plain text": lambda data: b"{}",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_removed_counted_and_computed_anew(cache, folder, warnings, damage):
    kept = cache.keep(KEY, answers(), STIMULI)
    path = folder / f"{KEY}.safetensors"
    for count in (1, 2):
        path.write_bytes(damage(path.read_bytes()))
        assert cache.find(KEY) is None
        assert not path.exists()
        assert warnings[-1].endswith(f"removed by this process: {count}")
        assert same(cache.keep(KEY, answers(), STIMULI), kept)
        assert same(cache.find(KEY), kept)


def test_an_entry_under_another_key_is_not_believed(cache, folder, warnings):
    cache.keep(KEY, answers(), STIMULI)
    (folder / f"{KEY}.safetensors").rename(folder / f"{OTHER_KEY}.safetensors")
    assert cache.find(OTHER_KEY) is None
    assert "another key" in warnings[0]
    assert list(folder.iterdir()) == []


def test_an_entry_that_cannot_be_read_is_unknown(cache, folder, warnings):
    (folder / f"{KEY}.safetensors").mkdir(parents=True)
    assert cache.find(KEY) is None
    assert len(warnings) == 1


def size_of_an_entry(cache, folder):
    cache.keep(KEY, answers(), STIMULI)
    return (folder / f"{KEY}.safetensors").stat().st_size


def test_what_was_not_used_for_longest_goes_first(cache, folder):
    room_for_two = ResponseCache(folder, limit_bytes=2 * size_of_an_entry(cache, folder) + 10)
    for age, key in ((200, KEY), (100, OTHER_KEY)):
        room_for_two.keep(key, answers(), STIMULI)
        old = folder.stat().st_mtime - age
        os.utime(folder / f"{key}.safetensors", (old, old))
    assert room_for_two.find(KEY) is not None
    room_for_two.keep(THIRD_KEY, answers(), STIMULI)
    assert {path.name[0] for path in folder.iterdir()} == {"a", "c"}


def test_the_folder_never_holds_more_than_its_limit(cache, folder):
    limit = 3 * size_of_an_entry(cache, folder) + 10
    bounded = ResponseCache(folder, limit_bytes=limit)
    for number in range(8):
        bounded.keep(f"{number:064d}", answers(seed=number), STIMULI)
        assert sum(path.stat().st_size for path in folder.iterdir()) <= limit
    assert bounded.find(f"{7:064d}") is not None


def test_an_entry_that_replaces_itself_needs_no_room(cache, folder):
    tight = ResponseCache(folder, limit_bytes=size_of_an_entry(cache, folder) + 10)
    tight.keep(KEY, answers(), STIMULI)
    assert same(tight.find(KEY), tight.keep(KEY, answers(), STIMULI))


def test_what_is_larger_than_the_limit_is_not_kept_and_evicts_nothing(cache, folder, warnings):
    small = ResponseCache(folder, limit_bytes=size_of_an_entry(cache, folder) + 10, warn=warnings.append)
    small.keep(OTHER_KEY, replace(answers(), conditions={"note": "x" * 10_000}), STIMULI)
    assert small.find(OTHER_KEY) is None
    assert small.find(KEY) is not None
    assert "the cache may hold" in warnings[0]


def test_a_limit_of_0_turns_the_cache_off(cache, folder, warnings):
    off = ResponseCache(folder, limit_bytes=0, warn=warnings.append)
    assert isinstance(off.keep(KEY, answers(), STIMULI).layers["wide"], Gram)
    assert not folder.exists()
    cache.keep(KEY, answers(), STIMULI)
    assert off.find(KEY) is None
    assert warnings == []


def test_files_of_others_are_left_alone(cache, folder):
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("x" * 1000)
    ResponseCache(folder, limit_bytes=10_000).keep(KEY, answers(), STIMULI)
    assert (folder / "notes.txt").exists()


def test_activations_are_kept_as_float32_where_that_is_asked(cache, folder):
    asked = ResponseCache(folder, limit_bytes=LIMIT, keep_activations=True)
    cache.keep(KEY, answers(), STIMULI)
    assert asked.find(KEY) is None, "activations were asked for and are not there"
    kept = asked.keep(KEY, answers(), STIMULI)
    found = load_file(folder / f"{KEY}.activations.safetensors")
    assert {name: bits(array) for name, array in found.items()} == {
        name: bits(layer) for name, layer in answers().layers.items()
    }
    assert same(asked.find(KEY), kept)
    asked.keep(OTHER_KEY, replace(answers(), layers={}), STIMULI)
    assert asked.find(OTHER_KEY) is not None, "without layers there is nothing to keep beside"


PROCESS = """
import sys, resource
from pathlib import Path
from tests.unit.test_cache import *
from worker.entries import encode
cache = ResponseCache(Path(sys.argv[1]), limit_bytes=10**9, warn=lambda text: print("warning:", text, flush=True))
"""


@pytest.fixture
def process(folder):
    """Starts a process with a cache of the same folder; what is left of it is killed when the test ends."""
    started = []

    def start(text):
        code = PROCESS + textwrap.dedent(text)
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", code, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
        )
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


def test_workers_that_write_one_key_at_once_do_not_disturb_one_another(cache, folder, warnings, process):
    kept = cache.keep(KEY, answers(n_features=50_000), STIMULI)
    text = """
    print("ready", flush=True)
    for _ in range(150):
        cache.keep(KEY, answers(n_features=50_000), STIMULI)
    """
    writers = [process(text) for _ in range(2)]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 2
    n_found = 0
    while any(writer.poll() is None for writer in writers):
        assert same(cache.find(KEY), kept)
        n_found += 1
    assert n_found > 0
    assert [writer.wait() for writer in writers] == [0, 0]
    assert [writer.stdout.read() for writer in writers] == ["", ""]
    assert [path.name for path in folder.iterdir()] == [f"{KEY}.safetensors"]
    assert warnings == []


def test_a_writer_that_is_killed_leaves_nothing_that_is_believed(cache, folder, process):
    writer = process("""
    cache._folder.mkdir(parents=True)
    with cache._temporary() as (path, stream):
        stream.write(b"".join(encode(KEY, answers(), STIMULI))[:-1])
        stream.flush()
        os.utime(path, (0, 0))
        print("writing", flush=True)
        sys.stdin.read()
    """)
    assert writer.stdout.readline() == "writing\n"
    cache.keep(OTHER_KEY, answers(), STIMULI)
    assert len([*folder.glob("*.tmp")]) == 1, "the file of a living writer stays, however old"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert cache.find(KEY) is None
    cache.keep(OTHER_KEY, answers(), STIMULI)
    assert [path.name for path in folder.iterdir()] == [f"{OTHER_KEY}.safetensors"]


def test_kills_at_any_moment_leave_an_entry_whole_or_absent(cache, folder, warnings, process):
    kept = cache.keep(OTHER_KEY, answers(n_features=50_000), STIMULI)
    for pause_ms in range(0, 40, 8):
        writer = process("""
        print("ready", flush=True)
        while True:
            cache.keep(KEY, answers(n_features=50_000), STIMULI)
        """)
        assert writer.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(pause_ms / 1000)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        found = cache.find(KEY)
        assert found is None or same(found, kept)
    assert warnings == []


def test_a_full_disk_is_a_warning_and_leaves_nothing_behind(folder, process):
    """The limit on the size of a file stands for the disk's end: writing fails in the middle."""
    full = process("""
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
    kept = cache.keep(KEY, answers(), STIMULI)
    assert same(kept, answers().reduced())
    assert cache.find(KEY) is None
    """)
    said, _ = full.communicate(timeout=60)
    assert full.returncode == 0
    assert said.count("warning: responses were not kept") == 1
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_warning(tmp_path, warnings):
    (tmp_path / "file").write_text("")
    cache = ResponseCache(tmp_path / "file" / "responses", limit_bytes=LIMIT, warn=warnings.append)
    assert same(cache.keep(KEY, answers(), STIMULI), answers().reduced())
    assert cache.find(KEY) is None
    assert "were not kept" in warnings[0]


MODEL = ResolvedModel(
    model_id="local/one",
    requested_revision="main",
    revision="0" * 40,
    folder=Path("models/one"),
    model_type="llama",
    architecture="LlamaForCausalLM",
    parameters=100,
    n_embedding_parameters=10,
    n_layers=2,
    width=8,
    signature="mark",
)
ASKED = {
    "model": MODEL,
    "device": "cpu",
    "dtype": "float32",
    "options": {},
    "layers": True,
    "surprisal": False,
    "stimuli": STIMULI,
}


def key(**changes):
    asked = ASKED | changes
    return response_key(asked.pop("stimuli"), **asked)


def passages(*texts):
    return replace(STIMULI, passages=(Passage.join("p", texts[:2]), Passage.join("q", texts[2:])))


@pytest.mark.parametrize(
    "changes",
    [
        {"model": replace(MODEL, model_id="local/two")},
        {"model": replace(MODEL, revision="1" * 40)},
        {"stimuli": replace(STIMULI, window=2)},
        {"stimuli": replace(STIMULI, is_stream=True)},
        {"device": "cuda"},
        {"dtype": "bfloat16"},
        {"options": {"context": "sentence"}},
        {"options": {"context": "window:3"}},
        {"options": {"pooling": "mean"}},
        {"options": {"prompt_format": "chat"}},
        {"options": {"surprisal": "pseudo-log-likelihood"}},
        {"options": {"adapter": "org/lora"}},
        {"layers": False},
        {"surprisal": True},
        {"stimuli": replace(STIMULI, ids=("1", "3", "2"))},
        {"stimuli": replace(STIMULI, passages=STIMULI.passages[::-1])},
        {"stimuli": passages("The boat", "cafe", '"Why?"')},
        {"stimuli": replace(STIMULI, passages=(Passage.join("p", [*STIMULI.texts]),))},
    ],
)
def test_whatever_responses_depend_on_makes_another_key(changes):
    assert key(**changes) != key()


@pytest.mark.parametrize(
    "changes",
    [
        {"model": replace(MODEL, requested_revision="v1", folder=Path("elsewhere"), signature=None)},
        {"device": "cpu:0"},
        {"options": {"dtype": "float32"}},
        {"options": {"context": "story", "pooling": "last"}},
        {"stimuli": replace(STIMULI, groups=("x", "y", "z"))},
    ],
)
def test_whatever_responses_do_not_depend_on_keeps_the_key(changes):
    assert key(**changes) == key()
