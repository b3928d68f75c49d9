"""Models as boards show them: with what holds of them, whoever says so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from scoring.properties import COUNTS, LOSSES, SHARES

from . import models, properties
from .models import Model
from .properties import Property

KNOWN_NUMBERS = (*COUNTS, *SHARES, *LOSSES)
"""Properties that are numbers and can be asked for, whether or not some model has them."""

_SHOWN = {"family": str, "architecture": str, "tuning": str, "parameters": int, "n_layers": int, "width": int}
"""Attributes of a model that may be said otherwise by hand or by a study, and what they are."""


@dataclass(frozen=True, kw_only=True)
class Described(Model):
    """A model whose attributes are those that hold; `said` has all its properties by name."""

    said: Mapping[str, Property] = field(default_factory=dict)

    def number(self, name: str) -> float | None:
        """The property of this name, if it is known and a number."""
        found = self.said.get(name)
        return None if found is None or isinstance(found.value, str) else found.value


KnownModels = Mapping[tuple[str, str], Described]
"""Models by id and revision."""


def described(session: Session, wanted: Collection[tuple[str, str]]) -> KnownModels:
    """Those of these models, by id and revision, that are known."""
    found = models.at_revisions(session, wanted)
    said = properties.of_models(session, found.values())
    return {name: _with_what_holds(model, said[name]) for name, model in found.items()}


def numbers(known: Iterable[Described]) -> tuple[str, ...]:
    """The names of all properties that are numbers: those that every board knows, and what else some model has."""
    found = {name for model in known for name, one in model.said.items() if not isinstance(one.value, str)}
    return (*KNOWN_NUMBERS, *sorted(found - set(KNOWN_NUMBERS)))


def _with_what_holds(model: Model, said: Mapping[str, Property]) -> Described:
    held = {name: kind(said[name].value) for name, kind in _SHOWN.items() if name in said}
    return Described(**{**vars(model), **held}, said=said)
