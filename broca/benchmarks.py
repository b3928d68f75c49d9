"""Benchmarks as the server answers them: what is measured, on whose data, and how far one can get."""

from __future__ import annotations

from .base import Result
from .scores import Ceiling, ScoreWarning


class BenchmarkDataset(Result):
    """The data behind a benchmark."""

    name: str
    licence: str | None = None
    citation: str | None = None
    sha256: str | None = None
    ready: bool | None = None


class Benchmark(Result):
    """A benchmark that the server offers; the numbers of a synthetic one say nothing of brains or readers.

    `n`, `ceilings` (by protocol) and `warnings` are known of data sets that were added, `reading` (measure, alignment,
    stories, readings) of reading times and `text` (words, bytes) of plain texts among them.
    """

    id: str
    version: int | None = None
    title: str | None = None
    synthetic: bool = False
    private: bool = False
    protocols: tuple[str, ...] = ()
    dataset: BenchmarkDataset | None = None
    n_folds: int | None = None
    n: dict[str, int] | None = None
    reading: dict[str, str | int | None] | None = None
    text: dict[str, int] | None = None
    ceilings: dict[str, Ceiling] | None = None
    warnings: tuple[ScoreWarning, ...] | None = None
