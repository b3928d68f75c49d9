"""The client of a Broca server: one method for each thing that can be asked. It computes nothing itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from .benchmarks import Benchmark
from .board import Leaderboard
from .connection import Connection, QueryValue
from .errors import AnswerNotUnderstood, FileUnusable, WaitTimedOut
from .matching import MatchedPerplexity
from .packing import packed
from .preflight import Preflight
from .results import Job, LayerScore, Model, Result, Score

DEFAULT_URL = "http://127.0.0.1:8000"

FORMATS = {".csv": "csv", ".parquet": "parquet", ".safetensors": "safetensors", ".txt": "text", ".vec": "text"}
"""Formats of imported files by their endings."""

_Result = TypeVar("_Result", bound=Result)


class Client:
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

    def submit(
        self,
        model: str,
        benchmarks: Sequence[str],
        protocol: str = "grouped",
        *,
        revision: str | None = None,
        options: Mapping[str, Any] | None = None,
        labels: Mapping[str, str] | None = None,
        force: bool = False,
    ) -> Job:
        """Ask for the scores of a model on some benchmarks; the job comes back at once, `wait` waits for its end."""
        body = {
            "model": model if revision is None else {"id": model, "revision": revision},
            "benchmarks": list(benchmarks),
            "protocol": protocol,
            "options": dict(options or {}),
            "labels": dict(labels or {}),
            "force": force,
        }
        return _parse(Job, self._connection.post("/v1/jobs", body))

    def preflight(
        self,
        model: str,
        benchmarks: Sequence[str],
        protocol: str = "grouped",
        *,
        revision: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Preflight:
        """What would come of `submit`: what the model is and needs, what stands in the way. Nothing is written."""
        body = {
            "model": model if revision is None else {"id": model, "revision": revision},
            "benchmarks": list(benchmarks),
            "protocol": protocol,
            "options": dict(options or {}),
        }
        return _parse(Preflight, self._connection.post("/v1/jobs?validate_only=true", body))

    def job(self, job_id: str) -> Job:
        """The job as it stands."""
        return _parse(Job, self._connection.get(f"/v1/jobs/{_segment(job_id)}"))

    def jobs(
        self,
        *,
        status: str | None = None,
        model: str | None = None,
        labels: Mapping[str, str] | None = None,
        page_size: int = 50,
    ) -> Iterator[Job]:
        """All jobs, newest first; the next page is fetched when it is reached."""
        query: dict[str, QueryValue] = {"status": status, "model": model, "page_size": page_size}
        query.update({f"label.{name}": value for name, value in (labels or {}).items()})
        return self._pages(Job, "/v1/jobs", query)

    def wait(
        self,
        job_id: str,
        on_progress: Callable[[Job], None] | None = None,
        *,
        poll_s: float = 0.5,
        timeout_s: float | None = None,
    ) -> Job:
        """The job once it is finished, however it ended. `on_progress` sees it at every look.

        Raises WaitTimedOut after `timeout_s`; the job goes on then.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            job = self.job(job_id)
            if on_progress is not None:
                on_progress(job)
            if job.is_finished:
                return job
            if deadline is not None and time.monotonic() + poll_s > deadline:
                hint = f"wait again, or stop it with `broca cancel {job_id}`"
                raise WaitTimedOut(f"job {job_id} is {job.status} after {timeout_s:g} s", hint=hint)
            time.sleep(poll_s)

    def cancel(self, job_id: str) -> Job:
        """Stop a job; a finished one stays as it is."""
        return _parse(Job, self._connection.post(f"/v1/jobs/{_segment(job_id)}/cancel"))

    def score(self, score_id: str) -> Score:
        """The score of this id."""
        return _parse(Score, self._connection.get(f"/v1/scores/{_segment(score_id)}"))

    def layers(self, score_id: str) -> tuple[LayerScore, ...]:
        """The score's layer curve in order of depth."""
        return tuple(self._pages(LayerScore, f"/v1/scores/{_segment(score_id)}/layers", {}))

    def surprisals(self, score_id: str, *, format: str = "csv") -> bytes:
        """The words behind a score of reading as a file, `csv` (UTF-8) or `parquet`.

        Raises NotFound where the score has none: it is of brains, or older than these tables.
        """
        path = f"/v1/scores/{_segment(score_id)}/surprisals"
        return self._connection.get_bytes(path, {"format": format}, accept="*/*")

    def matched_perplexity(self, score_id: str, *, base: Sequence[str] | None = None) -> MatchedPerplexity:
        """The score's ΔLL beside that of base models (`base`, or all untuned ones) of the same perplexity."""
        path = f"/v1/scores/{_segment(score_id)}/matched-perplexity"
        return _parse(MatchedPerplexity, self._connection.get(path, {"base": ",".join(base) if base else None}))

    def leaderboard(
        self,
        *,
        protocol: str = "grouped",
        benchmarks: Sequence[str] | None = None,
        family: str | None = None,
        sort: str | None = None,
        include_synthetic: bool = False,
    ) -> Leaderboard:
        """Models in the order of their scores under one protocol, all pages of them."""
        query = _board_query(protocol, benchmarks, family, sort, include_synthetic)
        document = self._connection.get("/v1/leaderboard", query)
        board = _parse(Leaderboard, document)
        rows = list(board.data)
        while document.get("next_page_token"):
            document = self._connection.get("/v1/leaderboard", {**query, "page_token": document["next_page_token"]})
            rows += _parse(Leaderboard, document).data
        return board.model_copy(update={"data": tuple(rows)})

    def leaderboard_csv(
        self,
        *,
        protocol: str = "grouped",
        benchmarks: Sequence[str] | None = None,
        family: str | None = None,
        sort: str | None = None,
        include_synthetic: bool = False,
    ) -> str:
        """The leaderboard as CSV."""
        query = _board_query(protocol, benchmarks, family, sort, include_synthetic)
        return self._connection.get_text("/v1/leaderboard", {**query, "format": "csv"})

    def models(self) -> tuple[Model, ...]:
        """Every model that the server has met."""
        return tuple(self._pages(Model, "/v1/models", {}))

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
        return _parse(Model, self._connection.post_file("/v1/models", query, path, on_progress=on_progress))

    def benchmarks(self) -> tuple[Benchmark, ...]:
        """Every benchmark that the server offers."""
        return tuple(self._pages(Benchmark, "/v1/benchmarks", {}))

    def benchmark(self, benchmark_id: str, *, version: int | None = None) -> Benchmark:
        """The benchmark of this id; of an added data set the newest version if no other is named."""
        path = f"/v1/benchmarks/{quote(benchmark_id, safe='/') or '-'}"
        return _parse(Benchmark, self._connection.get(path, {"version": version}))

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
        return _parse(Benchmark, document)

    def _pages(self, kind: type[_Result], path: str, query: dict[str, QueryValue]) -> Iterator[_Result]:
        token: str | None = None
        while True:
            document = self._connection.get(path, {**query, "page_token": token})
            items = document.get("data")
            if not isinstance(items, list):
                raise AnswerNotUnderstood(f"{path} answered without a list")
            yield from (_parse(kind, item) for item in items)
            token = document.get("next_page_token")
            if not token:
                return


def _board_query(
    protocol: str, benchmarks: Sequence[str] | None, family: str | None, sort: str | None, include_synthetic: bool
) -> dict[str, QueryValue]:
    return {
        "protocol": protocol,
        "benchmarks": ",".join(benchmarks) if benchmarks else None,
        "family": family,
        "sort": sort,
        "include_synthetic": "true" if include_synthetic else None,
    }


def _parse(kind: type[_Result], document: object) -> _Result:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise AnswerNotUnderstood(f"a {kind.__name__.lower()} came back without a usable {where or 'body'}") from error


def _segment(identifier: str) -> str:
    """An id as one segment of a path, whatever it holds."""
    return quote(identifier, safe="") or "-"
