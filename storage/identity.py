"""The keys under which equal work is recognised. Nothing here reads or writes rows.

`options` holds only what differs from the defaults, so that an option left out and its default spelled out share a key.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from .columns import dump_json


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one run computes. `revision` is the requested one in a request key, the resolved one in a pinned key."""

    model_id: str
    revision: str | None
    benchmark: str
    benchmark_version: int
    protocol: str
    seed: int
    scoring_version: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What scores have in common that may stand beside one another, and share a ceiling and baselines."""

    benchmark: str
    benchmark_version: int
    data_sha256: str
    protocol: str
    scoring_version: str


def request_key(work: Work, *, force: bool = False, device_class: str | None = None) -> str:
    """The key that simultaneous requests share: sha256 of the work as requested, whether it is forced, and where.

    Where counts because the dtype `auto` is another one on another device.
    """
    return _sha256({"key": "request", "force": force, **asdict(work), **_where(device_class)})


def pinned_key(work: Work) -> str:
    """The key of a score whose model is pinned: sha256 of the work at its resolved revision."""
    return _sha256({"key": "pinned", **asdict(work)})


def score_key(work: Work, *, dtype: str, data_sha256: str) -> str:
    """The key of one number: the pinned work, the dtype it was computed in and the data it was computed from."""
    return _sha256({"key": "score", "dtype": dtype, "data_sha256": data_sha256, **asdict(work)})


def series_key(work: Work, *, dtype: str, data_sha256: str) -> str:
    """What a newer score of the same number supersedes: the score key without the scoring version."""
    return score_key(replace(work, scoring_version=""), dtype=dtype, data_sha256=data_sha256)


def batch_key(
    model_id: str, requested_revision: str | None, options: Mapping[str, Any], *, device_class: str | None = None
) -> str:
    """The key of runs that one load of the model serves."""
    fields = {"key": "batch", "model_id": model_id, "revision": requested_revision, "options": dict(options)}
    return _sha256({**fields, **_where(device_class)})


def new_id(prefix: str) -> str:
    """A fresh id such as `job_` and 20 hex digits."""
    return f"{prefix}_{secrets.token_hex(10)}"


def _where(device_class: str | None) -> dict[str, str]:
    """Nothing for work that may be done anywhere: its keys are those of times before there was a choice."""
    return {} if device_class is None else {"device_class": device_class}


def _sha256(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(dump_json(dict(fields)).encode()).hexdigest()
