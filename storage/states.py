"""The states of jobs and runs, and which of them are final. How states change is told in `storage.transitions`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class JobStatus(StrEnum):
    """What has become of a job; it follows its runs."""

    QUEUED = "queued"
    """No run of the job has begun."""
    RUNNING = "running"
    """At least one run has begun and at least one is not finished."""
    SUCCEEDED = "succeeded"
    """Every run has a score."""
    PARTIALLY_SUCCEEDED = "partially_succeeded"
    """Every run is finished; some have a score, the others say why not."""
    FAILED = "failed"
    """Every run is finished and none has a score."""
    CANCELLED = "cancelled"
    """Somebody cancelled the job before it was finished."""


class RunStatus(StrEnum):
    """What has become of a run: one model on one benchmark."""

    QUEUED = "queued"
    """It waits for a worker, or for the end of a pause after a failed attempt."""
    RUNNING = "running"
    """A worker holds it under a lease."""
    SUCCEEDED = "succeeded"
    """It has a score."""
    FAILED = "failed"
    """It will not be tried again; the error says why."""
    CANCELLED = "cancelled"
    """No job wants it any more."""
    EXPIRED = "expired"
    """It waited longer than the service keeps waiting runs."""


LIVE_RUNS = (RunStatus.QUEUED, RunStatus.RUNNING)
LIVE_JOBS = (JobStatus.QUEUED, JobStatus.RUNNING)
TERMINAL_RUNS = frozenset(RunStatus) - set(LIVE_RUNS)
TERMINAL_JOBS = frozenset(JobStatus) - set(LIVE_JOBS)


def job_status(current: JobStatus, runs: Sequence[RunStatus]) -> JobStatus:
    """The status of a job from those of its runs; a final one never changes, a begun job stays begun."""
    if current in TERMINAL_JOBS:
        return current
    if all(status in TERMINAL_RUNS for status in runs):
        return _final_status(set(runs))
    begun = current is JobStatus.RUNNING or any(status is not RunStatus.QUEUED for status in runs)
    return JobStatus.RUNNING if begun else JobStatus.QUEUED


def _final_status(statuses: set[RunStatus]) -> JobStatus:
    if statuses == {RunStatus.SUCCEEDED}:
        return JobStatus.SUCCEEDED
    if RunStatus.SUCCEEDED in statuses:
        return JobStatus.PARTIALLY_SUCCEEDED
    return JobStatus.CANCELLED if statuses == {RunStatus.CANCELLED} else JobStatus.FAILED
