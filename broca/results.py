"""What the server answers about jobs and scores, as frozen values with the wire's own names.

Each kind of result has a module of its own; this one has the names that those who show them need together.
"""

from .base import ModelRef, ProblemDocument, Result
from .jobs import FINAL_JOB_STATUSES, Event, Job, Progress, Run
from .scores import (
    BaselineScore,
    BenchmarkRef,
    Ceiling,
    Counts,
    Interval,
    LayerChoice,
    LayerPart,
    LayerScore,
    NullTest,
    PartScore,
    Score,
    ScoreWarning,
    Share,
    UniqueVariance,
    Variant,
)

__all__ = [
    "FINAL_JOB_STATUSES",
    "BaselineScore",
    "BenchmarkRef",
    "Ceiling",
    "Counts",
    "Event",
    "Interval",
    "Job",
    "LayerChoice",
    "LayerPart",
    "LayerScore",
    "ModelRef",
    "NullTest",
    "PartScore",
    "ProblemDocument",
    "Progress",
    "Result",
    "Run",
    "Score",
    "ScoreWarning",
    "Share",
    "UniqueVariance",
    "Variant",
]
