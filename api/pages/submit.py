"""The form that asks for scores: checked before anything is written, with what is wrong beside its field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from scoring.errors import CodedError
from scoring.protocols import PROTOCOLS

from ..preflight import preflight
from ..preflight_schemas import Preflight
from ..requests import JobRequest, SubmitQuery
from ..routes import jobs as api
from ..security import CallerDependency
from . import addresses
from .forms import form_fields, require_own_form
from .queries import Refusal, invalid, refusal_of
from .rendering import page

PATH = "/submit"
CHOICES: Mapping[str, Sequence[str]] = {
    "dtype": ("auto", "float32", "bfloat16"),
    "pooling": ("last", "mean"),
    "prompt_format": ("plain", "chat"),
    "surprisal": ("auto", "pseudo-log-likelihood"),
}
FREE_OPTIONS = ("context", "adapter")
SWITCHES = ("force", "private")
DEVICES = ("cpu", "gpu")
SHOWN_BESIDE = frozenset(
    {"model", "revision", "benchmarks", "protocol", "priority", "device_class", *CHOICES, *FREE_OPTIONS}
)
"""Fields that have a place for what is wrong with them."""

_INDEX = re.compile(r"\[\d+\]")

Fields = Mapping[str, Sequence[str]]

router = APIRouter(include_in_schema=False)


@router.get(PATH)
def submit_page(request: Request) -> Response:
    """The form; `model`, `protocol` and `benchmarks` in the address fill it in."""
    fields: dict[str, list[str]] = {}
    for name, text in request.query_params.multi_items():
        fields.setdefault(name, []).extend(text.split(",") if name == "benchmarks" else [text])
    return page(request, "submit.html", **_context(request.app.state, fields))


@router.post(PATH)
async def submit_form(request: Request, caller: CallerDependency) -> Response:
    """Says what would come of it, or submits it and leads to the job's page."""
    require_own_form(request)
    fields = await form_fields(request)
    try:
        asked = _asked(fields)
        if _one(fields, "action") == "check":
            state = request.app.state
            found = await run_in_threadpool(preflight, asked, state.settings, state.database, state.looker)
            context = _context(state, fields, found=found)
            return await run_in_threadpool(page, request, "submit.html", **context)
        done = await api.submit(asked, SubmitQuery(), request, caller)
    except CodedError as error:
        refusal = _of_form(refusal_of(error))
        context = _context(request.app.state, fields, refusal=refusal)
        return await run_in_threadpool(page, request, "submit.html", status=refusal.status, **context)
    job_id = done.headers["Location"].rpartition("/")[2]
    return RedirectResponse(addresses.job(job_id), status_code=303)


def _asked(fields: Fields) -> JobRequest:
    """The request that a form stands for; raises RequestInvalid."""
    options = {name: text for name in (*CHOICES, *FREE_OPTIONS) if (text := _one(fields, name))}
    body: dict[str, Any] = {
        "model": {"id": _one(fields, "model"), "revision": _one(fields, "revision") or None},
        "benchmarks": list(fields.get("benchmarks", ())),
        "protocol": _one(fields, "protocol") or "grouped",
        "options": options,
        "device_class": _one(fields, "device_class") or None,
        **{name: bool(_one(fields, name)) for name in SWITCHES},
    }
    if priority := _one(fields, "priority"):
        body["priority"] = int(priority) if priority.isascii() and priority.isdecimal() else priority
    try:
        return JobRequest.model_validate(body)
    except ValidationError as error:
        raise invalid(error, JobRequest) from error


def _of_form(refusal: Refusal) -> Refusal:
    """The refusal with the name of the form's field: `options.dtype` is its `dtype`, `benchmarks[0]` its list."""
    param = _INDEX.sub("", refusal.param or "")
    param = param.removeprefix("options.").removeprefix("model.")
    return replace(refusal, param={"id": "model"}.get(param, param))


def _one(fields: Fields, name: str) -> str:
    return (fields.get(name) or [""])[-1].strip()


def _context(
    state: State, fields: Fields, *, refusal: Refusal | None = None, found: Preflight | None = None
) -> dict[str, Any]:
    catalogue = state.settings.catalogue
    chosen = list(fields.get("benchmarks", ()))
    names = catalogue.names()
    return {
        "active": PATH,
        "fields": {name: _one(fields, name) for name in fields},
        "chosen": chosen,
        "refusal": refusal,
        "is_beside": refusal is not None and refusal.param in SHOWN_BESIDE,
        "preflight": found,
        "protocols": [(name, protocol.summary) for name, protocol in PROTOCOLS.items()],
        "benchmarks": [*names, *(name for name in chosen if name not in names)],
        "choices": CHOICES,
        "devices": DEVICES,
    }
