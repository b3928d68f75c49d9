"""What a client asks about models: which there are, and what is known of them beside scores, and pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .answers import everything, joined, parse
from .calls import Mode, Tied, call
from .errors import FileUnusable
from .models import Model
from .pairs import Pair
from .steps import Plan, QueryValue, get, post, post_file, put
from .tables import Listed

FORMATS = {".csv": "csv", ".parquet": "parquet", ".safetensors": "safetensors", ".txt": "text", ".vec": "text"}
"""Formats of imported files by their endings."""


class ModelCalls(Tied[Mode]):
    """The methods of a client that are about models."""

    @call
    def models(self) -> Plan[Listed[Model]]:
        """Every model that the server has met."""
        return (yield from everything(Model, "/v1/models"))

    @call
    def model(self, model_id: str, *, revision: str | None = None) -> Plan[Model]:
        """A model with its properties and lineage, at one revision or at the newest that is known."""
        return parse(Model, (yield from get(_path(model_id), {"revision": revision})))

    @call
    def import_model(
        self,
        name: str,
        file: Path | str,
        *,
        kind: str,
        format: str | None = None,
        unit: str | None = None,
        source: str = "",
        allow_mismatch: bool = False,
        replace: bool = False,
        on_progress: Callable[[int, int], None] = lambda n_sent, n_bytes: None,
    ) -> Plan[Model]:
        """Send a file of word vectors, surprisals or activations; it can then be scored as `imported/<name>`.

        Without a `format`, the file's ending says it. `on_progress` gets the bytes sent so far, and all there are.
        """
        path = Path(file)
        written = format or FORMATS.get(path.suffix.lower())
        if not path.is_file() or written is None:
            what = "is not a file" if not path.is_file() else "does not say its format by its ending"
            raise FileUnusable(f"{path} {what}", hint=f"known endings: {', '.join(FORMATS)}; else name the format")
        query: dict[str, QueryValue] = {
            "id": name if name.startswith("imported/") else f"imported/{name}",
            "kind": kind,
            "format": written,
            "unit": unit,
            "source": source or None,
            "allow_mismatch": "true" if allow_mismatch else None,
            "replace": "true" if replace else None,
        }
        return parse(Model, (yield from post_file("/v1/models", query, path, on_progress=on_progress)))

    @call
    def set_properties(
        self,
        model_id: str,
        properties: Mapping[str, Any],
        *,
        revision: str | None = None,
        source: str | None = None,
    ) -> Plan[Model]:
        """Set properties of a model by name; what is not named stays, None takes away what was set before.

        A value is a number, text, or a mapping with `value`, `source` and `date`.
        """
        body = {"properties": dict(properties), "revision": revision, "source": source}
        return parse(Model, (yield from put(f"{_path(model_id)}/properties", body)))

    @call
    def import_properties(self, values: Sequence[Mapping[str, Any]]) -> Plan[int]:
        """Set properties of many models, each a mapping with `model`, `name` and `value`: all of them, or none."""
        document = yield from post("/v1/properties", {"values": [dict(value) for value in values]})
        return int(document["taken"])

    @call
    def pairs(
        self,
        *,
        protocol: str = "grouped",
        benchmarks: Sequence[str] | None = None,
        family: Sequence[str] | None = None,
        tuning: str | None = None,
        base: str | None = None,
        against: str = "furthest",
        layers: bool = True,
    ) -> Plan[Listed[Pair]]:
        """Every scored model with a scored ancestor, and how far the two are apart.

        The ancestor is the `furthest` back, or the `nearest`. Only pairs of these families, this tuning, this base.
        """
        query = {
            "protocol": protocol,
            "benchmarks": joined(benchmarks),
            "family": joined(family),
            "tuning": tuning,
            "base": base,
            "against": against,
            "layers": str(layers).lower(),
        }
        return (yield from everything(Pair, "/v1/pairs", query))


def _path(model_id: str) -> str:
    return f"/v1/models/{quote(model_id, safe='/@') or '-'}"
