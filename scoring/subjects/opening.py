"""From a resolved model to a subject that can take the experiment. Loads torch; only scoring processes come here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Subject
from .language_model import LanguageModel
from .options import ReadingOptions
from .sources import ResolvedModel


def open_subject(model: ResolvedModel, *, device: str, dtype: str, options: Mapping[str, Any]) -> Subject:
    """The subject that `model` is, ready to read as `options` say.

    Raises ModelError, OptionUnknown, OutOfMemory.
    """
    return LanguageModel.from_folder(
        model.folder,
        identifier=model.model_id,
        device=device,
        dtype=dtype,
        reading=ReadingOptions.from_mapping(options),
    )
