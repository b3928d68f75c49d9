"""Every call of the two clients asked of one real server: both get the same answers."""

from __future__ import annotations

import asyncio
import csv
import inspect
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broca import AsyncClient, Client, Listed
from tests.models import write_model
from tests.own_data import write_dataset
from tests.serving import serving

PUBLISHED = "published-2312.00575"
TWO = ["demo/tiny", "local/tuned"]
VECTORS = "the 1 0\ncat 0 1\n"


@dataclass(frozen=True, kw_only=True)
class Known:
    """A server on which models were scored, one of them made from another."""

    url: str
    job: str
    failed_job: str
    score: str
    reading: str
    analysis: str
    study: str
    folder: Path


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    folder = tmp_path_factory.mktemp("served")
    write_model(folder / "models/tuned", "gpt2")
    (folder / "models/nothing").mkdir()
    with serving(folder, BROCA_MODEL_DIR=str(folder / "models")) as served, Client(served.url) as client:
        job = client.submit("demo/tiny", ["demo-fmri", "demo-reading"])
        others = [client.submit(f"local/{name}", ["demo-fmri"]) for name in ("tuned", "nothing")]
        others.append(client.submit("demo/tiny", ["demo-fmri"], "brain-score"))
        scores = {score.benchmark.id: score.id for score in job.wait().scores()}
        ended = [other.wait().status for other in others]
        assert ended == ["succeeded", "failed", "succeeded"], served.log.read_text()
        client.set_properties("local/tuned", {"base": "demo/tiny", "tuning": "instruct"})
        yield Known(
            url=served.url,
            job=job.id,
            failed_job=others[1].id,
            score=scores["demo-fmri"],
            reading=scores["demo-reading"],
            analysis=client.analyse("correlate", protocol=PUBLISHED).id,
            study=client.run_study({"name": "one", "benchmarks": ["demo-fmri"], "models": [{"id": "demo/tiny"}]}).id,
            folder=folder,
        )


Question = Callable[[Any, Known], Any]


def id_of(found: Any) -> str:
    return str(found.id)


def models_of(found: Any) -> list[str]:
    return [found.model.id] if hasattr(found, "model") else [one.id for one in found.models]


def document_of(chart: Any) -> Any:
    return chart.to_dict()


def to_import(known: Known) -> Path:
    file = known.folder / "vectors.txt"
    file.write_text(VECTORS)
    return file


def to_add(known: Known) -> Path:
    folder = known.folder / "recording"
    return folder if folder.exists() else write_dataset(folder)


CALLS: dict[str, tuple[Question, Callable[[Any], Any]]] = {
    "submit": (lambda client, known: client.submit("demo/tiny", ["demo-fmri"]), models_of),
    "preflight": (lambda client, known: client.preflight("demo/tiny", ["demo-fmri"]), lambda found: found.model),
    "job": (lambda client, known: client.job(known.job), lambda found: found),
    "jobs": (lambda client, known: client.jobs(model="local/tuned", page_size=1), list),
    "wait": (lambda client, known: client.wait(known.job), lambda found: found),
    "cancel": (lambda client, known: client.cancel(known.job), lambda found: found),
    "retry": (lambda client, known: client.retry(known.failed_job), id_of),
    "events": (lambda client, known: client.events(known.job), list),
    "past_events": (lambda client, known: client.past_events(known.job), list),
    "score": (lambda client, known: client.score(known.score), lambda found: found),
    "layers": (lambda client, known: client.layers(known.score), Listed),
    "participants": (lambda client, known: client.participants(known.score), Listed),
    "provenance": (lambda client, known: client.provenance(known.score), lambda found: found),
    "units": (lambda client, known: client.units(known.score), bytes),
    "compare": (
        lambda client, known: client.compare(["demo/tiny", "local/tuned"], include_synthetic=True),
        lambda found: found,
    ),
    "surprisals": (lambda client, known: client.surprisals(known.reading), bytes),
    "matched_perplexity": (lambda client, known: client.matched_perplexity(known.reading), lambda found: found),
    "leaderboard": (lambda client, known: client.leaderboard(include_synthetic=True), lambda found: found),
    "leaderboard_csv": (lambda client, known: client.leaderboard_csv(protocol=PUBLISHED), str),
    "leaderboard_parquet": (lambda client, known: client.leaderboard_parquet(protocol=PUBLISHED), bytes),
    "snapshots": (lambda client, known: client.snapshots(), Listed),
    "leaderboard_diff": (lambda client, known: client.leaderboard_diff("2026-01-01T00:00:00Z"), Listed),
    "analyse": (lambda client, known: client.analyse("paired", protocol=PUBLISHED), id_of),
    "analysis": (lambda client, known: client.analysis(known.analysis), lambda found: found),
    "analysis_csv": (lambda client, known: client.analysis_csv(known.analysis), str),
    "chart": (lambda client, known: client.chart(known.score), document_of),
    "analysis_chart": (lambda client, known: client.analysis_chart(known.analysis, form="bars"), bytes),
    "score_chart": (lambda client, known: client.score_chart(known.score), bytes),
    "pairs_chart": (lambda client, known: client.pairs_chart(benchmarks=["demo-fmri"]), bytes),
    "protocols_chart": (
        lambda client, known: client.protocols_chart("demo-fmri", ["grouped", "brain-score"]),
        bytes,
    ),
    "models": (lambda client, known: client.models(), Listed),
    "model": (lambda client, known: client.model("demo/tiny"), lambda found: found),
    "import_model": (
        lambda client, known: client.import_model("mine", to_import(known), kind="word-vectors"),
        lambda found: found,
    ),
    "set_properties": (lambda client, known: client.set_properties("demo/tiny", {"mmlu": 0.5}), id_of),
    "import_properties": (
        lambda client, known: client.import_properties([{"model": "demo/tiny", "name": "bbh", "value": 0.5}]),
        int,
    ),
    "pairs": (lambda client, known: client.pairs(benchmarks=["demo-fmri"]), Listed),
    "benchmarks": (lambda client, known: client.benchmarks(), Listed),
    "benchmark": (lambda client, known: client.benchmark("demo-fmri"), lambda found: found),
    "add_benchmark": (lambda client, known: client.add_benchmark("mine", to_add(known)), lambda found: found),
    "run_study": (
        lambda client, known: client.run_study(
            {"name": "one", "benchmarks": ["demo-fmri"], "models": [{"id": "demo/tiny"}]}
        ),
        models_of,
    ),
    "study": (lambda client, known: client.study(known.study), id_of),
    "studies": (lambda client, known: client.studies(), lambda found: {study.name for study in found}),
    "service_version": (lambda client, known: client.service_version(), lambda found: found),
    "workers": (lambda client, known: client.workers(), lambda found: [worker.id for worker in found]),
}
"""Each call with what of its answer does not depend on when it was asked."""


def ask(url: str, question: Callable[[Any], Any]) -> Any:
    with Client(url) as client:
        found = question(client)
        return list(found) if isinstance(found, Iterator) else found


def ask_awaiting(url: str, question: Callable[[Any], Any]) -> Any:
    async def asked() -> Any:
        async with AsyncClient(url) as client:
            found = question(client)
            assert isinstance(found, Awaitable | AsyncIterator)
            return await found if isinstance(found, Awaitable) else [one async for one in found]

    return asyncio.run(asked())


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_every_call_is_asked_here(kind: type) -> None:
    calls = {name for name, _ in inspect.getmembers(kind, callable) if not name.startswith("_")}
    assert calls - {"close"} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_both_clients_get_the_same_answer(known: Known, name: str) -> None:
    question, part = CALLS[name]
    found = ask(known.url, lambda client: question(client, known))
    assert part(ask_awaiting(known.url, lambda client: question(client, known))) == part(found)


def test_frames_have_the_columns_of_the_csv(known: Known) -> None:
    with Client(known.url) as client:
        board = client.leaderboard(protocol=PUBLISHED)
        header, *rows = csv.reader(io.StringIO(client.leaderboard_csv(protocol=PUBLISHED)))
        frame = board.frame()
        assert [name for name in header if name in set(frame.columns)] == list(frame.columns)
        assert set(header) - set(frame.columns) == {f"{column.key}_normalised" for column in board.columns}
        raw = header.index("pereira2018_raw")
        assert frame["pereira2018_raw"].tolist() == pytest.approx([float(row[raw]) for row in rows])
        analysis = client.analysis(known.analysis)
        header, *rows = csv.reader(io.StringIO(client.analysis_csv(known.analysis)))
        assert list(analysis.frame().columns) == header
        assert analysis.frame().shape == (len(rows), len(header))


def test_a_result_draws_its_own_chart(known: Known) -> None:
    with Client(known.url) as client:
        assert client.score(known.score).chart().to_dict() == client.chart(known.score).to_dict()
        bars = client.analysis(known.analysis).chart(form="bars", theme="dark")
        assert bars.to_dict()["title"]["text"]
        assert client.chart("pairs", benchmarks=["demo-fmri"]).to_dict()["datasets"]


def test_pairs_are_wide_and_long_frames(known: Known) -> None:
    with Client(known.url) as client:
        pairs = client.pairs(benchmarks=["demo-fmri"])
        ((difference, low, high),) = pairs.long()[["difference", "low", "high"]].itertuples(index=False)
        assert low <= difference <= high
        wide = pairs.frame()
        assert (wide["tuned"].tolist(), wide["demo-fmri_difference"].tolist()) == (["local/tuned"], [difference])
