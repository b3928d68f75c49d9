"""What a shell offers when TAB is pressed. Nothing here loads the science, and nothing fails: no answer is no offer.

Benchmarks and protocols are read off the installed package. Models, jobs and data sets of one's own are asked of the
server, which has a second for an answer; a server that is away is passed over in silence.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import islice
from threading import Thread

from ..client import Client

PATIENCE_S = 1.0
"""How long a server may take: somebody waits with a finger on the key."""

KINDS_OF_ANALYSES = ("correlate", "paired", "mixed", "layers", "consistency", "trajectory")

STATUSES = ("queued", "running", "succeeded", "partially_succeeded", "failed", "cancelled")

LONGEST_S = 2.0
"""How long all that is asked may take together."""

MOST = 100
"""Offers beyond these would scroll by."""

OF_OUR_OWN = ("demo/tiny",)
"""Models that every server has."""


def protocols(incomplete: str) -> list[str]:
    """The protocols that begin so, those of published numbers among them."""
    from scoring.protocols import PROTOCOLS
    from scoring.published.paper import PROTOCOL

    return _beginning(incomplete, [*PROTOCOLS, PROTOCOL])


def benchmarks(incomplete: str) -> list[str]:
    """The benchmarks that begin so; those of one's own are asked of the server, where `own/` is typed."""
    from scoring.registry import Shelf, names

    known = names(Shelf.BENCHMARKS)
    if not incomplete.startswith("own"):
        return _beginning(incomplete, known)
    return _beginning(incomplete, _asked(lambda client: (one.id for one in client.benchmarks())))


def benchmark_lists(incomplete: str) -> list[str]:
    """Lists with commas between them, whose last name is completed."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in benchmarks(last) if name not in before.split(",")]


def models(incomplete: str) -> list[str]:
    """The models that the server has met and that begin so."""
    return _beginning(incomplete, {*OF_OUR_OWN, *_asked(lambda client: (one.id for one in client.models()))})


def jobs(incomplete: str) -> list[str]:
    """The newest jobs whose ids begin so."""
    return _beginning(incomplete, _asked(lambda client: (one.id for one in client.jobs(page_size=MOST))))


def scores(incomplete: str) -> list[str]:
    """The scores of the newest jobs whose ids begin so."""
    return _beginning(
        incomplete,
        _asked(lambda client: (run.score for job in client.jobs(page_size=MOST) for run in job.runs if run.score)),
    )


def statuses(incomplete: str) -> list[str]:
    """The statuses of jobs that begin so."""
    return _beginning(incomplete, STATUSES)


def data_sets(incomplete: str) -> list[str]:
    """The published data sets that begin so."""
    from scoring.datasets.manifest import datasets

    return _beginning(incomplete, datasets())


def analyses(incomplete: str) -> list[str]:
    """The kinds of analyses that begin so."""
    return _beginning(incomplete, KINDS_OF_ANALYSES)


def _beginning(incomplete: str, known: Iterable[str]) -> list[str]:
    return sorted({name for name in known if name.startswith(incomplete)})


def _asked(ask: Callable[[Client], Iterable[str]]) -> list[str]:
    """What a server answers, the first of it; nothing where none does, is too slow, or wants a key that is not here."""
    found: list[str] = []

    def look() -> None:
        # whatever goes wrong, whoever types must not read of it in the middle of a line
        with suppress(Exception), Client(os.environ.get("BROCA_URL"), timeout_s=PATIENCE_S) as client:
            found.extend(islice(ask(client), MOST))

    asking = Thread(target=look, daemon=True)
    asking.start()
    asking.join(LONGEST_S)
    return list(found)
