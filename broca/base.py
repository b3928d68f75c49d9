"""What all results of the server have in common, and the two small shapes that many of them hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, PrivateAttr

from .calls import Mode, Tie, Tied

CELL = {str, int, float, bool, datetime, type(None)}
"""What fits into a cell of a table."""


class Result(BaseModel):
    """The base of all results: frozen; fields that a newer server adds are kept as they come."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    def wide_row(self) -> Mapping[str, Any]:
        """The result as one row of a wide table: what it says in single values; lists have a semicolon in between."""
        fields = type(self).model_fields
        return {name: cell(getattr(self, name)) for name, field in fields.items() if kinds(field.annotation) <= CELL}

    def long_rows(self) -> tuple[Mapping[str, Any], ...]:
        """The result as rows of a long table, one for each number that it holds."""
        return (self.wide_row(),)


class TiedResult(Result, Tied[Mode]):
    """A result that knows the client which gave it, and can be asked further."""

    _tie: Tie = PrivateAttr(default_factory=Tie)


class ProblemDocument(Result):
    """Why something failed: `code` is stable, `hint` says what to do."""

    code: str = "internal"
    detail: str | None = None
    title: str | None = None
    hint: str | None = None
    param: str | None = None
    retryable: bool | None = None


class ModelRef(Result):
    """Which model; `revision` is the commit once it is known."""

    id: str
    requested_revision: str | None = None
    revision: str | None = None
    parameters: int | None = None


def cell(value: object) -> object:
    """A value as it stands in a cell."""
    return ";".join(map(str, value)) if isinstance(value, tuple) else value


def kinds(annotation: object) -> set[object]:
    """The types of single values that an annotation allows, those within tuples too."""
    origin = get_origin(annotation)
    if origin in {tuple, Union, UnionType}:
        return {kind for one in get_args(annotation) if one is not Ellipsis for kind in kinds(one)}
    return {annotation}
