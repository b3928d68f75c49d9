"""Merging an adapter into a model: W + scale · B A in the weights' place, layers and names unchanged.

What belongs here: calls into peft, and whether an adapter is one of this model at all. What does not: which files an
adapter may have (`adapters`).
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

from peft import PeftModel, get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict

from ..errors import ModelIncomplete, shown
from .library_errors import understood

_OWN = "lora_"
"""What the names of an adapter's own matrices have in them, and those of the model's tensors have not."""


def merged(model: Any, adapter: Path) -> Any:
    """The model with the adapter's matrices added to its own.

    Raises ModelIncomplete where the adapter lacks a matrix that its configuration asks for in this model, or has a
    tensor that has no place there; OutOfMemory.
    """
    with understood("the adapter's matrices", param="options.adapter"):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Found missing adapter keys")  # an error in `_require_whole`
            adapted = PeftModel.from_pretrained(model, str(adapter), local_files_only=True)
        _require_whole(adapted, adapter)
        return adapted.merge_and_unload()


def _require_whole(adapted: Any, adapter: Path) -> None:
    """Pass if file and model have the same matrices. Loading alone only warns; loading again tells what was left."""
    tensors = load_peft_weights(str(adapter), device="cpu", local_files_only=True)
    report: Any = set_peft_model_state_dict(adapted, dict(tensors))
    _require_none("lacks", [name for name in report.missing_keys if _OWN in name])
    _require_none("has, without a place for them,", report.unexpected_keys)
    _require_none("would replace", _replaced(adapted, tensors))


def _replaced(adapted: Any, tensors: Collection[str]) -> set[str]:
    """Tensors of the model itself that the file brings along, other than the tables that peft saves with adapters."""
    expected = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    tables = {id(table.weight) for table in _tables(adapted)}
    own = {name: id(tensor) for name, tensor in adapted.state_dict(keep_vars=True).items()}
    return {name for name in tensors if name not in expected and name in own and own[name] not in tables}


def _tables(adapted: Any) -> list[Any]:
    """The embeddings of tokens and the output head."""
    found = (adapted.get_input_embeddings(), adapted.get_output_embeddings())
    return [table for table in found if table is not None]


def _require_none(what: str, names: Collection[str]) -> None:
    if names:
        listed = ", ".join(shown(name) for name in sorted(names)[:5])
        raise ModelIncomplete(
            f"the adapter does not fit this model: it {what} {len(names)} tensors: {listed}",
            hint="adapter and model have to be of one architecture and size",
            param="options.adapter",
        )
