"""Which rows of a board are shown, in which order, and where a page of them ends."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .board import AVERAGE, Board, View
from .columns import dump_json
from .errors import SortUnknown
from .models import Model
from .paging import token_invalid

COVERAGE, MODEL = "coverage", "model"
OF_MODELS = {
    "parameters": "parameters",
    "params": "parameters",
    "n_layers": "n_layers",
    "width": "width",
    "family": "family",
    "tuning": "tuning",
}
"""Keys that sort by what is known of a model, and where that stands. Ranks stay those of the average."""

Key = float | int | str


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked of a board: columns, rows, order.

    Without `benchmarks` all that have scores are shown, but those that are `hidden` and those on planted data. Without
    `ids` all models are. The
    number of parameters is at least `params_min` and at most `params_max`.
    """

    benchmarks: tuple[str, ...] | None = None
    hidden: frozenset[str] = frozenset()
    ids: tuple[str, ...] | None = None
    family: str | None = None
    tuning: str | None = None
    params_min: int | None = None
    params_max: int | None = None
    include_synthetic: bool = False
    include_baselines: bool = False
    sort: str = AVERAGE
    descending: bool = True

    def admits(self, model: Model | None) -> bool:
        """Whether a model's rows are shown; one of which nothing is known only where nothing is asked of it."""
        size = None if model is None else model.parameters
        return (
            (self.family is None or (model is not None and model.family == self.family))
            and (self.tuning is None or (model is not None and model.tuning == self.tuning))
            and (self.params_min is None or (size is not None and size >= self.params_min))
            and (self.params_max is None or (size is not None and size <= self.params_max))
        )


class Place(NamedTuple):
    """A row: what it is sorted by, the name that decides between equals, and its number on the board."""

    value: Key | None
    name: tuple[str, ...]
    row: int


@dataclass(frozen=True, kw_only=True)
class Order:
    """Rows as they are shown; those without a value come last, whichever way the rest is sorted."""

    places: tuple[Place, ...]
    descending: bool

    def index_after(self, value: Key | None, name: tuple[str, ...]) -> int:
        """Where those begin that come after such a row, whether it is still there or not; raises PageTokenInvalid."""
        kinds = {isinstance(place.value, str) for place in self.places if place.value is not None}
        if value is not None and kinds - {isinstance(value, str)}:
            raise token_invalid()
        return sum(not self._comes_after(place, value, name) for place in self.places)

    def _comes_after(self, place: Place, value: Key | None, name: tuple[str, ...]) -> bool:
        if place.value is None or value is None:
            return place.value is None and (value is not None or place.name > name)
        if place.value != value:
            return (place.value < value) == self.descending  # type: ignore[operator]
        return place.name > name


def shown(board: Board, asked: Asked) -> tuple[str, ...]:
    """The benchmarks whose columns are shown; raises SortUnknown."""
    keys_shown = asked.benchmarks
    if keys_shown is None:
        keys_shown = tuple(
            benchmark
            for benchmark in board.benchmarks
            if benchmark not in asked.hidden and (asked.include_synthetic or benchmark in board.measured)
        )
    allowed = [AVERAGE, COVERAGE, MODEL, *OF_MODELS, *keys_shown]
    if asked.sort not in allowed:
        raise SortUnknown("the leaderboard has no such column", hint=f"sort by {', '.join(allowed)}", param="sort")
    return keys_shown


def keys(view: View) -> list[str]:
    """What ranks can be of."""
    return [AVERAGE, *(column.key for column in view.columns)]


def ordered(board: Board, view: View, asked: Asked, known: Mapping[tuple[str, str], Model]) -> Order:
    """The rows that are asked for, in their order; equal values stand in the order of names."""
    of_key = view.values_of(asked.sort) if asked.sort in keys(view) else None
    places = []
    for row, newest in enumerate(view.newest):
        if newest < 0:
            continue
        score = board.standings[newest]
        model = known.get((score.model_id, score.revision))
        if not asked.admits(model) or (asked.ids is not None and score.model_id not in asked.ids):
            continue
        name = (score.model_id, score.revision, score.dtype, dump_json(score.options))
        if of_key is not None:
            value: Key | None = None if np.isnan(of_key[row]) else float(of_key[row])
        else:
            value = _described(asked.sort, score.model_id, int(view.coverage[row]), model)
        places.append(Place(value, name, row))
    places.sort(key=lambda place: place.name)
    valued = [place for place in places if place.value is not None]
    valued.sort(key=lambda place: place.value, reverse=asked.descending)  # type: ignore[arg-type, return-value]
    others = [place for place in places if place.value is None]
    return Order(places=(*valued, *others), descending=asked.descending)


def cut(order: Order, *, page_size: int | None, page_token: str | None) -> tuple[list[int], str | None]:
    """The rows of one page and the token of the next; raises PageTokenInvalid."""
    start = 0 if page_token is None else order.index_after(*_decode(page_token))
    end = len(order.places) if page_size is None else start + page_size
    found = order.places[start:end]
    following = _encode(found[-1]) if found and end < len(order.places) else None
    return [place.row for place in found], following


def _described(key: str, model_id: str, coverage: int, model: Model | None) -> Key | None:
    if key == COVERAGE:
        return coverage
    if key == MODEL:
        return model_id
    found: Key | None = None if model is None else getattr(model, OF_MODELS[key])
    return found


def _encode(place: Place) -> str:
    text = json.dumps([place.value, *place.name])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(token: str) -> tuple[Key | None, tuple[str, ...]]:
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        value, *name = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise token_invalid() from error
    if isinstance(value, bool) or not isinstance(value, float | int | str | None) or not _are_texts(name):
        raise token_invalid()
    return value, tuple(name)


def _are_texts(name: Sequence[object]) -> bool:
    return len(name) == 4 and all(isinstance(part, str) for part in name)
