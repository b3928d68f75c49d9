"""A child process in a process group of its own, and the two ends of the pipes between it and the supervisor."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from scoring.child_environment import without_secrets
from scoring.parent import when_parent_ends

from .exchange import Progress

HUB_TOKENS = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}
LAST_WORDS = 2000
"""Bytes of a child's standard error that are looked at when it died."""

ENDING_S = 5.0
"""How long a child that closed its pipe may take to end."""


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
            return None if self._has_ended() else []
        chunk = self._pipe.read()
        if chunk == b"":
            return None
        *lines, self._rest = (self._rest + (chunk or b"")).split(b"\n")
        return [line for line in map(_parse, lines) if line is not None]

    @property
    def ending(self) -> str:
        """How the child ended and what it said last, in words; asked after `close`."""
        code = self._process.returncode
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"
        words = self._last_words()
        return f"{how}: {words[-1]}" if words else how

    def close(self) -> None:
        """Let a child that has nothing more to say end, kill whatever is left of its group, let go of the pipes."""
        deadline = time.monotonic() + (ENDING_S if self._selector.select(0) else 0)
        while not self._has_ended() and time.monotonic() < deadline:
            time.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._selector.close()
        self._pipe.close()
        if self._process.stdin is not None:
            self._process.stdin.close()

    def _has_ended(self) -> bool:
        """Whether the child is over; it stays a zombie, so that its group's number is not given away."""
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _last_words(self) -> list[str]:
        try:
            with self._errors.open("rb") as errors:
                errors.seek(max(0, errors.seek(0, os.SEEK_END) - LAST_WORDS))
                return errors.read().decode("utf8", errors="replace").strip().splitlines()
        except FileNotFoundError:  # another worker took a lost claim for dead and cleared its folder
            return []


def fetch_environment() -> dict[str, str]:
    """The environment of the fetch process: no address or password of this service, but the hub's token."""
    return without_secrets() | {name: os.environ[name] for name in HUB_TOKENS if name in os.environ}


def scoring_environment(folder: Path) -> dict[str, str]:
    """The environment of the scoring process: no token and no hub either, and `folder` for what libraries leave."""
    return without_secrets() | {
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "HF_TOKEN_PATH": os.devnull,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TMPDIR": str(folder),
        "TOKENIZERS_PARALLELISM": "false",
    }


def end_with_supervisor() -> None:
    """Called in the child: it ends at once when the supervisor's end of the pipe closes."""
    when_parent_ends(lambda: os._exit(1))


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
