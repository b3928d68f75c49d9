"""A score beside the same computed again: what would have to be asked, what differs, and by how much.

What belongs here: values and their comparison. What does not: who computes (`broca.commands.verify`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .errors import BrocaError
from .records import Identity, Provenance
from .results import Score

CLOSE = 1e-6
"""How far float32 may be from itself on devices of one class: other libraries add in another order."""

COARSE = 1e-2
"""The same in bfloat16, which has three digits, or on a device of another class."""

NOT_HERE = frozenset(
    {
        "architecture_unsupported",
        "benchmark_unknown",
        "data_checksum_mismatch",
        "data_missing",
        "model_gated",
        "model_not_found",
        "model_too_large",
        "protocol_unsupported",
        "revision_not_found",
    }
)
"""Codes of failures that say that model or data of a score are not to be had where it is computed again."""


class CannotRerun(BrocaError):
    """What the score was made of, or made by, is not here."""

    def __init__(self, detail: str, *, hint: str | None = None) -> None:
        super().__init__(detail, code="cannot_rerun", hint=hint)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A number, or the layers chosen, before and after; `difference` is None where one of the two is not a number."""

    name: str
    before: float | str | None
    after: float | str | None
    difference: float | None
    is_same: bool


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What made a score, to be asked for once more."""

    model: str
    revision: str | None
    benchmark: str
    protocol: str
    options: dict[str, Any]


def settings_of(provenance: Provenance) -> Settings:
    """What has to be asked for: the model at its commit, in the dtype it ran in, read as it was.

    The dtype is spelled out, so that another device takes the same, and the new score supersedes nothing. What was
    imported takes no options. Raises CannotRerun for a baseline, which stands beside scores and is no model.
    """
    identity = provenance.identity
    model = identity.model.id
    if model.startswith("baseline/"):
        raise CannotRerun(f"{model} is computed beside the scores of models, not by itself", hint="verify one of them")
    options = {} if model.startswith("imported/") else {**identity.options, "dtype": identity.dtype}
    return Settings(
        model=model,
        revision=identity.model.revision,
        benchmark=identity.benchmark.id,
        protocol=identity.protocol,
        options=options,
    )


def require_same_science(identity: Identity, *, scoring_version: str, benchmark_version: int | None) -> None:
    """Pass where the science that made the score is that which would make it again; raises CannotRerun."""
    if identity.scoring_version != scoring_version:
        raise CannotRerun(
            f"the score was made by scoring version {identity.scoring_version}, and {scoring_version} is here",
            hint="install the release that made it; scores of two scoring versions must not be compared",
        )
    if benchmark_version is not None and identity.benchmark.version != benchmark_version:
        raise CannotRerun(
            f"the score is of version {identity.benchmark.version} of {identity.benchmark.id}, "
            f"and {benchmark_version} is here"
        )


def require_same_identity(before: Identity, after: Identity) -> None:
    """Pass where the new score is of the same model and data, in the same dtype; raises CannotRerun."""
    for what, old, new in (
        ("the model's commit", before.model.revision, after.model.revision),
        ("the benchmark's version", before.benchmark.version, after.benchmark.version),
        ("the sha256 of the data", before.benchmark.data_sha256, after.benchmark.data_sha256),
        ("the dtype", before.dtype, after.dtype),
        ("the scoring version", before.scoring_version, after.scoring_version),
    ):
        if old != new:
            raise CannotRerun(f"{what} was {old} and is {new} here: these are two different scores")


def usual_tolerance(before: Provenance, after: Provenance) -> float:
    """How far two runs of one score may be apart: `CLOSE` for float32 on devices of one class, else `COARSE`."""
    devices = {str(one.conditions.get("device")).partition(":")[0] for one in (before, after)}
    return CLOSE if len(devices) == 1 and before.identity.dtype == "float32" else COARSE


def compared(before: Score, after: Score, *, tolerance: float) -> tuple[Compared, ...]:
    """Raw, ceiling, normalised, the layers chosen, parts and every measure, one by one.

    Numbers agree where |a − b| ≤ tolerance · max(1, |a|).
    """
    return tuple(_one(name, old, new, tolerance) for name, old, new in _sides(before, after))


def _sides(before: Score, after: Score) -> Iterator[tuple[str, float | str | None, float | str | None]]:
    yield "raw", before.raw, after.raw
    yield "ceiling", _ceiling(before), _ceiling(after)
    yield "normalised", before.normalised, after.normalised
    yield "layers", _layers(before), _layers(after)
    parts = [{part.name: part.raw for part in one.parts or ()} for one in (before, after)]
    if len(parts[0]) > 1:
        for name in sorted({*parts[0], *parts[1]}):
            yield f"part {name}", parts[0].get(name), parts[1].get(name)
    for name in sorted({*before.measures, *after.measures}):
        yield name, before.measures.get(name), after.measures.get(name)


def _ceiling(score: Score) -> float | None:
    return None if score.ceiling is None else score.ceiling.value


def _layers(score: Score) -> str | None:
    return None if score.layer is None else " ".join(score.layer.selected)


def _one(name: str, before: float | str | None, after: float | str | None, tolerance: float) -> Compared:
    if isinstance(before, float | int) and isinstance(after, float | int):
        difference = after - before
        is_same = abs(difference) <= tolerance * max(1.0, abs(before))
        return Compared(name=name, before=before, after=after, difference=difference, is_same=is_same)
    return Compared(name=name, before=before, after=after, difference=None, is_same=before == after)
