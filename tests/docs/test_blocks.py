"""Every fenced block of the documentation is run, checked as data, or says why it is not run."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.docs.blocks import DATA, PAGES, ROOT, RUN, Block, blocks_of, name_of, steps_of
from tests.docs.matching import bound

ALL = [block for page in PAGES for block in blocks_of(page)]
MOST_NOT_RUN = 30
"""More blocks that nobody runs than this are too many."""


def in_language(*languages: str) -> list[Block]:
    return [block for block in ALL if block.language in languages]


@pytest.mark.parametrize("block", ALL, ids=lambda block: block.place)
def test_a_block_is_run_or_is_data_or_says_why_not(block: Block) -> None:
    assert block.language in RUN | DATA, f"{block.place}: {block.language!r} is neither run nor checked"
    assert block.mark != "not run" or len(block.value.split()) >= 2, f"{block.place}: no reason is given"
    assert block.mark != "not run" or block.language in RUN, f"{block.place}: data need no reason"


def test_blocks_that_are_not_run_are_few_and_listed(record_property: pytest.FixtureRequest) -> None:
    listed = [f"{block.place}: {block.value}" for block in ALL if block.mark == "not run"]
    print(f"{len(listed)} of {len(in_language(*RUN))} blocks of commands are not run:", *listed, sep="\n")
    assert len(listed) <= MOST_NOT_RUN


def test_files_that_blocks_are_written_to_stay_in_their_folder() -> None:
    for block in ALL:
        if block.mark == "file":
            assert block.value, f"{block.place}: the file has no name"
            assert (ROOT / block.value).resolve().is_relative_to(ROOT)


@pytest.mark.parametrize("block", in_language("json", "toml", "yaml"), ids=lambda block: block.place)
def test_data_are_what_they_are_called(block: Block) -> None:
    assert PARSERS[block.language](block.text)


def parsed_json(text: str) -> object:
    """One document, or a log: one in each line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines()]


PARSERS = {"json": parsed_json, "toml": tomllib.loads, "yaml": yaml.safe_load}


@pytest.mark.parametrize("block", in_language("python"), ids=lambda block: block.place)
def test_python_is_python(block: Block) -> None:
    compile(block.text, block.place, "exec")


@pytest.mark.parametrize("block", in_language("console"), ids=lambda block: block.place)
def test_a_console_begins_with_a_command(block: Block) -> None:
    assert block.text.startswith("$ ")
    assert all(step.command for step in steps_of(block.text))


def test_pages_are_found() -> None:
    assert {name_of(page) for page in PAGES} >= {"README.md", "CONTRIBUTING.md", "docs/index.md"}


def test_a_mark_belongs_to_the_block_below_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- not run: no hub here -->\n```bash\nls\n```\n\n```bash\nls\n```\n"
        "<!-- file: a.toml -->\n```toml\na = 1\n```\n<!-- output -->\n```text\n1\n```\n"
    )
    found = blocks_of(page)
    assert [(block.mark, block.value) for block in found] == [
        ("not run", "no hub here"),
        ("", ""),
        ("file", "a.toml"),
        ("output", ""),
    ]
    assert [block.is_run for block in found] == [False, True, False, False]
    assert [block.line for block in found] == [2, 6, 10, 14]


def test_commands_of_a_console_have_their_output_and_may_be_continued() -> None:
    first, second = steps_of("$ curl \\\n  -s x\n{}\n…\n$ ls\n")
    assert (first.command, first.expected) == ("curl \\\n  -s x", "{}\n…\n")
    assert (second.command, second.expected) == ("ls", "")


def test_what_a_page_shows_is_compared_leniently_and_ids_are_bound() -> None:
    shown = "job_5b5fa5122bb5400cdeaa is …,\n  ┏━━━┓ job_5b5fa5122bb5400cdeaa"
    printed = "job_aaaaaaaaaaaaaaaaaaaa is done and more,\n┏━━━━━━┓ job_aaaaaaaaaaaaaaaaaaaa"
    assert bound(shown, printed, {}) == {"job_5b5fa5122bb5400cdeaa": "job_aaaaaaaaaaaaaaaaaaaa"}
    assert bound(shown, printed, {"job_5b5fa5122bb5400cdeaa": "job_bbbbbbbbbbbbbbbbbbbb"}) is None
    assert bound(shown, printed.replace("┓ job_a", "┓ job_b"), {}) is None
    assert bound("0.31…", "0.3197", {}) == {}
    assert bound("0.32…", "0.3197", {}) is None
    assert bound("one", "one two", {}) is None
