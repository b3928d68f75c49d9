"""Tables as CSV (RFC 4180): when they are wanted, and how they are written and sent."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from fastapi import Request, Response

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

CSV_ANSWER: dict[int | str, dict[str, object]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}
"""What the description of an endpoint says beside JSON."""


def wants_csv(format: str | None, request: Request) -> bool:
    """Whether the caller asks for CSV by `format`, or without one by the header Accept."""
    accepted = {part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")}
    return format == "csv" or (format is None and "text/csv" in accepted)


def csv_answer(text: str, *, name: str) -> Response:
    """A table as a file to be saved."""
    disposition = f'attachment; filename="{name}.csv"'
    return Response(text, media_type="text/csv", headers={"Content-Disposition": disposition, "Vary": "Accept"})


def json_answer(document: str) -> Response:
    """The same as JSON, where Accept decided on it."""
    return Response(document, media_type="application/json", headers={"Vary": "Accept"})


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The rows below their header; None is empty.

    Text that a spreadsheet would take for a formula is preceded by an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(map(_harmless, header))
    writer.writerows(map(_harmless, row) for row in rows)
    return text.getvalue()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
