"""The whole command tree, held against what all commands have in common: forms of output, spelling, help, examples."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from broca import cli

PRINTS_NO_RESULTS = {
    "serve": "runs until it is stopped",
    "worker": "runs until it is stopped",
    "demo": "shows the other commands at work",
    "scores units": "writes a file, CSV or Parquet as the server gives it",
    "scores surprisals": "writes a file, CSV or Parquet as the server gives it",
    "scores chart": "writes a file",
}
"""Commands without `--json`, and why."""

HAS_NO_IDS = {
    "logs": "events have numbers within their job",
    "migrate": "one database",
    "doctor": "findings have names that nothing takes",
    "restore": "nothing new has an id",
    "data verify": "files that are whole or not",
    "models show": "what is asked about is named",
    "properties show": "what is asked about is named",
    "scores matched": "measures of one score",
    "verify": "whether one score drifted",
}
"""Commands that print results without `--quiet`, and why."""

ROOT = typer.main.get_command(cli.app)


def commands(command: Any = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command by its name; of a group only one that does something without a subcommand."""
    inner = getattr(command, "commands", None)
    if path and (inner is None or command.invoke_without_command):
        yield " ".join(path), command
    for name, one in (inner or {}).items():
        yield from commands(one, (*path, name))


COMMANDS = dict(commands())


def options(command: Any) -> dict[str, Any]:
    """Options of a command by every spelling, hidden ones left out."""
    shown = (one for one in command.params if one.param_type_name == "option" and not one.hidden)
    return {name: one for one in shown for name in (*one.opts, *one.secondary_opts)}


def test_the_exceptions_are_commands_that_exist() -> None:
    assert {*PRINTS_NO_RESULTS, *HAS_NO_IDS} - COMMANDS.keys() == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_prints_results_prints_them_as_json(name: str) -> None:
    assert ("--json" in options(COMMANDS[name])) == (name not in PRINTS_NO_RESULTS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_lists_or_makes_things_prints_ids_alone(name: str) -> None:
    found = options(COMMANDS[name])
    assert ("--quiet" in found) == (name not in {*PRINTS_NO_RESULTS, *HAS_NO_IDS})
    assert ("-q" in found) == ("--quiet" in found)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_an_example_that_it_understands(name: str) -> None:
    command = COMMANDS[name]
    text = " ".join(command.help.split())
    [example] = re.findall(r"Example: broca (.+)$", text)
    assert example.startswith(name)
    assert len(text.partition("Example:")[0]) > 20
    assert all(option.help for option in options(command).values())
    words = [word for word in shlex.split(example.removeprefix(name)) if "/broca-" not in word]
    if words or "restore" not in name:  # the file of `broca restore` would have to exist
        command.make_context(name, words).close()


@pytest.mark.parametrize("name", COMMANDS)
def test_arguments_are_capitals_with_help(name: str) -> None:
    for one in COMMANDS[name].params:
        if one.param_type_name == "argument":
            assert re.fullmatch(r"\[?[A-Z .]+\]?(\.\.\.)?", one.metavar or ""), one.name
            assert one.help, one.name


def test_an_option_is_spelled_and_typed_the_same_wherever_it_is() -> None:
    seen: dict[str, set[tuple[object, ...]]] = defaultdict(set)
    for command in COMMANDS.values():
        for spelling, one in options(command).items():
            seen[spelling].add((tuple(one.opts), one.bare_type(), one.is_flag, one.multiple, one.envvar))
    different = {spelling for spelling, found in seen.items() if len(found) > 1}
    assert different == {"--replace"}, "a name of an import may be given away, a model of a study stood in for"


@pytest.mark.parametrize("spelling", ["--json", "--quiet", "--csv", "--server", "--data-dir", "--protocol", "--theme"])
def test_a_shared_option_means_the_same_wherever_it_is(spelling: str) -> None:
    found = [options(command)[spelling] for command in COMMANDS.values() if spelling in options(command)]
    assert len(found) > 1
    expected = {"--protocol"} & {spelling}
    assert len({one.help for one in found}) == 1 + len(expected), "`broca study run` takes another than the study's"


def test_every_command_that_asks_a_server_takes_its_address() -> None:
    folder = Path(cli.__file__).parent / "commands"
    asking = {path.stem for path in folder.glob("*.py") if "Client(server)" in path.read_text("utf8")}
    assert len(asking) > 10
    for name, command in COMMANDS.items():
        module = command.callback.__module__.rpartition(".")[2]
        if module in asking and name not in {"models convert"}:
            assert "--server" in options(command), name
