"""What can be said of a model beside its scores: which names there are, and which values they take.

What belongs here: names, kinds and bounds. What does not: where values are kept and which one holds
(`storage.properties`), and how they are read from a model's files (`subjects`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from enum import StrEnum

from .errors import ModelIdMalformed, PropertyInvalid, shown
from .registry import Shelf, names
from .subjects import model_ids

Value = float | str
"""A number, or text; the ancestors of a model are its ids with spaces between them, nearest first."""


class Tuning(StrEnum):
    """What was done to a model after it learned to predict words."""

    BASE = "base"
    """Nothing."""
    INSTRUCT = "instruct"
    """It was tuned on instructions with their answers."""
    ABLATION = "ablation"
    """It was tuned on the same answers without the instructions."""


BASE = "base"
"""The property that names the model which this one was made from."""

TUNING = "tuning"

TEXTS = ("family", "architecture")
COUNTS = ("parameters", "parameters_non_embedding", "n_layers", "width", "training_step")
SHARES = ("mmlu", "bbh")

WORD_LOSS = "next_word_loss"
"""Nats a word: −Σ ln p over the text, divided by its words. Words do not depend on who reads them."""
TOKEN_LOSS = "next_word_loss_token"
"""Nats a token, the quantity that language models are trained on; tokens are those of the model's own tokenizer."""
BYTE_BITS = "bits_per_byte"
"""Bits a byte of UTF-8, white space included."""

LOSSES = (WORD_LOSS, TOKEN_LOSS, BYTE_BITS)
"""What a text says of a model; each is known with the text and how it was read."""

MAX_COUNT = 2**53
"""The greatest count that a double keeps exactly."""

MAX_ANCESTORS, MAX_TEXT = 16, 64

GREATEST = 1e100
"""No number is greater, so that its square is one still."""

OF_TABLES = frozenset(
    {"average", "coverage", "dtype", "model", "params", "rank", "rank_high", "rank_low", "revision", "tie_group"}
)
ENDINGS_OF_TABLES = ("_flags", "_missing", "_normalised", "_raw", "_raw_high", "_raw_low")
"""Names of columns beside which properties stand: of tables of models, and what follows a benchmark's name there."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def checked(name: str, value: object) -> Value:
    """The value as it is kept. Raises PropertyInvalid.

    `tuning` is one of its words; `base` an id or ids, nearest first; counts are natural numbers; `mmlu` and `bbh` lie
    between 0 and 1; every other name takes a finite number.
    """
    if not _NAME.fullmatch(name):
        raise _invalid(name, f"{shown(name)} is no name of a property", hint="letters a-z, digits and _; at most 64")
    if _is_taken(name):
        raise _invalid(name, f"{name} is the name of a score or of a column", hint="choose another name")
    if name == TUNING:
        return _tuning(value)
    if name == BASE:
        return _ancestors(value)
    if name in TEXTS:
        return _text(name, value)
    return _number(name, value)


def ancestors(value: Value) -> tuple[str, ...]:
    """The ids that a kept value of `base` names, nearest first."""
    return tuple(str(value).split())


def _is_taken(name: str) -> bool:
    """Whether a name means something else where properties stand."""
    is_of_tables = name in OF_TABLES or name.endswith(ENDINGS_OF_TABLES) or name.startswith("log10_")
    return is_of_tables or name in names(Shelf.BENCHMARKS)


def _tuning(value: object) -> str:
    if value not in [*Tuning]:
        raise _invalid(TUNING, "tuning is none that is known", hint=f"one of {', '.join(Tuning)}")
    return str(value)


def _ancestors(value: object) -> str:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not 1 <= len(names) <= MAX_ANCESTORS:
        raise _invalid(BASE, f"base is a model's id, or a list of 1 to {MAX_ANCESTORS} ids, nearest first")
    found = []
    for one in names:
        try:
            found.append(str(model_ids.parse(str(one))))
        except ModelIdMalformed as error:
            raise _invalid(BASE, error.detail, hint=error.hint) from error
    if len(set(found)) < len(found):
        raise _invalid(BASE, "base names a model twice")
    return " ".join(found)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 1 <= len(value) <= MAX_TEXT:
        raise _invalid(name, f"{name} is text of 1 to {MAX_TEXT} printable characters")
    return value


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _invalid(name, f"{name} is a number")
    if not -GREATEST < value < GREATEST:
        raise _invalid(name, f"{name} is not a finite number", hint="leave out what was not measured")
    number = float(value)
    if name in COUNTS and not (0 <= number <= MAX_COUNT and number == math.floor(number)):
        raise _invalid(name, f"{name} is a natural number")
    if name in SHARES and not 0 <= number <= 1:
        raise _invalid(name, f"{name} is a share between 0 and 1", hint="divide per cent by 100")
    return number


def _invalid(name: str, detail: str, *, hint: str | None = None) -> PropertyInvalid:
    return PropertyInvalid(detail, hint=hint, param=name if _NAME.fullmatch(name) else None)
