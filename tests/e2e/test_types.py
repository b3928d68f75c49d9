"""What a type checker says of programs that use the clients."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from broca import Async, AsyncClient, Client, Job, Leaderboard, Listed, Pair, Score


def ask(client: Client) -> None:
    job = client.submit("gpt2", ["futrell2018"], force=True)
    assert_type(job, Job)
    assert_type(job.wait(timeout_s=1.0), Job)
    assert_type(job.scores(), Listed[Score])
    assert_type(client.jobs(status="running"), Iterator[Job])
    assert_type(client.leaderboard(protocol="grouped"), Leaderboard)
    assert_type(client.pairs()[0], Pair)
    client.submit(3, ["futrell2018"])  # wrong
    client.submit("gpt2", ["futrell2018"], urgent=True)  # wrong
    client.leaderboard(protocols="grouped")  # wrong


async def ask_awaiting(client: AsyncClient) -> None:
    job = await client.submit("gpt2", ["futrell2018"], force=True)
    assert_type(job, Job[Async])
    assert_type(await job.wait(timeout_s=1.0), Job[Async])
    assert_type(await job.scores(), Listed[Score[Async]])
    assert_type(client.jobs(status="running"), AsyncIterator[Job[Async]])
    assert_type(await client.leaderboard(protocol="grouped"), Leaderboard)
    job.wait().status  # wrong
    await client.submit(3, ["futrell2018"])  # wrong
"""


def test_a_type_checker_knows_what_calls_take_and_give(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", ROOT / "pyproject.toml"]
    done = subprocess.run(
        [*command, "--cache-dir", tmp_path / "cache", "--no-error-summary", program],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    found = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    wrong = {number for number, line in enumerate(PROGRAM.splitlines(), start=1) if line.endswith("# wrong")}
    assert found == wrong, done.stdout + done.stderr
