"""Parameters of pages: those of the API, as a form without scripts sends them, and what is wrong with one of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from scoring.errors import CodedError

from ..errors import RequestInvalid
from ..misfits import misfit_of
from ..problems import answer_status
from . import addresses

Query = TypeVar("Query", bound=BaseModel)

NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What was wrong with a field of a form, as the API's problem says it."""

    status: int
    code: str
    param: str | None
    detail: str
    hint: str | None


def refusal_of(error: CodedError) -> Refusal:
    """An error as a form shows it."""
    return Refusal(
        status=answer_status(error), code=error.code, param=error.param, detail=error.detail, hint=error.hint
    )


def parameters_of(request: Request, *, joined: Collection[str] = (), dropped: Collection[str] = ()) -> dict[str, str]:
    """The parameters as the API takes them.

    A form sends empty fields too, and a list as many fields of one name: empty ones are left out, and those that are
    `joined` become one with commas. Of others the last counts.
    """
    found: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if not value or name in dropped:
            continue
        found[name] = f"{found[name]},{value}" if name in joined and name in found else value
    return found


def address_if_other(request: Request, parameters: dict[str, str]) -> str | None:
    """The address with these parameters, where the request came with others: links show one state by one address."""
    is_same = request.query_params.multi_items() == list(parameters.items())
    return None if is_same else addresses.with_query(request.url.path, parameters)


def checked(model: type[Query], parameters: dict[str, str]) -> Query:
    """The query that these parameters are; raises RequestInvalid."""
    try:
        return model.model_validate(parameters)
    except ValidationError as error:
        raise invalid(error, model) from error


def invalid(error: ValidationError, model: type[BaseModel], called: Mapping[str, str] = NO_NAMES) -> RequestInvalid:
    """The first thing that is wrong, as the API says it but for fields that are called otherwise on the page."""
    found = misfit_of(error, model, called)
    return RequestInvalid(found.detail, hint=found.hint, param=found.param)
