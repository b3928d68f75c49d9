"""How a model is to read: options as data, checked without loading anything.

What belongs here: names, defaults and values of what a request may choose. What does not: carrying it out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from ..errors import OptionUnknown

CONTEXT_PATTERN = r"story|sentence|concat|window:[1-9][0-9]{0,4}"
"""The ways to say what a stimulus is read after."""


class Pooling(StrEnum):
    """Which tokens of a stimulus stand for it."""

    LAST = "last"
    """The last one, given everything before it."""
    MEAN = "mean"
    """The mean over all of its tokens."""


class PromptFormat(StrEnum):
    """What is put around a text."""

    PLAIN = "plain"
    """Nothing but BOS."""
    CHAT = "chat"
    """The model's own chat template, with the text as what a user says."""


class SurprisalMethod(StrEnum):
    """Where probabilities of words come from."""

    AUTO = "auto"
    """The model's own next-token probabilities: causal ones, or those of a decoder (`seq2seq`)."""
    PSEUDO_LOG_LIKELIHOOD = "pseudo-log-likelihood"
    """Each token masked in turn, with its word's later tokens (Kauf & Ivanova 2023); for masked language models."""


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How texts are put before a model and what is taken from it.

    `context`: `story` (the passage from its start, or the benchmark's own window of it), `sentence` (its sentence so
    far), `window:N` (the N stimuli that end with it), `concat` (all passages as one text). Raises OptionUnknown.
    """

    context: str = "story"
    pooling: Pooling = Pooling.LAST
    prompt_format: PromptFormat = PromptFormat.PLAIN
    surprisal: SurprisalMethod = SurprisalMethod.AUTO

    def __post_init__(self) -> None:
        if not re.fullmatch(CONTEXT_PATTERN, self.context):
            raise OptionUnknown(
                f"context {self.context[:64]!a} is not one of story, sentence, concat, window:N",
                hint="N is a number of stimuli, at least 1",
                param="options.context",
            )

    @classmethod
    def from_mapping(cls, options: Mapping[str, Any]) -> ReadingOptions:
        """The reading options among `options`; the others (dtype, adapter …) are about loading and are left alone."""
        chosen: dict[str, Any] = {}
        for field, kind in zip(fields(cls), (str, Pooling, PromptFormat, SurprisalMethod), strict=True):
            if field.name in options:
                chosen[field.name] = _one_of(kind, field.name, options[field.name])
        return cls(**chosen)


def _one_of(kind: type[str], name: str, value: object) -> str:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(kind) if issubclass(kind, StrEnum) else "text"
        raise OptionUnknown(f"{name} {str(value)[:64]!a} is not one of {known}", param=f"options.{name}") from None
