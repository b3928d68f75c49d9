"""What is on record: the events of a job so far, where a score comes from, which science made it."""

from __future__ import annotations

from .answers import parse, segment
from .calls import Mode, Tied, call, series
from .jobs import Event, events_since
from .records import Provenance, ServiceVersion
from .steps import Found, Plan, Series, get


class RecordCalls(Tied[Mode]):
    """The methods of a client that are about what is on record."""

    @series
    def past_events(self, job_id: str, *, after: int = 0) -> Series[Event]:
        """What happened to a job so far, oldest first, since event number `after`; `events` goes on to its end."""
        while found := (yield from events_since(job_id, after)):
            for event in found:
                yield Found(event)
            after = found[-1].seq

    @call
    def provenance(self, score_id: str) -> Plan[Provenance]:
        """What identifies a score, and the conditions it was computed under."""
        return parse(Provenance, (yield from get(f"/v1/scores/{segment(score_id)}/provenance")))

    @call
    def service_version(self) -> Plan[ServiceVersion]:
        """The version of the server and of its science."""
        return parse(ServiceVersion, (yield from get("/v1/version")))
