"""The client of a Broca server: one method for each thing that can be asked. It computes nothing itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from .analysis import Analysis
from .answers import pages, parse, segment
from .benchmarks import Benchmark
from .board_calls import BoardCalls
from .chart_calls import ChartCalls
from .compare_calls import CompareCalls
from .connection import Connection, QueryValue
from .errors import FileUnusable
from .job_calls import JobCalls
from .matching import MatchedPerplexity
from .model_calls import ModelCalls
from .models import Model
from .packing import packed
from .record_calls import RecordCalls
from .results import LayerScore, Score
from .study_calls import StudyCalls

DEFAULT_URL = "http://127.0.0.1:8000"

FORMATS = {".csv": "csv", ".parquet": "parquet", ".safetensors": "safetensors", ".txt": "text", ".vec": "text"}
"""Formats of imported files by their endings."""


class Client(JobCalls, RecordCalls, BoardCalls, CompareCalls, ModelCalls, StudyCalls, ChartCalls):
    """Talks to the server at `base_url`; without one to that of BROCA_URL, else to the one on this machine.

    `api_key`, or without one that of BROCA_API_KEY, goes with every request and is shown nowhere. Methods raise the
    errors of `broca.errors`. `timeout_s` bounds one request, not a wait for a job.
    """

    def __init__(self, base_url: str | None = None, *, api_key: str | None = None, timeout_s: float = 30.0) -> None:
        self.base_url = (base_url or os.environ.get("BROCA_URL") or DEFAULT_URL).rstrip("/")
        key = os.environ.get("BROCA_API_KEY") if api_key is None else api_key
        self._connection = Connection(self.base_url, api_key=key, timeout_s=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the client cannot be used afterwards."""
        self._connection.close()

    def score(self, score_id: str) -> Score:
        """The score of this id."""
        return parse(Score, self._connection.get(f"/v1/scores/{segment(score_id)}"))

    def layers(self, score_id: str) -> tuple[LayerScore, ...]:
        """The score's layer curve in order of depth."""
        return tuple(pages(self._connection, LayerScore, f"/v1/scores/{segment(score_id)}/layers", {}))

    def surprisals(self, score_id: str, *, format: str = "csv") -> bytes:
        """The words behind a score of reading as a file, `csv` (UTF-8) or `parquet`.

        Raises NotFound where the score has none: it is of brains, or older than these tables.
        """
        path = f"/v1/scores/{segment(score_id)}/surprisals"
        return self._connection.get_bytes(path, {"format": format}, accept="*/*")

    def matched_perplexity(self, score_id: str, *, base: Sequence[str] | None = None) -> MatchedPerplexity:
        """The score's ΔLL beside that of base models (`base`, or all untuned ones) of the same perplexity."""
        path = f"/v1/scores/{segment(score_id)}/matched-perplexity"
        return parse(MatchedPerplexity, self._connection.get(path, {"base": ",".join(base) if base else None}))

    def analyse(
        self,
        kind: str,
        *,
        protocol: str = "grouped",
        benchmarks: Sequence[str] = (),
        properties: Sequence[str] = (),
        held: Sequence[str] | None = None,
        behaviour: str | None = None,
        filters: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> Analysis:
        """Ask about the models under a protocol: `correlate`, `paired`, `mixed`, `layers`, `consistency`, `trajectory`.

        `filters` may name `family`, `tuning`, `models` (lists), `params_min` and `params_max`. What is left out, the
        server fills in.
        """
        body: dict[str, Any] = {"kind": kind, "protocol": protocol, "seed": seed, "filters": dict(filters or {})}
        chosen = {"benchmarks": benchmarks or None, "properties": properties or None, "held": held}
        body |= {name: list(value) for name, value in chosen.items() if value is not None}
        if behaviour is not None:
            body["behaviour"] = behaviour
        return parse(Analysis, self._connection.post("/v1/analyses", body))

    def analysis(self, analysis_id: str) -> Analysis:
        """An analysis that was made before."""
        return parse(Analysis, self._connection.get(f"/v1/analyses/{segment(analysis_id)}"))

    def analysis_csv(self, analysis_id: str) -> str:
        """The table of an analysis as CSV."""
        return self._connection.get_text(f"/v1/analyses/{segment(analysis_id)}", {"format": "csv"})

    def import_model(
        self,
        name: str,
        file: Path | str,
        *,
        kind: str,
        format: str | None = None,
        unit: str | None = None,
        source: str = "",
        allow_mismatch: bool = False,
        replace: bool = False,
        on_progress: Callable[[int, int], None] = lambda n_sent, n_bytes: None,
    ) -> Model:
        """Send a file of word vectors, surprisals or activations; it can then be scored as `imported/<name>`.

        Without a `format`, the file's ending says it. `on_progress` gets the bytes sent so far, and all there are.
        """
        path = Path(file)
        written = format or FORMATS.get(path.suffix.lower())
        if not path.is_file() or written is None:
            what = "is not a file" if not path.is_file() else "does not say its format by its ending"
            raise FileUnusable(f"{path} {what}", hint=f"known endings: {', '.join(FORMATS)}; else name the format")
        query: dict[str, QueryValue] = {
            "id": name if name.startswith("imported/") else f"imported/{name}",
            "kind": kind,
            "format": written,
            "unit": unit,
            "source": source or None,
            "allow_mismatch": "true" if allow_mismatch else None,
            "replace": "true" if replace else None,
        }
        return parse(Model, self._connection.post_file("/v1/models", query, path, on_progress=on_progress))

    def benchmarks(self) -> tuple[Benchmark, ...]:
        """Every benchmark that the server offers."""
        return tuple(pages(self._connection, Benchmark, "/v1/benchmarks", {}))

    def benchmark(self, benchmark_id: str, *, version: int | None = None) -> Benchmark:
        """The benchmark of this id; of an added data set the newest version if no other is named."""
        path = f"/v1/benchmarks/{quote(benchmark_id, safe='/') or '-'}"
        return parse(Benchmark, self._connection.get(path, {"version": version}))

    def add_benchmark(
        self,
        name: str,
        source: Path | str,
        *,
        title: str | None = None,
        licence: str | None = None,
        citation: str | None = None,
        private: bool | None = None,
        n_folds: int | None = None,
        measure: str | None = None,
        alignment: str | None = None,
        on_progress: Callable[[int, int], None] = lambda n_sent, n_bytes: None,
    ) -> Benchmark:
        """Send a recording or reading times: a folder of files, a ZIP archive or one netCDF file.

        It is then the benchmark `own/<name>`. `measure` and `alignment` (corrected, original) are of reading times.
        Comes back once the server has looked the data over and computed their ceiling.
        """
        query: dict[str, QueryValue] = {
            "id": name if name.startswith("own/") else f"own/{name}",
            "title": title,
            "licence": licence,
            "citation": citation,
            "private": None if private is None else str(private).lower(),
            "n_folds": n_folds,
            "measure": measure,
            "alignment": alignment,
        }
        with packed(Path(source)) as file:
            document = self._connection.post_file("/v1/benchmarks", query, file, on_progress=on_progress)
        return parse(Benchmark, document)
