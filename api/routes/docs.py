"""The reference at /docs: one page made from the OpenAPI document and the error codes, without scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from ..errors import error_codes

STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;overflow-wrap:anywhere;"
    "background:light-dark(#fff,#12181e);color:light-dark(#222,#e3e8ec)}"
    "a{color:light-dark(#0b5c6b,#6cc7d8)}:focus-visible{outline:3px solid;outline-offset:2px}"
    "code{background:light-dark(#f3f3f3,#1a222a);padding:.1em .3em}"
    "pre{white-space:pre-wrap}pre code{display:block;padding:.6em}"
    "h2{margin-top:2.5rem;font-size:1.1rem}"
    "table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}"
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'"

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Every endpoint with its parameters, and every error code with its sentence."""
    return HTMLResponse(reference(request.app.openapi()), headers={"Content-Security-Policy": POLICY})


def reference(document: dict[str, Any]) -> str:
    """The OpenAPI document as a page for people."""
    calls = "".join(
        _call(method.upper(), path, operation, _body(document, operation))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    )
    codes = _table((f"<code>{escape(code)}</code>", _text(sentence)) for code, sentence in error_codes().items())
    title = f"{escape(document['info']['title'])} {escape(document['info']['version'])}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<h1>{title}</h1><p>{escape(document['info'].get('summary', ''))} The same as a document for programs: "
        f'<a href="/openapi.json">/openapi.json</a>.</p>{calls}<h2 id="errors">Error codes</h2>{codes}</html>'
    )


def _call(method: str, path: str, operation: dict[str, Any], body: str) -> str:
    parameters = _table(
        (f"<code>{escape(parameter['name'])}</code>", _text(_about(parameter)))
        for parameter in operation.get("parameters", ())
    )
    description = _text(operation.get("description", ""))
    return f"<h2><code>{method} {escape(path)}</code></h2><p>{description}</p>{body}{parameters}"


def _body(document: dict[str, Any], operation: dict[str, Any]) -> str:
    """What is to be sent: the first example of a JSON body, the media types of a file, or nothing."""
    kinds = operation.get("requestBody", {}).get("content", {})
    if not kinds:
        return ""
    if "application/json" not in kinds:
        return f"<p>{_text('Takes a file as its body: ' + ', '.join(f'`{kind}`' for kind in kinds))}.</p>"
    name = kinds["application/json"]["schema"]["$ref"].rpartition("/")[2]
    example = json.dumps(document["components"]["schemas"][name]["examples"][0], indent=2)
    return f"<p>Takes a JSON body, such as</p><pre><code>{escape(example)}</code></pre>"


def _text(markdown: str) -> str:
    """A sentence in which backticks mark code, as HTML."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(markdown))


def _about(parameter: dict[str, Any]) -> str:
    default = parameter.get("schema", {}).get("default")
    about = parameter.get("description") or f"In the {parameter['in']}."
    return about if default is None else f"{about} Default: {default}."


def _table(rows: Iterable[tuple[str, str]]) -> str:
    return f"<table>{''.join(f'<tr><td>{name}</td><td>{text}</td></tr>' for name, text in rows)}</table>"
