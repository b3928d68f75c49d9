"""Keeps the leaderboard ready: after a change it is put together before the next reader asks for it."""

from __future__ import annotations

import logging
import threading
import time

from starlette.datastructures import State

from storage.board_marks import Mark
from storage.errors import DatabaseUnavailable

from .board_cache import BoardCache
from .pages import board

LOOK_S = 5.0
"""Seconds from one look at what is new to the next, at least."""

REST = 9
"""How many times the processor time of the last look the next one waits: a great board costs a tenth of a processor."""

FIRST_S = 5.0
"""Longest that a server waits with its first answer until the board is ready."""

_log = logging.getLogger(__name__)


class BoardKeeper:
    """A thread that writes the board's first page and ranks by each of its columns, at the start and after changes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._mark: Mark | None = None
        self._first = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="board-keeper", daemon=True)

    def start(self) -> None:
        """Begin, and come back when the board is ready, or when that takes too long."""
        self._thread.start()
        self._first.wait(FIRST_S)

    def stop(self) -> None:
        """End; what is being written is given a moment."""
        self._stopping.set()
        self._thread.join(timeout=LOOK_S)

    def look(self) -> None:
        """Make the board ready if it is another one than at the last look."""
        boards: BoardCache = self._state.boards
        now = boards.look()
        if self._mark is None or not self._mark.is_as(now.mark) or not self._mark.is_settled:
            board.write_ahead(self._state, now)
            self._mark = now.mark

    def _keep(self) -> None:
        while not self._stopping.is_set():
            began = time.thread_time()
            try:
                self.look()
            except DatabaseUnavailable:
                pass
            except Exception:
                _log.exception("the leaderboard could not be made ready")
            self._first.set()
            self._stopping.wait(rest_s(time.thread_time() - began))


def rest_s(processor_s: float) -> float:
    """Seconds until the next look after one that took so much processor time; waiting for a database is none."""
    return max(LOOK_S, REST * processor_s)
