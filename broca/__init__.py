"""The published face of Broca: clients for its server, typed results and errors; the command line is `broca.cli`.

    from broca import Client
    job = Client().submit("gpt2", ["futrell2018"]).wait()

Importing this loads neither torch nor a database, nor pandas nor Altair.
"""

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
]
