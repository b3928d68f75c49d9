"""Column types that mean the same on SQLite and PostgreSQL: aware times, any text, JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

JsonColumn = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware time in UTC; a naive one is refused."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """The value as the database keeps it: SQLite knows no zones and gets UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"time {value.isoformat()} has no zone; times here are aware and in UTC")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """The stored time, aware and in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class AnyText(sa.TypeDecorator[str]):
    """Text of any content: what PostgreSQL cannot keep (NUL, lone surrogates) is kept as a visible escape."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """The text with everything escaped that one of the databases would refuse."""
        return None if value is None else escape(value)


def escape(text: str) -> str:
    r"""The text with NUL as `\x00` and lone surrogates as `\udc80`, which both databases can keep."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def dump_json(value: Any) -> str:
    """Canonical JSON: sorted keys, no spaces, text escaped as in columns. Refuses numbers that are not finite."""
    return json.dumps(_escape_all(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _escape_all(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {escape(str(key)): _escape_all(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escape_all(item) for item in value]
    return value
