"""What the cache of responses keeps, and under which key.

What belongs here: the identity of a reading, and responses as arrays with metadata and back. What does not: bytes
(`container`) and files (`cache`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring import EXTRACTION_VERSION
from scoring.regression.gram import Gram
from scoring.responses import Responses, SurprisalKind, Surprisals
from scoring.subjects.options import ReadingOptions
from scoring.subjects.planning import token_budget
from scoring.subjects.sources import ResolvedModel
from scoring.types import FeatureArray, Stimuli

from .container import Damaged, Pieces, pack, unpack

FORMAT = 1
"""Rises when entries are laid out in another way."""

LIBRARIES = ("peft", "tokenizers", "torch", "transformers")
"""Their versions are part of a key, patch releases too: those are where models are repaired, and numbers change."""

_OF_THIS_DISK = ("folder", "requested_revision", "signature", "adapter_folder")
"""What is known of a model that says where it lies or how it was asked for, but not what it is."""

_GRAM_ARRAYS = ("K", "row_sums", "row_projections", "distinct")
_SURPRISAL_ARRAYS = ("sum_bits", "boundary_bits", "n_tokens", "context_tokens")


def response_key(
    stimuli: Stimuli,
    *,
    model: ResolvedModel,
    device: str,
    dtype: str,
    options: Mapping[str, Any],
    layers: bool,
    surprisal: bool,
) -> str:
    """sha256 of all that responses depend on. Raises OptionUnknown.

    Benchmarks, protocols and groups are no part of it: responses are the same whatever they are compared with.
    """
    known = {field.name for field in fields(ReadingOptions)}
    own = {"window": stimuli.window, "stream": stimuli.is_stream or None}
    return _sha256(
        {
            "format": FORMAT,
            "extraction": EXTRACTION_VERSION,
            "libraries": {name: version(name) for name in LIBRARIES},
            "model": {name: value for name, value in asdict(model).items() if name not in _OF_THIS_DISK},
            "device": device.partition(":")[0],
            "dtype": dtype,
            "reading": asdict(ReadingOptions.from_mapping(options)),
            "plan": token_budget(device),
            "loading": {name: value for name, value in options.items() if name not in known | {"dtype"}},
            "asked": {"layers": layers, "surprisal": surprisal},
            "ids": stimuli.ids,
            "passages": [(passage.text, passage.spans) for passage in stimuli.passages],
            **{name: value for name, value in own.items() if value is not None},
        }
    )


def encode(key: str, responses: Responses, stimuli: Stimuli) -> Pieces:
    """Responses as a sealed file; layers as the features or Gram matrices that they are."""
    arrays: dict[str, NDArray[Any]] = {}
    layers: list[dict[str, Any]] = []
    for index, (name, layer) in enumerate(responses.layers.items()):
        described: dict[str, Any] = {"name": name}
        if isinstance(layer, Gram):
            described |= {"n_features": layer.n_features, "squared_mean": layer.squared_mean}
            arrays |= {f"layer.{index}.{part}": getattr(layer, part) for part in _GRAM_ARRAYS}
        else:
            arrays[f"layer.{index}.features"] = layer
        layers.append(described)
    metadata: dict[str, Any] = {"layers": layers, "surprisals": None}
    if (surprisals := responses.surprisals) is not None:
        metadata["surprisals"] = {"kind": surprisals.kind, "boundary_reason": surprisals.boundary_reason}
        found = {name: getattr(surprisals, name) for name in _SURPRISAL_ARRAYS}
        arrays |= {f"surprisals.{name}": array for name, array in found.items() if array is not None}
    return pack(arrays, _metadata(key, responses, stimuli) | _as_text(metadata))


def encode_activations(key: str, responses: Responses, stimuli: Stimuli) -> Pieces:
    """The features of every layer as float32 under the layer's name, for people to open."""
    arrays = {
        name: np.asarray(layer, dtype=np.float32)
        for name, layer in responses.layers.items()
        if not isinstance(layer, Gram)
    }
    return pack(arrays, _metadata(key, responses, stimuli) | _as_text({"layers": list(arrays)}))


def decode(key: str, data: bytes) -> Responses:
    """The responses of a file under this key. Raises Damaged where it is anything else."""
    arrays, text = unpack(data)
    if text.get("key") != key:
        raise Damaged("it belongs under another key")
    layers: dict[str, FeatureArray | Gram] = {}
    for index, described in enumerate(json.loads(text["layers"])):
        name = described.pop("name")
        if described:
            parts: dict[str, Any] = {part: arrays[f"layer.{index}.{part}"] for part in _GRAM_ARRAYS}
            layers[name] = Gram(**described, **parts)
        else:
            layers[name] = arrays[f"layer.{index}.features"]
    surprisals = json.loads(text["surprisals"])
    return Responses(
        layers=layers,
        surprisals=None if surprisals is None else _surprisals(arrays, **surprisals),
        conditions=json.loads(text["conditions"]),
    )


def _surprisals(arrays: Mapping[str, NDArray[Any]], *, kind: str, boundary_reason: str | None) -> Surprisals:
    found = {name: arrays.get(f"surprisals.{name}") for name in _SURPRISAL_ARRAYS}
    return Surprisals(kind=SurprisalKind(kind), boundary_reason=boundary_reason, **found)  # type: ignore[arg-type]


def _metadata(key: str, responses: Responses, stimuli: Stimuli) -> dict[str, str]:
    rows = {"stimulus_id": stimuli.ids, "word": stimuli.texts}
    return {"key": key} | _as_text({"conditions": dict(responses.conditions), "rows": rows})


def _as_text(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: json.dumps(value) for name, value in values.items()}


def _sha256(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()
