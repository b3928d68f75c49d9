"""One attempt at the runs of a claim: fetch, look what is known, score, record. Runs in the supervisor's thread.

No transaction is open while a child computes; everything written says which claim it comes from, and a claim that
was lost writes nothing.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from pydantic import ValidationError

from scoring import SCORING_VERSION
from scoring.benchmarks.base import benchmark_named
from scoring.subjects.families.base import family_of
from scoring.subjects.sources import ResolvedModel
from storage import models, runs, scores
from storage.engine import Database
from storage.identity import Work, score_key
from storage.runs import Claim, Problem, Run

from .child import Child, fetch_environment, scoring_environment
from .exchange import (
    ANSWER_FILE,
    ORDER_FILE,
    Failure,
    FetchAnswer,
    FetchOrder,
    Message,
    Progress,
    RunAnswer,
    RunOrder,
    ScoringOrder,
    Stage,
    run_answer_file,
)
from .retries import backoff_s
from .settings import WorkerSettings

TICK_S = 1.0
"""How often progress is written and a cancelled run noticed, at most."""

_log = logging.getLogger(__name__)


class ClaimLost(Exception):
    """Every run of the claim was cancelled or taken back: stop and drop the work."""


class Stopping(Exception):
    """The worker is asked to stop: hand the runs back."""


class Attempt:
    """The work on one claim, from a fresh work folder to the last record."""

    def __init__(
        self, claim: Claim, settings: WorkerSettings, database: Database, *, device: str, stopping: threading.Event
    ) -> None:
        self._claim = claim
        self._settings = settings
        self._database = database
        self._device = device
        self._stopping = stopping
        self._open = {run.id: run for run in claim.runs}
        self._next_beat = 0.0
        self._folder = settings.work_folder / claim.token

    def run(self) -> None:
        """Bring every run of the claim to an end, back to the queue, or into other hands."""
        try:
            self._folder.mkdir(parents=True)
            model = self._fetch()
            if model is not None:
                self._answer_known(model)
                self._score(model)
        except ClaimLost:
            _log.info("claim %s was lost; its work is dropped", self._claim.token)
        except Stopping:
            self._hand_back()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _fetch(self) -> ResolvedModel | None:
        """The model on this disk; None where it cannot be had, which ends every run."""
        store = self._settings.data_store(offline=False)
        order = FetchOrder(
            model_id=self._claim.model_id,
            revision=self._claim.requested_revision,
            benchmarks=tuple(run.benchmark for run in self._claim.runs),
            model_dir=self._settings.model_dir,
            model_cache=self._settings.model_cache,
            data_cache=store.cache,
            data_mirror=store.mirror,
        )
        ending = self._attend("worker.fetch", order, fetch_environment(), first=Stage.RESOLVE)
        try:
            answer = FetchAnswer.read(self._folder / ANSWER_FILE)
        except (FileNotFoundError, ValidationError):
            self._fail(self._open.values(), _crash("fetch", ending))
            return None
        if answer.failure is not None:
            self._fail(self._open.values(), answer.failure)
        for run in [*self._open.values()]:
            if run.benchmark in answer.data_failures:
                self._fail([run], answer.data_failures[run.benchmark])
        if answer.model is not None:
            self._remember(answer.model)
        return answer.model

    def _remember(self, model: ResolvedModel) -> None:
        with self._database.write() as session:
            models.remember(
                session,
                models.NewModel(
                    id=model.model_id,
                    revision=model.revision,
                    family=family_of(model.model_type).name,
                    architecture=model.architecture,
                    parameters=model.parameters,
                    n_layers=model.n_layers,
                    width=model.width,
                    signature=model.signature,
                ),
            )
            runs.set_revision(session, self._claim.token, [*self._open], model.revision)

    def _answer_known(self, model: ResolvedModel) -> None:
        """End at once every run whose score is there already, unless it was asked for anew."""
        for run in [*self._open.values()]:
            key = score_key(
                _work(run, model), dtype=self._dtype, data_sha256=benchmark_named(run.benchmark).data_sha256()
            )
            with self._database.write() as session:
                known = None if run.force else scores.find(session, key)
                if known is not None:
                    runs.succeed(session, self._claim.token, run.id, known.id)
                    del self._open[run.id]

    def _score(self, model: ResolvedModel) -> None:
        """Compute and record what is still open."""
        if not self._open:
            return
        store = self._settings.data_store(offline=True)
        order = ScoringOrder(
            model_id=self._claim.model_id,
            folder=model.folder,
            device=self._device,
            dtype=self._dtype,
            data_cache=store.cache,
            data_mirror=store.mirror,
            runs=tuple(RunOrder(id=r.id, benchmark=r.benchmark, protocol=r.protocol) for r in self._open.values()),
        )
        ending = self._attend(
            "worker.pipeline",
            order,
            scoring_environment(),
            first=Stage.LOAD,
            on_ended=lambda run_id: self._record(run_id, model),
        )
        self._fail(self._open.values(), _crash("scoring", ending))

    @property
    def _dtype(self) -> str:
        chosen = self._claim.options.get("dtype", "auto")
        return chosen if chosen != "auto" else ("bfloat16" if self._device == "cuda" else "float32")

    def _attend(
        self,
        module: str,
        order: Message,
        environment: Mapping[str, str],
        *,
        first: Stage,
        on_ended: Callable[[str], None] = lambda _: None,
    ) -> str:
        """Run a child to its end while the leases are renewed; how it ended. Raises ClaimLost, Stopping."""
        order.write(self._folder / ORDER_FILE)
        deadline = time.monotonic() + self._settings.run_timeout_s
        latest: dict[str | None, Progress] = {None: Progress(stage=first, fraction=0.0)}
        next_tick = 0.0
        child = Child(module, self._folder, environment)
        try:
            while (lines := child.read(timeout_s=TICK_S / 4)) is not None:
                for line in lines:
                    if line.ended and line.run is not None:
                        on_ended(line.run)
                    else:
                        latest[line.run] = line
                if self._stopping.is_set():
                    raise Stopping
                if time.monotonic() > deadline:
                    self._time_out()
                if time.monotonic() >= next_tick:
                    self._show(latest)
                    latest.clear()
                    next_tick = time.monotonic() + TICK_S
        finally:
            child.close()
        return child.ending

    def _show(self, latest: Mapping[str | None, Progress]) -> None:
        """Write how far the runs are and renew their leases, where either is due. Raises ClaimLost."""
        if not self._open:
            return
        held = self._write(latest) if latest or time.monotonic() >= self._next_beat else self._look()
        self._open = {run_id: run for run_id, run in self._open.items() if run_id in held}
        if not self._open:
            raise ClaimLost

    def _look(self) -> set[str]:
        with self._database.read() as session:
            return runs.held(session, self._claim.token)

    def _write(self, latest: Mapping[str | None, Progress]) -> set[str]:
        self._next_beat = time.monotonic() + self._settings.beat_s
        token = self._claim.token
        with self._database.write() as session:
            held = runs.beat(session, token, [*self._open], lease_s=self._settings.lease_s)
            for run_id in held:
                line = latest.get(run_id) or latest.get(None)
                if line is not None:
                    runs.progress(session, token, run_id, fraction=line.overall, stage=line.stage, detail=line.detail)
        return held

    def _record(self, run_id: str, model: ResolvedModel) -> None:
        """Put one run's answer into the database; score and status in one transaction."""
        run = self._open.pop(run_id, None)
        if run is None:
            return
        try:
            answer = RunAnswer.read(run_answer_file(self._folder, run_id))
        except (FileNotFoundError, ValidationError) as error:
            answer = RunAnswer(failure=Failure(code="internal", detail=f"the scoring process left no answer: {error}"))
        if answer.score is None:
            self._fail([run], answer.failure or Failure(code="internal", detail="the answer is empty"))
            return
        with self._database.write() as session:
            scores.record(
                session,
                token=self._claim.token,
                run_id=run_id,
                score=answer.score,
                revision=model.revision,
                dtype=self._dtype,
            )

    def _fail(self, failed: Iterable[Run], failure: Failure) -> None:
        """End runs without a score, or queue them again where another attempt may help."""
        problem = Problem(**failure.model_dump(exclude={"retry_after_s"}))
        for run in [*failed]:
            self._open.pop(run.id, None)
            with self._database.write() as session:
                if failure.retryable and run.attempt < self._settings.max_attempts:
                    pause_s = max(failure.retry_after_s, backoff_s(run.attempt, first_s=self._settings.backoff_s))
                    runs.requeue(session, self._claim.token, run.id, delay_s=pause_s, error=problem)
                else:
                    runs.fail(session, self._claim.token, run.id, problem)

    def _time_out(self) -> None:
        detail = f"the run took longer than {self._settings.run_timeout_s:.0f} s"
        self._fail(self._open.values(), Failure(code="timeout", detail=detail))
        raise ClaimLost

    def _hand_back(self) -> None:
        """Back to the queue, with the attempt refunded: the worker stops, the run is not to blame."""
        with self._database.write() as session:
            for run_id in self._open:
                runs.requeue(session, self._claim.token, run_id, refund_attempt=True)


def _work(run: Run, model: ResolvedModel) -> Work:
    return Work(
        model_id=run.model_id,
        revision=model.revision,
        benchmark=run.benchmark,
        benchmark_version=run.benchmark_version,
        protocol=run.protocol,
        seed=run.seed,
        scoring_version=SCORING_VERSION,
        options=run.options,
    )


def _crash(what: str, ending: str) -> Failure:
    return Failure(
        code="worker_lost",
        detail=f"the {what} process ended before its answer was there: {ending}",
        hint="the model may need more memory than this worker has",
        retryable=True,
    )
