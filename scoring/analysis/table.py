"""What analyses are over: models with their scores and properties, who shares a base, and which models are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from ..errors import PropertyUnknown
from ..properties import BYTE_BITS, LOSSES, TOKEN_LOSS, WORD_LOSS
from ..registry import did_you_mean
from ..types import FloatArray
from .correlate import Models
from .layers import Curve

AVERAGE = "average"
"""The score that is the mean of a model's brain scores; where an average is printed, the printed one."""

SIZE = "log10_parameters"
WIDTH = "log10_width"
STEP = "training_step"
UNKNOWN_FAMILY = "unknown"

PROPERTIES: Mapping[str, str] = MappingProxyType(
    {
        SIZE: "Decimal logarithm of the number of parameters.",
        WIDTH: "Decimal logarithm of the hidden width.",
        "n_layers": "Number of blocks, of encoder and decoder together.",
        "mmlu": "Share of right answers on MMLU.",
        "bbh": "Share of right answers on BBH.",
        "wikitext2_loss": "Next-word loss on WikiText-2, in nats a token.",
        WORD_LOSS: "Next-word loss on a text, measured here, in nats a word.",
        TOKEN_LOSS: "The same in nats a token of the model's own tokenizer.",
        BYTE_BITS: "The same in bits a byte.",
        STEP: "Training step of the revision.",
    }
)
"""Properties that every table knows, whether a model has them or not; beside them stand those that its models have."""


@dataclass(frozen=True, kw_only=True)
class AnalysedModel:
    """A model's scores and properties by name; those that are not known are not there.

    `base` is the id of the model that it is compared with, the scored ancestor furthest back, None where there is none;
    `lineage` names all ancestors, nearest first; `furthest` is the one furthest back that is known, scored or not, None
    where it is the base; `text` tells on which text its losses were measured.
    """

    id: str
    family: str | None = None
    tuning: str | None = None
    base: str | None = None
    furthest: str | None = None
    lineage: tuple[str, ...] = ()
    text: str | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    properties: Mapping[str, float] = field(default_factory=dict)

    @property
    def root(self) -> str:
        """What models of one training share: the ancestor furthest back, or the model itself. No score is asked for."""
        return self.furthest or self.base or self.id


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which models are wanted; empty and None let every one pass."""

    families: tuple[str, ...] = ()
    tunings: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    parameters_min: int | None = None
    parameters_max: int | None = None

    def passes(self, model: AnalysedModel) -> bool:
        """Whether a model is wanted; one of unknown size passes no bound on it."""
        size = model.properties.get(SIZE, np.nan)
        return (
            (not self.families or model.family in self.families)
            and (not self.tunings or model.tuning in self.tunings)
            and (not self.ids or model.id in self.ids)
            and (self.parameters_min is None or size >= np.log10(self.parameters_min) - 1e-12)
            and (self.parameters_max is None or size <= np.log10(self.parameters_max) + 1e-12)
        )


@dataclass(frozen=True, kw_only=True)
class ModelTable:
    """Models under one protocol. `benchmarks` are the columns that there are, `averaged` those of the average.

    `curves` holds layer curves by benchmark and model id, where an analysis asks for them.
    """

    protocol: str
    models: tuple[AnalysedModel, ...]
    benchmarks: tuple[str, ...]
    averaged: tuple[str, ...]
    curves: Mapping[str, Mapping[str, Curve]] = field(default_factory=dict)

    def chosen(self, filters: Filters) -> ModelTable:
        """The table with the models that pass."""
        return replace(self, models=tuple(model for model in self.models if filters.passes(model)))

    def column(self, name: str, *, param: str | None = None) -> FloatArray:
        """A score or a property of all models, (n_models,), NaN where missing; raises PropertyUnknown."""
        self.require([name], param=param)
        is_score = name == AVERAGE or name in self.benchmarks
        values = [(model.scores if is_score else model.properties).get(name, np.nan) for model in self.models]
        return np.array(values, dtype=np.float64)

    @property
    def properties(self) -> tuple[str, ...]:
        """The names of all properties: those that every table knows, and what else is known of some model here."""
        found = {name for model in self.models for name in model.properties}
        return (*PROPERTIES, *sorted(found - PROPERTIES.keys()))

    def require(self, names: Iterable[str], *, param: str | None = None) -> None:
        """Raises PropertyUnknown where a name is neither of a benchmark that is scored here nor of a property."""
        known = (AVERAGE, *self.benchmarks, *self.properties)
        for name in names:
            if name not in known:
                hint = did_you_mean(name[:64], known) or f"known: {', '.join(known)}"
                raise PropertyUnknown("there is no such score or property here", hint=hint[:400], param=param)

    def texts(self, names: Iterable[str]) -> tuple[str, ...]:
        """The texts that the losses among these names were measured on, sorted; more than one cannot be compared."""
        asked = set(names) & set(LOSSES)
        return tuple(sorted({one.text or "unknown" for one in self.models if asked & one.properties.keys()}))

    def related(self, held: Iterable[str] = ()) -> Models:
        """Who shares a base or a family, with the properties that are held."""
        return Models(
            bases=[model.root for model in self.models],
            families=[model.family or UNKNOWN_FAMILY for model in self.models],
            held={name: self.column(name, param="held") for name in held},
        )

    def pairs(self, filters: Filters) -> tuple[tuple[AnalysedModel, AnalysedModel], ...]:
        """Each wanted model beside its base, where both are in the table; filters do not ask after bases."""
        by_id = {model.id: model for model in self.models}
        wanted = (model for model in self.models if filters.passes(model))
        return tuple((by_id[model.base], model) for model in wanted if model.base is not None and model.base in by_id)
