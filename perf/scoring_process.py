"""The scoring process, carried out as a worker does, and what it said on the way."""

from __future__ import annotations

from pathlib import Path

from worker.child import Child, scoring_environment
from worker.exchange import ORDER_FILE, Progress, RunAnswer, ScoringOrder, run_answer_file


def carried_out(order: ScoringOrder, work: Path) -> list[Progress]:
    """What the process said; every run of the order has its score, or the measurement means nothing."""
    order.write(work / ORDER_FILE)
    child, said = Child("worker.pipeline", work, scoring_environment(work)), list[Progress]()
    try:
        while (lines := child.read(timeout_s=1.0)) is not None:
            said += lines
    finally:
        child.close()
    for run in order.runs:
        answer = RunAnswer.read(run_answer_file(work, run.id))
        assert answer.failure is None, answer.failure
    return said
