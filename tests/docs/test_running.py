"""Following a page notices what a reader would: a command that fails, an answer that is another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks_of
from tests.docs.preparations import Preparation
from tests.docs.running import Reader, reading


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    with reading(tmp_path, Preparation(stands_in={"/srv/models": "{here}/models"}), {}) as reader:
        yield reader


def written(tmp_path: Path, text: str) -> list[Block]:
    page = tmp_path / "page.md"
    page.write_text(text)
    return blocks_of(page)


def follow(reader: Reader, blocks: list[Block]) -> None:
    for block in blocks:
        if block.takes_part:
            reader.follow(block)


@pytest.fixture(autouse=True)
def anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pages of these tests lie beside the repository."""
    monkeypatch.setattr("tests.docs.blocks.ROOT", tmp_path)


def test_variables_and_files_of_a_block_are_there_in_the_next(reader: Reader, tmp_path: Path) -> None:
    follow(
        reader,
        written(
            tmp_path,
            "```bash\nplace=here\nmkdir -p /srv/models\n```\n<!-- file: a.txt -->\n```text\nin a file\n```\n"
            "```console\n$ echo $place && cat a.txt\nhere\nin …\n$ ls\na.txt\nmodels\n```\n",
        ),
    )


def test_statements_of_python_go_on_from_block_to_block(reader: Reader, tmp_path: Path) -> None:
    page = "```python\nx = 1\n```\n\n```python\nprint(x + 1)\n```\n<!-- output -->\n```text\n2\n```\n"
    follow(reader, written(tmp_path, page))


@pytest.mark.parametrize(
    "page",
    [
        "```bash\nfalse\ntrue\n```\n",
        "```bash\nfalse | true\n```\n",
        "```bash\necho $nobody_set_this\n```\n",
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ echo one\n```\n",
        "```python\nprint(1)\n```\n<!-- output -->\n```text\n2\n```\n",
    ],
)
def test_what_goes_wrong_is_noticed(page: str, reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        follow(reader, written(tmp_path, page))


def test_an_error_of_python_is_noticed(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        follow(reader, written(tmp_path, "```python\n1 / 0\n```\n"))
