"""The address of a list's next page, as a Link header (RFC 8288)."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import Request, Response


def link_next(request: Request, response: Response, page_token: str | None) -> None:
    """Lets the answer name its next page: the request's own parameters with another token; nothing on the last page."""
    if page_token is None:
        return
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "page_token"]
    query = urlencode([*kept, ("page_token", page_token)])
    response.headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
