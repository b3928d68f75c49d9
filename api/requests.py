"""What clients may send: bodies and parameters, strict, bounded, without unknown fields."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic.config import JsonDict

from scoring.subjects.imports.manifest import MAX_SOURCE_CHARACTERS, FileFormat, ImportKind, Unit
from scoring.subjects.options import CONTEXT_PATTERN
from storage.jobs import LABEL_NAME
from storage.states import JobStatus

from .errors import RequestInvalid
from .misfits import dotted, unknown_parameter

_DATE = re.compile(r"\d{4}-\d\d-\d\d")

MAX_BENCHMARKS = 64
MAX_LABELS = 16
MAX_EXPIRY_S = 30 * 86_400
LABEL_PREFIX = "label."


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("Text may hold printable characters only")
    return text


def _label_name(text: str) -> str:
    if not LABEL_NAME.fullmatch(text):
        raise ValueError("A label's name has 1 to 64 letters, digits, dots, hyphens or underscores")
    return text


def _context_name(text: str) -> str:
    if not re.fullmatch(CONTEXT_PATTERN, text):
        raise ValueError("has to be one of story, sentence, concat, window:N, where N is a number of stimuli")
    return text


Name = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_printable)]
Text = Annotated[str, StringConstraints(max_length=256), AfterValidator(_printable)]
LongText = Annotated[str, StringConstraints(max_length=4096), AfterValidator(_printable)]
LabelName = Annotated[
    str, AfterValidator(_label_name), WithJsonSchema({"type": "string", "pattern": rf"^{LABEL_NAME.pattern}$"})
]
ContextName = Annotated[
    str, AfterValidator(_context_name), WithJsonSchema({"type": "string", "pattern": rf"^({CONTEXT_PATTERN})$"})
]
PageToken = Annotated[str, StringConstraints(max_length=512), AfterValidator(_printable)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NoParameters(BaseModel):
    """A call without query parameters: an unknown one is refused, not ignored."""

    model_config = ConfigDict(extra="forbid")


def spelled_out(value: object) -> object:
    """The text of a time as it came; raises ValueError for a number of seconds, which would pass for a time."""
    if isinstance(value, str) and not _DATE.match(value):
        raise ValueError("A time is written as 2026-01-31T12:00:00Z")
    return value


def refuse_parameters(request: Request) -> None:
    """Raises RequestInvalid as NoParameters does, for a call that is too frequent to be checked by a model."""
    if request.scope["query_string"]:
        name = next(iter(request.query_params), "")
        raise unknown_parameter(name)


class ModelReference(_Body):
    """A model by its id on the hub, `local/<folder>`, `demo/tiny`, `untrained/<id>@<seed>` or `imported/<name>`, and a
    branch, tag or commit (null: main).
    """

    id: Text
    revision: Text | None = None


def _named(value: Any) -> Any:
    if not isinstance(value, str | dict | ModelReference):
        raise ValueError("has to be a model id, or an object with an id and a revision")
    return {"id": value} if isinstance(value, str) else value


_MODEL_SCHEMA = {
    "description": "A model id, or a model id and a revision.",
    "anyOf": [
        {"type": "string", "maxLength": 256, "examples": ["gpt2", "demo/tiny", "local/my-model", "untrained/gpt2@0"]},
        {
            "type": "object",
            "properties": {
                "id": {"type": "string", "maxLength": 256},
                "revision": {"anyOf": [{"type": "string", "maxLength": 256}, {"type": "null"}]},
            },
            "required": ["id"],
            "additionalProperties": False,
        },
    ],
}


_EXAMPLE: JsonDict = {
    "model": {"id": "gpt2", "revision": "main"},
    "benchmarks": ["futrell2018", "pereira2018-example"],
    "protocol": "grouped",
    "options": {"dtype": "float32"},
    "labels": {"project": "first-look"},
    "force": False,
}


class Options(_Body):
    """How the model is loaded and how it reads. `dtype` `auto` is bfloat16 on a GPU and float32 on a CPU."""

    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    context: ContextName = "story"
    pooling: Literal["last", "mean"] = "last"
    prompt_format: Literal["plain", "chat"] = "plain"
    surprisal: Literal["auto", "pseudo-log-likelihood"] = "auto"
    adapter: Text | None = None


class JobRequest(_Body):
    """One model on some benchmarks under one protocol."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    model: Annotated[ModelReference, BeforeValidator(_named), WithJsonSchema(_MODEL_SCHEMA)]
    benchmarks: Annotated[list[Name], Field(min_length=1, max_length=MAX_BENCHMARKS)]
    protocol: Name = "grouped"
    options: Options = Field(default_factory=Options)
    labels: dict[LabelName, Text] = Field(
        default_factory=dict, max_length=MAX_LABELS, description="Your own marks, by which jobs can be listed."
    )
    force: bool = Field(default=False, description="Compute again even where the score is known.")
    priority: int = Field(default=5, ge=0, le=9, description="0 is computed first, 9 last.")
    private: bool = Field(default=False, description="Show the job to the key that asks for it alone.")
    device_class: Literal["cpu", "gpu"] | None = Field(
        default=None, description="Only workers with such a device may compute it; null: any."
    )
    expires_in_s: float | None = Field(
        default=None, ge=1, le=MAX_EXPIRY_S, description="Give up what still waits after so many seconds; null: never."
    )


class SubmitQuery(BaseModel):
    """How a request for a job is taken."""

    model_config = ConfigDict(extra="forbid")

    validate_only: bool = Field(default=False, description="Say what would come of it, and write nothing.")


class _Page(BaseModel):
    page_size: int = Field(default=50, ge=1, le=200, description="Entries on a page.")
    page_token: PageToken | None = Field(default=None, description="`next_page_token` of the page before.")


class ModelsQuery(_Page):
    """Which models to list."""

    model_config = ConfigDict(extra="forbid")

    family: Text | None = Field(default=None, description="Only models of this family.")


class ImportQuery(BaseModel):
    """What an imported file is."""

    model_config = ConfigDict(extra="forbid")

    id: Text = Field(description="`imported/<name>`.")
    kind: ImportKind = Field(description="What the file holds.")
    format: FileFormat = Field(description="How the file is written.")
    unit: Unit | None = Field(default=None, description="The unit of surprisals; has to be declared for them.")
    source: Annotated[str, StringConstraints(max_length=MAX_SOURCE_CHARACTERS), AfterValidator(_printable)] = Field(
        default="", description="Where the file comes from, for whoever reads its scores."
    )
    allow_mismatch: bool = Field(
        default=False, description="Words that differ from the benchmark's text are missing instead of an error."
    )
    replace: bool = Field(default=False, description="Let the name mean this file from now on, whatever it meant.")


class RecordingQuery(BaseModel):
    """What is declared of a data set; what is left out, its `dataset.toml` may say."""

    model_config = ConfigDict(extra="forbid")

    id: Name = Field(description="`own/<name>`.")
    title: Text | None = Field(default=None, description="What the data are; the name when absent.")
    licence: Text | None = Field(default=None, description="What may be done with the data.")
    citation: LongText | None = Field(default=None, description="What to cite.")
    private: bool | None = Field(default=None, description="Show it only to who names it. Default false.")
    n_folds: int | None = Field(
        default=None,
        ge=3,
        le=1000,
        description="Folds of `grouped`; as many as the data allow, at most 10, when absent. Not of reading times.",
    )
    measure: Name | None = Field(
        default=None, description="The column of `times.csv` that holds reading times. Default time_ms."
    )
    alignment: Literal["corrected", "original"] | None = Field(
        default=None, description="Whether times stand at their words or one word early. Default corrected."
    )


class BenchmarkQuery(BaseModel):
    """Which version of a benchmark."""

    model_config = ConfigDict(extra="forbid")

    version: int | None = Field(
        default=None, ge=1, le=2**31, description="A version of an added data set; the newest one when absent."
    )


class ModelQuery(BaseModel):
    """Which revision of a model."""

    model_config = ConfigDict(extra="forbid")

    revision: Text | None = Field(default=None, description="A commit; the newest known one when absent.")


class TableQuery(BaseModel):
    """How a table is written."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["json", "csv"] | None = Field(
        default=None, description="The answer's format; when absent, the header Accept decides."
    )


class WordsQuery(BaseModel):
    """How a table of words is written."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["csv", "parquet"] | None = Field(
        default=None,
        description="The answer's format; when absent, the header Accept decides, CSV if it names neither.",
    )


class JobsQuery(_Page):
    """Which jobs to list; `label.<name>=<value>` keeps those with this label."""

    model_config = ConfigDict(extra="allow")

    status: JobStatus | None = Field(default=None, description="Only jobs of this status.")
    model: Text | None = Field(default=None, description="Only jobs of this model id.")
    include_baselines: bool = Field(
        default=False, description="List the jobs too that score untrained twins in the background."
    )

    def labels(self) -> dict[str, str]:
        """The labels asked for; raises RequestInvalid for parameters that are no labels."""
        found = {}
        for name, value in (self.model_extra or {}).items():
            label = name.removeprefix(LABEL_PREFIX)
            if label == name or not LABEL_NAME.fullmatch(label):
                raise unknown_parameter(name, [*type(self).model_fields, f"{LABEL_PREFIX}<name>"])
            if not isinstance(value, str) or len(value) > 256 or not value.isprintable():
                raise RequestInvalid("A label is given once, as at most 256 printable characters", param=dotted([name]))
            found[label] = value
        return found


class EventsQuery(BaseModel):
    """Which events to list."""

    model_config = ConfigDict(extra="forbid")

    after: int = Field(default=0, ge=0, le=2**53, description="Only events with a greater `seq`.")


def listed(text: str) -> tuple[str, ...]:
    """Names separated by commas, each once."""
    return tuple(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))
