"""A child process in a process group of its own, and the two ends of the pipes between it and the supervisor."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from scoring import importing
from scoring.child_environment import prefer_to_kill, with_ways_out, without_secrets
from scoring.parent import when_parent_ends
from scoring.redaction import TOKEN_VARIABLES

from .exchange import Progress
from .processes import MARK, Family, die_with_parent, leave_no_core

LAST_WORDS = 2000
"""Bytes of a child's standard error that are kept, the last ones, for when it died."""

MAX_LINE_BYTES = 1 << 16
"""A longer line is no message, and is not kept until it ends."""

MAX_OUTPUT_BYTES = 1 << 26
"""What a child may print, messages and errors together; one that works prints a thousandth of it."""

CHUNK = 1 << 16
LOOK_S = 1.0
"""How often it is looked for what a child has started."""

ENDING_S = 5.0
"""How long a child that closed its pipe may take to end, and one that ended may be read from."""


class Child:
    """`python -m module folder`, killed with all that it started; it ends by itself when the supervisor is gone.

    One that is `confined` has left the network, where the kernel lets it; another may hold secrets and is guarded.
    """

    def __init__(self, module: str, folder: Path, environment: Mapping[str, str], *, confined: bool = False) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "worker.confined" if confined else "worker.guarded", module, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environment, MARK: str(folder)},
            start_new_session=True,
        )
        prefer_to_kill(self._process.pid)
        leave_no_core(self._process.pid)
        assert self._process.stdout is not None, "the pipes were asked for"
        assert self._process.stderr is not None, "the pipes were asked for"
        self._lines, self._errors = self._process.stdout.fileno(), self._process.stderr.fileno()
        self._selector = selectors.DefaultSelector()
        for pipe in (self._lines, self._errors):
            os.set_blocking(pipe, False)
            self._selector.register(pipe, selectors.EVENT_READ)
        self._rest, self._words = b"", b""
        self._family = Family(self._process.pid, folder)
        self._next_look = 0.0
        self._read_until: float | None = None
        self.n_printed = 0

    def read(self, *, timeout_s: float) -> list[Progress] | None:
        """The lines that came, waiting for one at most so long; None when the child has ended and all is read."""
        ready = {key.fd for key, _ in self._selector.select(timeout_s)}
        if self._errors in ready:
            self._hear()
        if self._lines in ready and not self._is_read_out():
            chunk = self._chunk(self._lines)
            return None if chunk == b"" else self._messages(chunk or b"")
        return None if (not ready - {self._errors} and self._has_ended()) or self._is_read_out() else []

    def memory_bytes(self) -> int:
        """What the child and all that it started hold of memory; who that is, is looked up once a second."""
        if time.monotonic() >= self._next_look:
            self._family.look()
            self._next_look = time.monotonic() + LOOK_S
        return self._family.memory_bytes()

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it; asked after `close`."""
        return self._process.returncode == -signal.SIGKILL

    @property
    def ending(self) -> str:
        """How the child ended and what it said last, in words; asked after `close`."""
        code = self._process.returncode
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"
        words = self._words.decode("utf8", errors="replace").strip().splitlines()
        return f"{how}: {words[-1]}" if words else how

    def close(self) -> None:
        """Let a child that has nothing more to say end, kill it and all that it started, let go of the pipes."""
        deadline = time.monotonic() + (ENDING_S if self._selector.select(0) else 0)
        while not self._has_ended() and time.monotonic() < deadline:
            self._hear()
            time.sleep(0.01)
        self._family.look()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._family.extinguish()
        self._process.wait()
        self._hear()
        self._selector.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _messages(self, chunk: bytes) -> list[Progress]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            self._rest = b"\0"  # what is left of the line makes no message either
        return [line for line in map(_parse, lines) if line is not None]

    def _hear(self) -> None:
        """Take what was written to standard error; of all that, the end is kept."""
        chunk = self._chunk(self._errors)
        if chunk:
            self._words = (self._words + chunk)[-LAST_WORDS:]
        elif chunk == b"" and self._errors in self._selector.get_map():
            self._selector.unregister(self._errors)

    def _chunk(self, pipe: int) -> bytes | None:
        """A piece of what is there; empty at the end, None where nothing is there yet."""
        try:
            chunk = os.read(pipe, CHUNK)
        except BlockingIOError:
            return None
        self.n_printed += len(chunk)
        return chunk

    def _is_read_out(self) -> bool:
        """Whether the child ended a while ago: whatever still writes into its pipe is not heard."""
        if self._read_until is None and self._has_ended():
            self._read_until = time.monotonic() + ENDING_S
        return self._read_until is not None and time.monotonic() > self._read_until

    def _has_ended(self) -> bool:
        """Whether the child is over; it stays a zombie, so that its group's number is not given away."""
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def fetch_environment() -> dict[str, str]:
    """The environment of the fetch process: no address or password of this service, but the hub's token."""
    return with_ways_out() | {name: os.environ[name] for name in TOKEN_VARIABLES if name in os.environ}


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
    """Called in the child when its imports are done: it ends at once when the supervisor's end of the pipe closes."""
    importing.end()
    die_with_parent()
    when_parent_ends(lambda: os._exit(1))


Tell = Callable[[Progress], None]
"""Told how far things are: the supervisor by `say`, or whoever scores in a process of its own."""


def say(progress: Progress) -> None:
    """Called in the child: one line to the supervisor."""
    sys.stdout.write(progress.model_dump_json() + "\n")
    sys.stdout.flush()


def _parse(line: bytes) -> Progress | None:
    """A line as progress; what a library printed by itself is no message."""
    if len(line) > MAX_LINE_BYTES:
        return None
    try:
        return Progress.model_validate_json(line)
    except ValidationError:
        return None
