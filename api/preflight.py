"""What would come of a request for a job: everything that a worker would refuse, told before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scoring.benchmarks.base import Benchmark
from scoring.datasets.manifest import dataset_named
from scoring.errors import CodedError, ScoringError
from scoring.protocols import protocol_named
from scoring.subjects import model_ids
from scoring.subjects.model_ids import Namespace
from storage import outlook
from storage.engine import Database
from storage.outlook import Place

from .looking import Answer, Looker
from .preflight_schemas import Preflight, PreflightBenchmark, PreflightCheck, PreflightModel, PreflightQueue
from .requests import JobRequest
from .settings import ApiSettings
from .submission import check, known_scores

CHECK_OF_CODE = {
    "model_id_malformed": "model_id",
    "hub_unavailable": "hub",
    "model_not_found": "exists",
    "revision_not_found": "exists",
    "model_gated": "access",
    "remote_code_refused": "code",
    "architecture_unsupported": "architecture",
    "no_safetensors": "files",
    "model_incomplete": "files",
    "option_unknown": "options",
    "model_too_large": "size",
    "insufficient_storage": "size",
}
"""Which check a refusal belongs to; what is not named here belongs to `files`."""

OF_MODEL = ("model_id", "hub", "exists", "access", "code", "architecture", "files", "options", "size")
"""The checks of a model in the order in which a worker makes them."""

KNOWN_BEFORE = 4
"""A refusal says of so many of them that they went well, where it comes later."""


@dataclass(frozen=True, kw_only=True)
class _Named:
    """A benchmark that was asked for: as the catalogue has it, or why it has it not."""

    name: str
    benchmark: Benchmark | None
    refusal: CodedError | None


def preflight(request: JobRequest, settings: ApiSettings, database: Database, looker: Looker) -> Preflight:
    """The preflight of a request. Problems of the model, the data and the workers are checks in it, not errors."""
    named = [_named(name, request.protocol, settings) for name in request.benchmarks]
    benchmarks = [one.benchmark for one in named if one.benchmark is not None]
    options = request.options.model_dump(exclude_defaults=True)
    asks_surprisal = bool(benchmarks) and all(benchmark.asks_surprisal for benchmark in benchmarks)
    answer = _look(request, options, looker, asks_surprisal=asks_surprisal)
    known = _known(request, named, settings, database, answer)
    with database.read() as session:
        places = outlook.places(session, within_s=settings.worker_silence_s)
        jobs_ahead = outlook.n_ahead(session)
        durations = {
            one.name: outlook.duration_s(session, benchmark=one.name, protocol=request.protocol)
            for one in named
            if one.benchmark is not None
        }
    shown = [_benchmark(one, settings, known.get(one.name), durations.get(one.name)) for one in named]
    checks = [
        *_model_checks(answer),
        _memory_check(answer, places, request.options.dtype),
        _workers_check(places),
        _protocol_check(named),
        _data_check(named, shown),
    ]
    return Preflight(
        ok=all(one.ok is not False for one in checks),
        cached=len(known) == len(named),
        model=_model(request, answer),
        benchmarks=shown,
        checks=checks,
        queue=PreflightQueue(jobs_ahead=jobs_ahead, workers=len(places), estimate_s=_estimate_s(shown)),
    )


def _named(name: str, protocol: str, settings: ApiSettings) -> _Named:
    try:
        benchmark = settings.catalogue.benchmark(name)
        benchmark.require(protocol_named(protocol))
    except ScoringError as error:
        return _Named(name=name, benchmark=None, refusal=error)
    return _Named(name=name, benchmark=benchmark, refusal=None)


def _look(request: JobRequest, options: Mapping[str, Any], looker: Looker, *, asks_surprisal: bool) -> Answer:
    """What the model is; names that no model can have are refused without asking."""
    try:
        model = model_ids.parse(request.model.id)
        if request.model.revision is not None:
            model_ids.check_revision(request.model.revision)
    except ScoringError as error:
        return {"seen": None, "failure": _refusal(error)}
    return looker.look(str(model), request.model.revision, options, asks_surprisal=asks_surprisal)


def _known(
    request: JobRequest, named: Sequence[_Named], settings: ApiSettings, database: Database, answer: Answer
) -> dict[str, str]:
    """The ids of the scores that are known, by benchmark: those of the commit that the hub just named."""
    seen = answer["seen"]
    if seen is None or request.force:
        return {}
    source = model_ids.parse(request.model.id)
    if (source.inner or source).namespace is Namespace.HUB:
        request = request.model_copy(update={"model": request.model.model_copy(update={"revision": seen["revision"]})})
    found = {}
    for one in named:
        if one.benchmark is None:
            continue
        try:
            wanted = check(request.model_copy(update={"benchmarks": [one.name]}), settings)
        except ScoringError:
            continue
        scores = known_scores(database, wanted)
        if scores is not None:
            found[one.name] = scores[one.name].id
    return found


def _model(request: JobRequest, answer: Answer) -> PreflightModel:
    seen = answer["seen"] or {}
    same = ("revision", "family", "architecture", "parameters", "n_layers", "width", "n_positions", "stored_dtypes")
    return PreflightModel(
        id=request.model.id,
        requested_revision=request.model.revision,
        embedding_parameters=seen.get("n_embedding_parameters"),
        download_bytes=seen.get("download_bytes"),
        memory_needed_bytes=seen.get("memory_needed_bytes"),
        **{name: seen.get(name) for name in same},
    )


def _benchmark(one: _Named, settings: ApiSettings, score: str | None, duration_s: float | None) -> PreflightBenchmark:
    benchmark = one.benchmark
    return PreflightBenchmark(
        id=one.name,
        version=None if benchmark is None else benchmark.version,
        data_ready=None if benchmark is None else _is_ready(benchmark, settings),
        score=score,
        duration_s=duration_s,
    )


def _is_ready(benchmark: Benchmark, settings: ApiSettings) -> bool:
    if benchmark.synthetic or settings.catalogue.own(benchmark.name) is not None:
        return True
    return settings.data_store(offline=True).is_ready(dataset_named(benchmark.dataset))


def _model_checks(answer: Answer) -> list[PreflightCheck]:
    """One for each thing that a worker looks at; what lies behind a refusal is not known."""
    failure = answer["failure"]
    if failure is None:
        return [_check(name, ok=True) for name in OF_MODEL]
    failed = OF_MODEL.index(CHECK_OF_CODE.get(failure["code"], "files"))
    checks = []
    for position, name in enumerate(OF_MODEL):
        if position == failed:
            checks.append(_check(name, ok=False, failure=failure))
        else:
            checks.append(_check(name, ok=True if position < min(failed, KNOWN_BEFORE) else None))
    return checks


def _memory_check(answer: Answer, places: Sequence[Place], dtype: str) -> PreflightCheck:
    """Whether some worker has the memory, as far as they say."""
    needed = None if answer["seen"] is None else answer["seen"]["memory_needed_bytes"]
    if needed is None or not places or any(place.memory_bytes is None for place in places):
        return _check("memory", ok=None)
    fits = [place for place in places if needed[_dtype(dtype, place)] <= (place.memory_bytes or 0)]
    most = max(place.memory_bytes or 0 for place in places)
    told = ", ".join(f"{n_bytes} bytes in {name}" for name, n_bytes in needed.items())
    detail = f"the model needs {told}; the largest worker has {most}"
    if fits:
        return _check("memory", ok=True, failure={"code": None, "detail": detail, "hint": None, "retryable": False})
    hint = "start a worker with more memory, ask for bfloat16, or name a smaller model"
    failure = {"code": "model_too_large", "detail": detail, "hint": hint, "retryable": False}
    return _check("memory", ok=False, failure=failure)


def _dtype(asked: str, place: Place) -> str:
    """The dtype that a worker would choose."""
    return asked if asked != "auto" else ("bfloat16" if place.device.startswith("cuda") else "float32")


def _workers_check(places: Sequence[Place]) -> PreflightCheck:
    if places:
        return _check("workers", ok=True)
    told = {"code": None, "detail": "no worker is running: the job would wait", "hint": None, "retryable": True}
    return _check("workers", ok=None, failure=told)


def _protocol_check(named: Iterable[_Named]) -> PreflightCheck:
    """Whether the benchmarks are there, each once, and defined under the protocol."""
    names = [one.name for one in named]
    refusal = next((one.refusal for one in named if one.refusal is not None), None)
    if refusal is None and len(set(names)) == len(names):
        return _check("benchmarks", ok=True)
    if refusal is not None:
        return _check("benchmarks", ok=False, failure=_refusal(refusal))
    told = {"code": "request_invalid", "detail": "a benchmark is named twice", "hint": None, "retryable": False}
    return _check("benchmarks", ok=False, failure=told)


def _data_check(named: Sequence[_Named], shown: Sequence[PreflightBenchmark]) -> PreflightCheck:
    """Whether the data are here, or can be had by a worker."""
    absent = [one.benchmark for one, there in zip(named, shown, strict=True) if there.data_ready is False]
    lost = [one for one in absent if one is not None and not dataset_named(one.dataset).is_public]
    if lost:
        told = f"the data of {', '.join(one.name for one in lost)} are not on this server and have no public address"
        hint = "put them into the folder of BROCA_DATA_MIRROR; where workers have one of their own, they may be there"
        failure = {"code": "data_missing", "detail": told, "hint": hint, "retryable": False}
        return _check("data", ok=False, failure=failure)
    if absent:
        told = f"the data of {', '.join(one.name for one in absent if one)} come when they are first needed"
        return _check("data", ok=True, failure={"code": None, "detail": told, "hint": None, "retryable": False})
    return _check("data", ok=True)


def _estimate_s(shown: Sequence[PreflightBenchmark]) -> float | None:
    open_ones = [one.duration_s for one in shown if one.score is None]
    known = [duration for duration in open_ones if duration is not None]
    return sum(known) if len(known) == len(open_ones) else None


def _check(name: str, *, ok: bool | None, failure: Mapping[str, Any] | None = None) -> PreflightCheck:
    told = failure or {"code": None, "detail": None, "hint": None, "retryable": False}
    return PreflightCheck(name=name, ok=ok, **told)


def _refusal(error: CodedError) -> dict[str, Any]:
    return {"code": error.code, "detail": error.detail, "hint": error.hint, "retryable": error.retryable}
