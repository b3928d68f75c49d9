"""What a plain `pip install` brings: a client in Python and on the command line, in an environment of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import NOT_INHERITED, TIMEOUT_S, serving

ROOT = Path(__file__).parents[2]
NOT_THIN = {"torch", "transformers", "sqlalchemy", "fastapi", "celery", "numpy", "pandas", "altair"}
UNREACHABLE = re.compile(r"NewConnectionError|NameResolutionError|ConnectTimeout|Could not fetch URL")

SESSION = """
import asyncio
from broca import AsyncClient, Client

def ask():
    with Client() as client:
        job = client.submit("demo/tiny", ["demo-fmri"])
        return job.cancel().status, [one.id for one in client.jobs()] == [job.id]

async def ask_too():
    async with AsyncClient() as client:
        job = await client.submit("demo/tiny", ["demo-fmri"])
        seen = []
        done = await job.cancel()
        await done.wait(on_event=lambda event: seen.append(event.type))
        return done.status, seen[-1], [one.id async for one in client.jobs()][0] == job.id

print(ask(), asyncio.run(ask_too()))
"""


def copied(folder: Path) -> Path:
    """The tracked files of this tree, as a clone would have them."""
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("this tree is not a git checkout")
    for line in listing.stdout.splitlines():
        if (ROOT / line).is_file():
            (folder / line).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / line, folder / line)
    return folder


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with `python` and `broca` of an environment that got the client alone."""
    folder = tmp_path_factory.mktemp("thin")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    source = copied(folder / "source")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "venv"]
    install = [*pip, "install", "--quiet", "--no-compile", "-c", source / "constraints.txt", source]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode and UNREACHABLE.search(done.stderr):
        pytest.skip("no index of packages can be reached; test_client_alone.py asks the same without one")
    assert done.returncode == 0, done.stderr
    return folder / "venv/bin"


def run(scripts: Path, *command: str, url: str = "http://127.0.0.1:9") -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {*NOT_INHERITED, "PYTHONPATH"}}
    return subprocess.run(
        [scripts / command[0], *command[1:]],
        cwd=scripts,
        env={**kept, "BROCA_URL": url},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def test_a_plain_install_has_nothing_that_runs_a_server(scripts: Path) -> None:
    program = f"import importlib.util as util; print(sorted(name for name in {NOT_THIN} if util.find_spec(name)))"
    assert run(scripts, "python", "-c", program).stdout.strip() == "[]"


def test_a_plain_install_asks_a_server_in_python_and_on_the_command_line(scripts: Path, tmp_path: Path) -> None:
    assert "leaderboard" in run(scripts, "broca", "--help").stdout
    with serving(tmp_path, "--no-worker") as served:
        asked = run(scripts, "python", "-W", "error", "-c", SESSION, url=served.url)
        assert asked.stdout.strip() == "('cancelled', True) ('cancelled', 'job.cancelled', True)", asked.stderr
        jobs = run(scripts, "broca", "jobs", "--json", url=served.url)
        assert [job["status"] for job in json.loads(jobs.stdout)] == ["cancelled", "cancelled"], jobs.stderr


def test_a_plain_install_says_how_to_get_a_server(scripts: Path) -> None:
    done = run(scripts, "broca", "serve")
    assert done.returncode == 2
    assert 'pip install "broca[all]"' in done.stderr
