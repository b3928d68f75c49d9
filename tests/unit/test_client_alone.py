"""The client and its command line where nothing is installed but what they need."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPENDENCIES = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["project"]["dependencies"]

ONLY = """
import importlib.machinery as machinery
import sys

class Only(machinery.PathFinder):
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        found = super().find_spec(fullname, path, target)
        is_installed = found is not None and "site-packages" in str(found.origin or found.submodule_search_locations)
        return None if is_installed and fullname.split(".")[0] not in {allowed!r} else found

sys.meta_path[sys.meta_path.index(machinery.PathFinder)] = Only
"""


def closure() -> set[str]:
    """The modules that come with the dependencies of the client, and with theirs, as far as they are installed."""
    pending, seen = list(DEPENDENCIES), set()
    while pending:
        needed = pending.pop()
        name = re.split(r"[ \[<>=;!~(]", needed)[0].lower().replace("_", "-")
        if name in seen or ("extra ==" in needed):
            continue
        try:
            pending += metadata.requires(name) or ()
        except metadata.PackageNotFoundError:
            continue  # of another system, or of an older Python
        seen.add(name)
    providers = metadata.packages_distributions()
    return {module for module, names in providers.items() if {one.lower().replace("_", "-") for one in names} & seen}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which Python finds the client's dependencies and no other packages."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "sitecustomize.py").write_text(ONLY.replace("{allowed!r}", repr(closure())))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BROCA_")}
    return {**kept, "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))), "BROCA_DATA_DIR": str(folder / "data")}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_the_client_needs_a_handful_of_packages() -> None:
    found = closure()
    assert {"httpx", "pydantic", "rich", "typer"} <= found
    assert not found & {"torch", "numpy", "pandas", "altair", "sqlalchemy", "fastapi", "celery", "transformers"}
    assert len(found) < 30


def test_both_clients_and_the_command_line_load_where_nothing_else_is_installed(alone: dict[str, str]) -> None:
    program = "import broca, broca.cli; broca.Client('http://127.0.0.1:1'); broca.AsyncClient('http://127.0.0.1:1')"
    done = run(alone, "-c", program)
    assert (done.returncode, done.stderr) == (0, "")
    told = run(alone, "-m", "broca", "--help")
    assert told.returncode == 0
    assert "leaderboard" in told.stdout


def test_commands_that_ask_a_server_work_where_nothing_else_is_installed(alone: dict[str, str]) -> None:
    done = run(alone, "-m", "broca", "jobs", "--server", "http://127.0.0.1:9")
    assert (done.returncode, "server_unreachable" in done.stderr) == (3, True), done.stderr


NEED_THE_SERVER = [
    "serve",
    "worker",
    "migrate",
    "doctor",
    "demo",
    "keys list",
    "backup file.tar.gz",
    "data list",
    "data get natural-stories",
    "models convert gpt2",
    "reproduce 2312.00575",
]


def test_commands_that_need_the_server_say_what_to_install(alone: dict[str, str]) -> None:
    program = """
import contextlib, io, json, sys
from broca import cli
for command in sys.argv[1:]:
    sys.argv = ["broca", *command.split()]
    with contextlib.redirect_stderr(io.StringIO()) as told:
        code = None
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
    print(json.dumps([command, code, told.getvalue()]))
"""
    done = run(alone, "-c", program, *NEED_THE_SERVER)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(command, code) for command, code, _ in found] == [(command, 2) for command in NEED_THE_SERVER], found
    assert all("[package_missing]" in told and 'pip install "broca[all]"' in told for _, _, told in found), found


def test_frames_and_charts_say_what_to_install(alone: dict[str, str]) -> None:
    program = """
from broca import Client, Leaderboard, PackageMissing, Score
for ask in (Leaderboard(protocol="grouped").frame, lambda: Client("http://127.0.0.1:1").chart("pairs")):
    try:
        ask()
    except PackageMissing as error:
        print(error.code, error)
"""
    done = run(alone, "-c", program)
    hint = '(install it where broca is: pip install "broca[notebook]")'
    assert done.stdout.splitlines() == [
        f"package_missing a frame needs pandas, which is not installed {hint}",
        f"package_missing an Altair chart needs altair, which is not installed {hint}",
    ]


@pytest.mark.parametrize("module", ["broca", "broca.cli"])
def test_nothing_heavy_is_loaded_where_it_is_installed(module: str) -> None:
    heavy = {"torch", "sqlalchemy", "fastapi", "celery", "numpy", "pandas", "altair", "scipy", "transformers"}
    done = run(dict(os.environ), "-c", f"import {module}, sys; print({heavy} & set(sys.modules))")
    assert done.stdout.strip() == "set()", done.stderr
