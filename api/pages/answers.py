"""Answers to analyses that pages ask for. Nothing is written for a reader: they are kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import State

from scoring.analysis.table import ModelTable
from scoring.errors import AnalysisTooSmall, CodedError, PropertyConstant, PropertyUnknown
from storage import analyses

from ..analysing import answered, as_stored, inputs, prepared
from ..analysis_schemas import AnalysisRequest

MAX_KEPT = 128

UNANSWERABLE = (AnalysisTooSmall, PropertyConstant, PropertyUnknown)
"""What these models cannot be asked, however often: kept as answers are."""

_Place = tuple[str, str]
_Answer = dict[str, Any] | CodedError


@dataclass(frozen=True, kw_only=True)
class Looked:
    """A table with all that it says and what it is known by."""

    models: ModelTable
    said: dict[str, Any]
    digest: str


class Answers:
    """Answers made for readers, by all that they follow from. One is made at a time; kept ones wait for none."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Place, _Answer] = OrderedDict()
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._last: Looked | None = None

    def of(self, body: AnalysisRequest, models: ModelTable, state: State) -> dict[str, Any]:
        """The answer, from the database where somebody asked for it before; raises as the analysis does."""
        looked = self._look(models)
        place = (body.model_dump_json(), looked.digest)
        if (found := self._found(place)) is None:
            with self._making:
                if (found := self._found(place)) is None:
                    found = self._keep(place, _made(body, looked, state))
        if isinstance(found, CodedError):
            raise found.with_traceback(None)
        return found

    def _found(self, place: _Place) -> _Answer | None:
        with self._lock:
            if place in self._kept:
                self._kept.move_to_end(place)
            return self._kept.get(place)

    def _keep(self, place: _Place, answer: _Answer) -> _Answer:
        with self._lock:
            self._kept[place] = answer
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
        return answer

    def _look(self, models: ModelTable) -> Looked:
        """What a table says and is known by; of the same one as before it is known already."""
        last = self._last
        if last is None or last.models is not models:
            said = inputs(models)
            last = self._last = Looked(models=models, said=said, digest=analyses.key_of({"models": said}))
        return last


def _made(body: AnalysisRequest, looked: Looked, state: State) -> _Answer:
    ready = prepared(body, state.database, state.settings.catalogue, models=looked.models, said=looked.said)
    with state.database.read() as session:
        found = analyses.find(session, ready.key)
    try:
        return as_stored(answered(ready)) if found is None else found.answer
    except UNANSWERABLE as error:
        return error
