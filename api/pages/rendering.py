"""From a template to an answer: the environment, the headers that every page has, and who is given pages at all."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request, Response

from ..conditional import entity_tag, is_known
from . import addresses, formats
from .assets import assets

TEMPLATES = Path(__file__).parent / "templates"
MEDIA_TYPE = "text/html; charset=utf-8"

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing from elsewhere, nothing inline."""

HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "Vary": "Accept, Accept-Encoding, Authorization",
}
"""Of every page. Without a referrer browsers would send forms with `Origin: null`, and `forms` would refuse them."""

SMALLEST_PACKED = 1024
PACKING_LEVEL = 5

TAKES_FORMS = re.compile(r"/submit|/data|/jobs/[^/]+")
"""Addresses of pages whose forms write."""

NAVIGATION = (
    ("/", "Leaderboard"),
    ("/pairs", "Pairs"),
    ("/scatter", "Scatter"),
    ("/findings", "Findings"),
    ("/benchmarks", "Benchmarks"),
    ("/data", "Your data"),
    ("/jobs", "Jobs"),
    ("/submit", "Submit"),
)

FILTERS = ("number", "plus", "significant", "size", "n_bytes", "when", "duration", "told", "words")
"""Of `formats`, in templates."""


def methods_of(path: str) -> str:
    """The methods that a page's address knows."""
    return "GET, POST" if TAKES_FORMS.fullmatch(path) else "GET"


def wants_page(request: Request) -> bool:
    """Whether an error is to be told as a page: to a browser, and outside of the API."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")


def render(template: str, context: Mapping[str, Any]) -> bytes:
    """A template with what it needs, as it is sent."""
    return _environment().get_template(template).render(context).encode()


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """A page made anew; where the client has it already, 304."""
    return page_answer(request, render(template, context), status=status)


def page_answer(
    request: Request, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A page that was made, as this client takes it."""
    sent = {**HEADERS, **(headers or {})}
    if status == 200:
        sent["ETag"] = entity_tag(body)
        if is_known(request, sent["ETag"]):
            return Response(status_code=304, headers=sent)
    if len(body) >= SMALLEST_PACKED and "gzip" in request.headers.get("accept-encoding", ""):
        body, sent["Content-Encoding"] = gzip.compress(body, PACKING_LEVEL, mtime=0), "gzip"
    return Response(body, status_code=status, headers=sent, media_type=MEDIA_TYPE)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals.update(
        navigation=NAVIGATION, asset={name: asset.path for name, asset in assets().items()}, address=addresses
    )
    for name in FILTERS:
        environment.filters[name] = getattr(formats, name)
    return environment
