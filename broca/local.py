"""Scores computed in this process: no server, no database, no queue. What is loaded for it is loaded when it is called.

Models, data and responses are kept where a server on this machine keeps them, and found again by either.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from .errors import BadRequest, BrocaError, NotScored
from .results import ProblemDocument, Score

if TYPE_CHECKING:
    from pathlib import Path

    from scoring.results import Score as ComputedScore
    from scoring.subjects.model_ids import ModelId
    from storage.baselines import Baseline
    from storage.scores import StoredScore
    from worker.exchange import Failure, Progress
    from worker.here import Outcome, Wanted
    from worker.settings import WorkerSettings

OnProgress = Callable[[float, str], None]
"""Told how much of the way is done, from 0 to 1, and what is being done."""

RUN = "local"
"""Where a score of a server has the id of its run."""


@dataclass(frozen=True, kw_only=True)
class Computed:
    """The scores that could be computed, and by benchmark why others could not; `synthetic` are on planted data."""

    scores: tuple[Score, ...]
    failures: Mapping[str, ProblemDocument]
    synthetic: frozenset[str] = frozenset()


def score(
    model: str,
    benchmarks: Sequence[str],
    protocol: str = "grouped",
    *,
    revision: str | None = None,
    options: Mapping[str, Any] | None = None,
    force: bool = False,
    data_dir: Path | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[Score, ...]:
    """The scores of a model on some benchmarks, in their order, computed here: the same numbers as a server's.

    The model is resolved to a commit, checked and downloaded as a worker does it, with the settings of the
    environment; `score.provenance` holds what identifies a score and the conditions it was computed under. What is
    being done goes to stderr, or to `on_progress`. Raises BadRequest where what is asked for does not exist, NotScored
    where a benchmark has no score in the end; the scores that there are lie in it.
    """
    done = compute(
        model,
        benchmarks,
        protocol,
        revision=revision,
        options=options,
        force=force,
        data_dir=data_dir,
        on_progress=on_progress or lines_on_stderr(),
    )
    for name, failure in done.failures.items():
        detail = f"{name}: {failure.detail or failure.code}"
        raise NotScored(detail, code=failure.code, hint=failure.hint, scores=done.scores)
    return done.scores


def compute(
    model: str,
    benchmarks: Sequence[str],
    protocol: str = "grouped",
    *,
    revision: str | None = None,
    options: Mapping[str, Any] | None = None,
    force: bool = False,
    data_dir: Path | None = None,
    on_progress: OnProgress = lambda fraction, detail: None,
) -> Computed:
    """As `score`, but a benchmark without a score is told beside the others. Raises BadRequest, BrocaError."""
    from scoring.errors import CodedError
    from scoring.importing import many_modules

    with many_modules():
        from worker.here import score_here
        from worker.settings import WorkerSettings

    settings = WorkerSettings() if data_dir is None else WorkerSettings(data_dir=data_dir)
    names = [benchmarks] if isinstance(benchmarks, str) else list(benchmarks)
    wanted = _wanted(settings, model, names, protocol, {"revision": revision, "force": force, "options": options or {}})
    try:
        outcome = score_here(wanted, settings, tell=_told(on_progress))
    except CodedError as error:
        raise BrocaError(error.detail, code=error.code, hint=error.hint) from error
    return _computed(wanted, outcome)


def version_here(benchmark: str) -> int | None:
    """The version in which a benchmark would be scored here; None where there is no such benchmark."""
    from scoring.errors import CodedError
    from storage.settings import StorageSettings

    try:
        return StorageSettings().catalogue.benchmark(benchmark).version
    except CodedError:
        return None


def lines_on_stderr() -> OnProgress:
    """A function that writes a line to stderr whenever something else is being done or a tenth of the way is over."""
    last: tuple[str, int] | None = None

    def show(fraction: float, detail: str) -> None:
        nonlocal last
        if (detail, int(10 * fraction)) != last:
            last = (detail, int(10 * fraction))
            print(f"{100 * fraction:3.0f} % {detail}", file=sys.stderr, flush=True)

    return show


def _wanted(
    settings: WorkerSettings, model: str, names: Sequence[str], protocol: str, rest: Mapping[str, Any]
) -> Wanted:
    """What is asked for, if it exists, as a server would take it. Raises BadRequest."""
    from scoring.errors import CodedError
    from scoring.protocols import protocol_named
    from scoring.subjects import model_ids
    from worker.here import Wanted

    try:
        parsed, rules = model_ids.parse(model), protocol_named(protocol)
        if rest["revision"] is not None:
            model_ids.check_revision(rest["revision"])
        chosen = _options(parsed, rest["options"])
        found = [settings.catalogue.benchmark(name) for name in dict.fromkeys(names)]
        for benchmark in found:
            benchmark.require(rules)
    except CodedError as error:
        raise BadRequest(error.detail, code=error.code, status=422, hint=error.hint, param=error.param) from error
    if not found:
        raise BadRequest("no benchmark is named", code="request_invalid", status=422, param="benchmarks")
    return Wanted(
        model_id=str(parsed),
        benchmarks=tuple((one.name, one.version) for one in found),
        protocol=rules.name,
        revision=rest["revision"],
        options=chosen,
        force=rest["force"],
    )


def _options(model: ModelId, options: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from the defaults. Raises BadRequest, OptionUnknown, ModelIdMalformed."""
    from pydantic import ValidationError

    from api.requests import Options
    from scoring.subjects import model_ids
    from scoring.subjects.imported import refuse_options

    try:
        chosen = Options.model_validate(options).model_dump(exclude_defaults=True)
    except ValidationError as error:
        first = error.errors()[0]
        detail = f"option {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise BadRequest(detail, code="request_invalid", status=422, param="options") from error
    if model.namespace is model_ids.Namespace.IMPORTED:
        refuse_options(str(model), chosen)
    elif "adapter" in chosen:
        model_ids.parse_adapter(chosen["adapter"])
    return chosen


def _told(on_progress: OnProgress) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        said = progress.warning or progress.detail
        if said:
            on_progress(progress.overall, said)

    return tell


def _computed(wanted: Wanted, outcome: Outcome) -> Computed:
    scores, failures, synthetic = [], {}, set()
    for name, answer in outcome.answers.items():
        if answer.score is None or outcome.model is None:
            told = (
                {} if answer.failure is None else answer.failure.model_dump(exclude={"retry_after_s", "needed_bytes"})
            )
            failures[name] = ProblemDocument(**told)
            continue
        stored = _stored(wanted, answer.score, revision=outcome.model.revision, dtype=outcome.dtype)
        scores.append(_as_served(stored, [_beside(stored, one) for one in answer.baselines]))
        synthetic |= {name} if answer.score.synthetic else set()
    return Computed(scores=tuple(scores), failures=failures, synthetic=frozenset(synthetic))


def _problem(failure: Failure | None) -> ProblemDocument:
    if failure is None:
        return ProblemDocument()
    return ProblemDocument.model_validate(failure.model_dump(exclude={"retry_after_s", "needed_bytes"}))


def _as_served(stored: StoredScore, beside: Sequence[Baseline]) -> Score:
    """The score as a server sends it; for the address of its provenance the provenance itself."""
    from api.score_views import provenance_view, score_view

    document = score_view(stored, beside).model_dump(mode="json")
    return Score.model_validate(document | {"provenance": provenance_view(stored).model_dump(mode="json")})


def _stored(wanted: Wanted, computed: ComputedScore, *, revision: str, dtype: str) -> StoredScore:
    """The score with what identifies it; its id is taken from that, so that the same score has the same id."""
    from scoring import SCORING_VERSION
    from storage.identity import Work, score_key
    from storage.scores import StoredScore

    work = Work(
        model_id=wanted.model_id,
        revision=revision,
        benchmark=computed.benchmark,
        benchmark_version=computed.benchmark_version,
        protocol=computed.protocol,
        seed=0,
        scoring_version=SCORING_VERSION,
        options=wanted.options,
    )
    key = score_key(work, dtype=dtype, data_sha256=computed.data_sha256)
    return StoredScore(
        id=f"local_{key[:20]}",
        run_id=RUN,
        model_id=wanted.model_id,
        revision=revision,
        dtype=dtype,
        options=dict(wanted.options),
        default_options=not wanted.options,
        seed=0,
        scoring_version=SCORING_VERSION,
        created_at=datetime.now(UTC),
        superseded_by=None,
        score=computed,
    )


def _beside(stored: StoredScore, baseline: ComputedScore) -> Baseline:
    """A baseline's score as it stands beside a model's."""
    from dataclasses import asdict

    from scoring.controls import difference
    from storage.baselines import Baseline
    from storage.scores import clusters_drawn

    interval = None if baseline.interval is None else asdict(baseline.interval)
    return Baseline(
        id=baseline.subject,
        score_id=RUN,
        raw=baseline.raw,
        normalised=baseline.normalised,
        layer_selected=None if baseline.layer is None else baseline.layer.selected,
        difference=difference(
            stored.score.raw,
            stored.score.draws,
            baseline=baseline.subject,
            baseline_raw=baseline.raw,
            baseline_draws=baseline.draws,
            n_clusters=clusters_drawn(interval, asdict(baseline.n)),
        ),
    )
