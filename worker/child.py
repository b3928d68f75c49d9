"""A child process in a process group of its own, and the two ends of the pipes between it and the supervisor."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from .exchange import Progress

OWN_ADDRESSES = {"BROCA_DATABASE_URL", "BROCA_BROKER_URL"}
TOKENS = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}
LAST_WORDS = 2000
"""Characters of a dead child's standard error that go into the failure."""


class Child:
    """`python -m module folder`, killed with its whole group; it ends by itself when the supervisor is gone."""

    def __init__(self, module: str, folder: Path, environment: Mapping[str, str]) -> None:
        self._errors = folder / f"{module}.log"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
                start_new_session=True,
            )
        assert self._process.stdout is not None, "the pipe was asked for"
        self._pipe = self._process.stdout
        os.set_blocking(self._pipe.fileno(), False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._pipe, selectors.EVENT_READ)
        self._rest = b""

    def read(self, *, timeout_s: float) -> list[Progress] | None:
        """The lines that came, waiting for one at most so long; None when the child has ended and all is read."""
        if not self._selector.select(timeout_s):
            return []
        chunk = self._pipe.read()
        if chunk == b"":
            self._process.wait()
            return None
        *lines, self._rest = (self._rest + (chunk or b"")).split(b"\n")
        return [line for line in map(_parse, lines) if line is not None]

    @property
    def ending(self) -> str:
        """How the child ended and what it said last, in words."""
        code = self._process.returncode
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"
        words = self._errors.read_text("utf8", errors="replace")[-LAST_WORDS:].strip().splitlines()
        return f"{how}{': ' + words[-1] if words else ''}"

    def close(self) -> None:
        """Kill whatever is left of the group, and let go of the pipes."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._selector.close()
        self._pipe.close()
        if self._process.stdin is not None:
            self._process.stdin.close()


def fetch_environment() -> dict[str, str]:
    """The environment of the fetch process: everything but the addresses of database and broker."""
    return {name: value for name, value in os.environ.items() if name not in OWN_ADDRESSES}


def scoring_environment() -> dict[str, str]:
    """The environment of the scoring process: no token and no hub either."""
    kept = {name: value for name, value in fetch_environment().items() if name not in TOKENS}
    return kept | {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_TOKEN_PATH": os.devnull,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }


def end_with_supervisor() -> None:
    """Called in the child: a thread that ends the process at once when the supervisor's end of the pipe closes."""

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=watch, name="watch", daemon=True).start()


def say(progress: Progress) -> None:
    """Called in the child: one line to the supervisor."""
    sys.stdout.write(progress.model_dump_json() + "\n")
    sys.stdout.flush()


def _parse(line: bytes) -> Progress | None:
    """A line as progress; what a library printed by itself is no message."""
    try:
        return Progress.model_validate_json(line)
    except ValidationError:
        return None
