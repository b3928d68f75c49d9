"""The fenced blocks of a page, and what is to be done with each of them.

What a block is, its language says, and a comment directly above it that readers of the page do not see:

    bash, console, python           run, in the order of the page; what `console` shows is compared
    json, toml, yaml, csv, text     data, parsed for validity
    <!-- not run: reason -->        only read
    <!-- file: name -->             written to a file of this name before the blocks below it are run
    <!-- output -->                 compared with what the block before it printed
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
RUN = frozenset({"bash", "console", "python"})
DATA = frozenset({"json", "toml", "yaml", "csv", "text"})

_FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<language>[^\n`]*)\n(?P<text>.*?)^(?P=ticks)$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"<!-- (?P<name>not run|file|output)(?:: (?P<value>[^>]*\S))? -->\n\Z")


@dataclass(frozen=True, kw_only=True)
class Block:
    """One fenced block; `mark` is the name of the comment above it, empty without one."""

    page: Path
    line: int
    language: str
    text: str
    mark: str
    value: str

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"{name_of(self.page)}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether its commands are executed."""
        return self.language in RUN and not self.mark

    @property
    def takes_part(self) -> bool:
        """Whether a run of the page does anything with it."""
        return self.is_run or self.mark in {"file", "output"}


def name_of(page: Path) -> str:
    """A page's path from the root of the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    return list(_found(page, page.read_text("utf8")))


def _found(page: Path, text: str) -> Iterator[Block]:
    for fence in _FENCE.finditer(text):
        mark = _MARK.search(text, 0, fence.start())
        yield Block(
            page=page,
            line=text.count("\n", 0, fence.start()) + 1,
            language=fence["language"].strip(),
            text=fence["text"],
            mark=mark["name"] if mark else "",
            value=(mark["value"] or "") if mark else "",
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """A command of a console, and what the page says that it prints."""

    command: str
    expected: str


def steps_of(text: str) -> list[Step]:
    """The commands of a `console` block: lines that begin with `$`, continued where they end in a backslash."""
    steps: list[Step] = []
    continued = False
    for line in text.splitlines():
        if line.startswith("$ "):
            steps.append(Step(command=line[2:], expected=""))
        elif continued:
            steps[-1] = Step(command=f"{steps[-1].command}\n{line}", expected="")
        else:
            steps[-1] = Step(command=steps[-1].command, expected=f"{steps[-1].expected}{line}\n")
        continued = (line.startswith("$ ") or continued) and line.endswith("\\")
    return steps
