"""Models and what is known of them beside scores, as the server answers it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .base import Result


class Property(Result):
    """What is known of a model, and from where; `measured` is what was measured and does not hold."""

    name: str
    value: int | float | str | tuple[str, ...]
    origin: str | None = None
    source: str | None = None
    date: datetime | None = None
    revision: str | None = None
    measured: int | float | str | tuple[str, ...] | None = None


class Ancestor(Result):
    """A model that this one was made from, so many steps away."""

    id: str
    hops: int | None = None
    origin: str | None = None
    source: str | None = None


class Model(Result):
    """A model that the server has met; `labels` of an imported one say what was declared of its file."""

    id: str
    revision: str | None = None
    family: str | None = None
    architecture: str | None = None
    parameters: int | None = None
    n_layers: int | None = None
    width: int | None = None
    labels: dict[str, Any] | None = None
    tuning: str | None = None
    properties: tuple[Property, ...] = ()
    lineage: tuple[Ancestor, ...] = ()

    def long_rows(self) -> tuple[Mapping[str, Any], ...]:
        """A row a property, with where it is from."""
        of = {"model": self.id, "model_revision": self.revision}
        return tuple({**of, **one.wide_row()} for one in self.properties)
