"""Which numbers an analysis is over, and what was answered as it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scoring.analysis import ANALYSIS_VERSION
from scoring.analysis.question import Answer, Question, plain
from scoring.analysis.question import Kind as AnalysisKind
from scoring.analysis.table import AVERAGE, PROPERTIES, ModelTable
from scoring.benchmarks.base import Kind
from scoring.benchmarks.catalogue import Catalogue
from scoring.protocols import protocol_named
from scoring.published import paper, rows
from storage import analyses, measured
from storage.analyses import Analysis as StoredAnalysis
from storage.engine import Database

from .analysis_schemas import Analysis, AnalysisRequest


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A question with everything that its answer follows from; `key` is the same where all of that is."""

    question: Question
    asked: dict[str, Any]
    models: ModelTable
    key: str


def prepared(
    body: AnalysisRequest,
    database: Database,
    catalogue: Catalogue,
    *,
    models: ModelTable | None = None,
    said: dict[str, Any] | None = None,
) -> Prepared:
    """What is asked for, and over which numbers; raises ProtocolUnsupported.

    The numbers are those that there are, or those of `models`, of which `said` are the inputs where they are known.
    """
    question = body.question()
    models = models_under(body.protocol, question, database, catalogue) if models is None else models
    asked = {"protocol": body.protocol, **plain(question)}
    key = analyses.key_of({"version": ANALYSIS_VERSION, "question": asked, "models": said or inputs(models)})
    return Prepared(question=question, asked=asked, models=models, key=key)


def answered(ready: Prepared) -> Answer:
    """The answer, computed; raises AnalysisTooSmall, PropertyConstant, PropertyUnknown."""
    from scoring.analysis.answers import answer  # with scipy.stats, which nothing else in this process needs

    return answer(ready.question, ready.models)


def models_under(protocol: str, question: Question, database: Database, catalogue: Catalogue) -> ModelTable:
    """The models under a protocol, with the scores that a question asks for; raises ProtocolUnsupported."""
    if protocol == paper.PROTOCOL:
        return rows.table()
    protocol_named(protocol)

    def is_of_brains(name: str) -> bool:
        return any(benchmark.kind is Kind.BRAIN for benchmark in catalogue.benchmarks([name]).values())

    with database.read() as session:
        return measured.table(
            session,
            protocol=protocol,
            benchmarks=_named(question, catalogue),
            hidden=catalogue.off_boards(),
            is_of_brains=is_of_brains,
            with_curves=question.kind is AnalysisKind.LAYERS,
            every_revision=question.kind is AnalysisKind.TRAJECTORY,
        )


def inputs(models: ModelTable) -> dict[str, Any]:
    """All that a table of models says, as plain values."""
    curves = {
        name: {model_id: [curve.depths.tolist(), curve.raws.tolist()] for model_id, curve in of_models.items()}
        for name, of_models in models.curves.items()
    }
    return {
        "models": [plain(model) for model in models.models],
        "benchmarks": list(models.benchmarks),
        "averaged": list(models.averaged),
        "curves": plain(curves),
    }


def view(found: StoredAnalysis, *, cached: bool) -> Analysis:
    """A stored answer as it is sent."""
    is_published, answered = found.protocol == paper.PROTOCOL, found.answer
    return Analysis.model_validate(
        {
            "id": found.id,
            "kind": found.kind,
            "protocol": found.protocol,
            "provenance": "published" if is_published else "measured",
            "source": paper.SOURCE.name if is_published else None,
            "question": found.question,
            "n_models": answered["n_models"],
            "result": answered["result"],
            "table": {"columns": answered["columns"], "rows": answered["rows"]},
            "warnings": answered["warnings"],
            "version": answered["version"],
            "created_at": found.created_at,
            "cached": cached,
        }
    )


def as_stored(made: Answer) -> dict[str, Any]:
    """An answer as plain values, with the version of the analyses that gave it."""
    return {**plain(made), "version": ANALYSIS_VERSION}


def _named(question: Question, catalogue: Catalogue) -> tuple[str, ...] | None:
    """The benchmarks that a question names, wherever; None where its list names none: then all are meant."""
    listed = _benchmarks(question.benchmarks, catalogue)
    if not listed:
        return None
    beside = (
        (question.behaviour,) if question.kind is AnalysisKind.CONSISTENCY else (*question.properties, *question.held)
    )
    return tuple(dict.fromkeys([*listed, *_benchmarks(beside, catalogue)]))


def _benchmarks(names: tuple[str, ...], catalogue: Catalogue) -> list[str]:
    """Those that are benchmarks; others are told of by whoever looks for them in the table."""
    return [*catalogue.benchmarks(name for name in names if name != AVERAGE and name not in PROPERTIES)]
