"""A short campaign of faults against the real processes; `make chaos` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.campaign import campaign
from tests.chaos.stack import NAMES

FAULTS = {
    "sqlite": ("worker: kill -9", "everything: kill -9 at once"),
    "postgres": ("scoring process: kill -9 at any time", "PostgreSQL: kill -9 mid-submit"),
}
"""Kinds of which each comes once: with the start of all processes, what fits into a test."""


@pytest.mark.parametrize("stack", NAMES)
def test_no_job_is_lost_or_done_twice_whatever_is_killed(tmp_path: Path, stack: str) -> None:
    report = campaign(
        stack, tmp_path, n_faults=len(FAULTS[stack]), seed=6, only=FAULTS[stack], n_workers=1, n_clients=2
    )
    assert report.violations == []
    assert {episode.fault for episode in report.episodes} == set(FAULTS[stack])
    assert report.n_accepted > 0
    assert report.statuses["succeeded"] > 0
