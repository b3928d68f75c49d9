"""`broca verify` on a real server: a score computed again, planted drift, and what cannot be computed again."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from broca import Client
from tests.serving import NOT_INHERITED, TIMEOUT_S, Served, serving


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("verify")) as running:
        yield running


def scored(served: Served, benchmark: str) -> str:
    with Client(served.url) as client:
        job = client.wait(client.submit("demo/tiny", [benchmark], force=True).id, timeout_s=TIMEOUT_S)
        assert job.has_succeeded, job
        return job.runs[0].score or ""


def verified(served: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    environment |= {
        "BROCA_URL": served.url,
        "BROCA_DEVICE": "cpu",
        "BROCA_DATA_DIR": str(served.data_dir.parent / "here"),
    }
    command = [sys.executable, "-m", "broca", "verify", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def write(served: Served, statement: str, score_id: str) -> None:
    """Change the row of a score behind the server's back."""
    with closing(sqlite3.connect(served.data_dir / "broca.db", timeout=30)) as connection, connection:
        assert connection.execute(f"UPDATE scores SET {statement} WHERE id = ?", (score_id,)).rowcount == 1


@pytest.mark.parametrize("where", [(), ("--local",)], ids=["on the server", "in this process"])
def test_a_score_is_computed_again_and_has_not_drifted(served: Served, where: tuple[str, ...]) -> None:
    score_id = scored(served, "demo-fmri")
    process = verified(served, score_id, *where, "--tolerance", "0", "--json")
    assert process.returncode == 0, process.stderr
    found = json.loads(process.stdout)
    assert (found["score"], found["verdict"]) == (score_id, "ok")
    assert {"raw", "layers"} <= {one["name"] for one in found["data"]}
    assert {one["difference"] for one in found["data"]} <= {0.0, None}
    with Client(served.url) as client:
        assert client.score(score_id).superseded_by is None, "verifying takes no score's place"
        assert where or client.score(found["rerun"]).raw == client.score(score_id).raw


def test_planted_drift_is_found_and_named(served: Served) -> None:
    score_id = scored(served, "demo-reading")
    write(served, "raw = raw + 0.001", score_id)
    process = verified(served, score_id, "--local")
    assert process.returncode == 1, process.stderr
    row = next(line for line in process.stdout.splitlines() if "│ raw " in line)
    assert "-1.0e-03" in row
    assert "drift" in row
    assert verified(served, score_id, "--local", "--tolerance", "0.01").returncode == 0


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("scoring_version = '0'", "scoring version 0"),
        ("benchmark_version = 99", "version 99"),
        ("data_sha256 = 'ee'", "sha256 of the data"),
        ("revision = 'main2'", "revision_not_found"),
    ],
)
def test_what_cannot_be_computed_again_ends_with_2_and_says_why(served: Served, statement: str, said: str) -> None:
    score_id = scored(served, "demo-reading")
    write(served, statement, score_id)
    process = verified(served, score_id, "--local")
    assert process.returncode == 2, process.stdout + process.stderr
    assert said in " ".join(process.stderr.split())


def test_unknown_scores_and_no_question_end_with_2(served: Served) -> None:
    assert verified(served, "score_none").returncode == 2
    assert verified(served).returncode == 2
    assert verified(served, "score_none", "--reference").returncode == 2
