"""Answers of the server as typed results, and lists of them page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar
from urllib.parse import quote

from pydantic import ValidationError

from .connection import Connection, QueryValue
from .errors import AnswerNotUnderstood
from .results import Result

_Result = TypeVar("_Result", bound=Result)


def parse(kind: type[_Result], document: object) -> _Result:
    """The document as a result; raises AnswerNotUnderstood where it is none."""
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise AnswerNotUnderstood(f"a {kind.__name__.lower()} came back without a usable {where or 'body'}") from error


def pages(connection: Connection, kind: type[_Result], path: str, query: Mapping[str, QueryValue]) -> Iterator[_Result]:
    """Every entry of a list; the next page is fetched when it is reached."""
    token: str | None = None
    while True:
        document = connection.get(path, {**query, "page_token": token})
        items = document.get("data")
        if not isinstance(items, list):
            raise AnswerNotUnderstood(f"{path} answered without a list")
        yield from (parse(kind, item) for item in items)
        token = document.get("next_page_token")
        if not token:
            return


def segment(identifier: str) -> str:
    """An id as one segment of a path, whatever it holds."""
    return quote(identifier, safe="") or "-"
