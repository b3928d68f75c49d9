"""Studies as the server answers them: many models submitted as one, and how far that is."""

from __future__ import annotations

from datetime import datetime

from .base import Result


class StudyRun(Result):
    """How a model stands on one benchmark; `error` is a code."""

    benchmark: str
    status: str
    score: str | None = None
    error: str | None = None


class StudyModel(Result):
    """A model of a study with its newest job."""

    id: str
    requested_revision: str | None = None
    revision: str | None = None
    job: str
    runs: tuple[StudyRun, ...] = ()


class LeftOut(Result):
    """A model that was not submitted, and what would have to be done."""

    id: str
    reason: str


class Coverage(Result):
    """How many runs there are, and in which states."""

    total: int
    share: float
    succeeded: int = 0
    queued: int = 0
    running: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0


class Cost(Result):
    """What is ahead: runs, and seconds where their benchmarks have been timed."""

    runs: int
    estimate_s: float
    untimed: tuple[str, ...] = ()


class ListedStudy(Result):
    """A study in a list."""

    id: str
    name: str
    title: str | None = None
    protocol: str | None = None
    benchmarks: tuple[str, ...] = ()
    n_models: int | None = None
    created_at: datetime | None = None


class Study(Result):
    """A study and how it stands."""

    id: str
    name: str
    title: str | None = None
    protocol: str
    benchmarks: tuple[str, ...] = ()
    note: str | None = None
    coverage: Coverage
    cost: Cost
    models: tuple[StudyModel, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def is_finished(self) -> bool:
        """Whether nothing of it waits or is computed any more."""
        return self.cost.runs == 0
