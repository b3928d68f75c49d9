"""The published face of Broca: a client for its server, typed results and errors; the command line is `broca.cli`.

    from broca import Client
    job = Client().submit("gpt2", ["futrell2018"])

Without a server, in this process: `broca.score("gpt2", ["futrell2018"])`. Importing this loads neither torch nor a
database; calling `score` loads torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .analysis import Analysis
from .benchmarks import Benchmark
from .board import Leaderboard
from .client import Client
from .errors import (
    AnswerNotUnderstood,
    BadRequest,
    BrocaError,
    FileUnusable,
    NotFound,
    NotScored,
    Problem,
    ServerFailure,
    ServerUnreachable,
    WaitTimedOut,
)
from .models import Ancestor, Model, Property
from .pairs import Pair
from .results import Event, Job, LayerScore, Progress, Run, Score
from .studies import Study

if TYPE_CHECKING:
    from .local import score

__all__ = [
    "Analysis",
    "Ancestor",
    "AnswerNotUnderstood",
    "BadRequest",
    "Benchmark",
    "BrocaError",
    "Client",
    "Event",
    "FileUnusable",
    "Job",
    "LayerScore",
    "Leaderboard",
    "Model",
    "NotFound",
    "NotScored",
    "Pair",
    "Problem",
    "Progress",
    "Property",
    "Run",
    "Score",
    "ServerFailure",
    "ServerUnreachable",
    "Study",
    "WaitTimedOut",
    "score",
]


def __getattr__(name: str) -> object:
    """`score`, once it is asked for: what it needs is more than a client has."""
    if name != "score":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .local import score

    return score
