"""Leaderboards that were written before, given again as long as nothing is new that they would show.

A board is put together once after a write, and its pages are written from it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from scoring.analysis.table import ModelTable
from scoring.benchmarks.catalogue import Catalogue
from storage import board, board_marks, leaderboard
from storage.board import Board
from storage.board_draws import KeptDraws
from storage.board_marks import Mark
from storage.engine import Database
from storage.models import Model

from .gathering import Gathering

MAX_KEPT = 256
"""Pages of different questions that are kept."""

MAX_BOARDS = 8
"""Whole boards that are kept, of protocols and of all rows; as many are kept of times that are over."""

LONGEST_S = 10.0
"""Age at which one is written anew although no score is: what a model is called or how its runs stand may differ."""

UNSETTLED_S = 0.5
"""The same while something was written so lately that more may come to light behind it."""

KnownModels = Mapping[tuple[str, str], Model]

_Kept = TypeVar("_Kept")


@dataclass(frozen=True, kw_only=True)
class Written:
    """A page as it is sent, its entity tag, and the token of the next one."""

    body: bytes
    tag: str
    next_page_token: str | None = None


@dataclass(frozen=True, kw_only=True)
class Now:
    """What pages are as new as: the newest score and run, and the private benchmarks, which are hidden."""

    mark: Mark
    hidden: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Which:
    """A whole board: of a protocol, with a row for each model or for each set of options, now or at a time."""

    protocol: str
    all_rows: bool = False
    at: datetime | None = None


@dataclass
class _Place(Generic[_Kept]):
    """One question: its newest answer, and the lock of whoever makes the next."""

    making: threading.Lock
    kept: _Kept | None = None
    mark: Mark | None = None
    made_at: float = 0.0

    def fresh(self, mark: Mark, longest_s: float) -> _Kept | None:
        return self.kept if self._is_fresh(mark, longest_s) else None

    def _is_fresh(self, mark: Mark, longest_s: float) -> bool:
        if self.mark is None or not self.mark.is_as(mark):
            return False
        return time.monotonic() - self.made_at < (longest_s if self.mark.is_settled else UNSETTLED_S)


class _Shelf(Generic[_Kept]):
    """Answers by question. While one thread makes an answer, others take the last one, or wait for the first."""

    def __init__(self, max_kept: int) -> None:
        self._max_kept = max_kept
        self._places: OrderedDict[object, _Place[_Kept]] = OrderedDict()
        self._lock = threading.Lock()

    def get(
        self, question: object, make: Callable[[_Kept | None], _Kept], mark: Mark, *, longest_s: float, waits: bool
    ) -> _Kept:
        """The answer to a question; `make` gets the last one. Who `waits` takes none that is old."""
        place = self._place(question)
        if (found := place.fresh(mark, longest_s)) is not None:
            return found
        if not place.making.acquire(blocking=waits or place.kept is None):
            assert place.kept is not None, "otherwise the lock was waited for"
            return place.kept
        try:
            found = place.fresh(mark, longest_s)
            if found is None:
                found = place.kept = make(place.kept)
                place.mark, place.made_at = mark, time.monotonic()
            return found
        finally:
            place.making.release()

    def fresh(self, question: object, mark: Mark, *, longest_s: float) -> _Kept | None:
        """The answer to a question if there is one that holds; waits for nothing."""
        with self._lock:
            place = self._places.get(question)
            if place is not None:
                self._places.move_to_end(question)
        return None if place is None else place.fresh(mark, longest_s)

    def _place(self, question: object) -> _Place[_Kept]:
        with self._lock:
            place = self._places.setdefault(question, _Place(making=threading.Lock()))
            self._places.move_to_end(question)
            while len(self._places) > self._max_kept:
                self._places.popitem(last=False)
            return place


class BoardCache:
    """Pages by question, and the boards they are written from."""

    def __init__(self, database: Database, catalogue: Catalogue) -> None:
        self._database = database
        self._catalogue = catalogue
        self._pages: _Shelf[Written] = _Shelf(MAX_KEPT)
        self._boards: _Shelf[Board] = _Shelf(MAX_BOARDS)
        self._past: _Shelf[Board] = _Shelf(MAX_BOARDS)
        self._models: _Shelf[KnownModels] = _Shelf(MAX_BOARDS)
        self._tables: _Shelf[ModelTable] = _Shelf(MAX_BOARDS)
        self._now: Gathering[None, Now] = Gathering("board-marks", lambda _: {None: self.look()}, at_once=1)
        self.draws = KeptDraws()

    async def now(self) -> Now:
        """What pages that are asked for now have to be as new as."""
        found = await self._now.ask(None)
        assert found is not None, "the one question has an answer"
        return found

    def look(self) -> Now:
        """The same, from a thread that may wait."""
        with self._database.read() as session:
            mark = board_marks.read(session)
        return Now(mark=mark, hidden=self._catalogue.off_boards())

    def fresh(self, question: str, now: Now) -> Written | None:
        """The answer to a question if there is one that holds; waits for nothing."""
        return self._pages.fresh((question, now.hidden), now.mark, longest_s=LONGEST_S)

    def get(self, question: str, write: Callable[[], Written], now: Now) -> Written:
        """The answer to a question, from `write` where none is kept that still holds."""
        place = (question, now.hidden)
        return self._pages.get(place, lambda _: write(), now.mark, longest_s=LONGEST_S, waits=False)

    def board(self, which: Which, now: Now) -> Board:
        """The whole board as it is now, or as it was at a time: what is settled is not looked at again."""
        mark = now.mark if which.at is None else now.mark.until(which.at)

        def make(last: Board | None) -> Board:
            with self._database.read() as session:
                return board.load(session, which.protocol, all_rows=which.all_rows, at=which.at, last=last)

        boards = self._boards if which.at is None else self._past
        return boards.get(which, make, mark.of_scores(), longest_s=float("inf"), waits=True)

    def models(self, which: Which, shown: Board, now: Now) -> KnownModels:
        """What is known of the models on a board."""

        def make(_: KnownModels | None) -> KnownModels:
            with self._database.read() as session:
                return leaderboard.described(session, shown)

        return self._models.get(which, make, now.mark, longest_s=LONGEST_S, waits=True)

    def table(self, question: object, make: Callable[[], ModelTable], now: Now) -> ModelTable:
        """What analyses are over, from `make` where none is kept that still holds."""
        place = (question, now.hidden)
        return self._tables.get(place, lambda _: make(), now.mark, longest_s=LONGEST_S, waits=True)

    async def close(self) -> None:
        """Ends the thread that looks; nothing can be asked afterwards."""
        await self._now.close()
