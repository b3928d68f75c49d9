"""What a client asks about studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .answers import everything, parse, segment
from .calls import Mode, Tied, call
from .steps import Plan, get, post
from .studies import ListedStudy, Study
from .tables import Listed


class StudyCalls(Tied[Mode]):
    """The methods of a client that are about studies."""

    @call
    def run_study(
        self,
        study: str | Mapping[str, Any],
        *,
        protocol: str | None = None,
        benchmarks: Sequence[str] | None = None,
        replace: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Plan[Study]:
        """Submit a study that comes with the server, by its name, or a definition of one; it comes back at once.

        `replace` names models that stand in for others of the study, by their ids. The same request with the same
        `idempotency_key` within a day brings back the same study.
        """
        body = {
            "study": study if isinstance(study, str) else dict(study),
            "protocol": protocol,
            "benchmarks": None if benchmarks is None else list(benchmarks),
            "replace": dict(replace or {}),
        }
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return parse(Study, (yield from post("/v1/studies", body, headers=headers)))

    @call
    def study(self, study_id: str) -> Plan[Study]:
        """The study as it stands."""
        return parse(Study, (yield from get(f"/v1/studies/{segment(study_id)}")))

    @call
    def studies(self) -> Plan[Listed[ListedStudy]]:
        """Every study that was submitted, newest first."""
        return (yield from everything(ListedStudy, "/v1/studies"))
