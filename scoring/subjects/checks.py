"""What has to hold of a model's files before a process loads them: nothing here imports torch or runs their code.

What belongs here: file lists, configurations and safetensors headers as data. What does not: how files got here
(`hub`, `local`) and what only loading can tell (`language_model`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ArchitectureUnsupported, ModelIncomplete, NoSafetensors, RemoteCodeRefused, shown
from .headers import Tensor, read_header
from .preflight import n_parameters
from .sizes import depth, require_plausible, width
from .tokenizer_files import TOKENIZER_CONFIG, check_tokenizer, has_tokenizer

CONFIG = "config.json"
SINGLE_WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
CODE_BEARING = (CONFIG, TOKENIZER_CONFIG, "generation_config.json")
"""Configurations whose fields transformers follows to code in a repository."""

MAX_CONFIG_BYTES = 10_000_000
MAX_DEPTH = 64
"""How deep objects and lists of a configuration may lie in one another; those of real models stay below 10."""

MAX_SHARDS = 1000
"""The most files of weights that one model may have; the largest models on the hub have some two hundred."""

_REPOSITORY_KEYS = frozenset(
    {"_name_or_path", "name_or_path", "pretrained_model_name_or_path", "base_model_name_or_path"}
)
_IMPLEMENTATION = re.compile(r"_?(attn|experts)_implementation")
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}")
_CODE_KEYS = frozenset({"auto_map", "custom_generate"})
_TRUST = "trust_remote_code"
_SHARD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.(safetensors|bin)")


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What a configuration says of a model; a size is None where the configuration leaves it to the class."""

    model_type: str
    name: str
    n_layers: int | None
    width: int | None


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """A model's files as data: what `preflight` wants to know."""

    architecture: Architecture
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


def weights_entry(names: Collection[str]) -> str:
    """The file of `names` that transformers starts to read weights from: one file, or the index of its shards.

    Raises NoSafetensors, naming what was found instead, also where no vocabulary is among the names.
    """
    entry = next((name for name in (SINGLE_WEIGHTS, WEIGHTS_INDEX) if name in names), None)
    if entry is None:
        raise _no_weights(names)
    require_plain_files(names)
    return entry


def require_plain_files(names: Collection[str]) -> None:
    """Pass if configuration and tokenizer are among the names: all that a model without its weights needs.

    Raises NoSafetensors where there is no tokenizer, ArchitectureUnsupported where there is no configuration.
    """
    if not has_tokenizer(names):
        found = sorted(name for name in names if name.startswith(("tokenizer", "vocab", "merges", "spiece")))
        raise NoSafetensors(
            f"there is no tokenizer; found {_listed(found)}",
            hint="put the tokenizer's files (`tokenizer.json`) beside the weights",
            param="model",
        )
    if CONFIG not in names:
        raise ArchitectureUnsupported(f"the repository has no {CONFIG}", param="model")


def shard_names(index: Mapping[str, Any], names: Collection[str], *, file: str = WEIGHTS_INDEX) -> tuple[str, ...]:
    """The files that the index of weights `file` names, sorted; ModelIncomplete if one is not among `names`."""
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelIncomplete(f"{file} has no weight_map", param="model")
    shards = sorted({str(shard) for shard in weight_map.values()})
    if len(shards) > MAX_SHARDS:
        raise ModelIncomplete(f"{file} names {len(shards)} files of weights, more than {MAX_SHARDS}", param="model")
    ending = file.removesuffix(".index.json").rpartition(".")[2]
    for shard in shards:
        if not _SHARD.fullmatch(shard) or ".." in shard or not shard.endswith(f".{ending}"):
            raise ModelIncomplete(f"{file} names {shown(shard)}, which is not a plain file of weights", param="model")
    missing = [shard for shard in shards if shard not in names]
    if missing:
        raise ModelIncomplete(
            f"{len(missing)} of {len(shards)} files of weights are missing: {_listed(missing)}", param="model"
        )
    return tuple(shards)


def check_config(config: Mapping[str, Any], supported: Collection[str]) -> Architecture:
    """What `config` describes, if its `model_type` is among `supported`; ArchitectureUnsupported otherwise.

    Raises ModelIncomplete for sizes that no model has.
    """
    model_type = config.get("model_type")
    names = config.get("architectures")
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    name = name if _CLASS.fullmatch(name) else ""
    if not isinstance(model_type, str) or model_type not in supported:
        found = f"model_type {shown(str(model_type))}" if model_type is not None else "no model_type"
        raise ArchitectureUnsupported(
            f"{CONFIG} has {found}{f' ({shown(name)})' if name else ''}, whose layers are not known here",
            hint=f"supported are {', '.join(sorted(supported))}",
            param="model",
        )
    if config.get("quantization_config"):
        raise ArchitectureUnsupported(
            f"{CONFIG} has a quantization_config: quantised weights cannot be scored yet",
            hint="score the model that they were made from",
            param="model",
        )
    require_plausible(config)
    return Architecture(model_type=model_type, name=name, n_layers=depth(config), width=width(config))


def check_no_code(document: Mapping[str, Any], file: str) -> None:
    """Pass if no field of a configuration, at any depth, makes transformers fetch or run code.

    Refused are `auto_map`, `_attn_implementation*` and its kin (they can name a repository of kernels), names of
    repositories inside sub-configurations, which are followed with less care than the outer one (CVE-2026-4372,
    CVE-2026-5241), and a `trust_remote_code` that says yes in the caller's place. A boolean or null under the other
    names names nothing and passes. Raises RemoteCodeRefused.
    """
    for above, key, value in _fields(document):
        if key == _TRUST and value:
            names_code = True
        elif value is None or isinstance(value, bool) or value in ("", [], {}):
            continue
        else:
            is_nested_repository = above is not None and key in _REPOSITORY_KEYS
            names_code = key in _CODE_KEYS or bool(_IMPLEMENTATION.match(key)) or is_nested_repository
        if names_code:
            where = shown(".".join(_path(above, key)))
            raise RemoteCodeRefused(
                f"{file} has the field {where}, which can make the loader run code from a repository",
                hint="code of a repository is never run here; score a model that transformers itself implements",
                param="model",
            )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in the file at `path`; ModelIncomplete if it is too large or not one."""
    check_config_size(path.name, path.stat().st_size)
    return parse_json(path.read_bytes(), path.name)


def check_config_size(name: str, n_bytes: int) -> None:
    """Pass if a configuration of this size may be read; ModelIncomplete otherwise."""
    if n_bytes > MAX_CONFIG_BYTES:
        raise ModelIncomplete(f"{name} has {n_bytes} bytes, more than {MAX_CONFIG_BYTES}", param="model")


def parse_json(content: bytes, name: str) -> dict[str, Any]:
    """The JSON object that a file holds; ModelIncomplete if it is not one, or nested deeper than MAX_DEPTH."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelIncomplete(f"{name} is not JSON: {type(error).__name__}", param="model") from error
    if not isinstance(document, dict):
        raise ModelIncomplete(f"{name} is not a JSON object", param="model")
    _require_shallow(document, name)
    return document


def read_tensors(folder: Path) -> dict[str, Tensor]:
    """What the weights of `folder` declare. Raises ModelIncomplete if a file or a tensor of the index is missing."""
    names = {path.name for path in folder.iterdir()}
    if weights_entry(names) == SINGLE_WEIGHTS:
        return read_header(folder / SINGLE_WEIGHTS)
    index = read_json(folder / WEIGHTS_INDEX)
    tensors: dict[str, Tensor] = {}
    for shard in shard_names(index, names):
        tensors |= read_header(folder / shard)
    check_index(index, tensors)
    return tensors


def check_index(index: Mapping[str, Any], tensors: Collection[str]) -> None:
    """Pass if every tensor that the index names is declared by some file; ModelIncomplete otherwise."""
    absent = sorted(set(index["weight_map"]) - set(tensors))
    if absent:
        raise ModelIncomplete(
            f"{len(absent)} tensors of {WEIGHTS_INDEX} are in no file: {_listed(absent)}", param="model"
        )


def count_parameters(folder: Path) -> int:
    """The number of parameters in the weights of `folder`, tied ones once, buffers not counted.

    Raises ModelIncomplete if a file or a tensor that the index names is missing.
    """
    return n_parameters(read_json(folder / CONFIG), read_tensors(folder))


def check_documents(documents: Mapping[str, Mapping[str, Any]], supported: Collection[str]) -> Architecture:
    """The architecture that configurations by file name describe, after every check that needs nothing else."""
    for name in CODE_BEARING:
        if name in documents:
            check_no_code(documents[name], name)
    return check_config(documents[CONFIG], supported)


def check_folder(folder: Path, supported: Collection[str]) -> Inspected:
    """What a model on disk is, after every check of this module."""
    weights_entry({path.name for path in folder.iterdir()})
    architecture = check_plain_files(folder, supported)
    return Inspected(architecture=architecture, config=read_json(folder / CONFIG), tensors=read_tensors(folder))


def check_plain_files(folder: Path, supported: Collection[str]) -> Architecture:
    """The architecture of a model on disk after every check that needs no weights; they may be missing."""
    names = {path.name for path in folder.iterdir()}
    require_plain_files(names)
    documents = {name: read_json(folder / name) for name in CODE_BEARING if name in names}
    architecture = check_documents(documents, supported)
    check_tokenizer(names, documents[CONFIG], documents.get(TOKENIZER_CONFIG, {}))
    return architecture


_Above = tuple["_Above | None", str]
"""The key of an object and what stands above it: paths share their beginnings, however many fields there are."""


def _fields(document: object) -> Iterator[tuple[_Above | None, str, object]]:
    """Every field of a JSON document, with where the object stands that holds it; None for the outermost."""
    pending: list[tuple[_Above | None, object]] = [(None, document)]
    while pending:
        above, value = pending.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                yield above, key, inner
                if isinstance(inner, dict | list):
                    pending.append(((above, key), inner))
        elif isinstance(value, list):
            pending.extend((above, inner) for inner in value if isinstance(inner, dict | list))


def _path(above: _Above | None, key: str) -> list[str]:
    """The keys that lead to a field, outermost first."""
    keys = [key]
    while above is not None:
        above, outer = above
        keys.append(outer)
    return keys[::-1]


def _require_shallow(document: object, name: str) -> None:
    """Pass if nothing lies deeper than MAX_DEPTH: what reads a configuration later calls itself for each level."""
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        inside = (value.values() if isinstance(value, dict) else value for value in level)
        level = [inner for values in inside for inner in values if isinstance(inner, dict | list)]
    if level:
        raise ModelIncomplete(f"{name} is nested deeper than {MAX_DEPTH} levels", param="model")


def _no_weights(names: Collection[str]) -> NoSafetensors:
    weights = sorted(
        name for name in names if name.endswith((".bin", ".pt", ".pth", ".h5", ".msgpack", ".gguf", ".onnx"))
    )
    other = sorted(name for name in names if name.endswith(".safetensors"))
    if other:
        return NoSafetensors(
            f"there is no {SINGLE_WEIGHTS} and no {WEIGHTS_INDEX}; found {_listed(other)}", param="model"
        )
    return NoSafetensors(
        f"there are no safetensors weights; found {_listed(weights)}",
        hint="name a revision with safetensors, if the hub has one (often `refs/pr/1`), or keep a converted copy:"
        " `broca models convert ID`",
        param="model",
    )


def _listed(names: Collection[str]) -> str:
    """A few names for a message."""
    listed = [shown(name) for name in list(names)[:4]]
    return ", ".join(listed) + (f" and {len(names) - 4} more" if len(names) > 4 else "") if listed else "nothing"
