"""Bells that nobody hears do not pile up, on either broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.queue import MAX_WAITING, Bell, QueueSettings, bell_of, make_app


@pytest.fixture(params=["files", "redis"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[QueueSettings]:
    broker_url = request.getfixturevalue("redis_url") if request.param == "redis" else None
    return QueueSettings(data_dir=tmp_path, broker_url=broker_url)


def n_waiting(settings: QueueSettings, device_class: str) -> int:
    with make_app(settings) as app, app.connection_for_read() as connection:
        return int(connection.default_channel.queue_declare(queue=bell_of(device_class)).message_count)


def heard(settings: QueueSettings, device_class: str) -> None:
    with make_app(settings) as app, app.connection_for_write() as connection:
        connection.default_channel.queue_purge(bell_of(device_class))


def ring(settings: QueueSettings, n_times: int, device_class: str) -> str:
    bell = Bell(settings)
    for number in range(n_times):
        bell.ring(f"job_{number}", device_class=device_class)
    bell.close()
    return bell.state


def test_bells_that_nobody_hears_are_so_many_at_the_most(settings: QueueSettings) -> None:
    assert ring(settings, MAX_WAITING + 50, "gpu") == "ok"
    assert n_waiting(settings, "gpu") == MAX_WAITING
    assert ring(settings, 1, "cpu") == "ok"
    assert n_waiting(settings, "cpu") == 1, "each queue has its own"


def test_they_ring_again_once_somebody_hears_them(settings: QueueSettings) -> None:
    ring(settings, MAX_WAITING + 1, "gpu")
    heard(settings, "gpu")
    assert ring(settings, 1, "gpu") == "ok"
    assert n_waiting(settings, "gpu") == 1
