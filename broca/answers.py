"""Answers of the server as typed results, and lists of them page by page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from .base import Result, TiedResult
from .calls import Tied
from .errors import AnswerNotUnderstood
from .steps import Found, Plan, QueryValue, Series, get
from .tables import Listed

_Result = TypeVar("_Result", bound=Result)


def parse(kind: type[_Result], document: object, asked: Tied[Any] | None = None) -> _Result:
    """The document as a result, tied to the client of who asked; raises AnswerNotUnderstood where it is none."""
    try:
        result = kind.model_validate(document)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise AnswerNotUnderstood(f"a {kind.__name__.lower()} came back without a usable {where or 'body'}") from error
    if isinstance(result, TiedResult) and asked is not None:
        result._tie = asked._tie
    return result


def each(
    kind: type[_Result], path: str, query: Mapping[str, QueryValue], asked: Tied[Any] | None = None
) -> Series[_Result]:
    """Every entry of a list; the next page is fetched when it is reached."""
    token: str | None = None
    while True:
        items, token = yield from _page(path, {**query, "page_token": token})
        for item in items:
            yield Found(parse(kind, item, asked))
        if not token:
            return


def everything(
    kind: type[_Result], path: str, query: Mapping[str, QueryValue] | None = None, asked: Tied[Any] | None = None
) -> Plan[Listed[_Result]]:
    """All entries of a list, whatever the number of its pages."""
    found: list[_Result] = []
    token: str | None = None
    while True:
        items, token = yield from _page(path, {**(query or {}), "page_token": token})
        found += (parse(kind, item, asked) for item in items)
        if not token:
            return Listed(found)


def segment(identifier: str) -> str:
    """An id as one segment of a path, whatever it holds."""
    return quote(identifier, safe="") or "-"


def joined(names: Collection[str] | None) -> str | None:
    """Names as a parameter takes them, separated by commas; None where there are none."""
    return ",".join(names) if names else None


def _page(path: str, query: Mapping[str, QueryValue]) -> Plan[tuple[list[Any], str | None]]:
    document = yield from get(path, query)
    items = document.get("data")
    if not isinstance(items, list):
        raise AnswerNotUnderstood(f"{path} answered without a list")
    return items, document.get("next_page_token")
