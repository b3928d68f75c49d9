"""Drawing for the web process: in one child process, which is started when a chart is wanted and ends when none is.

The child holds a JavaScript engine, which this process never loads: 150 to 250 MB while charts are drawn, and a call
into it lets no other thread of its process run. The child gets no secret, and is killed when a drawing takes too long.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections import OrderedDict
from typing import Any

from charts import CHARTS_VERSION
from charts.order import Order
from scoring.child_environment import without_secrets

from .errors import ChartBusy, ChartUnavailable

MODULE = "charts"

MEMORY_BYTES = 256 << 20
"""What the child holds at the most, as measured with the largest charts; nothing enforces it."""

N_WAITING = 12
"""Requests that may be at a drawing or wait for theirs; more are told to come again. A browser asks a server for six
pictures at once and does not come again: so many are two of them."""

TIMEOUT_S = 60.0
"""How long one drawing may take, the start of the child included."""

IDLE_S = 60.0
"""How long the child waits for the next order."""

N_DRAWINGS = 500
"""After so many another child begins, whatever the last one has gathered."""

N_REMEMBERED = 128
MAX_REMEMBERED_BYTES = 1 << 20
"""Charts that are kept, and the largest one that is."""


def key_of(order: Order) -> str:
    """What an order is known by: all that its chart follows from."""
    text = json.dumps([CHARTS_VERSION, order], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class Artist:
    """Draws charts. Safe to use from many threads; they take turns."""

    def __init__(self) -> None:
        self._turns = threading.BoundedSemaphore(N_WAITING)
        self._drawing = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._n_drawings = 0
        self._idle: threading.Timer | None = None
        self._remembering = threading.Lock()
        self._known: OrderedDict[str, bytes] = OrderedDict()

    def draw(self, order: Order) -> bytes:
        """The chart of an order. Raises ChartUnavailable, and ChartBusy where it would take too long."""
        key = key_of(order)
        known = self._remembered(key)
        if known is not None:
            return known
        if not self._turns.acquire(blocking=False):
            raise ChartBusy("other charts are being drawn", hint="ask again in a moment")
        try:
            with self._drawing:
                known = self._remembered(key)
                if known is None:
                    known = self._drawn(order)
                    self._remember(key, known)
                return known
        finally:
            self._turns.release()

    def close(self) -> None:
        """End the child, if there is one."""
        with self._drawing:
            self._end()

    def _drawn(self, order: Order) -> bytes:
        if self._idle is not None:
            self._idle.cancel()
        child = self._running()
        deadline = threading.Timer(TIMEOUT_S, child.kill)
        deadline.daemon = True
        deadline.start()
        try:
            head, data = _ask(child, order)
        except (OSError, ValueError) as error:
            self._end()
            raise ChartBusy("the chart was not drawn in time", hint="ask again in a moment") from error
        finally:
            deadline.cancel()
        self._wait_for_more()
        if head["status"] == "unavailable":
            raise ChartUnavailable(head["detail"], hint=head["hint"])
        if head["status"] != "drawn":
            raise RuntimeError(f"a chart could not be drawn: {head['detail']}")
        return data

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is not None and (self._child.poll() is not None or self._n_drawings >= N_DRAWINGS):
            self._end()
        if self._child is None:
            command = [sys.executable, "-m", MODULE]
            pipe = subprocess.PIPE
            self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=without_secrets())
            self._n_drawings = 0
        self._n_drawings += 1
        return self._child

    def _wait_for_more(self) -> None:
        self._idle = threading.Timer(IDLE_S, self.close)
        self._idle.daemon = True
        self._idle.start()

    def _end(self) -> None:
        child, self._child = self._child, None
        if self._idle is not None:
            self._idle.cancel()
        if child is not None:
            child.kill()
            child.communicate()

    def _remembered(self, key: str) -> bytes | None:
        with self._remembering:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def _remember(self, key: str, data: bytes) -> None:
        if len(data) > MAX_REMEMBERED_BYTES:
            return
        with self._remembering:
            self._known[key] = data
            while len(self._known) > N_REMEMBERED:
                self._known.popitem(last=False)


def _ask(child: subprocess.Popen[bytes], order: Order) -> tuple[dict[str, Any], bytes]:
    """The head and the bytes of an answer; raises OSError or ValueError where the child is gone."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps(order).encode() + b"\n")
    child.stdin.flush()
    head = json.loads(child.stdout.readline())
    n_bytes = head.get("n_bytes", 0)
    data = child.stdout.read(n_bytes)
    if len(data) < n_bytes:
        raise ValueError("the answer was cut off")
    return head, data
