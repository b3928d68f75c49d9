"""Pieces of a fit side by side: on a CPU each piece has one thread to itself, on a GPU they go one after the other.

Many small products on a thread each do not wait for one another, as they would with all threads on every product.
What belongs here: threads and devices. What does not: what is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch
from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Found = TypeVar("Found")


class Crew(Protocol):
    """Does a piece of work for every item and answers in the order of the items."""

    def __call__(self, work: Callable[[Item], Found], items: Sequence[Item]) -> Iterator[Found]:
        """What `work` gives for each item, as they are done. Raises what the first piece that fails raises."""


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
