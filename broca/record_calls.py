"""What is on record: the events of a job so far, where a score comes from, which science made it."""

from __future__ import annotations

from collections.abc import Iterator

from .answers import pages, parse, segment
from .connection import Connection
from .records import Provenance, ServiceVersion
from .results import Event


class RecordCalls:
    """The methods of a client that are about what is on record."""

    _connection: Connection

    def past_events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """What happened to a job so far, oldest first, since event number `after`; `events` goes on to its end."""
        while True:
            found = list(pages(self._connection, Event, f"/v1/jobs/{segment(job_id)}/events", {"after": after}))
            if not found:
                return
            yield from found
            after = found[-1].seq

    def provenance(self, score_id: str) -> Provenance:
        """What identifies a score, and the conditions it was computed under."""
        return parse(Provenance, self._connection.get(f"/v1/scores/{segment(score_id)}/provenance"))

    def service_version(self) -> ServiceVersion:
        """The version of the server and of its science."""
        return parse(ServiceVersion, self._connection.get("/v1/version"))
