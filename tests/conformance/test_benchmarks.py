"""Every benchmark on the shelf: noise near zero, a copy of the data near one, ceiling and data pinned."""

import numpy as np
import pytest

from scoring.benchmarks.base import Kind, benchmark_named
from scoring.datasets.manifest import datasets
from scoring.evaluate import score
from scoring.protocols import PROTOCOLS
from scoring.recording import Recording
from scoring.registry import Shelf, names
from scoring.responses import Responses, SurprisalKind, Surprisals

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


def surprisals(bits, *, rule):
    """Bits by one rule and nothing useful by the other; without the boundary rule where only sums are asked."""
    useless = np.random.default_rng(5).gamma(2, 2, len(bits))
    return Surprisals(
        sum_bits=bits if rule == "sum" else useless,
        boundary_bits=None if rule == "sum" else bits,
        boundary_reason="no token marks the start of a word" if rule == "sum" else None,
        n_tokens=np.ones(len(bits), dtype=np.intp),
        context_tokens=np.zeros(len(bits), dtype=np.intp),
        kind=SurprisalKind.CAUSAL,
    )


class Copy:
    """A subject that has seen the answers."""

    identifier = "copy"

    def __init__(self, measured, *, rule):
        self._measured, self._rule = measured, rule

    def respond(self, stimuli, *, layers, surprisal, on_progress=lambda _: None):
        if isinstance(self._measured, Recording):
            return Responses(layers={"copy": self._measured.values.astype(np.float32)})
        return Responses(surprisals=surprisals(np.nan_to_num(self._measured.realigned), rule=self._rule))


class Noise:
    """A subject that has seen nothing."""

    identifier = "noise"

    def __init__(self, *, rule):
        self._rule = rule

    def respond(self, stimuli, *, layers, surprisal, on_progress=lambda _: None):
        rng = np.random.default_rng(0)
        features = rng.standard_normal((len(stimuli), 16)).astype(np.float32)
        return Responses(
            layers={"noise": features} if layers else {},
            surprisals=surprisals(rng.gamma(2, 2, len(stimuli)), rule=self._rule) if surprisal else None,
        )


RULES = pytest.mark.parametrize(
    ("name", "rule"),
    [
        (name, rule)
        for name in NAMES
        for rule in (["boundary", "sum"] if benchmark_named(name).kind is Kind.READING else ["boundary"])
    ],
)
"""Reading is scored by both rules for words' probabilities; brains know no such rule."""


@RULES
def test_noise_scores_near_zero(name, rule, data_store):
    store = data_store(name)
    bound = 4 / np.sqrt(len(benchmark_named(name).experiment(store).stimuli))
    assert abs(score(Noise(rule=rule), name, data=store).raw) < bound


@RULES
def test_a_copy_of_the_data_scores_near_one(name, rule, data_store):
    store = data_store(name)
    copy = Copy(benchmark_named(name).experiment(store).measured, rule=rule)
    found = score(copy, name, data=store)
    assert found.raw > 0.95
    assert found.word_probability in (rule, None)


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
