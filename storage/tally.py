"""Counts of what happened to jobs and runs, gathered from committed events and added to the database now and then.

A process that is killed takes the counts of the last seconds with it: they serve monitoring, the events are the record.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from .engine import Database
from .errors import DatabaseUnavailable
from .news import News
from .tables import TallyRow

STAGE_BOUNDS_S = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21600.0)
"""Upper bounds of the histogram of stages; what took longer is in the count alone."""

MAX_LABELS = 200
"""A name has at most so many labels in a process; further ones are counted as `other`."""

MAX_STAGES = 1000
"""Runs whose stage is known in a process; of further ones the longest known is forgotten, uncounted."""

FLUSH_S = 5.0

Key = tuple[str, str]

_WORD = re.compile(r"[a-z_]{1,40}")
_log = logging.getLogger(__name__)


class Tally:
    """Counts since the last `taken`; `hear` is a listener of a database. Threads may use it together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: defaultdict[Key, float] = defaultdict(float)
        self._labels: dict[str, set[str]] = {}
        self._stages: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def hear(self, told: Sequence[News]) -> None:
        """Count events. Jobs that share a run have an event each, and the run's counts once."""
        of_runs = {(news.run_id, news.type, news.data.get("stage")): news for news in told if news.run_id}
        with self._lock:
            for news in of_runs.values():
                self._hear_run(news)
            for news in told:
                if news.run_id is None and news.type not in ("job.queued", "job.running"):
                    self._add("jobs_ended", news.type.removeprefix("job."))

    def add(self, counts: Mapping[Key, float]) -> None:
        """Put back what could not be stored."""
        with self._lock:
            for key, value in counts.items():
                self._counts[key] += value

    def taken(self) -> Mapping[Key, float]:
        """What was counted since the last time."""
        with self._lock:
            counts, self._counts = self._counts, defaultdict(float)
        return counts

    def _hear_run(self, news: News) -> None:
        run_id, status = str(news.run_id), news.type.removeprefix("run.")
        stage = news.data.get("stage") if status == "progress" else None
        began = self._stages.pop(run_id, None)
        if began is not None and status != "running":
            self._count_stage(*began)
        if stage is not None:
            self._stages[run_id] = (str(stage), self._clock())
            if len(self._stages) > MAX_STAGES:
                del self._stages[next(iter(self._stages))]  # the oldest: its run has ended in another process
        elif status == "running":
            self._add("attempts", "")
        elif status == "queued":
            self._hear_requeued(news)
        elif status != "progress":
            self._add("runs_ended", f"{status}|{news.code or ''}")

    def _hear_requeued(self, news: News) -> None:
        if news.data.get("lease_lost"):
            self._add("leases_lost", "")
        if news.data.get("refunded"):
            self._add("runs_handed_back", "")
        elif news.code is not None:
            self._add("attempts_failed", news.code)

    def _count_stage(self, stage: str, began: float) -> None:
        seconds = self._clock() - began
        for bound in STAGE_BOUNDS_S:
            self._add("stage_seconds_bucket", f"{stage}|{bound:g}", float(seconds <= bound))
        self._add("stage_seconds_count", stage)
        self._add("stage_seconds_sum", stage, seconds)

    def _add(self, name: str, label: str, value: float = 1.0) -> None:
        labels = self._labels.setdefault(name, set())
        is_fit = all(_WORD.fullmatch(word) for word in re.sub(r"\|[0-9.e+]+$", "", label).split("|") if word)
        if not is_fit or (label not in labels and len(labels) >= MAX_LABELS):
            label = "other"
        labels.add(label)
        self._counts[name, label] += value


class TallyKeeper:
    """Counts the events of a database as long as it runs, and stores the counts every few seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._tally = Tally()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="tally", daemon=True)

    def start(self) -> None:
        """Begin to count."""
        self._database.listeners.append(self._tally.hear)
        self._thread.start()

    def stop(self) -> None:
        """Store the rest and end."""
        self._stopping.set()
        self._thread.join(timeout=FLUSH_S)

    def _keep(self) -> None:
        while not self._stopping.wait(FLUSH_S):
            self._store()
        self._store()

    def _store(self) -> None:
        counts = self._tally.taken()
        if not counts:
            return
        try:
            with self._database.write() as session:
                increase(session, counts)
        except DatabaseUnavailable:
            self._tally.add(counts)
        except Exception:
            _log.exception("counts could not be stored")


def increase(session: Session, counts: Mapping[Key, float]) -> None:
    """Add to what is stored; rows are taken in one order, so that processes that do so at once wait, never lock up."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    for (name, label), value in sorted(counts.items()):
        new = insert(TallyRow).values(name=name, label=label, value=float(value))
        added = TallyRow.value + new.excluded.value
        session.execute(new.on_conflict_do_update(index_elements=["name", "label"], set_={"value": added}))


def totals(session: Session) -> Mapping[Key, float]:
    """Everything that was counted, by name and label."""
    return {
        (row.name, row.label): row.value
        for row in session.execute(sa.select(TallyRow.name, TallyRow.label, TallyRow.value))
    }
