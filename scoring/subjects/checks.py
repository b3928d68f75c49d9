"""What has to hold of a model's files before a process loads them: nothing here imports torch or runs their code.

What belongs here: file lists, configurations and safetensors headers as data. What does not: how files got here
(`hub`, `local`) and what only loading can tell (`language_model`).
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ..errors import ArchitectureUnsupported, ModelIncomplete, NoSafetensors, RemoteCodeRefused

CONFIG = "config.json"
TOKENIZER = "tokenizer.json"
SINGLE_WEIGHTS = "model.safetensors"
WEIGHTS_INDEX = "model.safetensors.index.json"
CODE_BEARING = (CONFIG, "tokenizer_config.json", "generation_config.json")
"""Configurations whose fields transformers follows to code in a repository."""

MAX_HEADER_BYTES = 100_000_000
"""The largest safetensors header that is read, the format's own limit."""
MAX_CONFIG_BYTES = 10_000_000

_LAYER_KEYS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers")
_WIDTH_KEYS = ("hidden_size", "n_embd", "d_model", "n_embed")
_REPOSITORY_KEYS = frozenset(
    {"_name_or_path", "name_or_path", "pretrained_model_name_or_path", "base_model_name_or_path"}
)
_IMPLEMENTATION = re.compile(r"_?(attn|experts)_implementation")
_SHARD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.safetensors")
_BUFFER = re.compile(r"(^|\.)(attn|attention|self_attn)\.(bias|masked_bias)$|(^|\.)(inv_freq|position_ids)$")
_ITEM_BITS = {"BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "I16": 16, "U16": 16, "F16": 16, "BF16": 16}
_ITEM_BITS |= {"I32": 32, "U32": 32, "F32": 32, "I64": 64, "U64": 64, "F64": 64, "C64": 64}


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """What a safetensors header says of one tensor."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What a configuration says of a model; a size is None where the configuration leaves it to the class."""

    model_type: str
    name: str
    n_layers: int | None
    width: int | None


def weights_entry(names: Collection[str]) -> str:
    """The file of `names` that transformers starts to read weights from: one file, or the index of its shards.

    Raises NoSafetensors, naming what was found instead, also where no `tokenizer.json` is among the names.
    """
    entry = next((name for name in (SINGLE_WEIGHTS, WEIGHTS_INDEX) if name in names), None)
    if entry is None:
        raise _no_weights(names)
    require_plain_files(names)
    return entry


def require_plain_files(names: Collection[str]) -> tuple[()]:
    """Pass if configuration and tokenizer are among the names: all that a model without its weights needs.

    Gives the files to read weights from: none. Raises NoSafetensors where there is no tokenizer,
    ArchitectureUnsupported where there is no configuration.
    """
    if TOKENIZER not in names:
        found = sorted(name for name in names if name.startswith(("tokenizer", "vocab", "merges", "spiece")))
        raise NoSafetensors(
            f"there is no {TOKENIZER}; found {_listed(found)}",
            hint="save the tokenizer once with `AutoTokenizer.from_pretrained(ID).save_pretrained(FOLDER)`",
            param="model",
        )
    if CONFIG not in names:
        raise ArchitectureUnsupported(f"the repository has no {CONFIG}", param="model")
    return ()


def shard_names(index: Mapping[str, Any], names: Collection[str]) -> tuple[str, ...]:
    """The files that an index of weights names, sorted; ModelIncomplete if one is not among `names`."""
    weight_map = index.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelIncomplete(f"{WEIGHTS_INDEX} has no weight_map", param="model")
    shards = sorted({str(shard) for shard in weight_map.values()})
    for shard in shards:
        if not _SHARD.fullmatch(shard) or ".." in shard:
            raise ModelIncomplete(f"{WEIGHTS_INDEX} names {shard[:96]!a}, which is not a plain file", param="model")
    missing = [shard for shard in shards if shard not in names]
    if missing:
        raise ModelIncomplete(f"{len(missing)} of {len(shards)} files of weights are missing: {_listed(missing)}")
    return tuple(shards)


def check_config(config: Mapping[str, Any], supported: Collection[str]) -> Architecture:
    """What `config` describes, if its `model_type` is among `supported`; ArchitectureUnsupported otherwise."""
    model_type = config.get("model_type")
    names = config.get("architectures")
    name = str(names[0]) if isinstance(names, list) and names else ""
    if not isinstance(model_type, str) or model_type not in supported:
        found = f"model_type {str(model_type)[:96]!a}" if model_type is not None else "no model_type"
        raise ArchitectureUnsupported(
            f"{CONFIG} has {found}{f' ({name[:96]!a})' if name else ''}, whose layers are not known here",
            hint=f"supported are {', '.join(sorted(supported))}",
            param="model",
        )
    if config.get("quantization_config"):
        raise ArchitectureUnsupported(
            f"{CONFIG} has a quantization_config: quantised weights cannot be scored yet",
            hint="score the model that they were made from",
            param="model",
        )
    text = config.get("text_config")
    sizes = {**text, **config} if isinstance(text, dict) else config
    return Architecture(
        model_type=model_type, name=name, n_layers=_size(sizes, _LAYER_KEYS), width=_size(sizes, _WIDTH_KEYS)
    )


def check_no_code(document: Mapping[str, Any], file: str) -> None:
    """Pass if no field of a configuration, at any depth, makes transformers fetch or run code.

    Refused are `auto_map`, `_attn_implementation*` and its kin (they can name a repository of kernels), and names of
    repositories inside sub-configurations, which are followed with less care than the outer one (CVE-2026-4372,
    CVE-2026-5241). A boolean or null under these names names nothing and passes. Raises RemoteCodeRefused.
    """
    for path, key, value in _fields(document):
        if value is None or isinstance(value, bool) or value in ("", [], {}):
            continue
        nested_repository = bool(path) and key in _REPOSITORY_KEYS
        if key == "auto_map" or _IMPLEMENTATION.match(key) or nested_repository:
            where = ascii(".".join((*path, key))[:96])
            raise RemoteCodeRefused(
                f"{file} has the field {where}, which can make the loader run code from a repository",
                hint="code of a repository is never run here; score a model that transformers itself implements",
                param="model",
            )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in the file at `path`; ModelIncomplete if it is too large or not one."""
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ModelIncomplete(f"{path.name} has {path.stat().st_size} bytes, more than {MAX_CONFIG_BYTES}")
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ModelIncomplete(f"{path.name} is not JSON: {type(error).__name__}", param="model") from error
    if not isinstance(document, dict):
        raise ModelIncomplete(f"{path.name} is not a JSON object", param="model")
    return document


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors that a safetensors file declares, checked against the file's length but not read.

    The format: 8 bytes with the header's length, the header as JSON, the data. Raises ModelIncomplete for a header
    beyond MAX_HEADER_BYTES, a file that ends early or goes on, and offsets that do not fit shape and dtype.
    """
    n_bytes = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        header_bytes = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= header_bytes <= min(MAX_HEADER_BYTES, n_bytes - 8):
            raise ModelIncomplete(
                f"{path.name} claims a header of {header_bytes} bytes in a file of {n_bytes}"
                f" (at most {MAX_HEADER_BYTES} are read)"
            )
        raw = file.read(header_bytes)
    try:
        entries = json.loads(raw)
        spans = {name: _span(entry) for name, entry in entries.items() if name != "__metadata__"}
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        raise ModelIncomplete(f"the header of {path.name} is malformed: {type(error).__name__}") from error
    end = 0
    for first, last, _ in sorted(spans.values(), key=lambda span: span[:2]):
        if first != end:
            raise ModelIncomplete(f"the tensors of {path.name} overlap or leave holes at byte {end}")
        end = last
    if end != n_bytes - 8 - header_bytes:
        raise ModelIncomplete(f"{path.name} has {n_bytes - 8 - header_bytes} bytes of weights, its header wants {end}")
    return {name: tensor for name, (_, _, tensor) in spans.items()}


def count_parameters(folder: Path) -> int:
    """The number of parameters in the weights of `folder`, tied ones as often as stored, buffers not counted.

    Buffers are the causal masks, rotary frequencies and position ids that older checkpoints saved along.
    Raises ModelIncomplete if a file or a tensor that the index names is missing.
    """
    names = {path.name for path in folder.iterdir()}
    tensors: dict[str, Tensor] = {}
    if weights_entry(names) == SINGLE_WEIGHTS:
        tensors = read_header(folder / SINGLE_WEIGHTS)
    else:
        index = read_json(folder / WEIGHTS_INDEX)
        for shard in shard_names(index, names):
            tensors |= read_header(folder / shard)
        absent = sorted(set(index["weight_map"]) - set(tensors))
        if absent:
            raise ModelIncomplete(f"{len(absent)} tensors of {WEIGHTS_INDEX} are in no file: {_listed(absent)}")
    return sum(prod(tensor.shape) for name, tensor in tensors.items() if not _BUFFER.search(name))


def check_folder(folder: Path, supported: Collection[str]) -> tuple[Architecture, int]:
    """The architecture and the number of parameters of a model on disk, after every check of this module."""
    weights_entry({path.name for path in folder.iterdir()})
    return check_plain_files(folder, supported), count_parameters(folder)


def check_plain_files(folder: Path, supported: Collection[str]) -> Architecture:
    """The architecture of a model on disk after every check that needs no weights; they may be missing."""
    names = {path.name for path in folder.iterdir()}
    require_plain_files(names)
    for name in CODE_BEARING:
        if name in names:
            check_no_code(read_json(folder / name), name)
    return check_config(read_json(folder / CONFIG), supported)


def _fields(document: object) -> Iterator[tuple[tuple[str, ...], str, object]]:
    """Every field of a JSON document, with the path to the object that holds it."""
    pending: list[tuple[tuple[str, ...], object]] = [((), document)]
    while pending:
        path, value = pending.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                yield path, key, inner
                pending.append(((*path, key), inner))
        elif isinstance(value, list):
            pending.extend((path, inner) for inner in value)


def _span(entry: Mapping[str, Any]) -> tuple[int, int, Tensor]:
    """First byte, end and declaration of one header entry; ValueError where they contradict one another."""
    first, last = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if not all(type(number) is int and number >= 0 for number in (first, last, *shape)):
        raise ValueError("a size is not a natural number")
    dtype = str(entry["dtype"])
    if last < first or (dtype in _ITEM_BITS and 8 * (last - first) != prod(shape) * _ITEM_BITS[dtype]):
        raise ValueError("shape and offsets disagree")
    return first, last, Tensor(dtype=dtype, shape=shape)


def _size(config: Mapping[str, Any], keys: Collection[str]) -> int | None:
    return next((config[key] for key in keys if type(config.get(key)) is int), None)


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
        hint="name a revision with safetensors, if the hub has one (often `refs/pr/1`)",
        param="model",
    )


def _listed(names: Collection[str]) -> str:
    """A few names for a message."""
    shown = [ascii(name[:96]) for name in list(names)[:4]]
    return ", ".join(shown) + (f" and {len(names) - 4} more" if len(names) > 4 else "") if shown else "nothing"
