"""Pieces of a fit side by side: on a CPU each piece has one thread to itself, on a GPU they go one after the other.

Many small products on a thread each do not wait for one another, as they would with all threads on every product.
What belongs here: threads and devices. What does not: what is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

import torch
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Ready = TypeVar("Ready")
Found = TypeVar("Found")


class Crew(Protocol):
    """Does a piece of work for every item and answers in the order of the items."""

    def __call__(self, work: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
        """What `work` gives for each item, as they are done. Raises what the first piece that fails raises."""


class _Prepared(Generic[Ready]):
    """What is made by the first who asks for it."""

    def __init__(self, prepare: Callable[[], Ready]) -> None:
        self._prepare = prepare
        self._lock = Lock()
        self._made: list[Ready] = []

    def get(self) -> Ready:
        """The same for all who ask; they wait for the first."""
        with self._lock:
            if not self._made:
                self._made.append(self._prepare())
            return self._made[0]

    def warm(self) -> None:
        """Make it, for who asks later."""
        self.get()

    def given_to(self, piece: Callable[[Ready], Found]) -> Found:
        """What a piece makes of it."""
        return piece(self.get())


def ahead(
    crew: Crew,
    items: Sequence[Item],
    prepare: Callable[[Item], Ready],
    pieces: Callable[[Item], Sequence[Callable[[Ready], Found]]],
) -> Iterator[list[Found]]:
    """For each item what its pieces give, each called with what is prepared once for all pieces of the item.

    The next item is prepared beside the pieces of one, so that more threads than an item has pieces run further ahead;
    an item is forgotten after its last piece. Raises what the first that fails raises.
    """
    if not items:
        return
    wanted = [pieces(item) for item in items]

    def works() -> Iterator[Callable[[], Any]]:
        prepared = [_Prepared(partial(prepare, item)) for item in reversed(items)]
        yield prepared[-1].warm
        for of_item in wanted:
            current = prepared.pop()
            yield prepared[-1].warm if prepared else current.warm
            for piece in of_item:
                yield partial(current.given_to, piece)

    found = crew(_call, works())
    next(found)
    for of_item in wanted:
        next(found)
        yield [next(found) for _ in of_item]


def _call(work: Callable[[], Found]) -> Found:
    return work()


SMALL = 2**20
"""Below so many responses in a part a fit is too small to share its pieces among threads; whole fits are shared."""


def side_by_side(work: Callable[[Item], Found], items: Sequence[Item], *, n_responses: int) -> list[Found]:
    """What `work` gives for each item: several at one time, each on one thread, where single ones are small.

    `n_responses` is the number of responses that one fit has. Raises what the first item that fails raises.
    """
    n_threads = torch.get_num_threads()
    if n_responses > SMALL or min(n_threads, len(items)) < 2:
        return [work(item) for item in items]
    pool = ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        with threadpool_limits(1, user_api="blas"):
            return list(pool.map(work, items))
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(n_threads)


@contextmanager
def crew_for(device: torch.device) -> Iterator[Crew]:
    """A crew with as many threads as torch has in the caller's thread; inference mode holds in each.

    On a GPU products keep all digits of float32 for as long as the crew is there.
    """
    n_threads = torch.get_num_threads() if device.type == "cpu" else 1
    if n_threads == 1:
        with _all_digits(device), torch.inference_mode():
            yield lambda work, items: map(work, items)
        return
    pool = ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        with torch.inference_mode():
            yield lambda work, items: pool.map(torch.inference_mode()(work), items)
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(n_threads)


@contextmanager
def _all_digits(device: torch.device) -> Iterator[None]:
    if device.type != "cuda":
        yield
        return
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
