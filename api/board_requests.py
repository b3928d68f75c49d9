"""What clients may ask of the leaderboard."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from scoring.properties import Tuning
from scoring.published.paper import PROTOCOL as PUBLISHED

from .requests import LongText, Name, PageToken, Text, listed, spelled_out


def _in_calendar(at: AwareDatetime) -> AwareDatetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("The time is outside the calendar") from error


At = Annotated[AwareDatetime, BeforeValidator(spelled_out), AfterValidator(_in_calendar)]


class _Board(BaseModel):
    model_config = ConfigDict(extra="forbid")

    protocol: Name = Field(default="grouped", description="The protocol of every score shown.")


class _Columns(_Board):
    benchmarks: LongText | None = Field(
        default=None, description="Names separated by commas, in the order of the columns; all scored ones when absent."
    )
    include_synthetic: bool = Field(
        default=False, description="Show synthetic benchmarks too; those named in `benchmarks` are always shown."
    )
    include_baselines: bool = Field(default=False, description="Show baselines and untrained twins too, without ranks.")

    def names(self) -> tuple[str, ...] | None:
        """The benchmarks asked for, each once."""
        return None if self.benchmarks is None else listed(self.benchmarks)


class LeaderboardQuery(_Columns):
    """What the leaderboard shows."""

    provenance: Literal["measured", "published"] | None = Field(
        default=None,
        description="Only scores that were measured here, or only what a paper prints, under its own protocol.",
    )
    snapshot: At | None = Field(default=None, description="The board as it stood at this time; as it is when absent.")
    models: LongText | None = Field(default=None, description="Only these models, separated by commas.")
    family: Text | None = Field(default=None, description="Only models of this family.")
    tuning: Tuning | None = Field(
        default=None, description="Only models of this tuning: `base`, `instruct`, `ablation`."
    )
    params_min: int | None = Field(default=None, ge=0, le=2**53, description="Only models of so many parameters.")
    params_max: int | None = Field(default=None, ge=0, le=2**53, description="Only models of at most so many.")
    sort: Name = Field(
        default="-average",
        description="`average`, `coverage`, `parameters` (or `params`), `n_layers`, `width`, `family`, `tuning`, "
        "`model`, a benchmark, or a property that is a number; a leading `-` puts the greatest first.",
    )
    properties: LongText | None = Field(
        default=None, description="Properties of models to show beside their scores, separated by commas."
    )
    all: bool = Field(default=False, description="A row for every revision, dtype and set of options.")
    format: Literal["json", "csv", "parquet"] | None = Field(
        default=None, description="The answer's format; when absent, the header Accept decides."
    )
    page_size: int = Field(default=100, ge=1, le=200, description="Rows on a page of JSON; the others are whole.")
    page_token: PageToken | None = Field(default=None, description="`next_page_token` of the page before.")

    @model_validator(mode="after")
    def _of_provenance(self) -> Self:
        """Published numbers stand under their own protocol, which is taken where none is named."""
        if self.provenance == "published" and "protocol" not in self.model_fields_set:
            self.protocol = PUBLISHED
        return self

    def property_names(self) -> tuple[str, ...]:
        """The properties asked for, each once."""
        return () if self.properties is None else listed(self.properties)

    def ids(self) -> tuple[str, ...] | None:
        """The models asked for, each once."""
        return None if self.models is None else listed(self.models)


class SnapshotsQuery(_Board):
    """Which snapshots to list."""

    page_size: int = Field(default=50, ge=1, le=200, description="Entries on a page.")
    page_token: PageToken | None = Field(default=None, description="`next_page_token` of the page before.")


class DiffQuery(_Columns):
    """Which two boards to compare."""

    model_config = ConfigDict(extra="forbid", validate_by_name=False, validate_by_alias=True)

    from_: At = Field(alias="from", description="The time of the first board.")
    to: At | None = Field(default=None, description="The time of the second; as it is now when absent.")
    page_size: int = Field(default=100, ge=1, le=200, description="Models on a page.")
    page_token: PageToken | None = Field(default=None, description="`next_page_token` of the page before.")
