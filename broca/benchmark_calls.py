"""What a client asks about benchmarks: which there are, and to take in one of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from .answers import everything, parse
from .benchmarks import Benchmark
from .calls import Mode, Tied, call
from .packing import pack
from .steps import Plan, QueryValue, get, post_file, work
from .tables import Listed


class BenchmarkCalls(Tied[Mode]):
    """The methods of a client that are about benchmarks."""

    @call
    def benchmarks(self) -> Plan[Listed[Benchmark]]:
        """Every benchmark that the server offers."""
        return (yield from everything(Benchmark, "/v1/benchmarks"))

    @call
    def benchmark(self, benchmark_id: str, *, version: int | None = None) -> Plan[Benchmark]:
        """The benchmark of this id; of an added data set the newest version if no other is named."""
        path = f"/v1/benchmarks/{quote(benchmark_id, safe='/') or '-'}"
        return parse(Benchmark, (yield from get(path, {"version": version})))

    @call
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
    ) -> Plan[Benchmark]:
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
        with TemporaryDirectory(prefix="broca-") as folder:
            file = yield from work(lambda: pack(Path(source), Path(folder)))
            document = yield from post_file("/v1/benchmarks", query, file, on_progress=on_progress)
        return parse(Benchmark, document)
