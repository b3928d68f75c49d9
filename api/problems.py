"""Every error as `application/problem+json` (RFC 9457). A refused name may be quoted, short; a body never is.

A browser that asks for a page is told the same by a page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from scoring.errors import CodedError, OptionUnknown

from .errors import (
    ApiError,
    BodyMalformed,
    BodyTooLarge,
    MediaTypeUnsupported,
    MethodNotAllowed,
    RequestInvalid,
    RequestTimedOut,
    RouteNotFound,
    error_codes,
)
from .misfits import misfit_of_request
from .pages.rendering import methods_of, page_answer, render, wants_page

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5

STATUS_BY_CODE: Mapping[str, int] = {
    "job_not_found": 404,
    "job_not_yours": 403,
    "job_not_retryable": 409,
    "run_not_found": 404,
    "score_not_found": 404,
    "unit_table_not_found": 404,
    "word_table_not_found": 404,
    "analysis_not_found": 404,
    "model_unknown": 404,
    "study_not_found": 404,
    "model_exists": 409,
    "insufficient_storage": 507,
    "quota_exceeded": 507,
    "too_many_jobs": 429,
    "database_unavailable": 503,
    "internal": 500,
}
"""Statuses of errors from below that are not the usual 422."""

_PARAMETER = re.compile(r"{\w+}")


class Problem(BaseModel):
    """What went wrong. `code` is stable, `param` names the field, `hint` says what to do about it."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    type: str = Field(description="`urn:broca:error:` and the code.")
    title: str = Field(description="The code's sentence.")
    status: int | None = Field(description="The HTTP status; null in the error of a job or run.")
    code: str
    param: str | None = Field(description="Dotted name of the field or parameter that is to blame.")
    detail: str | None
    hint: str | None
    retryable: bool = Field(description="Whether the same request may succeed later.")
    request_id: str | None


def make_problem(
    code: str,
    *,
    detail: str | None,
    status: int | None = None,
    param: str | None = None,
    hint: str | None = None,
    retryable: bool = False,
    request_id: str | None = None,
) -> Problem:
    """The problem of this code, with its sentence for a title."""
    return Problem(
        type=f"urn:broca:error:{code}",
        title=error_codes().get(code, code),
        status=status,
        code=code,
        param=param,
        detail=detail,
        hint=hint,
        retryable=retryable,
        request_id=request_id,
    )


def problem_response(request: Request, error: CodedError, *, status: int, headers: Mapping[str, str]) -> Response:
    """The error as an answer to this request."""
    request_id = getattr(request.state, "request_id", None)
    problem = make_problem(
        error.code,
        detail=error.detail,
        status=status,
        param=error.param,
        hint=error.hint,
        retryable=error.retryable,
        request_id=request_id,
    )
    sent = dict(headers)
    if request_id is not None:
        sent["X-Request-ID"] = request_id
    if status in (429, 503):
        sent.setdefault("Retry-After", str(RETRY_AFTER_S))
    if wants_page(request):
        return page_answer(request, render("problem.html", {"problem": problem}), status=status, headers=sent)
    return Response(problem.model_dump_json(), status_code=status, headers=sent, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Lets every error of the app be answered by a problem."""
    app.add_exception_handler(CodedError, _on_known)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unexpected)


def answer_to(request: Request, error: CodedError) -> Response:
    """The answer to a request that raised an error of ours."""
    return problem_response(request, error, status=answer_status(error), headers={})


def answer_status(error: CodedError) -> int:
    """The status of the answer to a request that raised an error of ours."""
    return error.status if isinstance(error, ApiError) else STATUS_BY_CODE.get(error.code, 422)


def _on_known(request: Request, error: Exception) -> Response:
    assert isinstance(error, CodedError)
    return answer_to(request, error)


def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = tuple(first["loc"])
    if first["type"] == "json_invalid" or (place == ("body",) and first["type"] == "missing"):
        return answer_to(request, BodyMalformed("the body is not a JSON document", hint="send a JSON object"))
    found = misfit_of_request(error.errors(), request)
    kind = OptionUnknown if place[0] == "body" and found.place[:1] == ("options",) else RequestInvalid
    return answer_to(request, kind(found.detail, hint=found.hint, param=found.param))


def _on_http(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself."""
    assert isinstance(error, HTTPException)
    known: dict[int, ApiError] = {
        400: BodyMalformed("the body is not a JSON document", hint="send a JSON object"),
        404: RouteNotFound("nothing lives at this address", hint="GET /openapi.json lists the addresses"),
        405: MethodNotAllowed("the address does not know this method", hint="the header Allow names those it knows"),
        408: RequestTimedOut("the body took too long", hint="send it faster, or ask for more time on the server"),
        413: BodyTooLarge("the body has too many bytes"),
        415: MediaTypeUnsupported("the body has another media type", hint="send application/json"),
    }
    problem = known.get(error.status_code, ApiError("the request could not be answered"))
    headers = {"Allow": _methods(request)} if error.status_code == 405 else error.headers or {}
    return problem_response(request, problem, status=error.status_code, headers=headers)


def _methods(request: Request) -> str:
    """The methods that an address knows, as the document tells; the framework names those of one route only.

    Where several templates fit, the longest is meant: `…/properties` is not the name of a model.
    """
    paths = request.app.openapi()["paths"]
    fitting = [path for path in paths if re.fullmatch(_PARAMETER.sub(".+", path), request.url.path)]
    return ", ".join(sorted(map(str.upper, paths[max(fitting, key=len)]))) if fitting else methods_of(request.url.path)


def _on_unexpected(request: Request, _: Exception) -> Response:
    """An answer that tells nothing; the server logs the exception itself, which is raised again after this."""
    detail = "something unexpected went wrong"
    hint = "the server's log has more under this request id"
    return problem_response(request, ApiError(detail, hint=hint), status=500, headers={})
