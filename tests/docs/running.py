"""A reader who follows a page: its commands are run one after the other, in a folder of their own, on a real server.

A server is started by the page's own `make serve` or `broca serve`, else where a command first asks one. The address
that pages name, 127.0.0.1:8000, is that of this server, `.venv/bin` leads to the Python of the tests, and what a page
takes from elsewhere stands here by another name (`tests.docs.preparations`).
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.docs.blocks import Block, steps_of
from tests.docs.matching import bound
from tests.docs.preparations import Preparation
from tests.serving import NOT_INHERITED, Served, serving

TIMEOUT_S = 300.0
_STILL_WAITS = re.compile(r'"object":"job",[^{}]*"status":"(?:queued|running)"')

_SERVE = re.compile(r"^(?P<settings>(?:[A-Z_]+=\S+ )*)(?P<command>make serve|(?:\S*/)?broca serve)(?P<options>.*)$")
_ASKS = re.compile(
    r"127\.0\.0\.1:8000|localhost:8000|Client\(|\bfrom broca import|"
    r"\bbroca (?!(?:data (?:list|get|verify)|demo|migrate|models convert|reproduce|restore|serve|worker)\b)[a-z]"
)
_ADDRESS = re.compile(r"(?:127\.0\.0\.1|localhost):8000\b")
_BASH = 'set -aeuo pipefail\n[ ! -e "$STATE" ] || . "$STATE"\ntrap \'export -p > "$STATE"\' EXIT\n'
"""Variables that one block sets are those of the next, as in a terminal that stays open."""


class Reader:
    """Runs the blocks of one page; a context manager that leaves nothing running."""

    def __init__(self, folder: Path, preparation: Preparation, environment: Mapping[str, str]) -> None:
        self.folder = folder / "here"
        self.preparation = preparation
        self.served: Served | None = None
        self.ids: dict[str, str] = {}
        self.printed = ""
        self._own = folder
        self._state = folder / "state"
        self._environment = dict(environment)
        self._namespace: dict[str, Any] = {"__name__": "__main__"}
        self._running = ExitStack()

    def __enter__(self) -> Reader:
        self.folder.mkdir(exist_ok=True)
        for name in ("server", "tmp"):
            (self._own / name).mkdir()
        write_commands(self._own / "bin", self.folder / ".venv" / "bin")
        self.preparation.files(self.folder)
        if self.preparation.before:
            self.run_bash(self.preparation.before, "what is there before")
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def follow(self, block: Block) -> None:
        """Do what a block says. Fails where a command does, or prints something else than the page shows."""
        if block.mark == "file":
            path = self.folder / block.value
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.translated(block.text), "utf8")
        elif block.mark == "output":
            self.compare(block.text, block.place)
        elif block.language == "python":
            self.run_python(block)
        elif block.language == "console":
            for step in steps_of(block.text):
                self.run_bash(step.command, block.place)
                while "Prefer: wait" in step.command and _STILL_WAITS.search(self.printed):
                    self.run_bash(step.command, block.place)
                self.compare(step.expected, block.place)
        elif served := self._server_asked_for(block.text):
            self.serve(served)
        else:
            self.run_bash(block.text, block.place)

    def compare(self, expected: str, place: str) -> None:
        """Hold what was printed last against what the page shows, and remember which ids stand for which."""
        shown = _ADDRESS.sub("127.0.0.1:8000", expected)
        found = bound(shown, self.printed, self.ids)
        assert found is not None, f"{place} shows\n{expected}\nand this was printed:\n{self.printed}"
        self.ids |= found

    def run_bash(self, text: str, place: str) -> None:
        """Run commands of a shell; what they printed is kept."""
        self._need_server(text)
        command = ["bash", "-c", _BASH + self.translated(text)]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        self.printed = self._as_on_pages(done.stdout)
        assert done.returncode == 0, f"{place}: {text}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"

    def run_python(self, block: Block) -> None:
        """Run statements of Python in this process, after those of the page's other blocks."""
        self._need_server(block.text)
        code = compile("\n" * block.line + self.translated(block.text), str(block.page), "exec")
        out = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
            patch.chdir(self.folder)
            for name, value in self.environment().items():
                patch.setenv(name, value)
            exec(code, self._namespace)
        self.printed = self._as_on_pages(out.getvalue())

    def serve(self, command: re.Match[str]) -> None:
        """Start the server as the page says, with what an earlier one of it has kept."""
        self._running.close()
        given = self.translated(command["settings"]).replace("$PWD", str(self.folder))
        settings = dict(part.split("=", 1) for part in shlex.split(given))
        options = shlex.split(command["options"].partition("#")[0])
        options = shlex.split(options[0].removeprefix("ARGS=")) if options and "ARGS=" in options[0] else options
        models = {"BROCA_MODEL_DIR": str(self.folder / "models")} if self.preparation.local else {}
        environment = {**self._environment, **models, **settings}
        self.served = self._running.enter_context(serving(self._own / "server", *options, **environment))
        if self._state.exists():  # what commands have set stays, but for the address of the server before
            kept = [line for line in self._state.read_text().splitlines(keepends=True) if " BROCA_URL=" not in line]
            self._state.write_text("".join(kept))

    def environment(self) -> dict[str, str]:
        """What commands see: no settings of whoever runs the tests, but the server's address and folder."""
        kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        path = f"{self._own / 'bin'}{os.pathsep}{kept['PATH']}"
        told = {"PATH": path, "STATE": str(self._state), "HOME": str(self._own), "COLUMNS": "120"}
        told["TMPDIR"] = str(self._own / "tmp")
        told["BROCA_DATA_DIR"] = str(self._own / "server" / "data")
        if self.served is not None:
            told["BROCA_URL"] = self.served.url
        return {**kept, **self._environment, **told}

    def translated(self, text: str) -> str:
        """The page's text with the names that hold in this run."""
        for name, here in self.preparation.stands_in.items():
            text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", lambda _, here=here: self._here(here), text)
        for name, here in self.ids.items():
            text = text.replace(name, here)
        return text if self.served is None else _ADDRESS.sub(self.served.url.removeprefix("http://"), text)

    def _here(self, name: str) -> str:
        return name.format(here=self.folder, hub=self._environment.get("HF_ENDPOINT", ""))

    def _as_on_pages(self, text: str) -> str:
        if self.served is not None:
            text = text.replace(self.served.url.removeprefix("http://"), "127.0.0.1:8000")
        for name, here in self.preparation.stands_in.items():
            if "{here}" in here:
                text = text.replace(self._here(here), name)
        return text

    def _need_server(self, text: str) -> None:
        if self.served is None and _ASKS.search(text):
            found = _SERVE.match("broca serve")
            assert found is not None
            self.serve(found)

    def _server_asked_for(self, text: str) -> re.Match[str] | None:
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return _SERVE.match(lines[0]) if len(lines) == 1 else None


def write_commands(folder: Path, of_the_environment: Path) -> None:
    """What pages call: `broca` and `python` of these tests, and a `curl` that fails where the answer is a problem."""
    python = shlex.quote(sys.executable)
    commands = {
        "broca": f'exec {python} -m broca "$@"',
        "python": f'exec {python} "$@"',
        "curl": 'exec /usr/bin/env PATH="${PATH#*:}" curl --fail-with-body "$@"',
    }
    for place in (folder, of_the_environment):
        place.mkdir(parents=True)
        for name, line in commands.items():
            (place / name).write_text(f"#!/bin/sh\n{line}\n")
            (place / name).chmod(0o755)


@contextlib.contextmanager
def reading(folder: Path, preparation: Preparation, environment: Mapping[str, str]) -> Iterator[Reader]:
    """A reader in a new folder."""
    with Reader(folder, preparation, environment) as reader:
        yield reader
