"""What the supervisor and its two child processes tell each other, as files in a work folder and lines on a pipe.

Every message is validated when it is read: a child that ran strangers' weights is not trusted more than that.
"""

from __future__ import annotations

import os
import stat
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from scoring.errors import CodedError, HubUnavailable, ModelTooLarge
from scoring.redaction import without_tokens
from scoring.results import Ceiling, Score
from scoring.subjects.model_cache import Keeping
from scoring.subjects.sources import ResolvedModel
from scoring.unit_table import UnitTable
from scoring.word_table import WordTable


class Stage(StrEnum):
    """Where a run is."""

    RESOLVE = "resolve"
    """The revision is resolved to a commit, and its files are looked over."""
    DOWNLOAD = "download"
    """Model and data come onto this machine."""
    LOAD = "load"
    """The weights are put into memory and probed."""
    EXTRACT = "extract"
    """The model reads the stimuli."""
    FIT = "fit"
    """Its responses are compared with what was measured."""
    RECORD = "record"
    """The score goes into the database."""


_SPAN = {
    Stage.RESOLVE: (0.0, 0.02),
    Stage.DOWNLOAD: (0.02, 0.18),
    Stage.LOAD: (0.18, 0.22),
    Stage.EXTRACT: (0.22, 0.6),
    Stage.FIT: (0.6, 0.98),
    Stage.RECORD: (0.98, 1.0),
}


MAX_MESSAGE_BYTES = 1 << 28
"""A larger file is no message."""

MAX_PAUSE_S = 3600.0
"""The longest pause that a hub may ask for."""

MAX_NEEDED_BYTES = 1 << 60
"""More memory than this no model needs: what is said to need more is told as needing so much."""

MAX_TEXT = 2000
"""Characters of a message's text that are kept."""

Text = Annotated[str, AfterValidator(lambda text: without_tokens(text)[:MAX_TEXT])]
"""Text for callers and logs: strangers have a say in it, so it is short and no token of the hub stays in it."""


class Message(BaseModel):
    """A frozen message; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def write(self, path: Path) -> None:
        """Put the message into a file, whole or not at all."""
        temporary = path.with_suffix(".tmp")
        temporary.write_text(self.model_dump_json(), encoding="utf8")
        temporary.replace(path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """The message in a file; raises OSError, and ValueError where the file holds none."""
        return cls.model_validate_json(_content(path))


def _content(path: Path) -> bytes:
    """The bytes of an ordinary file, not too many: a child may have left a link, or a pipe that never ends."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_MESSAGE_BYTES:
            raise ValueError("it is no ordinary file, or too large")
        return stream.read(MAX_MESSAGE_BYTES)


class Failure(Message):
    """Why something was not done, with the code that reaches the caller.

    `needed_bytes` is the memory that a model too large for this worker needs.
    """

    code: str = Field(pattern="^[a-z_]{1,64}$")
    detail: Text
    hint: Text | None = None
    param: Text | None = None
    retryable: bool = False
    retry_after_s: float = Field(default=0.0, ge=0, le=MAX_PAUSE_S)
    needed_bytes: int | None = Field(default=None, ge=0, le=MAX_NEEDED_BYTES)

    @classmethod
    def of(cls, error: Exception) -> Self:
        """The failure that an error means; what has no code is `internal`."""
        if isinstance(error, CodedError):
            pause_s = (error.retry_after_s if isinstance(error, HubUnavailable) else None) or 0.0
            needed = error.needed_bytes if isinstance(error, ModelTooLarge) else None
            return cls(
                code=error.code,
                detail=error.detail,
                hint=error.hint,
                param=error.param,
                retryable=error.retryable,
                retry_after_s=min(max(pause_s, 0.0), MAX_PAUSE_S),
                needed_bytes=None if needed is None else min(needed, MAX_NEEDED_BYTES),
            )
        if isinstance(error, MemoryError):
            return cls(code="out_of_memory", detail="the computation does not fit into this worker's memory")
        return cls(code="internal", detail=f"{type(error).__name__}: {error}")


class Progress(Message):
    """A line on the pipe. `run` None means every run of the claim; `ended` says that a run's answer is written.

    A line with a `warning` is for the worker's log and says nothing about how far a run is.
    """

    stage: Stage
    fraction: float = Field(allow_inf_nan=False)
    detail: Text | None = None
    run: str | None = None
    ended: bool = False
    warning: Text | None = None

    @property
    def overall(self) -> float:
        """How much of the whole way from claim to score is done."""
        low, high = _SPAN[self.stage]
        return low + (high - low) * min(max(self.fraction, 0.0), 1.0)


class RunOrder(Message):
    """One run to be computed; with `force` the model reads again even where its responses are known.

    `benchmark_version` says which version of a data set that was brought; None is the newest. The `ceiling` is that of
    the benchmark's data under the protocol, where it was computed before; of the baselines those in `known_baselines`
    were.
    """

    id: str
    benchmark: str
    benchmark_version: int | None = None
    protocol: str
    force: bool = False
    ceiling: Ceiling | None = None
    known_baselines: tuple[str, ...] = ()


class HubTerms(Message):
    """How the hub is dealt with: what may come and stay, how long it may be silent, where else it may send us."""

    keeping: Keeping = Field(default_factory=Keeping)
    timeout_s: float = 10.0
    hosts: tuple[str, ...] = ()


class FetchOrder(Message):
    """What the fetch process has to bring; `benchmarks` are the name and version of each run's, by the run's id."""

    model_id: str
    revision: str | None
    benchmarks: dict[str, tuple[str, int]]
    model_dir: Path | None
    model_cache: Path
    import_dir: Path
    data_cache: Path
    data_mirror: Path | None
    own_dir: Path | None = None
    dtype: str = "float32"
    memory_bytes: int | None = None
    options: dict[str, Any] = {}
    hub: HubTerms = Field(default_factory=HubTerms)


class FetchAnswer(Message):
    """The model on this disk, or why not; and why not for each run whose data cannot be had or that asks for what the
    model has not, by its id. Models of one `blueprint` have the same untrained twins; `base` is the model that the card
    says it was trained from."""

    model: ResolvedModel | None
    failure: Failure | None
    run_failures: dict[str, Failure]
    blueprint: str | None = None
    base: Text | None = None


class ScoringOrder(Message):
    """What the scoring process has to compute, in batches halved `n_halvings` times from the start."""

    model: ResolvedModel
    device: str
    dtype: str
    options: dict[str, Any]
    data_cache: Path
    data_mirror: Path | None
    own_dir: Path | None = None
    response_cache: Path
    cache_bytes: int
    keep_activations: bool
    n_halvings: int = 0
    runs: tuple[RunOrder, ...]


class RunAnswer(Message):
    """A run's score and those of the baselines that were still missing beside it, or why there is none."""

    score: Score | None = None
    baselines: tuple[Score, ...] = ()
    failure: Failure | None = None


class WordsAnswer(Message):
    """The words behind a run's score of reading; beside the answer, which is whole without them."""

    table: WordTable


class UnitsAnswer(Message):
    """The units behind a run's score of brains; beside the answer, which is whole without them."""

    table: UnitTable


ORDER_FILE = "order.json"
ANSWER_FILE = "answer.json"


def run_answer_file(folder: Path, run_id: str) -> Path:
    """Where the scoring process leaves the answer of one run."""
    return folder / f"{run_id}.json"
