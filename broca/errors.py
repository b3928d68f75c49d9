"""The error tree of the client. Every error has a stable code, a detail and, where one is known, a hint.

BrocaError
├── ServerUnreachable: server_unreachable
├── WaitTimedOut: wait_timed_out
├── AnswerNotUnderstood: answer_not_understood
├── FileUnusable: file_unusable
├── NotScored: why a benchmark has no score, computed in this process
├── PackageMissing: package_missing
└── Problem: what the server refused or could not do, with the server's own code
    ├── BadRequest: 4xx, the request has to change
    │   └── NotFound: 404
    └── ServerFailure: 5xx, the request may be right
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self


class BrocaError(Exception):
    """Something went wrong between here and a score; `status` is the HTTP status, None where there was no answer."""

    def __init__(
        self, detail: str, *, code: str = "internal", hint: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.hint = hint
        self.status = status

    def __str__(self) -> str:
        return f"{self.detail} ({self.hint})" if self.hint else self.detail


class ServerUnreachable(BrocaError):
    """No server answers at the address."""

    def __init__(self, detail: str, *, hint: str = "start one with `broca serve`, or set BROCA_URL to another") -> None:
        super().__init__(detail, code="server_unreachable", hint=hint)


class WaitTimedOut(BrocaError):
    """The job did not finish within the time given; it goes on."""

    def __init__(self, detail: str, *, hint: str | None = None) -> None:
        super().__init__(detail, code="wait_timed_out", hint=hint)


class AnswerNotUnderstood(BrocaError):
    """Whatever answers at the address does not speak Broca's contract."""

    def __init__(self, detail: str, *, status: int | None = None) -> None:
        hint = "is the address that of a Broca server, and as new as this client?"
        super().__init__(detail, code="answer_not_understood", hint=hint, status=status)


class FileUnusable(BrocaError):
    """A file on this machine is not there, or nothing says what it is."""

    def __init__(self, detail: str, *, hint: str | None = None) -> None:
        super().__init__(detail, code="file_unusable", hint=hint)


class PackageMissing(BrocaError):
    """Something needs a package that is not installed here; `extra` is what brings it."""

    def __init__(self, what: str, package: str, *, extra: str) -> None:
        hint = f'install it where broca is: pip install "broca[{extra}]"'
        super().__init__(f"{what} needs {package}, which is not installed", code="package_missing", hint=hint)


class NotScored(BrocaError):
    """A benchmark has no score in the end; `scores` are those of the others."""

    def __init__(self, detail: str, *, code: str, hint: str | None = None, scores: Sequence[Any] = ()) -> None:
        super().__init__(detail, code=code, hint=hint)
        self.scores = tuple(scores)


class Problem(BrocaError):
    """A problem document (RFC 9457) that the server answered with; `param` names the offending field."""

    def __init__(
        self,
        detail: str,
        *,
        code: str,
        status: int,
        hint: str | None = None,
        param: str | None = None,
        retryable: bool = False,
        request_id: str | None = None,
    ) -> None:
        super().__init__(detail, code=code, hint=hint, status=status)
        self.param = param
        self.retryable = retryable
        self.request_id = request_id

    @classmethod
    def from_document(cls, document: Mapping[str, Any], *, status: int) -> Self:
        """The problem that a document describes."""
        return cls(
            str(document.get("detail") or document.get("title") or f"the server answered {status}"),
            code=str(document.get("code") or "internal"),
            status=status,
            hint=document.get("hint"),
            param=document.get("param"),
            retryable=bool(document.get("retryable")),
            request_id=document.get("request_id"),
        )


class BadRequest(Problem):
    """The request has to change before it can succeed."""


class NotFound(BadRequest):
    """Nothing has this id or name."""


class ServerFailure(Problem):
    """The server failed or is busy; the request may be right."""


def problem_class(status: int) -> type[Problem]:
    """The class of problem that an HTTP status stands for."""
    if status == 404:
        return NotFound
    return BadRequest if status < 500 else ServerFailure
