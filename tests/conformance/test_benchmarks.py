"""Every benchmark on the shelf: noise near zero, a copy of the data near one, ceiling and data pinned."""

import numpy as np
import pytest

from scoring.benchmarks.base import Kind, benchmark_named
from scoring.datasets.manifest import datasets
from scoring.evaluate import score
from scoring.protocols import PROTOCOLS
from scoring.registry import Shelf, names
from scoring.types import Recording, Responses

NAMES = names(Shelf.BENCHMARKS)

CEILINGS = {
    "demo-fmri": None,
    "demo-reading": 0.9163508259598216,
    "futrell2018": 0.9109211799890474,
    "pereira2018-example": None,
}
DATA = {
    "demo-fmri": "d97e1b618f49b98f2a1cefb8bbd9b62dca63aba9cc29af5b8ff74063cf065ab5",
    "demo-reading": "227fd8990f65c2c02e785473517738a2a2ed267b0e9979c806b8f3ff6731119e",
}


class Copy:
    """A subject that has seen the answers."""

    identifier = "copy"

    def __init__(self, measured):
        self._measured = measured

    def respond(self, stimuli, *, layers, surprisal, on_progress=lambda _: None):
        if isinstance(self._measured, Recording):
            return Responses(layers={"copy": self._measured.values.astype(np.float32)})
        bits = np.nan_to_num(self._measured.realigned)
        return Responses(surprisal_bits=bits, n_tokens=np.ones(len(stimuli), dtype=np.intp))


class Noise:
    """A subject that has seen nothing."""

    identifier = "noise"

    def respond(self, stimuli, *, layers, surprisal, on_progress=lambda _: None):
        rng = np.random.default_rng(0)
        return Responses(
            layers={"noise": rng.standard_normal((len(stimuli), 16)).astype(np.float32)} if layers else {},
            surprisal_bits=rng.gamma(2, 2, len(stimuli)),
            n_tokens=np.ones(len(stimuli), dtype=np.intp),
        )


@pytest.mark.parametrize("name", NAMES)
def test_noise_scores_near_zero(name, data_store):
    store = data_store(name)
    bound = 4 / np.sqrt(len(benchmark_named(name).experiment(store).stimuli))
    assert abs(score(Noise(), name, data=store).raw) < bound


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_of_the_data_scores_near_one(name, data_store):
    store = data_store(name)
    copy = score(Copy(benchmark_named(name).experiment(store).measured), name, data=store)
    assert copy.raw > 0.95


@pytest.mark.parametrize("name", NAMES)
def test_the_ceiling_is_pinned_or_says_why_there_is_none(name, data_store):
    ceiling = benchmark_named(name).experiment(data_store(name)).ceiling
    assert ceiling.value == (None if CEILINGS[name] is None else pytest.approx(CEILINGS[name], abs=1e-9))
    assert (ceiling.reason is None) == (ceiling.value is not None)


@pytest.mark.parametrize("name", NAMES)
def test_identity_is_complete(name):
    benchmark = benchmark_named(name)
    assert benchmark.name == name
    assert benchmark.version >= 1
    assert set(benchmark.protocols) <= set(PROTOCOLS)
    assert len(benchmark.data_sha256()) == 64
    assert (benchmark.n_folds > 0) == (benchmark.kind is Kind.BRAIN)
    if benchmark.synthetic:
        assert "SYNTHETIC" in benchmark.title
        assert benchmark.data_sha256() == DATA[name]
    else:
        dataset = datasets()[benchmark.dataset]
        assert dataset.licence
        assert "(20" in dataset.citation
