"""Celery's filesystem broker, made to bear a process that is killed while it writes, or that is read meanwhile.

kombu's own transport leaves an empty file for a moment, and for good where the writer dies then; reading one ends the
whole worker. Here a message appears whole or not at all, and what cannot be read is passed over: it was only a bell.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps

TRANSPORT = f"{__name__}:Transport"


class Channel(filesystem.Channel):  # type: ignore[misc]
    """Messages as files that are whole, and tables of queues that are made anew when they are damaged."""

    def get_table(self, exchange: str) -> Any:
        """The queues of an exchange; none where its file cannot be read."""
        try:
            return super().get_table(exchange)
        except ValueError:
            return []

    def _put(self, queue: str, payload: Any, **_: Any) -> None:
        name = f"{time.monotonic_ns() // 1_000_000}_{uuid.uuid4()}.{queue}.msg"
        unfinished = Path(self.data_folder_out) / f"{name}.unfinished"
        unfinished.write_text(dumps(payload), encoding="utf8")
        unfinished.rename(unfinished.with_name(name))

    def _get(self, queue: str) -> Any:
        try:
            return super()._get(queue)
        except ValueError as error:
            raise Empty from error

    def _queue_bind(self, exchange: str, *queue: str) -> None:
        try:
            super()._queue_bind(exchange, *queue)
        except ValueError:
            self._exchange_file(exchange).unlink(missing_ok=True)
            super()._queue_bind(exchange, *queue)


class Transport(filesystem.Transport):  # type: ignore[misc]
    """The transport with these channels."""

    Channel = Channel
    connection_errors = (*filesystem.Transport.connection_errors, ValueError)
