"""Entity tags (RFC 9110): an answer that has not changed since the client last asked is not sent again."""

from __future__ import annotations

import hashlib
from typing import Any

from fastapi import Request, Response

IF_NONE_MATCH = "if-none-match"

UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Nothing has changed since the client asked."}}
"""What the description of an endpoint says of it."""


def entity_tag(*parts: str | bytes) -> str:
    """The weak tag of a representation that follows from these parts alone."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return f'W/"{digest.hexdigest()[:24]}"'


def is_known(request: Request, tag: str) -> bool:
    """Whether the client says in If-None-Match that it has what this tag stands for."""
    sent = request.headers.get(IF_NONE_MATCH)
    if sent is None:
        return False
    opaque = tag.removeprefix("W/")
    return any(part.strip().removeprefix("W/") in (opaque, "*") for part in sent.split(","))


def not_modified(tag: str, *, vary: str | None = None) -> Response:
    """The answer to a client that has it already."""
    return Response(status_code=304, headers={"ETag": tag} if vary is None else {"ETag": tag, "Vary": vary})


def tagged(request: Request, answer: Response) -> Response:
    """The answer with a tag of its bytes, or 304 where the client has them: this saves sending, not computing."""
    tag = entity_tag(bytes(answer.body))
    if is_known(request, tag):
        return not_modified(tag, vary=answer.headers.get("Vary"))
    answer.headers["ETag"] = tag
    return answer
