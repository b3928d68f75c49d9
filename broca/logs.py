"""Where the log of a process goes: one line an event on standard error, as JSON or for people, without secrets.

What belongs here: how lines look. Everything else says what happened through the standard library's loggers and binds
`request_id` and `worker` with `structlog.contextvars`; the ids of jobs and runs come with each event (`storage.news`).
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from scoring.redaction import BEFORE_PASSWORD, PASSWORD, SHORTEST_SECRET, is_secret_name, passwords_in
from storage.settings import StorageSettings

HIDDEN = "***"
QUIET = ("httpx", "httpcore", "urllib3", "huggingface_hub", "filelock", "asyncio")
"""Libraries whose every request is no event of this service."""

TRACES = ("://", "passw", "token", "secret", "api_key", "authorization", "bearer", "hf_", "broca_")
"""A line without any of these holds nothing that the pattern finds; most lines are, and looking for these is cheap."""

_SECRETS = re.compile(
    rf"""(?x)
    (?P<before> {BEFORE_PASSWORD} ) {PASSWORD}
    | (?P<name> (?i:password|passwd|token|secret|api_key|authorization)["']?\s*[=:]\s*["']?(?:Bearer\s+|Basic\s+)? )
      [^\s&"',;}})]+
    | (?P<scheme> \bBearer\s+ ) [^\s"',]+
    | \bhf_[A-Za-z0-9]{{8,}}
    | \bbroca_[A-Za-z0-9]+_[A-Za-z0-9_\-]{{8,}}
    """
)


def configure(settings: StorageSettings, *, stream: TextIO | None = None) -> None:
    """Send every logger of this process to one handler, in the format and from the level of the settings."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setFormatter(_Lines(settings.log_format, secrets_of(os.environ, _addresses(settings))))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    handler.addFilter(_is_an_event)
    logging.getLogger("kombu.connection").setLevel(logging.ERROR)  # it misses a host name in the filesystem broker
    logging.captureWarnings(True)


def secrets_of(environment: Mapping[str, str], addresses: Iterable[str]) -> tuple[str, ...]:
    """What must not stand in a log: values of variables that are named like secrets, and passwords of addresses."""
    values = {value for name, value in environment.items() if is_secret_name(name)}
    values |= {password for text in [*environment.values(), *addresses] for password in passwords_in(text)}
    return tuple(sorted((value for value in values if len(value) >= SHORTEST_SECRET), key=len, reverse=True))


def without_secrets(line: str, secrets: Iterable[str] = ()) -> str:
    """The line with known secrets, and whatever looks like one, replaced."""
    for secret in secrets:
        line = line.replace(secret, HIDDEN)
    lower = line.lower()
    return _SECRETS.sub(_hide, line) if any(trace in lower for trace in TRACES) else line


def _hide(match: re.Match[str]) -> str:
    kept = match["before"] or match["name"] or match["scheme"] or ""
    return f"{kept}{HIDDEN}"


def _addresses(settings: StorageSettings) -> list[str]:
    known = (getattr(settings, name, None) for name in ("database_url", "broker_url"))
    return [address for address in known if address]


def _is_an_event(record: logging.LogRecord) -> bool:
    """Whether a line is more than a look at the schema, of which Alembic tells as it does of its steps."""
    is_a_look = record.name.startswith("alembic") and not record.getMessage().startswith("Running")
    return record.levelno > logging.INFO or not is_a_look


class _Lines(structlog.stdlib.ProcessorFormatter):
    """Lines of one event each. Secrets are replaced in the finished line, whatever put them there."""

    def __init__(self, log_format: str, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        shown: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
        if log_format == "json":
            shown += [structlog.processors.format_exc_info, _in_order, structlog.processors.JSONRenderer()]
        else:
            shown.append(structlog.dev.ConsoleRenderer(colors=False, timestamp_key="at", pad_event_to=0))
        before: list[Processor] = [
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        ]
        super().__init__(foreign_pre_chain=before, processors=shown)

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line without secrets."""
        return without_secrets(super().format(record), self._secrets)


def _in_order(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The fields in the order in which they are read: when, how bad, who, what, then the rest."""
    line.pop("color_message", None)  # uvicorn's, for terminals
    first = {name: line.pop(name) for name in ("at", "level", "logger", "event") if name in line}
    return {**first, **line}
