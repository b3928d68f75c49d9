"""The Benchmark type: what is measured, on which data, with how many folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ..datasets.base import Experiment
from ..datasets.download import DataStore
from ..errors import BenchmarkUnknown, ProtocolUnsupported
from ..protocols import Protocol
from ..registry import Shelf, load


class Kind(StrEnum):
    """What a benchmark asks of a subject."""

    BRAIN = "brain"
    """Activations predict a recording of brains."""
    READING = "reading"
    """Surprisals are compared with reading times."""


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """A named, versioned measurement. `version` rises if and only if scores change.

    `dataset` names the loader and, unless the data are synthetic, the manifest's entry. `n_folds` is of the
    `grouped` protocol; 0 where nothing is fitted.
    """

    name: str
    version: int
    title: str
    kind: Kind
    metric: str
    dataset: str
    synthetic: bool
    protocols: tuple[str, ...]
    n_folds: int
    data_sha256: Callable[[], str]
    experiment: Callable[[DataStore], Experiment]

    @property
    def asks_layers(self) -> bool:
        """Whether a subject has to give the features of its layers."""
        return self.kind is Kind.BRAIN

    @property
    def asks_surprisal(self) -> bool:
        """Whether a subject has to give surprisals."""
        return self.kind is Kind.READING

    def require(self, protocol: Protocol) -> None:
        """Raises ProtocolUnsupported where the benchmark is not defined under the protocol."""
        if protocol.name not in self.protocols:
            raise ProtocolUnsupported(
                f"benchmark {self.name} is not defined under {protocol.name!r}, only under {', '.join(self.protocols)}",
                param="protocol",
            )


def benchmark_named(name: str) -> Benchmark:
    """The benchmark of this name. Raises BenchmarkUnknown with the nearest names."""
    benchmark = load(Shelf.BENCHMARKS, name, error=BenchmarkUnknown).BENCHMARK
    assert isinstance(benchmark, Benchmark)
    return benchmark
