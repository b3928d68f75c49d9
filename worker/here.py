"""Scoring in the process that asks: without supervisor, queue and database.

What belongs here: the orders that a claim would become. How they are carried out is `fetch` and `pipeline`, as for
every worker: a model is resolved to a commit, checked and downloaded before anything of it is loaded. What does not:
what a worker has beside that, which is a process of its own for strangers' weights, without token and network, with
limits of time and memory, and further tries.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scoring import SCORING_VERSION
from scoring.subjects.hub_hosts import public_hosts_only
from scoring.subjects.model_cache import in_use
from scoring.subjects.sources import ResolvedModel

from .child import Tell
from .device import detect_device, device_memory, dtype_of, memory_limit
from .exchange import FetchAnswer, FetchOrder, RunAnswer, RunOrder, ScoringOrder
from .fetch import fetch
from .pipeline import answers
from .settings import WorkerSettings

CACHE_PATIENCE_S = 60.0
"""How long the model cache is waited for, while others change it."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One model on some benchmarks, each with its version; `options` hold only what differs from the defaults."""

    model_id: str
    benchmarks: tuple[tuple[str, int], ...]
    protocol: str
    revision: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of it: the model where it could be had, and of each benchmark an answer, in the order asked for."""

    model: ResolvedModel | None
    dtype: str
    answers: Mapping[str, RunAnswer]


def score_here(wanted: Wanted, settings: WorkerSettings, *, tell: Tell) -> Outcome:
    """The answers of all benchmarks; what goes wrong with one leaves the others alone. Raises ModelCacheBusy.

    Meanwhile this process' requests to the hub go to public hosts only.
    """
    device = detect_device(settings.device)
    dtype = dtype_of(wanted.model_id, wanted.options, device=device)
    hosts = public_hosts_only(os.environ.get("HF_ENDPOINT"), settings.further_hub_hosts)
    claim = f"here-{secrets.token_hex(10)}"
    with hosts, in_use(settings.model_cache, claim, timeout_s=CACHE_PATIENCE_S) as use_file:
        brought = fetch(_fetch_order(wanted, settings, device=device, dtype=dtype, use_file=use_file), tell=tell)
        found = _failed(wanted, brought)
        if brought.model is not None and len(found) < len(wanted.benchmarks):
            order = _scoring_order(wanted, settings, brought.model, device=device, dtype=dtype, without=found)
            found |= {run.id: answer for run, answer in answers(order, tell=tell)}
    return Outcome(model=brought.model, dtype=dtype, answers={name: found[name] for name, _ in wanted.benchmarks})


def _failed(wanted: Wanted, brought: FetchAnswer) -> dict[str, RunAnswer]:
    """The answers that are known once it was tried to bring model and data: those of failures."""
    if brought.failure is not None:
        return {name: RunAnswer(failure=brought.failure) for name, _ in wanted.benchmarks}
    return {name: RunAnswer(failure=failure) for name, failure in brought.run_failures.items()}


def _fetch_order(wanted: Wanted, settings: WorkerSettings, *, device: str, dtype: str, use_file: Path) -> FetchOrder:
    store = settings.data_store(offline=False)
    return FetchOrder(
        model_id=wanted.model_id,
        revision=wanted.revision,
        benchmarks={name: (name, version) for name, version in wanted.benchmarks},
        model_dir=settings.model_dir,
        model_cache=settings.model_cache,
        import_dir=settings.import_dir,
        data_cache=store.cache,
        data_mirror=store.mirror,
        own_dir=settings.own_dir,
        dtype=dtype,
        memory_bytes=device_memory(device, limit=memory_limit(settings.max_memory_bytes)),
        options=dict(wanted.options),
        hub=settings.hub_terms(use_file, is_last_attempt=True),
    )


def _scoring_order(
    wanted: Wanted,
    settings: WorkerSettings,
    model: ResolvedModel,
    *,
    device: str,
    dtype: str,
    without: Mapping[str, RunAnswer],
) -> ScoringOrder:
    store, catalogue = settings.data_store(offline=True), settings.catalogue
    runs = []
    for name, version in wanted.benchmarks:
        own = catalogue.own(name, version)
        ceiling = None if own is None else own.manifest.ceiling_of(wanted.protocol, SCORING_VERSION)
        told = {"protocol": wanted.protocol, "force": wanted.force, "ceiling": ceiling}
        if name not in without:
            runs.append(RunOrder(id=name, benchmark=name, benchmark_version=version, **told))
    return ScoringOrder(
        model=model,
        device=device,
        dtype=dtype,
        options=dict(wanted.options),
        data_cache=store.cache,
        data_mirror=store.mirror,
        own_dir=settings.own_dir,
        response_cache=settings.response_cache,
        cache_bytes=settings.cache_bytes,
        keep_activations=settings.keep_activations,
        runs=tuple(runs),
    )
