"""How far a download is: the client's progress bars, made silent, and its bytes as a fraction."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from huggingface_hub.utils.tqdm import tqdm

from ..errors import HubUnavailable

MARGIN_BYTES = 1 << 20
"""What may come beyond the listed bytes before a download is broken off: blocks that were sent twice."""

OnProgress = Callable[[float, str], None]
"""Told how far things are, from 0 to 1 and never backwards, and in a few words what is going on."""


def reporter(n_total: int, on_progress: OnProgress) -> Callable[[int], None]:
    """A function that takes the bytes that have come and passes on each half per cent, from any thread."""
    lock, reported = Lock(), 0

    def report(n_bytes: int) -> None:
        nonlocal reported
        with lock:
            if n_bytes - reported >= max(1, n_total // 200):
                reported = n_bytes
                on_progress(min(1.0, n_bytes / n_total), f"{n_bytes / 1e6:.1f} of {n_total / 1e6:.1f} MB")

    return report


def bounded(n_total: int, report: Callable[[int], None]) -> Callable[[int], None]:
    """`report`, which raises HubUnavailable once more bytes have come than files of `n_total` bytes can have."""

    def count(n_bytes: int) -> None:
        if n_bytes > n_total + MARGIN_BYTES:
            raise HubUnavailable(
                f"the hub sent more than the {n_total} bytes that it lists", hint="what came of it was removed"
            )
        report(n_bytes)

    return count


def silent_bar(report: Callable[[int], None]) -> type[tqdm]:
    """A progress bar class for the client that draws nothing and reports the bytes that it counts.

    The client keeps one bar of bytes received and one of bytes written; the one that is ahead counts.
    """

    class SilentBar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self.counts_bytes = kwargs.get("unit") == "B"
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            if self.counts_bytes:
                report(int(self.n))

    return SilentBar
