"""The log: one line an event, with its ids, without secrets, whoever wrote it."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars

from broca.logs import configure, secrets_of, without_secrets
from storage.settings import StorageSettings

HUB_TOKEN = "hf_aPlantedTokenOfTheHub"
PASSWORD = "a-planted-password"
DATABASE_URL = f"postgresql://broca:{PASSWORD}@db.example/broca"


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., io.StringIO]]:
    """Sends the log of this process to text; afterwards it is as it was."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    monkeypatch.setenv("HF_TOKEN", HUB_TOKEN)

    def start(**settings: Any) -> io.StringIO:
        stream = io.StringIO()
        configure(StorageSettings(database_url=DATABASE_URL, **settings), stream=stream)
        return stream

    yield start
    root.handlers, root.level = before, level
    logging.captureWarnings(False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_of_json_holds_the_event_what_is_bound_and_what_came_with_it(log: Callable[..., io.StringIO]) -> None:
    stream = log(log_format="json")
    with bound_contextvars(request_id="req_1", worker="w1"):
        logging.getLogger("some.library").warning("%d of %d", 1, 2, extra={"run_id": "run_1"})
    (line,) = lines(stream)
    assert line.pop("at").endswith("Z")
    assert line == {
        "level": "warning",
        "logger": "some.library",
        "event": "1 of 2",
        "request_id": "req_1",
        "worker": "w1",
        "run_id": "run_1",
    }


def test_an_exception_is_one_line(log: Callable[..., io.StringIO]) -> None:
    stream = log(log_format="json")
    try:
        raise ValueError("a\nb")
    except ValueError:
        logging.getLogger("x").exception("it broke")
    (line,) = lines(stream)
    assert "ValueError: a\nb" in line["exception"]


def test_less_than_the_level_is_not_logged(log: Callable[..., io.StringIO]) -> None:
    stream = log(log_format="json", log_level="warning")
    logging.getLogger("x").info("too little")
    logging.getLogger("x").warning("enough")
    assert [line["event"] for line in lines(stream)] == ["enough"]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_planted_secrets_never_reach_the_log(log: Callable[..., io.StringIO], log_format: str) -> None:
    stream = log(log_format=log_format)
    logger = logging.getLogger("celery.worker")
    logger.error("connecting to %s with %s", DATABASE_URL, HUB_TOKEN, extra={"url": DATABASE_URL, "token": HUB_TOKEN})
    logger.error("bare: %s", PASSWORD)
    try:
        raise RuntimeError(f"GET https://hub.example/api?token={HUB_TOKEN} failed")
    except RuntimeError:
        logger.exception("the hub")
    assert "the hub" in stream.getvalue()
    assert HUB_TOKEN not in stream.getvalue()
    assert PASSWORD not in stream.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        "redis://:s3cretword@redis:6379/0",
        "Authorization: Bearer s3cretword",
        "{'authorization': 'Bearer s3cretword'}",
        "postgresql://h/db?user=u&password=s3cretword&x=1",
        "bearer: Bearer s3cretword",
        "the key broca_ab12_s3cretword was refused",
        "hf_s3cretword",
    ],
)
def test_what_looks_like_a_secret_is_hidden(line: str) -> None:
    hidden = without_secrets(line)
    assert "s3cretword" not in hidden
    assert "***" in hidden


@pytest.mark.parametrize("line", ["http://127.0.0.1:8000/readyz", "2026-01-01T00:00:00Z job_1 run_2", "tokens 12"])
def test_what_is_no_secret_is_shown(line: str) -> None:
    assert without_secrets(line) == line


def test_secrets_are_what_variables_and_addresses_name_so() -> None:
    environment = {
        "HF_TOKEN": "t" * 10,
        "POSTGRES_PASSWORD": "p" * 10,
        "BROCA_DATA_DIR": "/data",
        "X_KEY": "ab",
        "TOKENIZERS_PARALLELISM": "whatever",
        "DSN": "amqp://u:another%40one@h//",
    }
    passwords = {"r%2Fsecret", "r/secret", "another%40one", "another@one"}
    assert set(secrets_of(environment, ["redis://:r%2Fsecret@h"])) == {"t" * 10, "p" * 10, *passwords}


def test_migrate_logs_its_steps_and_nothing_else_of_alembic(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "broca", "migrate"]
    environment = {
        "BROCA_DATA_DIR": str(tmp_path),
        "BROCA_LOG_FORMAT": "json",
        "PYTHONPATH": str(Path.cwd()),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert len(told) == len([*Path("migrations/versions").glob("0*.py")])
    assert all(line["event"].startswith("Running upgrade") for line in told)
