"""The published face of Broca: clients for its server, typed results and errors; the command line is `broca.cli`.

    from broca import Client
    job = Client().submit("gpt2", ["futrell2018"]).wait()

Without a server, in this process: `broca.score("gpt2", ["futrell2018"])`. Importing this loads neither torch nor a
database, nor pandas nor Altair; calling `score` loads torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .analysis import Analysis
from .benchmarks import Benchmark
from .board import Leaderboard
from .calls import Async
from .client import AsyncClient, Client
from .errors import (
    AnswerNotUnderstood,
    BadRequest,
    BrocaError,
    FileUnusable,
    NotFound,
    NotScored,
    PackageMissing,
    Problem,
    ServerFailure,
    ServerUnreachable,
    WaitTimedOut,
)
from .jobs import Event, Job, Progress, Run
from .models import Ancestor, Model, Property
from .pairs import Pair
from .scores import LayerScore, Score
from .studies import Study
from .tables import Listed, frame, long

if TYPE_CHECKING:
    from .local import score

__all__ = [
    "Analysis",
    "Ancestor",
    "AnswerNotUnderstood",
    "Async",
    "AsyncClient",
    "BadRequest",
    "Benchmark",
    "BrocaError",
    "Client",
    "Event",
    "FileUnusable",
    "Job",
    "LayerScore",
    "Leaderboard",
    "Listed",
    "Model",
    "NotFound",
    "NotScored",
    "PackageMissing",
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
    "frame",
    "long",
    "score",
]


def __getattr__(name: str) -> object:
    """`score`, once it is asked for: what it needs is more than a client has."""
    if name != "score":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .local import score

    return score
