"""What a shell is offered, asked as shells ask: a process with the words typed so far in its environment."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from broca.commands.completion import LONGEST_S
from tests.unit.test_client import JOB, RUN, Server, unused_url
from tests.unit.test_client import server as server  # the fixture

SLOW_START_S = 10.0
"""How long Python and the command line may take to load on a busy machine."""

ROOT = Path(__file__).parents[2]
BROCA = "import sys; sys.argv[0] = 'broca'; from broca.cli import main; main()"
"""As the console script runs it: shells know a program by its name."""

LOADED = "import atexit; atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr)); "


def completed(
    words: str, shell: str = "bash", *, url: str | None = None, program: str = BROCA
) -> tuple[list[str], str]:
    """What is offered for the last of the words, and what went to stderr."""
    asked = words.split(" ")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BROCA_")}
    environment |= {"_BROCA_COMPLETE": f"complete_{shell}", "BROCA_URL": url or unused_url()}
    environment |= {"COMP_WORDS": "\n".join(asked), "COMP_CWORD": str(len(asked) - 1)}
    environment |= {"_TYPER_COMPLETE_ARGS": words}
    if shell == "fish":
        environment["_TYPER_COMPLETE_FISH_ACTION"] = "get-args"
    process = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return process.stdout.split(), process.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_are_offered(shell: str) -> None:
    found, _ = completed("broca le", shell)
    assert "leaderboard" in " ".join(found)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("broca score gpt2 -b fut", ["futrell2018"]),
        ("broca leaderboard --protocol pu", ["published-2312.00575"]),
        ("broca pairs --benchmarks futrell2018,demo-r", ["futrell2018,demo-reading"]),
        ("broca data get nat", ["natural-stories"]),
        ("broca score de", ["demo/tiny"]),
    ],
)
def test_names_are_offered_without_a_server(words: str, offered: list[str]) -> None:
    assert completed(words) == (offered, "")


@pytest.mark.parametrize("words", ["broca wait job_", "broca score x -b own/"])
def test_without_a_server_there_is_no_offer_and_no_word(words: str) -> None:
    assert completed(words) == ([], "")


def test_jobs_scores_and_models_are_asked_of_the_server(server: Server) -> None:
    done = {**JOB, "runs": [{**RUN, "score": "score_1"}]}
    server.on("GET /v1/jobs?page_size=100", {"object": "list", "data": [done], "next_page_token": None})
    server.on("GET /v1/models", {"object": "list", "data": [{"id": "gpt2"}, {"id": "org/x"}]})
    server.on("GET /v1/benchmarks", {"object": "list", "data": [{"id": "own/mine"}, {"id": "demo-fmri"}]})
    offers = {
        "wait jo": ["job_1"],
        "scores show s": ["score_1"],
        "compare gp": ["gpt2"],
        "score x -b own/": ["own/mine"],
    }
    for words, offered in offers.items():
        assert completed(f"broca {words}", url=server.url) == (offered, "")


@pytest.mark.parametrize("url", ["nowhere", "http://[", "http://a b/"])
def test_an_address_that_is_none_is_passed_over(url: str) -> None:
    assert completed("broca wait jo", url=url) == ([], "")


def test_a_server_that_answers_nonsense_is_passed_over(server: Server) -> None:
    server.on("GET /v1/jobs?page_size=100", "<html>")
    assert completed("broca wait jo", url=server.url) == ([], "")


def test_pressing_tab_loads_no_torch() -> None:
    assert completed("broca score gpt2 -b fut", program=LOADED.replace("import", "import sys,", 1) + BROCA) == (
        ["futrell2018"],
        "False\n",
    )


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_the_script_for_a_shell_is_printed(shell: str) -> None:
    environment = {**os.environ, "_BROCA_COMPLETE": f"source_{shell}"}
    process = subprocess.run(
        [sys.executable, "-c", BROCA],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "_BROCA_COMPLETE" in process.stdout
    assert process.stderr == ""


def test_a_server_that_says_nothing_is_waited_for_a_moment() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        assert completed("broca wait jo", url=f"http://127.0.0.1:{silent.getsockname()[1]}") == ([], "")
        assert time.monotonic() - began < LONGEST_S + SLOW_START_S
