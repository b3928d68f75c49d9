"""What an attempt writes into the database: progress and leases, scores, failures. Runs in the supervisor's thread.

Everything says which claim it comes from, and a claim that was lost writes nothing. No transaction is open while a
child computes. A database that is away is waited for as long as the leases last.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from scoring.results import Ceiling, Score
from storage import baselines, ceilings, losses, models, properties, runs, scores, twins, workers
from storage.engine import Database
from storage.errors import DatabaseUnavailable
from storage.identity import Setting
from storage.models import NewModel
from storage.properties import NewProperty
from storage.runs import Claim, Problem, Run, Step
from storage.workers import Worker

from .exchange import Failure, Progress
from .retries import again, elsewhere, may_pass
from .settings import WorkerSettings

TICK_S = 1.0
"""How often progress is written and a cancelled run noticed, at most."""

Done = TypeVar("Done")

_log = logging.getLogger(__name__)


class ClaimLost(Exception):
    """Every run of the claim was cancelled or taken back: stop and drop the work."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the work on a run has brought: its score, of which model, and what is stored with it.

    `tables` are those of the words or units behind it as Parquet, `beside` are baselines that were computed with it,
    `said` is what it says of the model.
    """

    score: Score
    revision: str
    dtype: str
    tables: Mapping[str, bytes]
    beside: Sequence[Score]
    needs_twins: bool
    said: Sequence[NewProperty] = ()


class Ledger:
    """The runs of one claim that are still open, and every write about them."""

    def __init__(
        self, claim: Claim, settings: WorkerSettings, database: Database, *, here: Worker | None = None
    ) -> None:
        self._claim = claim
        self._here = here
        self._settings = settings
        self._database = database
        self._open = {run.id: run for run in claim.runs}
        self._next_beat = 0.0
        self._lease_end = time.monotonic() + settings.lease_s
        self._is_away = False

    @property
    def open_runs(self) -> tuple[Run, ...]:
        """The runs that have neither a score nor a failure yet."""
        return tuple(self._open.values())

    @property
    def is_last_attempt(self) -> bool:
        """Whether none of the open runs is tried again if this attempt fails."""
        return all(run.attempt >= self._settings.max_attempts for run in self._open.values())

    def open_run(self, run_id: str) -> Run | None:
        """The run of this id; None where it was ended or lost before."""
        return self._open.get(run_id)

    def show(self, latest: Mapping[str | None, Progress]) -> None:
        """Write how far the runs are and renew their leases, where either is due. Raises ClaimLost."""
        if not self._open:
            return
        try:
            held = self._write(latest) if latest or time.monotonic() >= self._next_beat else self._look()
        except DatabaseUnavailable:
            self._require_lease()
            return
        self._is_away = False
        self._open = {run_id: run for run_id, run in self._open.items() if run_id in held}
        if not self._open:
            raise ClaimLost

    def remember(self, model: NewModel, measured: Sequence[NewProperty] = ()) -> None:
        """Store what the fetch found out about the model, and its measured properties. Raises ClaimLost."""

        def write() -> None:
            with self._database.write() as session:
                models.remember(session, model)
                asked_for = self._claim.requested_revision
                properties.remember(session, model.id, model.revision, measured, requested=asked_for)
                runs.set_revision(session, self._claim.token, [*self._open], model.revision)

        self._while_leases_last(write)

    def end_known(self, run: Run, key: str) -> None:
        """End a run at once where a score of this key is there, unless it was asked for anew. Raises ClaimLost."""

        def write() -> bool:
            with self._database.write() as session:
                known = None if run.force else scores.find(session, key)
                if known is not None:
                    runs.succeed(session, self._claim.token, run.id, known.id)
            return known is not None

        if self._while_leases_last(write):
            self._close(run)

    def beside(self, setting: Setting) -> tuple[Ceiling | None, tuple[str, ...]]:
        """The ceiling and the baselines that were computed before for scores of this setting. Raises ClaimLost."""

        def look() -> tuple[Ceiling | None, tuple[str, ...]]:
            with self._database.read() as session:
                return ceilings.find(session, setting), baselines.known(session, setting)

        return self._while_leases_last(look)

    def record(self, run: Run, result: Result) -> None:
        """Store a score and end its run with it, in one transaction. Raises ClaimLost.

        With it go its ceiling, its words, what it says of the model, the baselines beside it, and what it needs of
        untrained twins.
        """
        self._while_leases_last(lambda: self._store(run, result))
        self._close(run)

    def fail(self, failed: Iterable[Run], failure: Failure) -> None:
        """End runs without a score, or queue them again where another attempt, or another worker, may help.

        Raises ClaimLost.
        """
        for run in [*failed]:
            self._while_leases_last(partial(self._end, run, failure))
            self._close(run)

    def hand_back(self, *, delay_s: float = 0.0) -> None:
        """Back to the queue, with the attempt refunded: the runs are not to blame. Raises ClaimLost."""
        for run in self.open_runs:
            self._while_leases_last(partial(self._refund, run, delay_s))
            self._close(run)

    def _while_leases_last(self, work: Callable[[], Done]) -> Done:
        """What `work` gives, tried as long as the database is away. Raises ClaimLost when the leases end first.

        A run is closed after what ends it is committed, so one whose end could not be written is not forgotten.
        """
        while True:
            try:
                done = work()
            except DatabaseUnavailable:
                self._require_lease()
                time.sleep(TICK_S)
            else:
                self._is_away = False
                return done

    def _close(self, run: Run) -> None:
        self._open.pop(run.id, None)

    def _end(self, run: Run, failure: Failure) -> None:
        if may_pass(failure, self._here):
            failure = failure.model_copy(update={"retryable": True})
        problem = Problem(**failure.model_dump(exclude={"retry_after_s", "needed_bytes"}))
        with self._database.write() as session:
            repeated = again(run, failure, self._settings)
            if repeated is None and failure.needed_bytes is not None and self._here is not None:
                others = workers.alive(session, within_s=self._settings.worker_silence_s)
                repeated = elsewhere(run, failure, self._here, others)
            if repeated is None:
                runs.fail(session, self._claim.token, run.id, problem)
            else:
                runs.requeue(
                    session,
                    self._claim.token,
                    run.id,
                    delay_s=repeated.delay_s,
                    error=problem,
                    refund_attempt=repeated.refund_attempt,
                    need=repeated.need,
                )

    def _refund(self, run: Run, delay_s: float) -> None:
        with self._database.write() as session:
            runs.requeue(session, self._claim.token, run.id, delay_s=delay_s, refund_attempt=True)

    def _look(self) -> set[str]:
        with self._database.read() as session:
            return runs.held(session, self._claim.token)

    def _write(self, latest: Mapping[str | None, Progress]) -> set[str]:
        now, token = time.monotonic(), self._claim.token
        with self._database.write() as session:
            held = runs.beat(session, token, [*self._open], lease_s=self._settings.lease_s)
            lines = {run_id: latest.get(run_id) or latest.get(None) for run_id in held}
            runs.advance(session, token, {run_id: _step(line) for run_id, line in lines.items() if line is not None})
        self._next_beat, self._lease_end = now + self._settings.beat_s, now + self._settings.lease_s
        return held

    def _store(self, run: Run, result: Result) -> None:
        score = result.score
        with self._database.write() as session:
            stored = scores.record(
                session,
                token=self._claim.token,
                run_id=run.id,
                score=score,
                revision=result.revision,
                dtype=result.dtype,
                tables=result.tables,
                baselines=result.beside,
            )
            if stored is None:
                return
            losses.keep(session, result.said)
            ceilings.keep(session, scores.setting_of(score, run.scoring_version), score.ceiling)
            if result.needs_twins:
                twins.queue(session, run, revision=result.revision, data_sha256=score.data_sha256)

    def _require_lease(self) -> None:
        """Pass while the leases last, with one line in the log for each time that the database is away."""
        if time.monotonic() > self._lease_end:
            raise ClaimLost
        if not self._is_away:
            self._is_away = True
            _log.warning("the database is away; the work on %s goes on while its leases last", self._claim.model_id)


def _step(line: Progress) -> Step:
    return Step(fraction=line.overall, stage=line.stage, detail=line.detail)
