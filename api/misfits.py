"""What a client sent and a model refused, in the words of an API: which field, what it may be, what was meant.

The library that checks says it in its own words; here alone they are turned into those of a problem.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from fastapi import Request
from pydantic import BaseModel, ValidationError

from scoring.registry import did_you_mean

from .errors import RequestInvalid

UNKNOWN, ABSENT, NOT_OF_PATTERN = "extra_forbidden", "missing", "string_pattern_mismatch"
_CHOICES = frozenset({"literal_error", "enum"})
_TYPES = frozenset({"bool", "float", "int", "str"})
_KINDS = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "an object",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "an object",
    "model_type": "an object",
    "string_type": "a text",
}
"""What a field has to be whose value is of another kind."""

_OF_A_KEY = "[key]"
_FIELD_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_SHOULD = re.compile(r"(?:Input|String|List|Dictionary|Tuple|Set|Number) should ")
_AFTERWARDS = re.compile(r" after validation, not \d+$")
_QUOTED = re.compile(r"'([^']*)'")


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """The first thing that is wrong: what a problem says of it. `place` is where, without `body` or `query`."""

    detail: str
    hint: str | None
    place: tuple[Any, ...]

    @property
    def param(self) -> str | None:
        """The dotted name of the field."""
        return dotted(self.place)


def misfit_of(error: ValidationError, model: type[BaseModel], called: Mapping[str, str]) -> Misfit:
    """What is wrong with the parameters of a page; some fields of the model are called otherwise there."""
    errors = [{**told, "loc": tuple(called.get(str(part), part) for part in told["loc"])} for told in error.errors()]
    return _first(errors, [model], start=0)


def misfit_of_request(errors: Sequence[Mapping[str, Any]], request: Request) -> Misfit:
    """What is wrong with a request; the names that it may have are those of its endpoint."""
    is_body = errors[0]["loc"][0] == "body"
    return _first(errors, _models(request, is_body=is_body), start=1, is_body=is_body)


def unknown_parameter(name: str, known: Sequence[str] = ()) -> RequestInvalid:
    """The error of a parameter that an address does not take."""
    found = _unknown((name,), known, is_body=False)
    return RequestInvalid(found.detail, hint=found.hint, param=found.param)


def dotted(place: Sequence[Any]) -> str | None:
    """A place such as ("benchmarks", 1) as `benchmarks[1]`; names that cannot be a field's are not repeated.

    Where a field takes several types, the place ends with the type that was tried, which is no field; that of a key
    ends with a mark.
    """
    name = ""
    if len(place) > 1 and place[-1] in {*_TYPES, _OF_A_KEY}:
        place = place[:-1]
    for part in place:
        if isinstance(part, int):
            name += f"[{part}]"
        else:
            name += ("." if name else "") + (part if _FIELD_NAME.fullmatch(str(part)) else "?")
    return name or None


def _first(
    errors: Sequence[Mapping[str, Any]], models: Sequence[type[BaseModel]], *, start: int, is_body: bool = False
) -> Misfit:
    """The first error; a field that is absent under another name is told by the name that was sent."""
    told = errors[0]
    if told["type"] == ABSENT:
        told = next((one for one in errors if one["type"] == UNKNOWN and _means(one, told)), told)
    place = tuple(told["loc"])[start:]
    name = dotted(place) or "the body"
    if told["type"] == UNKNOWN:
        known = next((fields for model in models if (fields := _fields_at(model, place[:-1]))), ())
        return _unknown(place, known, is_body=is_body)
    if told["type"] == ABSENT:
        return Misfit(detail=f"{name} is missing", hint=None, place=place)
    if told["type"] == NOT_OF_PATTERN:
        return Misfit(detail=f"{name} has characters that it cannot have", hint=None, place=place)
    if told["type"] in _KINDS:
        return Misfit(detail=f"{name} has to be {_KINDS[told['type']]}", hint=None, place=place)
    hint = None
    if told["type"] in _CHOICES and isinstance(told["input"], str):
        hint = did_you_mean(told["input"][:64], tuple(_QUOTED.findall(str(told["ctx"]["expected"]))))
    return Misfit(detail=_said(name, str(told["msg"])), hint=hint, place=place)


def _unknown(place: tuple[Any, ...], known: Sequence[str], *, is_body: bool) -> Misfit:
    """A name that a body or an address does not know."""
    hint = _instead(str(place[-1]), known)
    if is_body:
        return Misfit(detail=f"{dotted(place)} is not a known field", hint=hint, place=place)
    return Misfit(
        detail=f"{dotted(place)} is not a parameter of this address", hint=hint or "it takes none", place=place
    )


def _means(unknown: Mapping[str, Any], absent: Mapping[str, Any]) -> bool:
    """Whether an unknown name beside an absent field is that field's, mistyped."""
    *beside, name = unknown["loc"]
    *around, field = absent["loc"]
    return beside == around and did_you_mean(str(name)[:64], (str(field),)) is not None


def _instead(name: str, known: Sequence[str]) -> str | None:
    """The nearest of the known names, else all of them."""
    return did_you_mean(name[:64], tuple(known)) or (f"known here: {', '.join(known)}" if known else None)


def _said(name: str, message: str) -> str:
    message = _AFTERWARDS.sub("", message)
    if _SHOULD.match(message):
        return f"{name} has to {_SHOULD.sub('', message, count=1)}"
    message = message.removeprefix("Value error, ")
    return f"{name} {message}" if message.startswith("has to ") else f"{name}: {message}"


def _models(request: Request, *, is_body: bool) -> list[type[BaseModel]]:
    """What the endpoint of a request holds its body against, or its parameters."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    fields = [] if dependant is None else dependant.body_params if is_body else dependant.query_params
    return [model for field in fields for model in _models_in(field.field_info.annotation)]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _fields_at(model: type[BaseModel], place: Sequence[Any]) -> tuple[str, ...]:
    """The names of the fields of what lies at a place within a model; none where that cannot be told."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    names = [part for part in place if isinstance(part, str)]
    if not names:
        return tuple(fields)
    if names[0] not in fields:
        return ()
    inner = _models_in(fields[names[0]].annotation)
    return next((found for one in inner if (found := _fields_at(one, names[1:]))), ())
